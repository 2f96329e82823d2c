"""Fuzzes a target: `python tests/fuzz/fuzzing.py TARGET [--seconds 60] [--seed 1] [--found FOLDER]`.

With atheris (the dependency group `fuzz`) it is led by coverage, and what reaches something new is kept in FOLDER.
Without it inputs are changed at random. Either way it prints how many it tried, and the first that is wrong ends it.
"""

import argparse
import importlib.util
import random
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]


def mutated(data: bytes, others: Sequence[bytes], tokens: Sequence[bytes], rng: random.Random) -> bytes:
    """Change an input in one to five places."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 5)):
        at = rng.randrange(len(out) + 1)
        match rng.randrange(7):
            case 0 if at < len(out):
                out[at] = rng.randrange(256)
            case 1:
                del out[at : at + rng.randint(1, 20)]
            case 2:
                out[at:at] = rng.choice(tokens)
            case 3:
                piece = out[at : at + rng.randint(1, 60)]
                other = rng.randrange(len(out) + 1)
                out[other:other] = piece * rng.choice((1, 1, 1, 20))
            case 4:
                other_input = rng.choice(others)
                begin = rng.randrange(len(other_input) + 1)
                out[at:] = other_input[begin:]
            case 5 if at < len(out):
                out[at] ^= 1 << rng.randrange(8)
            case _:
                out = out[:at] or out
    return bytes(out)


def inputs(kept: Sequence[bytes], tokens: Sequence[bytes], *, seed: int) -> Iterator[bytes]:
    """Give the kept inputs, and then changed ones without end; each of those is made by the seed and its number."""
    yield from kept
    number = 0
    while True:
        rng = random.Random(f"{seed}:{number}")
        yield mutated(rng.choice(kept), kept, tokens, rng)
        number += 1


def _at_random(target: str, *, seconds: float, seed: int) -> None:
    from fuzz_targets import TARGETS, TOKENS, kept  # noqa: PLC0415  atheris must see the import

    run, until, tried = TARGETS[target], time.monotonic() + seconds, 0
    for data in inputs(kept(target), TOKENS, seed=seed):
        try:
            run(data)
        except Exception:
            print(f"wrong, seed {seed}, input {tried}: {data!r}")
            raise
        tried += 1
        if time.monotonic() > until:
            break
    print(f"{target}: {tried} executions, at random, seed {seed}")


def _by_coverage(target: str, *, seconds: float, seed: int, found: Path) -> None:
    import atheris  # noqa: PLC0415  only where it is installed

    with atheris.instrument_imports(include=["soap", "xmlgate", "containers", "server.http", "fuzz_targets"]):
        from fuzz_targets import CORPUS, TARGETS, TOKENS  # noqa: PLC0415  atheris must see the import

    found.mkdir(parents=True, exist_ok=True)
    words = found.parent / f"{target}.dict"
    words.write_text("".join(f'"{"".join(f"{chr(92)}x{byte:02x}" for byte in token)}"\n' for token in TOKENS))
    options = [
        f"-max_total_time={seconds:g}",
        f"-seed={seed}",
        "-max_len=4096",
        "-print_final_stats=1",
        f"-dict={words}",
    ]
    options += [f"-artifact_prefix={found.parent}/{target}-", "-verbosity=0"]
    atheris.Setup([sys.argv[0], *options, str(found), str(CORPUS / target)], TARGETS[target])
    atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=("gate", "envelope", "mtom", "http", "contexts", "shapes", "scanning"))
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--found", type=Path, default=Path("/tmp/opendepot-fuzz"))
    chosen = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        _at_random(chosen.target, seconds=chosen.seconds, seed=chosen.seed)
    else:
        _by_coverage(chosen.target, seconds=chosen.seconds, seed=chosen.seed, found=chosen.found / chosen.target)


if __name__ == "__main__":
    main()
