"""Settings of who may call: filters, guesses, and messages that are signed."""

from pathlib import Path

from pydantic import Field, field_validator

from server.security.wssecurity.answers import SignAnswers
from server.settings.kinds import Group
from storage.records import AccessPolicy


class CallerSettings(Group):
    """Who may call, and signed messages."""

    filter_files: tuple[Path, ...] = Field(
        default=(),
        description="TOML files with IP filter rules, beside those in the database; docs/explanation/ip-filters.md has "
        "the format. A change is taken up by itself.",
    )
    guess_limit: int = Field(
        default=10,
        ge=1,
        description="Wrong tickets or credentials that one address (IPv6: one /64) may send in guess_period_seconds, "
        "over all workers and nodes; after that its requests are heard one at a time, slowly.",
    )
    guess_period_seconds: float = Field(
        default=600.0, ge=1, le=86_400, description="Time in which so many guesses are forgotten, in seconds."
    )
    guess_delay_seconds: float = Field(
        default=2.0, ge=0, le=30, description="How long a request waits that comes after too many guesses, in seconds."
    )
    admin_policy: AccessPolicy = Field(
        default=AccessPolicy.CREDENTIAL,
        description="What lets somebody use the Admin interface: credential, or ip AND credential.",
    )
    message_seconds: float = Field(
        default=300.0,
        gt=0,
        le=86_400,
        description="How old a message with a WS-Security header block may be, by its Created, in seconds.",
    )
    message_skew_seconds: float = Field(
        default=60.0,
        ge=0,
        le=3_600,
        description="How far the clock of who sends such a message may differ from the server's, in seconds.",
    )
    signing_certificate_file: Path | None = Field(
        default=None,
        description="PEM file with the certificate that clients verify signed answers with; RSA of 2048 bits or more, "
        "or P-256. Left out: answers are not signed.",
    )
    signing_key_file: Path | None = Field(default=None, description="PEM file with the key of that certificate.")
    sign_answers: SignAnswers = Field(
        default=SignAnswers.SIGNED,
        description="Which answers and faults are signed: signed (those to signed requests) or all. Answers that are "
        "streamed never are; what is in them is signed itself.",
    )

    @field_validator("admin_policy")
    @classmethod
    def _administrators_have_a_credential(cls, value: AccessPolicy) -> AccessPolicy:
        if value not in {AccessPolicy.CREDENTIAL, AccessPolicy.IP_AND_CREDENTIAL}:
            raise ValueError("must be credential or ip AND credential: an address does not say who it is")
        return value
