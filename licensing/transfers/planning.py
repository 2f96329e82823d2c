"""What a request makes of a container: the receipt, the vendor's difference, the wish, the steps that are reserved.

Pure: values in, a `Plan` out. `licensing.depot` writes it with one command.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from containers import (
    START,
    Context,
    Counter,
    Seen,
    State,
    Step,
    StepKind,
    diff_states,
    parse_state,
    render_state,
    render_step,
)
from containers.blocks import block_digest
from containers.states import listing_digest
from frozen import quickly_made, replaced
from licensing.allowances import check_return
from licensing.collecting import check_parts, check_whole_return, check_whole_ticket, refusal
from licensing.errors import LicenseRepeated, LicenseUnknown, LicensingError, MixedFirmCodes, NothingFree
from licensing.transfers.chain import Blocks, Wanted, states_from_confirmed, vendor_state
from licensing.transfers.checkpoints import with_checkpoints
from licensing.transfers.judgement import newest
from storage.commands import TransferView
from storage.records import ContainerRow, LicenseUse, Mark, Movement, Placement, StepRow

NO_BLOCKS: Blocks = {}
_ALL_ELSEWHERE = "every piece is in another container; GetTicket says where things stand"


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """What a container shall hold of a licence; None: what is there and all that is free."""

    license_id: str
    quantity: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What to write. `refusal`: the wish was refused, and what is here is the rest.

    `event` names in the audit what happened where it is not the request itself. See `ApplyTransfer` for the others.
    """

    container: ContainerRow
    placements: tuple[Placement, ...] = ()
    steps: tuple[StepRow, ...] = ()
    refusal: LicensingError | None = None
    movements: tuple[Movement, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    rejoining: bool = False
    event: str | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """Licences of one ticket and their targets; no targets: all licences of the context's firm code.

    A wish that `lowers` gives back: a target left out is 0, and nothing is raised; any other never lowers.
    """

    ticket_id: str
    targets: tuple[Target, ...]
    lowers: bool = False


def seen_only(container: ContainerRow, context: Context) -> ContainerRow:
    """Give the row after a context that changes nothing but which one is the newest."""
    export, nonce = newest(container, context)
    return replace(container, newest_export=export, newest_nonce=nonce)


def settled(container: ContainerRow) -> ContainerRow:
    """Give the row of a container whose mark is over."""
    return replace(container, mark=Mark.OK, healing_export=None, healing_nonce=None, lost_at=None)


def asked_state(wanted: Mapping[str, int], uses: Iterable[LicenseUse], end_state: bytes, blocks: Blocks) -> State:
    """Give the state that the records ask for, and the entries at the end of the chain that no record is about.

    Such entries came back with a container after the server was restored: they are kept until somebody decides.
    """
    uses = tuple(uses)
    known = {use.license.license_id for use in uses}
    kept = tuple(entry for entry in parse_state(end_state) if entry.license_id not in known)
    return tuple(sorted((*vendor_state(wanted, uses, blocks), *kept), key=lambda entry: entry.license_id))


def plan_receipt(container: ContainerRow, context: Context, view: TransferView) -> Plan:
    """Take a context as a receipt for all steps up to it: the confirmed point moves, pieces become free (section 5)."""
    export, nonce = newest(container, context)
    confirmed = context.counter != container.confirmed
    row = replaced(
        container,
        newest_export=export,
        newest_nonce=nonce,
        contact_epoch=view.current_epoch if context.export > container.newest_export else container.contact_epoch,
        confirmed=context.counter if confirmed else container.confirmed,
        confirmed_state=render_state(context.listing) if confirmed else container.confirmed_state,
    )
    wanted = Wanted(quantities={placement.license_id: placement.wanted for placement in view.placements})
    states = states_from_confirmed(row, view.steps)
    placements = wanted.placements(serial=row.serial, states=states, before=view.placements, known=view.licenses)
    return Plan(container=row, placements=placements)


def plan_update(
    container: ContainerRow, context: Context, view: TransferView, wish: Wish | None, *, now: datetime
) -> Plan:
    """Take a receipt, then put the vendor's difference and the wish behind what is reserved (section 3)."""
    receipt = plan_receipt(container, context, view)
    row = receipt.container
    before = {placement.license_id: placement.wanted for placement in view.placements}
    builder = _caught_up(row, view, before, now=now)
    first = row.end == START and not builder.state  # nothing was ever given to this container, and nothing waits for it
    after, refusal = before, None
    try:
        targets = {} if wish is None else _targets(receipt, view, wish, before, now=now)
        raises = wish is not None and not wish.lowers
        if raises and not any(targets.values()) and not builder.leads_somewhere(context):
            raise NothingFree(_ALL_ELSEWHERE)
        after = {**before, **targets}
        asked = asked_state(after, view.licenses, row.end_state, view.blocks)
        if first and asked:
            builder.reset(view.current_epoch, asked)
        elif not first:
            builder.change(asked)
    except LicensingError as error:
        refusal = error
    if first and not builder.steps:
        # An empty step would say nothing.
        return replace(receipt, refusal=refusal)
    return _planned(builder, row, view, before=before, after=after, now=now, refusal=refusal)


def plan_push(container: ContainerRow, view: TransferView, *, now: datetime) -> Plan:
    """Put the vendor's difference behind what is reserved, without a fresh context."""
    before = {placement.license_id: placement.wanted for placement in view.placements}
    builder = _caught_up(container, view, before, now=now)
    if container.end == START and not builder.steps:
        return Plan(container=container)
    return _planned(builder, container, view, before=before, after=before, now=now)


def _caught_up(row: ContainerRow, view: TransferView, before: Mapping[str, int], *, now: datetime) -> "Steps":
    """Give a chain with the vendor's difference at its end: a reset where its epoch is an older one.

    A chain that nothing stands in and nothing is due for stays empty: its reset comes with the first licence.
    """
    builder = Steps(row=row, now=now, blocks=view.blocks)
    state = asked_state(before, view.licenses, row.end_state, view.blocks)
    if row.end == START and not state:
        return builder
    if row.epoch < view.current_epoch:
        builder.reset(view.current_epoch, state)
    else:
        builder.change(state)
    return builder


def _planned(
    builder: "Steps",
    row: ContainerRow,
    view: TransferView,
    *,
    before: Mapping[str, int],
    after: Mapping[str, int],
    now: datetime,
    refusal: LicensingError | None = None,
) -> Plan:
    states = [*states_from_confirmed(row, view.steps), *builder.states]
    placements = Wanted(quantities=after).placements(
        serial=row.serial, states=states, before=view.placements, known=view.licenses
    )
    movements = tuple(
        Movement(license_id=license_id, serial=row.serial, kind="Return", quantity=there - after[license_id], at=now)
        for license_id, there in sorted(before.items())
        if after[license_id] < there
    )
    return Plan(
        container=builder.row,
        placements=placements,
        steps=tuple(builder.steps),
        refusal=refusal,
        movements=movements,
    )


def _targets(
    receipt: Plan, view: TransferView, wish: Wish, before: Mapping[str, int], *, now: datetime
) -> dict[str, int]:
    """Give the quantity that each wished licence shall have here afterwards. Raises the wish's refusal."""
    uses = {use.license.license_id: use for use in view.licenses}
    chosen = _chosen(receipt.container, view.licenses, wish)
    of_ticket = [
        use.license
        for use in view.licenses
        if use.license.ticket_id == wish.ticket_id and use.license.firm_code == receipt.container.firm_code
    ]
    if wish.lowers:
        remainders = _remainders(chosen, view, uses, before, now=now)
        check_whole_return(of_ticket, remainders, before=before, path="license")
        return remainders
    known = {placement.license_id: placement for placement in view.placements}
    here = known | {placement.license_id: placement for placement in receipt.placements}
    found: dict[str, int] = {}
    refusals: list[LicensingError] = []
    for place, target in enumerate(chosen, start=1):
        there = before.get(target.license_id, 0)
        use, counted = uses[target.license_id], known.get(target.license_id)
        most = max(there, _most(use, counted, here.get(target.license_id)))
        quantity = most if target.quantity is None else max(there, target.quantity)
        refused = refusal(use.license, serial=receipt.container.serial, now=now, path=f"license[{place}]")
        if refused is not None and (quantity > there or quantity == 0):
            if wish.targets:
                raise refused
            refusals.append(refused)
            quantity = there
        if quantity > most:
            raise NothingFree(
                f"the container can hold at most {most} of this licence; GetTicket says how many are free",
                path=f"license[{place}]/target/quantity",
            )
        if wish.targets and quantity == 0:
            raise NothingFree(_ALL_ELSEWHERE, path=f"license[{place}]")
        check_parts(use.license, quantity, there=there, path=f"license[{place}]")
        found[target.license_id] = quantity
    if refusals and not any(found.values()):
        raise refusals[0]
    check_whole_ticket(of_ticket, found, before=before, path="license")
    return found


def _remainders(
    chosen: Iterable[Target],
    view: TransferView,
    uses: Mapping[str, LicenseUse],
    before: Mapping[str, int],
    *,
    now: datetime,
) -> dict[str, int]:
    """Give what shall remain of each licence that is here. Raises ReturnRefused."""
    allowances = {allowance.license_id: allowance for allowance in view.allowances}
    found: dict[str, int] = {}
    for place, target in enumerate(chosen, start=1):
        there = before.get(target.license_id, 0)
        remainder = min(there, target.quantity or 0)
        if remainder < there:
            ordered_at = uses[target.license_id].license.created_at
            check_return(allowances[target.license_id], ordered_at=ordered_at, now=now, path=f"license[{place}]")
        found[target.license_id] = remainder
    return {license_id: remainder for license_id, remainder in found.items() if license_id in before}


def _chosen(row: ContainerRow, uses: Sequence[LicenseUse], wish: Wish) -> tuple[Target, ...]:
    own = {use.license.license_id: use.license for use in uses if use.license.ticket_id == wish.ticket_id}
    if not wish.targets:
        # A withdrawn licence is no target of a collection, but what is left of it here leaves with the file.
        of_firm = [license_ for license_ in own.values() if license_.firm_code == row.firm_code]
        if not of_firm:
            raise MixedFirmCodes(
                "the ticket has no licence for the firm code of the context; export one for a firm code of the ticket",
                path="context",
            )
        wanted = [license_ for license_ in of_firm if wish.lowers or not license_.withdrawn]
        return tuple(Target(license_id=license_.license_id) for license_ in wanted)
    for place, target in enumerate(wish.targets, start=1):
        path = f"license[{place}]/licenseId"
        license_ = own.get(target.license_id)
        if license_ is None or (license_.withdrawn and not wish.lowers):
            raise LicenseUnknown("the ticket has no such licence; GetTicket lists its licences", path=path)
        if license_.firm_code != row.firm_code:
            raise MixedFirmCodes(
                f"the licence is for firm code {license_.firm_code}, the context for {row.firm_code}; ask for each",
                path=path,
            )
    if len({target.license_id for target in wish.targets}) < len(wish.targets):
        raise LicenseRepeated("a licence is named twice; name it once, with the quantity it shall have", path="license")
    return wish.targets


def _most(use: LicenseUse, counted: Placement | None, here: Placement | None) -> int:
    """Give the greatest quantity that this container may want: room in both sums (section 3, step 4).

    `counted` is the placement here as the sums of `use` hold it, `here` the same after the receipt: what that has freed
    was here, and may be had again only where the sums leave room for it.
    """
    quantity = use.license.quantity
    wanted_counted, occupied_counted = (counted.wanted, counted.occupied) if counted else (0, 0)
    room_wanted = quantity - (use.wanted - wanted_counted)
    room_occupied = max(here.occupied if here else 0, quantity - (use.occupied - occupied_counted))
    return max(0, min(room_wanted, room_occupied))


class Steps:
    """Puts steps at the end of a chain. A step is made only where the state changes."""

    def __init__(self, *, row: ContainerRow, now: datetime, blocks: Blocks = NO_BLOCKS) -> None:
        self.row = row
        self._blocks = {block_digest(block): block for data in blocks.values() for block in data.values()}
        self.steps: list[StepRow] = []
        self.states: list[State] = []  # after each step
        self._now = now
        self.state: State = parse_state(row.end_state)

    def leads_somewhere(self, context: Context) -> bool:
        """Whether steps wait for the container that change what it holds."""
        return context.counter < Counter(*self.row.end) and bool(context.listing or self.state)

    def reset(self, epoch: int, state: State) -> None:
        """Begin a new epoch with the whole state."""
        state = with_checkpoints(state, held=self.state, now=self._now)
        to = Counter(epoch, 1)
        self._append(StepKind.RESET, to, state, put=state, remove=())

    def change(self, state: State) -> None:
        """Go to another state by a delta."""
        state = with_checkpoints(state, held=self.state, now=self._now)
        if state == self.state:
            return
        put, remove = diff_states(self.state, state)
        end = Counter(*self.row.end)
        self._append(StepKind.DELTA, Counter(end.epoch, end.number + 1), state, put=put, remove=remove)

    def _append(self, kind: StepKind, to: Counter, state: State, *, put: State, remove: tuple[str, ...]) -> None:
        listing = render_state(state)
        step = Step(
            serial=self.row.serial,
            firm_code=self.row.firm_code,
            kind=kind,
            from_counter=Counter(*self.row.end),
            to_counter=to,
            digest_before=listing_digest(self.row.end_state),
            digest_after=listing_digest(listing),
            seen=Seen(export=self.row.newest_export, nonce=self.row.newest_nonce),
            issued=self._now,
            put=put,
            remove=remove,
            blocks=self._brought(kind, put),
        )
        self.steps.append(
            StepRow(
                serial=step.serial,
                firm_code=step.firm_code,
                counter=to,
                from_counter=step.from_counter,
                kind=kind.value,
                digest_before=step.digest_before,
                digest_after=step.digest_after,
                state_after=listing,
                content=render_step(step),
                signed=None,
                issued_at=self._now,
            )
        )
        self.state = state
        self.states.append(state)
        resets = kind is StepKind.RESET
        self.row = replaced(
            self.row,
            end=to,
            end_state=listing,
            epoch=to.epoch if resets else self.row.epoch,
            base=to if resets else self.row.base,
        )

    def _brought(self, kind: StepKind, put: State) -> tuple[bytes, ...]:
        """Give the data that a step must bring: of a delta what the state before it has not, of a reset all."""
        there = _named(self.state) if kind is StepKind.DELTA else frozenset()
        # What no record is about is not known here; such a container holds it.
        return tuple(self._blocks[digest] for digest in sorted(_named(put) - there) if digest in self._blocks)


def _named(state: State) -> frozenset[bytes]:
    return frozenset(digest for entry in state for digest in entry.options.blocks())
