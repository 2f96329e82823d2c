"""Items and shops, as the vendor keeps them."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from licensing.allowances import WITHOUT_RULES, Allowances
from licensing.collecting import parse_rules, rule_field
from licensing.credentials import new_key
from licensing.data import NO_DATA, OPTIONS, Data, shown_data, with_data
from licensing.errors import (
    AdministratorUnknown,
    Contended,
    ItemUnknown,
    NameInvalid,
    NameTaken,
    OptionInvalid,
    RuleInvalid,
    ShopUnknown,
)
from licensing.ids import Ids
from licensing.lookups import Lookups
from licensing.options import option_field, parse_options
from licensing.rights import ADMIN_ALL, USUAL, rights_text, roles_text
from licensing.vault import Vault
from storage import Storage
from storage.commands import (
    AddAdministrator,
    AddItem,
    AddShop,
    ChangeItem,
    FindAdministrator,
    FindItem,
    FindShop,
    ListAdministrators,
    ListItems,
    RevokeAdministrator,
    SetAccessPolicy,
    SetRights,
)
from storage.records import AccessPolicy, Administrator, AuditRow, Credential, Item, Shop

HIGHEST_CODE = 2**32 - 1
_ADMIN_KEY = "admin-key"


class Catalogue:
    """Adds and lists items and shops; finds the shop of an API key."""

    def __init__(
        self, *, storage: Storage, vault: Vault, clock: Callable[[], datetime], random: Callable[[int], bytes]
    ) -> None:
        self._storage = storage
        self._vault = vault
        self._clock = clock
        self._random = random
        self._ids = Ids(clock=clock, random=random)
        self.lookups = Lookups(storage=storage, vault=vault)

    async def add_item(
        self,
        *,
        item_number: str,
        firm_code: int,
        product_code: int,
        options: tuple[str, ...] = (),
        allowances: Allowances = WITHOUT_RULES,
        rules: tuple[str, ...] = (),
        data: Data = NO_DATA,
        actor: str = "cli",
    ) -> Item:
        """Add an article; `options` and `rules` as `name=value`, `data` is kept sealed.

        Raises NameInvalid, NameTaken, OptionInvalid, RuleInvalid.
        """
        _check_name(item_number, most=64, what="an item number")
        for name, code in (("firm code", firm_code), ("product code", product_code)):
            if not 1 <= code <= HIGHEST_CODE:
                raise OptionInvalid(f"the {name} must be 1 to {HIGHEST_CODE}", path=name)
        now = self._clock()
        item = Item(
            item_number=item_number,
            firm_code=firm_code,
            product_code=product_code,
            options=with_data(parse_options(options), data, vault=self._vault),
            rules=json.dumps({**parse_rules(rules), **allowances.rules()}, sort_keys=True),
            active=True,
            created_at=now,
        )
        audit = AuditRow(at=now, actor=actor, action="AddItem", subject=item_number, details="{}")
        if not await self._storage.execute(AddItem(item=item, audit=audit)):
            raise NameTaken(f"there is an item {item_number} already; take another number")
        return item

    async def show_item(self, item_number: str) -> Item:
        """Give an article, sold or not. Raises ItemUnknown."""
        item = await self._storage.query(FindItem(item_number=item_number))
        if item is None:
            raise ItemUnknown(f"there is no item {item_number}; `opendepot item list` has those that are sold")
        return item

    async def update_item(
        self,
        item_number: str,
        *,
        options: tuple[str, ...] = (),
        rules: tuple[str, ...] = (),
        without: tuple[str, ...] = (),
        active: bool | None = None,
        data: Data = NO_DATA,
        actor: str = "cli",
    ) -> Item:
        """Change an article for what is ordered from now on; `without` names options and rules that go.

        `data` comes beside the fields that are there, or in their place.

        Raises ItemUnknown, OptionInvalid, RuleInvalid, Contended.
        """
        before = await self.show_item(item_number)
        gone = {_field(name) for name in without}
        found_options = {**json.loads(before.options), **json.loads(parse_options(options))}
        found_rules = {**json.loads(before.rules), **parse_rules(rules)}
        item = replace(
            before,
            options=with_data(
                json.dumps({x: y for x, y in found_options.items() if x not in gone}, sort_keys=True),
                data,
                vault=self._vault,
            ),
            rules=json.dumps({x: y for x, y in found_rules.items() if x not in gone}, sort_keys=True),
            active=before.active if active is None else active,
        )
        names = [*(pair.partition("=")[0] for pair in (*options, *rules)), *(f"{kind}Data" for kind in data)]
        details = {"set": names, "without": [*without], "active": item.active}
        audit = AuditRow(
            at=self._clock(), actor=actor, action="ChangeItem", subject=item_number, details=json.dumps(details)
        )
        if not await self._storage.execute(ChangeItem(before=before, item=item, audit=audit)):
            raise Contended("somebody else changed this item at the same time; look at it and change it again")
        return item

    def data_of(self, item: Item) -> tuple[str, ...]:
        """Say which fields of data an article has, never what they hold."""
        return shown_data(item.options, vault=self._vault)

    async def list_items(self) -> tuple[Item, ...]:
        """Give all items in the order of their numbers."""
        items: list[Item] = []
        while page := await self._storage.query(ListItems(after=items[-1].item_number if items else "", limit=500)):
            items += page
        return tuple(items)

    async def add_shop(self, name: str, *, rights: tuple[str, ...] = USUAL, actor: str = "cli") -> tuple[Shop, str]:
        """Add a shop; its API key (256 random bits) is given here and never again.

        Raises NameInvalid, NameTaken, RightUnknown.
        """
        _check_credential_name(name, what="a shop's name")
        now = self._clock()
        shop = Shop(shop_id=self._ids.new(), name=name, active=True, created_at=now, rights=rights_text(rights))
        api_key = self._new_key()
        credential = Credential(
            credential_id=self._ids.new(),
            shop_id=shop.shop_id,
            kind="api-key",
            lookup=self._vault.index("api-key", api_key),
            created_at=now,
        )
        audit = AuditRow(
            at=now, actor=actor, action="AddShop", subject=name, details=json.dumps({"shop": shop.shop_id})
        )
        if not await self._storage.execute(AddShop(shop=shop, credential=credential, audit=audit)):
            raise NameTaken(f"there is a shop {name} already; take another name")
        return shop, api_key

    async def set_rights(self, name: str, rights: tuple[str, ...], *, actor: str = "cli") -> None:
        """Give a shop exactly these rights. Raises RightUnknown, ShopUnknown."""
        text = rights_text(rights)
        audit = AuditRow(
            at=self._clock(), actor=actor, action="SetRights", subject=name, details=json.dumps({"rights": text})
        )
        if not await self._storage.execute(SetRights(name=name, rights=text, audit=audit)):
            raise ShopUnknown(f"there is no shop {name}; the name is the one it was added under")

    async def find_shop(self, api_key: str, name: str | None) -> Shop | None:
        """Give the active shop of an API key, or None; where a name is given, it must be that shop's."""
        found = await self.lookups.find("api-key", api_key, self._shop)
        return found[0] if found is not None and name in {None, found[0].name} else None

    async def _shop(self, lookup: bytes) -> Shop | None:
        return await self._storage.query(FindShop(lookup=lookup))

    async def set_policy(self, name: str, policy: AccessPolicy, *, actor: str = "cli") -> None:
        """Say what proves that a request comes from a shop. Raises ShopUnknown."""
        details = json.dumps({"policy": policy.value})
        audit = AuditRow(at=self._clock(), actor=actor, action="SetAccessPolicy", subject=name, details=details)
        if not await self._storage.execute(SetAccessPolicy(name=name, policy=policy, audit=audit)):
            raise ShopUnknown(f"there is no shop {name}; `opendepot shop add` makes one")

    async def add_administrator(self, name: str, *, roles: tuple[str, ...] = (ADMIN_ALL,), actor: str = "cli") -> str:
        """Let somebody use the Admin interface; give the API key, this once.

        Raises NameInvalid, NameTaken, RoleUnknown.
        """
        _check_credential_name(name, what="an administrator's name")
        text = roles_text(roles)
        now = self._clock()
        api_key = self._new_key()
        administrator = Administrator(
            name=name, lookup=self._vault.index(_ADMIN_KEY, api_key), created_at=now, roles=text
        )
        audit = AuditRow(
            at=now, actor=actor, action="AddAdministrator", subject=name, details=json.dumps({"roles": text})
        )
        if not await self._storage.execute(AddAdministrator(administrator=administrator, audit=audit)):
            raise NameTaken(f"there is an administrator {name} already; take another name")
        return api_key

    async def revoke_administrator(self, name: str, *, actor: str = "cli") -> None:
        """Let somebody use the Admin interface no more. Raises AdministratorUnknown."""
        now = self._clock()
        audit = AuditRow(at=now, actor=actor, action="RevokeAdministrator", subject=name, details="{}")
        if not await self._storage.execute(RevokeAdministrator(name=name, at=now, audit=audit)):
            raise AdministratorUnknown(f"there is no administrator {name}; `opendepot admin list` has their names")

    async def list_administrators(self) -> tuple[Administrator, ...]:
        """Give those who may use the Admin interface, by name."""
        return await self._storage.query(ListAdministrators())

    async def find_administrator(self, api_key: str, name: str | None) -> Administrator | None:
        """Give the administrator of an API key, or None; where a name is given, it must be theirs."""
        by_hash = await self.lookups.find(_ADMIN_KEY, api_key, self._administrator)
        if by_hash is None or name not in {None, by_hash[0].name}:
            return None
        found, lookup = by_hash
        await self.lookups.renew("administrators", found.name, purpose=_ADMIN_KEY, text=api_key, found=lookup)
        return found

    async def _administrator(self, lookup: bytes) -> Administrator | None:
        return await self._storage.query(FindAdministrator(lookup=lookup))

    def _new_key(self) -> str:
        return new_key(self._random)


def _check_credential_name(name: str, *, what: str) -> None:
    _check_name(name, most=64, what=what)
    if ":" in name or not name.isascii():
        raise NameInvalid(f"{what} must be ASCII without a colon, since HTTP Basic carries it")


def _field(name: str) -> str:
    """Give the field of an option or a rule."""
    if name in OPTIONS:
        return OPTIONS[name]
    try:
        return rule_field(name)
    except RuleInvalid:
        return option_field(name)


def _check_name(name: str, *, most: int, what: str) -> None:
    if not 1 <= len(name) <= most or not name.isprintable() or name != name.strip():
        raise NameInvalid(f"{what} must be 1 to {most} printable characters without blanks at its ends")
