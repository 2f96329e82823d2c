"""One supervisor and its workers: it owns the listening sockets, so that no worker's end loses a connection.

backoff     how long to wait before a dead worker is replaced
channel     what supervisor and worker say to each other, over a socket pair
notifying   systemd's notify protocol
worker      the process that serves
supervisor  the process that starts, watches, replaces and stops workers
"""
