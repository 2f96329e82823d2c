"""What stands on the other side of a container in these tests: a vendor with a box, and strategies for its values."""

import random
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import strategies as st
from lxml import etree

from containers import (
    START,
    Container,
    Context,
    Counter,
    Entry,
    Options,
    Seen,
    SoftwareBox,
    State,
    Step,
    StepKind,
    diff_states,
    read_context,
    render_step,
    render_update,
    sign_step,
    state_digest,
)

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
FIRM = 6_000_010
NAMESPACE = "urn:opendepot:container:1"
DSIG = "http://www.w3.org/2000/09/xmldsig#"


def clock() -> datetime:
    return NOW


def seeded(seed: int) -> Callable[[int], bytes]:
    return random.Random(seed).randbytes


def entry(license_id: str = "L1", *, quantity: int = 1, generation: int = 1, options: Options | None = None) -> Entry:
    return Entry(
        license_id=license_id,
        generation=generation,
        item_number="CAD-PRO",
        product_code=13,
        quantity=quantity,
        options=options or Options(),
    )


@dataclass
class Vendor:
    """Makes steps for one container and firm code, each against a context, and keeps the chain."""

    box: SoftwareBox
    serial: str
    firm_code: int = FIRM
    end: Counter = START
    state: State = ()
    steps: list[Step] = field(default_factory=list)

    def delta(self, context: Context, state: State, **changed: object) -> bytes:
        put, remove = diff_states(self.state, state)
        to = Counter(self.end.epoch, self.end.number + 1)
        return self._issue(context, state, kind=StepKind.DELTA, to=to, put=put, remove=remove, **changed)

    def reset(self, context: Context, state: State, *, epoch: int | None = None, **changed: object) -> bytes:
        to = Counter(self.end.epoch + 1000 if epoch is None else epoch, 1)
        return self._issue(context, state, kind=StepKind.RESET, to=to, put=state, remove=(), **changed)

    def file(self, *signed: bytes) -> bytes:
        return render_update(serial=self.serial, firm_code=self.firm_code, signed_steps=signed)

    def sign(self, step: Step) -> bytes:
        return sign_step(render_step(step), firm_code=step.firm_code, box=self.box)

    def _issue(
        self,
        context: Context,
        state: State,
        *,
        kind: StepKind,
        to: Counter,
        put: Sequence[Entry],
        remove: Sequence[str],
        **changed: object,
    ) -> bytes:
        step = Step(
            serial=self.serial,
            firm_code=self.firm_code,
            kind=kind,
            from_counter=self.end,
            to_counter=to,
            digest_before=state_digest(self.state),
            digest_after=state_digest(state),
            seen=Seen(export=context.export, nonce=context.nonce),
            issued=NOW,
            put=tuple(put),
            remove=tuple(remove),
        )
        step = replace(step, **changed)
        self.end, self.state = step.to_counter, state
        self.steps.append(step)
        return self.sign(step)


def context_of(container: Container, firm_code: int = FIRM) -> Context:
    return read_context(container.context(firm_code))


def canonical(data: bytes, path: str = ".") -> bytes:
    """The Exclusive C14N that libxml2 makes of an element of the document."""
    found = etree.fromstring(data).find(path, {"c": NAMESPACE, "ds": DSIG})
    return etree.tostring(found, method="c14n", exclusive=True)


def xmlsec1(data: bytes, folder: Path, *arguments: str, signature: int = 1) -> bool:
    """Whether xmlsec1 accepts the document's n-th signature."""
    file = folder / "document.xml"
    file.write_bytes(data)
    command = ["xmlsec1", "verify", *arguments, "--node-xpath", f"(//*[local-name()='Signature'])[{signature}]"]
    return subprocess.run([*command, str(file)], capture_output=True, check=False).returncode == 0


# --- strategies ------------------------------------------------------------------------------------------------------

characters = st.one_of(
    st.sampled_from(list("&<>\"'\r\n\t ]=xyz")),
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"),
)
names = st.text(characters, min_size=1, max_size=64)
small_texts = st.text(characters, max_size=256).filter(lambda text: len(text.encode()) <= 256)
times = st.integers(0, 4 * 10**9).map(lambda seconds: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds))


def maybe(strategy: st.SearchStrategy) -> st.SearchStrategy:
    return st.one_of(st.none(), strategy)


options = st.builds(
    Options,
    activation_time=maybe(times),
    expiration_time=maybe(times),
    usage_days=maybe(st.integers(0, 2**31 - 1)),
    maintenance_start=maybe(times),
    maintenance_end=maybe(times),
    feature_map=maybe(st.integers(0, 2**32 - 1)),
    unit_counter=maybe(st.integers(0, 2**63 - 1)),
    text=maybe(small_texts),
    customer_information=maybe(small_texts),
)
entries = st.builds(
    Entry,
    license_id=names,
    generation=st.integers(0, 2**31 - 1),
    item_number=names,
    product_code=st.integers(0, 2**32 - 1),
    quantity=st.integers(1, 2**31 - 1),
    options=options,
)
states = st.lists(entries, max_size=4, unique_by=lambda each: each.license_id).map(
    lambda found: tuple(sorted(found, key=lambda each: each.license_id))
)
counters = st.builds(Counter, st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
seens = st.builds(Seen, export=st.integers(1, 2**63 - 1), nonce=st.binary(min_size=16, max_size=16))
serials = st.from_regex(r"\A[0-9]{1,3}-[0-9]{1,64}\Z")
digests = st.binary(min_size=32, max_size=32)


@st.composite
def steps(draw: st.DrawFn) -> Step:
    low, high = sorted(draw(st.lists(counters, min_size=2, max_size=2, unique=True)))
    kind = draw(st.sampled_from(StepKind))
    put = draw(states)
    remove = set() if kind is StepKind.RESET else draw(st.sets(names, max_size=3))
    return Step(
        serial=draw(serials),
        firm_code=draw(st.integers(1, 2**32 - 1)),
        kind=kind,
        from_counter=low,
        to_counter=high,
        digest_before=draw(digests),
        digest_after=draw(digests),
        seen=draw(seens),
        issued=draw(times),
        put=put,
        remove=tuple(sorted(remove - {each.license_id for each in put})),
    )
