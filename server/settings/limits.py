"""Settings of what one message and one connection may take (design section 10)."""

from collections.abc import Mapping
from dataclasses import replace

from pydantic import Field

from server.http.head import HeadLimits
from server.http.keeper import ConnectionLimits
from server.settings.kinds import Group
from xmlgate import Limits

LINGERING_SECONDS = 2.0
"""How long the rest of a refused body is read, so that the client sees the fault and not a reset connection."""


class LimitSettings(Group):
    """Limits of messages and connections."""

    max_body_bytes: int = Field(default=256 * 1024, ge=1024, description="Greatest body of a request, in bytes.")
    max_orders_body_bytes: int = Field(
        default=640 * 1024,
        ge=1024,
        description="Greatest body of CreateOrders, in bytes. One that is larger than max_body_bytes is read only from "
        "whom its HTTP head identifies: an API key, a client certificate or, where that is enough, the address.",
    )
    max_orders_elements: int = Field(
        default=20_000, ge=100, description="Most elements in a message of CreateOrders, and most attributes."
    )
    max_depth: int = Field(default=32, ge=8, le=255, description="Greatest depth of elements.")
    max_elements: int = Field(default=20_000, ge=100, description="Most elements in a message, and most attributes.")
    max_attributes: int = Field(default=64, ge=8, description="Most attributes on one element.")
    max_namespaces: int = Field(default=64, ge=8, description="Most namespace declarations in scope.")
    max_name_bytes: int = Field(default=256, ge=64, description="Longest name of an element or attribute, in bytes.")
    max_head_bytes: int = Field(
        default=16 * 1024, ge=1024, le=1024 * 1024, description="Greatest head of an HTTP request, in bytes."
    )
    max_head_fields: int = Field(default=64, ge=8, le=1000, description="Most fields in the head of an HTTP request.")
    max_connections: int = Field(default=10_000, ge=1, description="Most connections of a worker at a time.")
    max_connections_per_address: int = Field(
        default=1_000,
        ge=1,
        description="Most connections of one client address at a time (IPv6: of one /64), in each worker. Proxies "
        "that do not send PROXY protocol count as one client.",
    )
    max_requests_per_connection: int = Field(
        default=100_000, ge=1, description="Most requests on one connection; the last answer closes it."
    )
    header_seconds: float = Field(
        default=5.0, gt=0, description="Time for a request's head to arrive, and for the first one of a connection."
    )
    body_seconds: float = Field(
        default=10.0,
        gt=0,
        description="Time for a request's body to arrive, in seconds. What arrives at the minimum rate gets longer.",
    )
    minimum_rate: int = Field(
        default=1024,
        ge=1,
        description="Bytes a second that a body must arrive with, and an answer be taken with, once their time is up.",
    )
    exchange_seconds: float = Field(
        default=60.0,
        gt=0,
        description="Time from a request's first byte until its answer is ready; after it the caller is told to retry.",
    )
    idle_seconds: float = Field(default=30.0, gt=0, description="Time that a connection may be idle, in seconds.")

    @property
    def xml_limits(self) -> Limits:
        """The limits of one message (design section 10)."""
        return Limits(
            max_bytes=self.max_body_bytes,
            depth=self.max_depth,
            elements=self.max_elements,
            attributes=self.max_attributes,
            namespaces=self.max_namespaces,
            name_bytes=self.max_name_bytes,
        )

    @property
    def own_limits(self) -> Mapping[str, Limits]:
        """The limits of messages that may be larger than others, by operation."""
        limits = self.xml_limits
        return {
            "CreateOrders": replace(
                limits,
                max_bytes=max(self.max_orders_body_bytes, limits.max_bytes),
                elements=max(self.max_orders_elements, limits.elements),
            )
        }

    @property
    def connection_limits(self) -> ConnectionLimits:
        """The limits of connections (design section 10)."""
        return ConnectionLimits(
            head=HeadLimits(head_bytes=self.max_head_bytes, fields=self.max_head_fields),
            header_seconds=self.header_seconds,
            body_seconds=self.body_seconds,
            idle_seconds=self.idle_seconds,
            exchange_seconds=self.exchange_seconds,
            linger_seconds=min(LINGERING_SECONDS, self.body_seconds),
            bytes_a_second=self.minimum_rate,
            requests=self.max_requests_per_connection,
            connections=self.max_connections,
            connections_an_address=self.max_connections_per_address,
        )
