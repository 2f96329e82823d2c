"""WS-Security (OASIS WSS 1.1.1): who sent a message, proved by what stands in its header block.

The order is the defence. `reading` looks at the form alone: counts, places, ids, algorithms, sizes. Only what has the
one accepted form meets a key, and only keys from the registered store are asked for. `verifying` computes, `freshness`
judges the time, and `replay` names what must not be seen twice. `signing` signs answers.
"""
