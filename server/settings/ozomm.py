"""Settings of OZOMM: who decides about extensions, and on which computer."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from server.settings.kinds import BaseUrl, Group


class OzommSettings(Group):
    """OZOMM."""

    ozomm_file: Path | None = Field(
        default=None,
        description="TOML file that says which CRM or ERP system decides about extensions of which items; "
        "docs/how-to/connect-your-crm.md has the format. Left out: no item is extended.",
    )
    ozomm_url: BaseUrl | None = Field(
        default=None,
        description="Where OZOMM runs on another computer, such as https://ozomm.example.com; extensions that are "
        "asked of this server are passed on to it. Left out: it runs here.",
    )
    ozomm_central_url: BaseUrl | None = Field(
        default=None,
        description="For OZOMM on a computer of its own: the server whose Sales and Depot it uses. Left out: this one.",
    )
    ozomm_api_key_file: Path | None = Field(
        default=None,
        description="File with the API key of OZOMM's shop at that server, which needs the rights order and "
        "extend-any.",
    )
    ozomm_authorities_file: Path | None = Field(
        default=None,
        description="PEM file with the certificates of those who certify the server that ozomm_url or "
        "ozomm_central_url names. Left out: the system's.",
    )
    ozomm_certificate_file: Path | None = Field(
        default=None,
        description="PEM file with the certificate by which this server proves itself there. With it OnBehalfOf tells "
        "there who asks, which needs the right front.",
    )
    ozomm_key_file: Path | None = Field(default=None, description="PEM file with the key of that certificate.")

    @model_validator(mode="after")
    def _ozomm_is_whole(self) -> Self:
        if (self.ozomm_central_url is None) != (self.ozomm_api_key_file is None):
            raise ValueError("ozomm_central_url and ozomm_api_key_file belong together")
        if (self.ozomm_certificate_file is None) != (self.ozomm_key_file is None):
            raise ValueError("ozomm_certificate_file and ozomm_key_file belong together")
        known_by = self.ozomm_authorities_file or self.ozomm_certificate_file
        if known_by is not None and self.ozomm_url is None and self.ozomm_central_url is None:
            raise ValueError(
                "ozomm_authorities_file and ozomm_certificate_file are for another computer: name it by ozomm_url or "
                "ozomm_central_url"
            )
        if self.ozomm_url is not None and (self.ozomm_file is not None or self.ozomm_central_url is not None):
            raise ValueError("ozomm_url names another computer: ozomm_file and ozomm_central_url belong there")
        return self
