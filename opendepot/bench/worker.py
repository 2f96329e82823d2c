"""A process of the load tester. It reads one JSON object a line and answers each with one; keys stay off its arguments.

    {"target": {...}}                        -> {"ready": true}
    {"prepare": {"tickets": n, "name": s}}   -> {"prepared": n}
    {"level": {...}, "part": p, "parts": n, "first": k} -> {"tally": {...}}

What goes wrong is answered with {"error": text}. The end of the input ends the process.
"""

import asyncio
import json
import sys
from collections.abc import Mapping
from typing import Any

import uvloop

from opendepot.bench.pacing import Level, OperationFailed, carry_out
from opendepot.bench.scenarios import Asking, Target, asking
from opendepot.service import ServiceUnreachable
from soap import AnswerInvalid, FaultReceived


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    first = json.loads(await loop.run_in_executor(None, sys.stdin.readline))
    async with asking(Target(**first["target"])) as ready:
        _say({"ready": True})
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            try:
                _say(await _answer(ready, json.loads(line)))
            except (OperationFailed, FaultReceived, AnswerInvalid, ServiceUnreachable) as error:
                _say({"error": str(error)})


async def _answer(ready: Asking, asked: Mapping[str, Any]) -> Mapping[str, Any]:
    match asked:
        case {"prepare": {"tickets": int(tickets), "name": str(name)}}:
            await ready.prepare(tickets=tickets, name=name)
            return {"prepared": tickets}
        case {"level": dict(level), "part": int(part), "parts": int(parts), "first": int(first)}:
            tally = await carry_out(Level(**level), ready.operation, part=part, parts=parts, first=first)
            return {"tally": tally.as_dict()}
    return {"error": f"not understood: {sorted(asked)}"}


def _say(answer: Mapping[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


def main() -> None:
    """Serve until the input ends."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve())


if __name__ == "__main__":
    main()
