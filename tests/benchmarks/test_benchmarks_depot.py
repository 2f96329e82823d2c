import asyncio
from pathlib import Path

import pytest

from benchmarks.collecting import raw, read_requests, send, write_requests
from benchmarks.depot import FIRM_CODE, Run, new_context, record_of
from benchmarks.report import Options, Refused
from containers import START, read_context


def a_round(number: int, *, raw_us: float, small_us: float, large_us: float, others: float = 0.0) -> list[Run]:
    return [
        Run(what="raw", round=number, held=0, each_us=raw_us),
        Run(what="depot", round=number, held=1_000, each_us=small_us, others=others),
        Run(what="depot", round=number, held=1_000_000, each_us=large_us),
    ]


def test_ratios_compare_what_was_measured_in_one_round() -> None:
    runs = a_round(1, raw_us=100, small_us=700, large_us=770) + a_round(2, raw_us=200, small_us=1000, large_us=1000)
    figures = record_of(runs, Options()).figures
    assert (figures["ratio_raw"].lowest, figures["ratio_raw"].highest) == (5.0, 7.0)
    assert (figures["ratio_million"].lowest, figures["ratio_million"].highest) == (1.0, 1.1)


def test_a_round_that_others_disturbed_is_refused_unless_tolerated() -> None:
    runs = a_round(1, raw_us=100, small_us=700, large_us=770, others=0.5)
    with pytest.raises(Refused, match="1,000 tickets, round 1"):
        record_of(runs, Options())
    assert record_of(runs, Options(tolerate_others=True)).warnings


def test_every_context_is_a_new_container_s_first() -> None:
    first, second = (read_context(new_context()) for _ in range(2))
    assert first.serial != second.serial
    assert (first.firm_code, first.counter, first.export) == (FIRM_CODE, START, 1)


def test_requests_come_back_from_their_file(tmp_path: Path) -> None:
    requests = [b"one", b"", b"\r\n" * 500]
    write_requests(tmp_path / "requests", requests)
    assert list(read_requests(tmp_path / "requests")) == requests


def test_the_bare_work_is_done_in_whole_commits(tmp_path: Path) -> None:
    found = raw(seconds=0.01, together=3, folder=tmp_path)
    assert found["answered"] >= 3
    assert found["answered"] % 3 == 0
    assert not list(tmp_path.iterdir())


def test_only_update_files_are_counted_as_answers() -> None:
    answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nDone", b"HTTP/1.1 500 No\r\ncontent-length: 4\r\n\r\nDone"]

    kept: dict[int, bytes] = {}

    async def sent() -> dict[str, float]:
        async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for answer in answers:
                await reader.readexactly(1)
                writer.write(answer)
            await reader.read()
            writer.close()

        async with await asyncio.start_server(answering, "127.0.0.1", 0) as server:
            return await send([b"a", b"b"], port=server.sockets[0].getsockname()[1], connections=1, answers=kept)

    found = asyncio.run(sent())
    assert found["answered"] == 1
    assert kept == {0: b"Done", 1: b"Done"}
    assert 0 < found["p50_ms"] <= found["p99_ms"] <= found["seconds"] * 1000
