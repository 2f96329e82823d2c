"""The messages of the contract as frozen dataclasses, made by `python -m soap.generate`; never edited by hand."""
