"""The scenarios of `opendepot bench` as users of locust, for those who have locust already (docs/how-to/load-test.md).

    locust -f benchmarks/locustfile.py --headless --host http://127.0.0.1:8080 --api-key-file key \
        --trust depot/vendor-certificate.pem --users 20 --spawn-rate 20 --run-time 1m Cycle

Order, Collect, Cycle and ExtensionStorm are what can stand at its end; without one, all of them are users. locust takes
times from when a request was sent: a server that stops holds up its own test, which `opendepot bench` does not let it.
Run it from the checkout, in an environment that has both locust (dependency group `locust`) and opendepot.
"""

import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from locust import FastHttpUser, constant_throughput, events, task

from containers import Container
from opendepot.bench.scenarios import FAST_FOLDER, PLENTY
from soap import AnswerInvalid, ClientEngine, FaultReceived, Version, load_contract
from soap.messages import depot, ozomm, sales

AHEAD = 10
"""Tickets that a user orders ahead at a time, where a scenario takes them as given."""
AHEAD_NAME = "CreateOrder (ahead)"
NOTHING: Mapping[str, str] = {}


class OperationFailed(Exception):
    """What was asked was refused or not answered, which is counted already."""


@cache
def engine(service: str) -> ClientEngine:
    """Give what writes requests to a service and reads its answers."""
    messages = {"sales": sales, "depot": depot, "ozomm": ozomm}[service]
    return ClientEngine(load_contract(f"v1/{service}.wsdl"), messages, version=Version.SOAP12)


@events.init_command_line_parser.add_listener
def _options(parser: Any) -> None:
    parser.add_argument(
        "--api-key-file",
        env_var="OPENDEPOT_API_KEY_FILE",
        include_in_web_ui=False,
        default=None,
        help="A file with the shop's API key.",
    )
    parser.add_argument("--trust", default=None, help="The vendor's certificate (PEM), for containers to trust.")
    parser.add_argument("--item", default=None, help="The item to order; the first one of the shop where left out.")
    parser.add_argument(
        "--a-second", type=float, default=1.0, help="Scenarios of each user a second at most (default %(default)s)."
    )


@events.init.add_listener
def _checked(environment: Any, **_: Any) -> None:
    """End at once when something is missing, and not when the first user misses it."""
    options = environment.parsed_options
    if options is None:
        return
    if options.api_key_file is None:
        sys.exit("name a file with a shop's API key by --api-key-file; `opendepot shop add` gives one")
    chosen = environment.user_classes
    if options.trust is None and any(issubclass(each, WithContainer) for each in chosen):
        sys.exit("containers need the vendor's certificate: name it by --trust; `opendepot init` has made it")


class Asking(FastHttpUser):
    """A user who asks by SOAP."""

    abstract = True

    def wait_time(self) -> float:
        """Give the seconds until this user's next scenario."""
        return float(constant_throughput(self.environment.parsed_options.a_second)(self))

    def on_start(self) -> None:
        """Find the item to order."""
        options = self.environment.parsed_options
        self.run_name = secrets.token_hex(6)
        self.number = 0
        self.tickets: list[str] = []
        self.key = {"Authorization": f"Bearer {Path(options.api_key_file).read_text(encoding='ascii').strip()}"}
        self.item, self.firm_code = self._found_item(options.item)

    def ask(self, service: str, operation: str, message: object, *, name: str | None = None) -> Any:
        """Send a request and give its answer. Raises OperationFailed."""
        request = engine(service).request(operation, message)
        headers = {**request.headers, **(self.key if service == "sales" else NOTHING)}
        with self.client.post(
            f"/v1/{service}", data=request.body, headers=headers, name=name or operation, catch_response=True
        ) as response:
            try:
                fields = response.headers or NOTHING
                answer = engine(service).answer(
                    operation, content_type=fields.get("content-type"), body=response.content or b""
                )
            except FaultReceived as fault:
                told = fault.code
            except AnswerInvalid:
                told = str(response.error or f"status {response.status_code} without an answer of the contract")
            else:
                response.success()
                return answer
            response.failure(told)
        raise OperationFailed(told)

    def order(self, *, name: str | None = None) -> str:
        """Order a licence and give its ticket. Raises OperationFailed."""
        self.number += 1
        message = sales.CreateOrderRequest(
            transaction_id=f"locust-{self.run_name}-{self.number}",
            order_line=(sales.OrderLine(item_number=self.item, quantity=1),),
        )
        return str(self.ask("sales", "CreateOrder", message, name=name).receipt.ticket)

    def ticket_ahead(self) -> str:
        """Give a ticket that was ordered ahead. Raises OperationFailed."""
        if not self.tickets:
            self.tickets = [self.order(name=AHEAD_NAME) for _ in range(AHEAD)]
        return self.tickets.pop()

    def whole(self, name: str, scenario: Callable[[], object]) -> None:
        """Carry out a scenario and count it as one, beside its requests."""
        begun = time.perf_counter()
        failed: Exception | None = None
        try:
            scenario()
        except OperationFailed as error:
            failed = error
        self.environment.events.request.fire(
            request_type="scenario",
            name=name,
            response_time=(time.perf_counter() - begun) * 1000,
            response_length=0,
            context={},
            exception=failed,
        )

    def _found_item(self, wanted: str | None) -> tuple[str, int]:
        token = None
        while True:
            page = self.ask("sales", "ListItems", sales.ListItemsRequest(page_token=token)).page
            for item in page.item:
                if wanted in {None, item.item_number}:
                    return item.item_number, item.firm_code
            if not page.has_more:
                raise LookupError("this shop may sell no such item; `opendepot item list` on the server has them")
            token = page.next_page_token


class WithContainer(Asking):
    """A user who has a container."""

    abstract = True

    def on_start(self) -> None:
        """Make room for containers."""
        super().on_start()
        self.trust = Path(self.environment.parsed_options.trust).read_bytes()
        self.folder = tempfile.TemporaryDirectory(prefix="opendepot-locust-", dir=FAST_FOLDER)
        self.made = 0
        self.container = self._new_container()

    def on_stop(self) -> None:
        """Take the containers away."""
        self.folder.cleanup()

    def collect(self, ticket: str) -> bytes:
        """Put what is on a ticket into the container, and give its receipt. Raises OperationFailed."""
        if len(self.container.listing(self.firm_code)) >= PLENTY:
            self.container = self._new_container()
        message = depot.GetLicenseUpdateRequest(ticket=ticket, context=self.container.context(self.firm_code))
        result = self.ask("depot", "GetLicenseUpdate", message).result
        if result.update is None:
            raise OperationFailed(f"state {result.state}")
        return self.container.import_update(result.update).receipt

    def _new_container(self) -> Container:
        self.made += 1
        return Container.create(
            Path(self.folder.name) / f"{self.made}.json",
            trust_pem=self.trust,
            clock=lambda: datetime.now(UTC),
            random=secrets.token_bytes,
        )


class Order(Asking):
    """CreateOrder with a line."""

    @task
    def scenario(self) -> None:
        """Order."""
        self.whole("order", self.order)


class Collect(WithContainer):
    """Context, GetLicenseUpdate, import, of tickets that were ordered ahead."""

    @task
    def scenario(self) -> None:
        """Collect."""

        def collected() -> None:
            self.collect(ticket)

        try:
            ticket = self.ticket_ahead()
        except OperationFailed:
            return
        self.whole("collect", collected)


class Cycle(WithContainer):
    """Order, collect and confirm."""

    @task
    def scenario(self) -> None:
        """Order, collect and confirm."""

        def through() -> None:
            receipt = self.collect(self.order())
            self.ask("depot", "ConfirmLicenseUpdate", depot.ConfirmLicenseUpdateRequest(receipt=receipt))

        self.whole("cycle", through)


class ExtensionStorm(Asking):
    """ExtendLicense of tickets that were ordered ahead; OZOMM must be connected, and the item expire."""

    @task
    def scenario(self) -> None:
        """Extend."""

        def extended() -> None:
            self.number += 1
            message = ozomm.ExtendLicenseRequest(transaction_id=f"locust-{self.run_name}-{self.number}", ticket=ticket)
            found = self.ask("ozomm", "ExtendLicense", message).extension
            if found.state == "Refused":
                raise OperationFailed(f"Refused: {found.reason}")

        try:
            ticket = self.ticket_ahead()
        except OperationFailed:
            return
        self.whole("extend", extended)
