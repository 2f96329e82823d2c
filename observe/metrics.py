"""Prometheus metrics. Every label has a closed set of values, so no client can grow the number of series."""

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_BYTES = (512, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304)


class Metrics:
    """The metrics of one process, in a registry of their own."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, *, version: str) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        Gauge("opendepot_build_info", "The running version.", ["version"], registry=registry).labels(version).set(1)
        self._exchanges = Counter(
            "opendepot_exchanges",
            "SOAP exchanges, by service, operation ('' before it is known) and outcome (ok, a fault code, aborted).",
            ["service", "operation", "outcome"],
            registry=registry,
        )
        self._seconds = Histogram(
            "opendepot_exchange_seconds",
            "Time from the first byte of the body to the answer.",
            ["service", "operation"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._request_bytes = Histogram(
            "opendepot_request_bytes", "Size of request bodies.", ["service"], buckets=_BYTES, registry=registry
        )
        self._found: dict[tuple[str, str, str], tuple[Counter, Histogram, Histogram]] = {}
        self.streamed_items = Counter(
            "opendepot_streamed_items",
            "Items of streamed answers that the network has taken.",
            ["service", "operation"],
            registry=registry,
        )
        self.connections = Gauge("opendepot_connections", "Connections that are open now.", registry=registry)
        self.http_refused = Counter(
            "opendepot_http_refused",
            "What never became an exchange: no request, slow or too many connections. Status 0: it got no answer.",
            ["status", "reason"],
            registry=registry,
        )
        self.catalogue_age = Gauge(
            "opendepot_catalogue_age_seconds",
            "How long ago it was known that shops and items had not changed; above 5, shops are refused.",
            registry=registry,
        )
        self.alarms = Counter(
            "opendepot_alarms", "What support has to look at, by name of the event.", ["name"], registry=registry
        )
        self.message_security = Counter(
            "opendepot_message_security",
            "WS-Security header blocks, by what they proved (password, digest, signature) or the code of the refusal.",
            ["outcome"],
            registry=registry,
        )
        self.guesses = Counter("opendepot_guesses", "Wrong tickets and credentials that were sent.", registry=registry)
        self.filter_decisions = Counter(
            "opendepot_filter_decisions",
            "Decisions about addresses: by endpoint, shop (none, named, identified), mode (enforce, shadow), outcome.",
            ["endpoint", "shop", "mode", "outcome"],
            registry=registry,
        )
        self.filter_denials = Counter(
            "opendepot_filter_denials", "Requests refused for their address.", ["endpoint"], registry=registry
        )
        self.filter_hits = Counter(
            "opendepot_filter_hits",
            "Decisions that a rule took, or would have in shadow mode; the event filter_hits has each rule.",
            ["mode", "outcome"],
            registry=registry,
        )
        self.filter_version = Gauge(
            "opendepot_filter_version", "Version of the document of filter rules in force.", registry=registry
        )
        self.in_flight = Gauge("opendepot_exchanges_in_flight", "Exchanges that are running now.", registry=registry)
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
        self.ready = Gauge("opendepot_ready", "1 if the last readiness check passed, else 0.", registry=registry)

    def exchanged(self, *, service: str, operation: str, outcome: str, seconds: float, request_bytes: int) -> None:
        """Count one exchange."""
        found = self._found.get((service, operation, outcome))
        if found is None:
            # Looked up once: each of the three costs as much as what it then counts.
            found = self._found[service, operation, outcome] = (
                self._exchanges.labels(service, operation, outcome),
                self._seconds.labels(service, operation),
                self._request_bytes.labels(service),
            )
        counted, timed, sized = found
        counted.inc()
        timed.observe(seconds)
        sized.observe(request_bytes)

    def exposition(self) -> bytes:
        """Give all metrics in the Prometheus text format."""
        return generate_latest(self._registry)


def merged_expositions(texts: Mapping[str, str], *, workers: int, restarts: int) -> bytes:
    """Put the expositions of workers into one, each sample with the label `worker`; `texts` is keyed by that label.

    `workers` and `restarts` become metrics of their own: how many answered, and how often one was replaced.
    """
    registry = CollectorRegistry()
    Gauge("opendepot_workers", "Workers that answer.", registry=registry).set(workers)
    Counter("opendepot_worker_restarts", "Workers that died and were replaced.", registry=registry).inc(restarts)
    registry.register(_Merged(texts))
    return generate_latest(registry)


class _Merged(Collector):
    """The metric families of several expositions."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def collect(self) -> Iterable[Metric]:
        families: dict[str, Metric] = {}
        for worker, text in self._texts.items():
            for family in text_string_to_metric_families(text):
                merged = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for sample in family.samples:
                    merged.add_sample(sample.name, {**sample.labels, "worker": worker}, sample.value, sample.timestamp)
        return families.values()
