from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from xml.parsers import expat

import pytest
from lxml import etree

import xmlgate.gate
import xmlgate.parser
from xmlgate import Limits, XmlRefused, parse


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """How many bytes the exact count (`counted`) and the tree parser (`built`) were given, call by call."""
    seen = SimpleNamespace(counted=[], built=[])

    class Watched:
        def __init__(self, encoding: str) -> None:
            object.__setattr__(self, "_inner", expat.ParserCreate(encoding))

        def Parse(self, data: Any, final: bool) -> int:  # noqa: N802  expat's own name
            seen.counted.append(len(data))
            return self._inner.Parse(data, final)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

        def __setattr__(self, name: str, value: Any) -> None:
            setattr(self._inner, name, value)

    build = etree.fromstring

    def watched_build(data: bytes, parser: etree.XMLParser) -> etree._Element:
        seen.built.append(len(data))
        return build(data, parser)

    monkeypatch.setattr(xmlgate.gate, "ParserCreate", Watched)
    monkeypatch.setattr(xmlgate.parser.etree, "fromstring", watched_build)
    return seen


@pytest.fixture
def refusal() -> Callable[..., XmlRefused]:
    def get(data: bytes, *, limits: Limits | None = None, charset: str | None = None) -> XmlRefused:
        with pytest.raises(XmlRefused) as caught:
            parse(data, limits=limits or Limits(), charset=charset)
        return caught.value

    return get


@pytest.fixture
def nested() -> Callable[[int], bytes]:
    def make(depth: int) -> bytes:
        return b"<a>" * depth + b"</a>" * depth

    return make
