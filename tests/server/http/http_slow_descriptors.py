"""A listener in a process that has hardly a descriptor left: `python http_slow_descriptors.py LOOP DESCRIPTORS`.

Writes its port, then a line for each refusal; ends when its input does, with the number of descriptors that it had
before and after, once all connections are gone.
"""

import asyncio
import resource
import sys

from http_shell import LOOPS, Client, Recorder, listening
from http_slow_shell import descriptors

from server.http.application import Peer
from server.http.keeper import Keeper


class Telling(Recorder):
    def refused(self, peer: Peer, *, status: int, reason: str) -> None:
        print("refused", status, reason, flush=True)


async def serve(spare: int) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    async with listening(Telling()) as server:
        loop.add_reader(sys.stdin.fileno(), ended.set)
        async with Client(server.address) as first:
            # uvloop keeps a descriptor in reserve from its first connection on.
            await first.send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            await first.to_end()
        await empty(server.keeper)
        before = descriptors()
        # The listing of descriptors takes one for itself.
        resource.setrlimit(resource.RLIMIT_NOFILE, (before - 1 + spare, before - 1 + spare))
        print("port", server.address[1], flush=True)
        await ended.wait()
        loop.remove_reader(sys.stdin.fileno())
        await empty(server.keeper)
        print("descriptors", descriptors() - before, flush=True)


async def empty(keeper: Keeper) -> None:
    while keeper.open_connections:  # noqa: ASYNC110  as a test does
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=LOOPS[sys.argv[1]]) as runner:
        runner.run(serve(int(sys.argv[2])))
