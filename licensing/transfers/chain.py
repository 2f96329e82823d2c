"""What a chain holds: the state at each of its points, what is occupied, and the steps that a file needs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from containers import Entry, Options, State, StepKind, parse_state
from containers.blocks import block_digest
from licensing.options import licence_options
from storage.records import ContainerRow, Counter, LicenseUse, Placement, StepRow


def quantities(state: State) -> dict[str, int]:
    """Give the quantity of each licence in a state."""
    return {entry.license_id: entry.quantity for entry in state}


def occupied(states: Iterable[State]) -> dict[str, int]:
    """Give for each licence the greatest quantity that any of the states grants (section 1)."""
    most: dict[str, int] = {}
    for state in states:
        for license_id, quantity in quantities(state).items():
            most[license_id] = max(most.get(license_id, 0), quantity)
    return most


def states_from_confirmed(container: ContainerRow, steps: Iterable[StepRow]) -> list[State]:
    """Give every state that the container may be in: the confirmed one and those of the chain."""
    chain = [step.state_after for step in steps if step.counter > container.confirmed]
    return [parse_state(listing) for listing in [container.confirmed_state, *chain]]


Blocks = Mapping[str, Mapping[str, bytes]]
"""The data of licences as blocks for one container: by licence, then by the name of the option."""


def vendor_state(wanted: Mapping[str, int], uses: Iterable[LicenseUse], blocks: Blocks) -> State:
    """Give the state that the records ask for: every licence with its wanted quantity, if any."""
    return tuple(
        Entry(
            license_id=use.license.license_id,
            generation=use.license.generation,
            item_number=use.license.item_number,
            product_code=use.license.product_code,
            quantity=wanted[use.license.license_id],
            options=_options(use, blocks.get(use.license.license_id)),
        )
        for use in sorted(uses, key=lambda use: use.license.license_id)
        if wanted.get(use.license.license_id, 0) > 0
    )


def _options(use: LicenseUse, blocks: Mapping[str, bytes] | None) -> Options:
    options = licence_options(use.license.options)
    if not blocks:
        return options
    digests = {name: block_digest(block) for name, block in blocks.items()}
    return replace(
        options,
        protected_data=digests.get("protected_data"),
        hidden_data=digests.get("hidden_data"),
        secret_data=digests.get("secret_data"),
    )


def file_steps(steps: Sequence[StepRow], *, after: Counter, to: Counter) -> list[StepRow]:
    """Give the steps of a file: those after one counter up to another, from the last reset on if there is one."""
    wanted = [step for step in steps if after < step.counter <= to]
    resets = [place for place, step in enumerate(wanted) if step.kind == StepKind.RESET]
    return wanted[resets[-1] :] if resets else wanted


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What should be in one container, by licence."""

    quantities: Mapping[str, int]

    def placements(
        self, *, serial: str, states: Sequence[State], before: Iterable[Placement], known: Iterable[LicenseUse]
    ) -> tuple[Placement, ...]:
        """Give the placements that have changed; `states`: the confirmed one first, then those of the chain."""
        may_be, is_there = occupied(states), quantities(states[0])
        old = {placement.license_id: placement for placement in before}
        rows = (
            Placement(
                license_id=license_id,
                serial=serial,
                wanted=self.quantities.get(license_id, 0),
                occupied=may_be.get(license_id, 0),
                confirmed=is_there.get(license_id, 0),
            )
            for license_id in sorted({use.license.license_id for use in known})
            if license_id in old or license_id in may_be or self.quantities.get(license_id, 0)
        )
        return tuple(row for row in rows if row != old.get(row.license_id))
