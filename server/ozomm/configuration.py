"""The file that `ozomm_file` names: who decides about which item, and what happens meanwhile.

Every name is checked when the server starts. Paths are relative to the file. Secrets stand in files of their own.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from licensing.extensions.guarding import Limits
from licensing.extensions.questions import QUESTION_FIELDS
from licensing.extensions.rules import Silence
from licensing.extensions.values import Reason
from server.errors import SettingsError

VERDICT_FIELDS = (
    *("eligible", "item_number", "text", "email", "name", "language", "customer_number", "customer_group"),
)
OFFER_FIELDS = ("campaign", "item_number", "title", "text", "url")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OfferReading(_Strict):
    """Where offers stand in an answer: `list` is the path to them, '' for the rows themselves."""

    list: str = ""
    campaign: str = "campaign"
    item_number: str = "item_number"
    title: str = "title"
    text: str = "text"
    url: str | None = None


class _Asked(_Strict):
    """What all sources have that are asked. `read`: our field to the path in their answer."""

    seconds: float = Field(default=10.0, gt=0, le=300)
    at_once: int = Field(default=64, ge=1, le=10_000)
    failures: int = Field(default=5, ge=1)
    rest_seconds: float = Field(default=30.0, gt=0)
    read: dict[str, str] = Field(default_factory=lambda: {"eligible": "eligible"})
    yes: tuple[str, ...] = ("true", "yes", "1")
    later: tuple[str, ...] = ("later", "pending")
    offers: OfferReading | None = None

    @field_validator("read")
    @classmethod
    def _fields_are_known(cls, value: dict[str, str]) -> dict[str, str]:
        unknown = sorted(set(value) - set(VERDICT_FIELDS))
        if unknown or "eligible" not in value:
            raise ValueError(
                f"must map eligible, and only {', '.join(VERDICT_FIELDS)}; not {', '.join(unknown) or '-'}"
            )
        return value

    @property
    def limits(self) -> Limits:
        """The guards around it."""
        return Limits(
            seconds=self.seconds, at_once=self.at_once, failures=self.failures, rest_seconds=self.rest_seconds
        )


class _Sending(_Asked):
    """What is sent: their field to ours, dots for objects within objects; left out: all by our names."""

    send: dict[str, str] = Field(default_factory=dict)

    @field_validator("send")
    @classmethod
    def _sent_is_known(cls, value: dict[str, str]) -> dict[str, str]:
        unknown = sorted({each for each in value.values() if not each.startswith("=")} - set(QUESTION_FIELDS))
        if unknown:
            raise ValueError(
                f"there is no {', '.join(unknown)} to send; there is {', '.join(QUESTION_FIELDS)}, and =text for itself"
            )
        return value


class OAuth2(_Strict):
    """Client credentials (RFC 6749, section 4.4)."""

    token_url: str
    client_id: str
    client_secret_file: Path
    scope: str | None = None


class HttpSource(_Sending):
    """A CRM over HTTP: JSON in, JSON out. 404 is a no; any other status but 2xx is no answer."""

    kind: Literal["http"]
    url: str = Field(pattern=r"^https?://[^@?#]+$")
    method: Literal["POST", "PUT", "GET"] = "POST"
    headers: dict[str, str] = Field(default_factory=dict)
    bearer_file: Path | None = None
    oauth2: OAuth2 | None = None
    hmac_secret_file: Path | None = None

    @model_validator(mode="after")
    def _one_proof(self) -> Self:
        if self.bearer_file is not None and self.oauth2 is not None:
            raise ValueError("give bearer_file or oauth2, not both")
        return self


class SoapSource(_Sending):
    """A CRM over SOAP, by its own WSDL: a file or an address. Needs the extra `soap-crm`."""

    kind: Literal["soap"]
    wsdl: str
    operation: str
    service: str | None = None
    port: str | None = None
    address: str | None = None
    username: str | None = None
    password_file: Path | None = None


class SqlSource(_Asked):
    """A view of an ERP system: an SQLite file or a PostgreSQL address; no row is a no.

    `query` has places such as `:ticket`.
    """

    kind: Literal["sql"]
    database: str
    query: str
    at_once: int = Field(default=4, ge=1, le=64)


class CsvSource(_Asked):
    """A file of customers, read again when it has changed; no row is a no. `match`: their column to our field."""

    kind: Literal["csv"]
    file: Path
    match: dict[str, str] = Field(min_length=1)
    delimiter: str = Field(default=",", min_length=1, max_length=1)

    @field_validator("match")
    @classmethod
    def _matched_is_known(cls, value: dict[str, str]) -> dict[str, str]:
        unknown = sorted(set(value.values()) - set(QUESTION_FIELDS))
        if unknown:
            raise ValueError(f"there is no {', '.join(unknown)} to match; there is {', '.join(QUESTION_FIELDS)}")
        return value


class PythonSource(_Asked):
    """Code of the vendor's own: `factory` is an entry point of the group `opendepot.eligibility`, or `module:name`.

    It is called with `options` and gives a `licensing.extensions.questions.Eligibility`.
    """

    kind: Literal["python"]
    factory: str
    options: dict[str, Any] = Field(default_factory=dict)


class EverybodySource(_Strict):
    """Lets everybody extend."""

    kind: Literal["everybody"]


class ChainSource(_Strict):
    """Several sources: `all` must say yes, or `any` of them."""

    kind: Literal["all", "any"]
    of: tuple[str, ...] = Field(min_length=1)


Source = Annotated[
    HttpSource | SoapSource | SqlSource | CsvSource | PythonSource | EverybodySource | ChainSource,
    Field(discriminator="kind"),
]


class RuleSettings(_Strict):
    """How items are extended; see `licensing.extensions.rules.Rule`."""

    items: tuple[str, ...] = Field(min_length=1)
    eligibility: str
    when_silent: Silence = Silence.QUEUE
    extend_with: str | None = None
    periods: dict[str, str] = Field(default_factory=dict)
    provisional_item: str | None = None
    give_up_hours: float = Field(default=72.0, gt=0)

    @field_validator("periods")
    @classmethod
    def _periods_are_days(cls, value: dict[str, str]) -> dict[str, str]:
        if not all(days.isdecimal() for days in value):
            raise ValueError("must map days to items, such as { 30 = 'EDITOR-30' }")
        return value

    @model_validator(mode="after")
    def _provisional_is_whole(self) -> Self:
        if (self.when_silent is Silence.PROVISIONAL) != (self.provisional_item is not None):
            raise ValueError("when_silent = 'provisional' and provisional_item belong together")
        return self


class OzommConfiguration(_Strict):
    """The whole file. `patience_seconds`: how long a caller waits for an answer before it is told to ask later.

    `mail`: customers are told by mail; left out: where `mail_server` is set. `central_seconds`: for one answer of Sales
    and Depot, where they are on another computer.
    """

    sources: dict[str, Source] = Field(default_factory=dict)
    rules: tuple[RuleSettings, ...] = ()
    texts: dict[str, dict[str, str]] = Field(default_factory=dict)
    mail: bool | None = None
    patience_seconds: float = Field(default=5.0, gt=0, le=40)
    lease_seconds: float = Field(default=120.0, gt=0)
    central_seconds: float = Field(default=15.0, gt=0, le=300)
    first_retry_seconds: float = Field(default=15.0, gt=0)
    most_retry_seconds: float = Field(default=3600.0, gt=0)

    @field_validator("texts")
    @classmethod
    def _texts_have_reasons(cls, value: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
        known = {reason.value for reason in Reason}
        unknown = sorted({reason for texts in value.values() for reason in texts} - known)
        if unknown:
            raise ValueError(f"there is no {', '.join(unknown)}; there is {', '.join(sorted(known))}")
        return value

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        for rule in self.rules:
            if rule.eligibility not in self.sources:
                raise ValueError(f"rules: there is no source {rule.eligibility}")
        for name, source in self.sources.items():
            for other in source.of if isinstance(source, ChainSource) else ():
                if other not in self.sources:
                    raise ValueError(f"sources.{name}: there is no source {other}")
            self._refuse_circle(name, ())
            if not isinstance(source, EverybodySource | ChainSource) and source.seconds >= self.lease_seconds:
                raise ValueError(f"sources.{name}: seconds must be less than lease_seconds")
        return self

    def _refuse_circle(self, name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise ValueError(f"sources.{name} leads to itself")
        source = self.sources[name]
        for other in source.of if isinstance(source, ChainSource) else ():
            if other in self.sources:
                self._refuse_circle(other, (*above, name))


def load_configuration(path: Path | None) -> OzommConfiguration:
    """Read the file; without one nothing is offered. Raises SettingsError, which names the place."""
    if path is None:
        return OzommConfiguration()
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"ozomm_file: cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"ozomm_file: {path}: {error}") from None
    try:
        return OzommConfiguration(**found)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']) or 'file'}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)
        )
        raise SettingsError(f"ozomm_file: {path}: {problems}") from None
