"""What holds for all values of `server/security/`: they do not change, and no secret is printed with them."""

import dataclasses
import importlib
import pkgutil
from typing import Any

import pytest
from gates_bench import HERE

import server.security
from ipfilters import Client, Endpoint
from server.security.authorization import Presented
from server.security.callers import Calling
from server.security.wssecurity.keys import RegisteredSecret
from server.security.wssecurity.reading import Username
from server.security.wssecurity.references import KeyName, NameKind, certificate_name

CHANGING = {Calling}
"""What the gates learn of a request is added to it."""


def values() -> list[type[Any]]:
    names = [module.name for module in pkgutil.walk_packages(server.security.__path__, "server.security.")]
    found = {
        each
        for name in names
        for each in vars(importlib.import_module(name)).values()
        if isinstance(each, type) and dataclasses.is_dataclass(each) and each.__module__.startswith("server.security")
    }
    return sorted(found, key=lambda each: (each.__module__, each.__qualname__))


@pytest.mark.parametrize("value", values(), ids=lambda value: value.__qualname__)
def test_a_value_cannot_change_is_made_by_names_and_takes_no_other_attribute(value: type[Any]) -> None:
    assert value.__dataclass_params__.frozen is (value not in CHANGING)
    assert all(field.kw_only for field in dataclasses.fields(value))
    assert "__slots__" in vars(value)


def test_a_secret_is_not_printed_with_what_holds_it() -> None:
    secret = "od_a-secret"
    holders = (
        Presented(api_key=secret, name="acme"),
        RegisteredSecret(credential_id="c", owner="o", secret=secret.encode()),
        Username(name="acme", password=secret, nonce=None, created_text=None, created=None),
        Calling(
            endpoint=Endpoint.SALES,
            client=Client(peer=HERE, address=HERE),
            named=None,
            authorization=f"Bearer {secret}",
            certificate=secret.encode(),
        ),
        KeyName(kind=NameKind.CERTIFICATE, value="x", der=secret.encode()),
    )
    for holder in holders:
        assert secret not in repr(holder), type(holder)


def test_what_nobody_has_said_of_a_request_is_not_so() -> None:
    call = Calling(endpoint=Endpoint.SALES, client=Client(peer=HERE, address=HERE), named=None, authorization=None)
    assert (call.certificate, call.secure, call.allowed, call.version, call.front) == (None, False, None, 0, None)


def test_a_certificate_has_one_name_whether_the_message_holds_it_or_not() -> None:
    whole = certificate_name(b"der")
    assert whole.der == b"der"
    assert whole == KeyName(kind=NameKind.CERTIFICATE, value=whole.value)
    assert len({whole, KeyName(kind=NameKind.CERTIFICATE, value=whole.value)}) == 1
