"""Settings of the proxies before the server: whom it believes about who is calling."""

from ipaddress import ip_network
from typing import Self

from pydantic import Field, field_validator, model_validator

from ipfilters import AddressRefused, Severity, lint_proxies, parse_network
from server.settings.kinds import Group, HeaderName


class ProxySettings(Group):
    """Proxies before the server."""

    proxy_protocol_from: tuple[str, ...] = Field(
        default=(),
        description="Networks, such as 10.0.0.0/28, of proxies that send PROXY protocol version 2. With it nobody "
        "else can connect. For plain listeners only: put TLS at the proxy.",
    )
    trusted_proxies: tuple[str, ...] = Field(
        default=(),
        description="Networks, such as 10.0.0.0/28, of proxies whose forwarding header is believed.",
    )
    trust_every_proxy: bool = Field(
        default=False,
        description="Confirms trusted_proxies that take in everybody: any client can then say to be anyone.",
    )
    forwarded_header: HeaderName = Field(
        default="x-forwarded-for",
        pattern=r"^[A-Za-z0-9-]+$",
        description="The one header in which a trusted proxy names the client: Forwarded is read by RFC 7239, any "
        "other as a list of addresses. No other header is ever looked at.",
    )
    client_certificate_header: HeaderName | None = Field(
        default=None,
        description="Header in which a trusted proxy that ends TLS tells the client certificate it has verified, such "
        "as Client-Cert (RFC 9440); Base64 of DER, or PEM with percent signs. Left out: none is believed.",
    )

    @field_validator("proxy_protocol_from")
    @classmethod
    def _proxies_are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            try:
                ip_network(text)
            except ValueError as error:
                raise ValueError(f"{error}; write a network such as 10.0.0.0/28 or an address") from None
        return value

    @model_validator(mode="after")
    def _proxies_are_not_everybody(self) -> Self:
        try:
            networks = [parse_network(text) for text in self.trusted_proxies]
        except AddressRefused as refused:
            raise ValueError(f"trusted_proxies: {refused.message}") from None
        errors = [finding.message for finding in lint_proxies(networks) if finding.severity is Severity.ERROR]
        if errors and not self.trust_every_proxy:
            raise ValueError(
                f"trusted_proxies: {errors[0]}; list the proxies alone, or confirm with trust_every_proxy = true"
            )
        return self
