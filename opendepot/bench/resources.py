"""What a server says of its own memory and descriptors, watched during a soak."""

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp

_MEMORY = re.compile(r"^process_resident_memory_bytes\S* ([0-9.e+]+)$", re.MULTILINE)
_DESCRIPTORS = re.compile(r"^process_open_fds\S* ([0-9.e+]+)$", re.MULTILINE)
_CONNECTIONS = re.compile(r"^opendepot_connections\S* ([0-9.e+]+)$", re.MULTILINE)
MIB = 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """At so many seconds from the beginning: resident memory in MiB, connections, and descriptors beside those.

    How many connections there are is the clients' doing, and each is a descriptor.
    """

    seconds: float
    memory: float
    descriptors: float
    connections: float


def read_sample(metrics: str, *, seconds: float) -> Sample | None:
    """Read what /metrics says, all workers together; None where it does not tell memory and descriptors."""
    memory, descriptors = _MEMORY.findall(metrics), _DESCRIPTORS.findall(metrics)
    if not memory or not descriptors:
        return None
    connections = sum(map(float, _CONNECTIONS.findall(metrics)))
    return Sample(
        seconds=seconds,
        memory=sum(map(float, memory)) / MIB,
        descriptors=sum(map(float, descriptors)) - connections,
        connections=connections,
    )


async def watch(metrics_url: str, *, each_seconds: float, samples: list[Sample]) -> None:
    """Add a sample again and again until it is cancelled. What cannot be read leaves a gap."""
    began = time.monotonic()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=each_seconds)) as session:
        while True:
            try:
                async with session.get(metrics_url) as answer:
                    text = await answer.text()
            except (aiohttp.ClientError, TimeoutError):
                text = ""
            sample = read_sample(text, seconds=time.monotonic() - began)
            if sample is not None:
                samples.append(sample)
            await asyncio.sleep(each_seconds)


def slope_per_minute(samples: Sequence[tuple[float, float]]) -> float:
    """Give how much a value rises in a minute, by least squares over (seconds, value); 0 for fewer than two."""
    if len(samples) < 2:
        return 0.0
    middle = sum(second for second, _ in samples) / len(samples)
    spread = sum((second - middle) ** 2 for second, _ in samples)
    if not spread:
        return 0.0
    return 60 * sum((second - middle) * value for second, value in samples) / spread
