"""Random bytes that were drawn ahead are given once, whoever asks."""

import itertools
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from server.chance import AHEAD, LARGEST, DrawnAhead


class Counted:
    """A source whose bytes are all different: numbers of four bytes that rise."""

    def __init__(self):
        self._numbers = itertools.count(1)
        self.asked = []

    def __call__(self, count):
        self.asked.append(count)
        return b"".join(next(self._numbers).to_bytes(4) for _ in range(-(-count // 4)))[:count]


def test_no_number_is_given_twice_to_whichever_thread():
    source = Counted()
    chance = DrawnAhead(source)
    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(lambda _: [chance(LARGEST) for _ in range(500)], range(8)))
    numbers = [piece[start : start + 4] for part in given for piece in part for start in range(0, LARGEST, 4)]
    assert len(numbers) == 8 * 500 * LARGEST // 4 == len(set(numbers))
    assert set(source.asked) == {AHEAD}


@pytest.mark.parametrize("count", [0, 1, 8, 12, 15, LARGEST, LARGEST + 1, 32, AHEAD, 5000])
def test_as_many_are_given_as_were_asked_for(count):
    chance = DrawnAhead()
    for _ in range(200):
        assert len(chance(count)) == count


def test_keys_are_drawn_by_themselves():
    source = Counted()
    chance = DrawnAhead(source)
    chance(12)
    assert chance(32) == (AHEAD // 4 + 1).to_bytes(4) + b"".join((AHEAD // 4 + n).to_bytes(4) for n in range(2, 9))
    assert source.asked == [AHEAD, 32]


def test_a_forked_process_draws_anew():
    chance = DrawnAhead()
    chance(8)
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        os.write(writing, chance(LARGEST))
        os._exit(0)
    os.waitpid(process, 0)
    assert os.read(reading, LARGEST) not in {chance(LARGEST) for _ in range(AHEAD // LARGEST)}
    os.close(reading)
    os.close(writing)
