"""HTTP/1.1 for a server, strictly: one reading of a message or none. Knows nothing of SOAP, storage or settings.

head         bytes of a request's head -> `Head`, or refused (RFC 9110, RFC 9112)
chunked      the chunked coding, in and out
requests     a stream of bytes -> heads and bodies, one request at a time
proxied      PROXY protocol v2
answers      `Answer` -> bytes
application  what stands behind the shell: `Application`, `Exchange`
phases       what a connection is doing, as tables
connection   the `asyncio.Protocol`: order, flow control, deadlines
keeper       all connections of a listener: limits, deadlines, drain
accepting    listening sockets -> connections, TLS

Nothing but `connection`, `keeper` and `accepting` does I/O.
"""
