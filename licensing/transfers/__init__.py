"""The transfer protocol's server side as pure functions (`docs/explanation/transfer.md`).

judgement   what a context says about its container: receipt, late, two copies, ...
chain       states along a chain, occupied, the steps that a file holds
checkpoints the dates by which the server must be asked again
planning    the vendor's difference, the wish as a target, the steps that are reserved
"""
