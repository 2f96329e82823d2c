"""The metrics by subject; `metrics.py` joins them. Every label has a closed set of values: no client adds series."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from observe.counting import Count, LoopCounter, LoopHistogram, Spread

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_BYTES = (512, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304)


class ExchangeMetrics:
    """What callers ask of the process, and how it answers. `in_flight` is how many exchanges are running now."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.in_flight = 0
        self._exchanges = LoopCounter(
            "opendepot_exchanges",
            "SOAP exchanges, by service, operation ('' before it is known) and outcome (ok, a fault code, aborted).",
            ["service", "operation", "outcome"],
            registry=registry,
        )
        self._seconds = LoopHistogram(
            "opendepot_exchange_seconds",
            "Time from the first byte of the body to the answer.",
            ["service", "operation"],
            bounds=_SECONDS,
            registry=registry,
        )
        self._request_bytes = LoopHistogram(
            "opendepot_request_bytes", "Size of request bodies.", ["service"], bounds=_BYTES, registry=registry
        )
        self.streamed_items = Counter(
            "opendepot_streamed_items",
            "Items of streamed answers that the network has taken.",
            ["service", "operation"],
            registry=registry,
        )
        Gauge("opendepot_exchanges_in_flight", "Exchanges that are running now.", registry=registry).set_function(
            lambda: self.in_flight
        )
        self.connections = Gauge("opendepot_connections", "Connections that are open now.", registry=registry)
        self.http_refused = Counter(
            "opendepot_http_refused",
            "What never became an exchange: no request, slow or too many connections. Status 0: it got no answer.",
            ["status", "reason"],
            registry=registry,
        )
        self.ready = Gauge("opendepot_ready", "1 if the last readiness check passed, else 0.", registry=registry)
        self._found: dict[tuple[str, str, str], tuple[Count, Spread, Spread]] = {}

    def exchanged(self, *, service: str, operation: str, outcome: str, seconds: float, request_bytes: int) -> None:
        """Count one exchange."""
        found = self._found.get((service, operation, outcome))
        if found is None:
            # Looked up once: each of the three costs as much as what it then counts.
            found = self._found[service, operation, outcome] = (
                self._exchanges.series(service, operation, outcome),
                self._seconds.series(service, operation),
                self._request_bytes.series(service),
            )
        counted, timed, sized = found
        counted.value += 1
        timed.observe(seconds)
        sized.observe(request_bytes)


class AccessMetrics:
    """Who is let in."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.message_security = Counter(
            "opendepot_message_security",
            "WS-Security header blocks, by what they proved (password, digest, signature) or the code of the refusal.",
            ["outcome"],
            registry=registry,
        )
        self.guesses = Counter("opendepot_guesses", "Wrong tickets and credentials that were sent.", registry=registry)
        self.decided = LoopCounter(
            "opendepot_filter_decisions",
            "Decisions about addresses: by endpoint, shop (none, named, identified), mode (enforce, shadow), outcome.",
            ["endpoint", "shop", "mode", "outcome"],
            registry=registry,
        ).count
        """Count a decision about an address, by these labels."""
        self.filter_denials = Counter(
            "opendepot_filter_denials", "Requests refused for their address.", ["endpoint"], registry=registry
        )
        self.hit = LoopCounter(
            "opendepot_filter_hits",
            "Decisions that a rule took, or would have in shadow mode; the event filter_hits has each rule.",
            ["mode", "outcome"],
            registry=registry,
        ).count
        """Count a decision that a rule took or would have taken, by these labels."""
        self.filter_version = Gauge(
            "opendepot_filter_version", "Version of the document of filter rules in force.", registry=registry
        )


class KeyMetrics:
    """Keys, and what the process knows of the database."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.catalogue_age = Gauge(
            "opendepot_catalogue_age_seconds",
            "How long ago it was known that shops and items had not changed; above 5, shops are refused.",
            registry=registry,
        )
        self.keys_missing = Gauge(
            "opendepot_keys_missing", "Keys in force that this process does not have.", registry=registry
        )
        self.key_age = Gauge(
            "opendepot_key_age_seconds",
            "For how long the pepper and the sealing key have been in use; NaN for the first one.",
            ["kind"],
            registry=registry,
        )
        self.hashes_renewed = Counter(
            "opendepot_hashes_renewed",
            "Hashes of credentials and administrators' keys that this process renewed for the newest pepper.",
            ["what", "outcome"],
            registry=registry,
        )


class BesideMetrics:
    """What the process does beside the requests."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.alarms = Counter(
            "opendepot_alarms", "What support has to look at, by name of the event.", ["name"], registry=registry
        )
        self.audit_unsealed = Gauge(
            "opendepot_audit_unsealed", "Audit rows that are not in the chain yet.", registry=registry
        )
        self.audit_seal_lag = Gauge(
            "opendepot_audit_seal_lag_seconds", "Age of the first of those rows.", registry=registry
        )
        self.audit_sealed = Counter(
            "opendepot_audit_sealed", "Audit rows that this process put into the chain.", registry=registry
        )
        self.outbox_waiting = Gauge(
            "opendepot_outbox_waiting", "Messages that wait for delivery.", ["channel"], registry=registry
        )
        self.outbox_dead = Gauge(
            "opendepot_outbox_dead", "Messages that were given up.", ["channel"], registry=registry
        )
        self.outbox_age = Gauge(
            "opendepot_outbox_oldest_seconds", "Age of the oldest waiting message.", ["channel"], registry=registry
        )
        self.outbox_deliveries = Counter(
            "opendepot_outbox_deliveries",
            "Tries of this process to deliver, by outcome (delivered, failed, dead, erased, withheld).",
            ["channel", "outcome"],
            registry=registry,
        )
        self.mail_suppressed = Counter(
            "opendepot_mail_suppressed",
            "Mail addresses that this process suppressed, by reason (unsubscribe, bounce).",
            ["reason"],
            registry=registry,
        )
        self.reminders_told = Counter(
            "opendepot_reminders_told", "Reminders of licences that expire that this process wrote.", registry=registry
        )
        self.orders_erased = Counter(
            "opendepot_orders_erased", "Orders whose personal data this process erased for its age.", registry=registry
        )


class ExtensionMetrics:
    """Extensions, and the systems that decide about them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.extensions_open = Gauge(
            "opendepot_extensions_open", "Extensions that are not through, by step.", ["step"], registry=registry
        )
        self.extension_steps = Counter(
            "opendepot_extension_steps",
            "Steps of extensions that this process has taken, by outcome.",
            ["step", "outcome"],
            registry=registry,
        )
        self.crm_questions = Counter(
            "opendepot_crm_questions",
            "Questions to the sources of ozomm_file, by outcome (answered, slow, full, failed, resting).",
            ["source", "outcome"],
            registry=registry,
        )
        self.crm_seconds = Histogram(
            "opendepot_crm_seconds", "Time until an answer.", ["source"], buckets=_SECONDS, registry=registry
        )
