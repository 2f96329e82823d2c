"""The configuration as rules that can be asked, with what has to be closed at the end."""

import importlib
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import aiohttp

from licensing.extensions.guarding import Guarded
from licensing.extensions.questions import AllOf, AnyOf, Eligibility, Everybody
from licensing.extensions.rules import Rule
from server.errors import SettingsError
from server.ozomm.configuration import (
    ChainSource,
    CsvSource,
    EverybodySource,
    HttpSource,
    OzommConfiguration,
    PythonSource,
    SoapSource,
    Source,
    SqlSource,
)
from server.ozomm.csv_source import CsvCrm
from server.ozomm.http_source import HttpCrm
from server.ozomm.sql_source import view_of

GROUP = "opendepot.eligibility"

Told = Callable[[str, str, float], None]


class Assembler:
    """Builds sources, each once, whatever rules and chains name it. `told` hears each outcome of a source."""

    def __init__(
        self,
        configuration: OzommConfiguration,
        *,
        folder: Path,
        stack: AsyncExitStack,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        told: Told,
    ) -> None:
        self.guarded: dict[str, Guarded] = {}
        self._configuration = configuration
        self._folder = folder
        self._stack = stack
        self._clock = clock
        self._monotonic = monotonic
        self._told = told
        self._built: dict[str, Eligibility] = {}
        self._session: aiohttp.ClientSession | None = None

    async def rules(self) -> tuple[Rule, ...]:
        """Give the rules, in their order. Raises SettingsError for what cannot be used."""
        return tuple(
            [
                Rule(
                    name=f"rule {number}",
                    items=rule.items,
                    eligibility=await self._source(rule.eligibility),
                    when_silent=rule.when_silent,
                    extend_with=rule.extend_with,
                    periods={int(days): item for days, item in rule.periods.items()},
                    provisional_item=rule.provisional_item,
                    give_up_hours=rule.give_up_hours,
                )
                for number, rule in enumerate(self._configuration.rules, start=1)
            ]
        )

    async def _source(self, name: str) -> Eligibility:
        if name not in self._built:
            self._built[name] = await self._made(name, self._configuration.sources[name])
        return self._built[name]

    async def _made(self, name: str, source: Source) -> Eligibility:
        match source:
            case EverybodySource():
                return Everybody()
            case ChainSource():
                of = [await self._source(each) for each in source.of]
                return AllOf(of) if source.kind == "all" else AnyOf(of)
        guarded = Guarded(
            await self._asked(source),
            name=name,
            limits=source.limits,
            monotonic=self._monotonic,
            told=self._told,
        )
        self.guarded[name] = guarded
        return guarded

    async def _asked(self, source: HttpSource | SoapSource | SqlSource | CsvSource | PythonSource) -> Eligibility:
        match source:
            case HttpSource():
                return HttpCrm(
                    source,
                    folder=self._folder,
                    session=await self._shared_session(),
                    clock=self._clock,
                    monotonic=self._monotonic,
                )
            case SoapSource():
                # zeep takes long to load, and is an extra.
                module = importlib.import_module("server.ozomm.soap_source")
                made: Eligibility = module.SoapCrm(source, folder=self._folder, session=await self._shared_session())
                return made
            case SqlSource():
                view = view_of(source, folder=self._folder)
                self._stack.push_async_callback(view.close)
                return view
            case CsvSource():
                return CsvCrm(source, folder=self._folder)
            case PythonSource():
                return _vendors_own(source)

    async def _shared_session(self) -> aiohttp.ClientSession:
        """Give the HTTP client of all sources; each source has limits of its own, in time and in number.

        One limit over all would let a slow source use up what the others need.
        """
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0)
            self._session = await self._stack.enter_async_context(
                aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None))
            )
        return self._session


def _vendors_own(source: PythonSource) -> Eligibility:
    """Load code of the vendor's own. Raises SettingsError."""
    if ":" in source.factory:
        found = EntryPoint(name="factory", value=source.factory, group=GROUP)
    else:
        known = {each.name: each for each in entry_points(group=GROUP)}
        if source.factory not in known:
            raise SettingsError(f"ozomm_file: no entry point {source.factory} in the group {GROUP}; write module:name")
        found = known[source.factory]
    try:
        made: Eligibility = found.load()(**source.options)
    except (ImportError, AttributeError, TypeError) as error:
        raise SettingsError(f"ozomm_file: factory {source.factory}: {error}") from error
    if not hasattr(made, "ask"):
        raise SettingsError(f"ozomm_file: what factory {source.factory} makes has no method ask")
    return made
