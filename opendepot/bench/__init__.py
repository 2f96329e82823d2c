"""A load tester for a server that runs somewhere: open-loop, so that a slow server cannot slow down its own test.

latency     a mergeable histogram
scenarios   what one operation is: order, collect, cycle, extend
pacing      when operations are due, and what became of them
worker      a process that is told what to do on standard input
fleet       several of them as one
levels      the search for the knee
resources   what the server itself says it uses, for soaks
report      figures as JSON, as a page with plots, and beside those of another run

Every time is taken from the moment an operation was due, not from when it could be sent: what waits behind a slow
answer counts as slow.
"""
