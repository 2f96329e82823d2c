from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import vendor
from cryptography import x509

from containers import Container, ContainerError, SoftwareBox, load_trust


@pytest.fixture(scope="session")
def box() -> SoftwareBox:
    return SoftwareBox.create(now=vendor.NOW, random=vendor.seeded(1))


@pytest.fixture(scope="session")
def trust(box: SoftwareBox) -> tuple[x509.Certificate, ...]:
    return load_trust(box.root_certificate_pem)


@pytest.fixture
def container(tmp_path: Path, box: SoftwareBox) -> Container:
    return Container.create(
        tmp_path / "container", trust_pem=box.root_certificate_pem, clock=vendor.clock, random=vendor.seeded(2)
    )


@pytest.fixture
def seller(box: SoftwareBox, container: Container) -> vendor.Vendor:
    return vendor.Vendor(box=box, serial=container.serial)


@pytest.fixture
def refused() -> Callable[..., ContainerError]:
    def call(function: Callable[..., Any], *arguments: Any, **named: Any) -> ContainerError:
        with pytest.raises(ContainerError) as caught:
            function(*arguments, **named)
        return caught.value

    return call
