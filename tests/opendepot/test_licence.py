"""Whether a program may run, with the reason."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from containers import Container, Entry, Options, SoftwareBox
from opendepot import Licence

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)


class Held(Container):
    """A container that holds what a test says."""

    entries: tuple[Entry, ...] = ()
    signed_at: datetime | None = None

    def listing(self, firm_code: int) -> tuple[Entry, ...]:
        return self.entries if firm_code == 10 else ()

    @property
    def certified_time(self) -> datetime | None:
        return self.signed_at


@pytest.fixture
def container(tmp_path: Path) -> Held:
    rng = random.Random(1)
    box = SoftwareBox.create(now=NOW, random=rng.randbytes)
    made = Held.create(tmp_path / "c.json", trust_pem=box.root_certificate_pem, clock=lambda: NOW, random=rng.randbytes)
    assert isinstance(made, Held)
    return made


def entry(number: int = 1, **options: object) -> Entry:
    return Entry(
        license_id=f"l{number}",
        generation=1,
        item_number="A",
        product_code=100,
        quantity=2,
        options=Options(**options),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, "Held"),
        ({"expiration_time": NOW + DAY}, "Held"),
        ({"expiration_time": NOW}, "Expired"),
        ({"activation_time": NOW + DAY}, "NotYetActive"),
        ({"activation_time": NOW}, "Held"),
        ({"maintenance_end": NOW - DAY}, "MaintenanceOver"),
        ({"maintenance_start": NOW + DAY}, "MaintenanceOver"),
        ({"maintenance_start": NOW - DAY, "maintenance_end": NOW + DAY}, "Held"),
    ],
)
def test_reasons(container: Held, options: dict[str, datetime], reason: str) -> None:
    container.entries = (entry(**options),)
    check = Licence(container, firm_code=10, product_code=100, clock=lambda: NOW).check(released=NOW)
    assert (check.reason, check.valid) == (reason, reason == "Held")
    assert check.message


def test_what_is_not_there_and_features(container: Held) -> None:
    licence = Licence(container, firm_code=10, product_code=100, clock=lambda: NOW)
    assert licence.check().reason == "NotHeld"
    container.entries = (entry(feature_map=0b100),)
    assert licence.check(feature=2).valid
    assert licence.check(feature=1).reason == "FeatureMissing"
    assert Licence(container, firm_code=10, product_code=9, clock=lambda: NOW).check().reason == "NotHeld"


def test_the_best_of_several_decides(container: Held) -> None:
    licence = Licence(container, firm_code=10, product_code=100, clock=lambda: NOW)
    container.entries = (entry(1, expiration_time=NOW - DAY), entry(2, expiration_time=NOW + DAY), entry(3))
    check = licence.check()
    assert (check.valid, check.quantity, check.until) == (True, 4, None)
    container.entries = container.entries[:2]
    assert licence.check().until == NOW + DAY


def test_a_clock_that_was_put_back_is_not_believed(container: Held) -> None:
    container.entries, container.signed_at = (entry(expiration_time=NOW),), NOW + DAY
    assert Licence(container, firm_code=10, product_code=100, clock=lambda: NOW - 9 * DAY).check().reason == "Expired"
