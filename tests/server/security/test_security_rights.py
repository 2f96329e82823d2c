"""What an operation asks of its caller."""

from dataclasses import replace

import pytest
from signed_messages import NOW

from licensing.errors import RightMissing
from licensing.rights import ADMIN_ALL, ADMIN_READ, ADMIN_SECURITY, ORDER, READ
from server.errors import RoleMissing
from server.security.callers import Caller
from server.security.rights import Requirements
from storage.records import Administrator, Shop

SHOP = Shop(shop_id="s", name="acme", active=True, created_at=NOW, rights=f"{ORDER} {READ}")
OPS = Administrator(name="ops", lookup=b"x", created_at=NOW, roles=ADMIN_READ)
ASKED = Requirements(rights={"CreateOrder": ORDER}, roles={"See": frozenset({ADMIN_READ, ADMIN_SECURITY})})


def test_a_shop_needs_the_right_of_the_operation_and_none_where_none_is_asked() -> None:
    ASKED.require_right(SHOP, "CreateOrder")
    for rights in ("", READ, "orders", "order-all"):
        with pytest.raises(RightMissing, match="CreateOrder needs the right order"):
            ASKED.require_right(replace(SHOP, rights=rights), "CreateOrder")
        ASKED.require_right(replace(SHOP, rights=rights), "Other")


def test_an_administrator_needs_one_of_the_roles_or_all() -> None:
    for roles in (ADMIN_READ, ADMIN_SECURITY, ADMIN_ALL, f"support {ADMIN_READ}"):
        ASKED.require_role(replace(OPS, roles=roles), "See")
    for roles in ("", "support"):
        with pytest.raises(RoleMissing, match="See needs one of the roles all, read, security"):
            ASKED.require_role(replace(OPS, roles=roles), "See")


def test_an_operation_that_stands_nowhere_is_for_the_role_all_alone() -> None:
    ASKED.require_role(replace(OPS, roles=ADMIN_ALL), "Other")
    with pytest.raises(RoleMissing, match="Other needs one of the roles all"):
        ASKED.require_role(OPS, "Other")


def test_a_handler_that_asks_for_somebody_who_was_never_identified_is_a_bug() -> None:
    nobody = Caller(identified_shop=None)
    with pytest.raises(AssertionError, match="asked for the shop"):
        assert nobody.shop
    with pytest.raises(AssertionError, match="asked for the administrator"):
        assert nobody.administrator
    assert Caller(identified_shop=SHOP).shop is SHOP
    assert Caller(identified_shop=None, identified_administrator="ops").administrator == "ops"
