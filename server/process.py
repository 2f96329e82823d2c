"""What is done once to a process that serves: the loop, the limit of descriptors, the garbage collector."""

import asyncio
import gc
import resource
from collections.abc import Coroutine
from typing import Any

import uvloop


def run_loop(work: Coroutine[Any, Any, None]) -> None:
    """Run a server's work on uvloop, with all the descriptors that the system lets it have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)


def settle() -> None:
    """Tell the garbage collector, once all is set up, that what there is will stay, and to look less often.

    A request makes many objects and hardly a cycle, so looking at all contracts again for each few hundred of them
    finds nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
