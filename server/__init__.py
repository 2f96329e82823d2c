"""The process. A request passes, in this order:

listener    sockets, the aiohttp shell, signals, drain
transport   HTTP rules: method, media type, lengths; GET for the WSDL
access      who speaks: gate A before the body is read, gate B after the header blocks are read
dispatch    the stages of one exchange, the deadline, the event
handlers/   one file per operation: message in, one service call, message out
faults      THE table: every error there is, and how it looks on the wire

app is the composition root, settings declares every option once, admin is the operator's own listener, cli/ the verbs.
"""
