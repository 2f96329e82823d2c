"""Prometheus metrics. Every label has a closed set of values, so no client can grow the number of series."""

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Metric, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from observe.subjects import AccessMetrics, BesideMetrics, ExchangeMetrics, ExtensionMetrics, KeyMetrics


class Metrics(ExchangeMetrics, AccessMetrics, KeyMetrics, BesideMetrics, ExtensionMetrics):
    """The metrics of one process, in a registry of their own."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, *, version: str) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        Gauge("opendepot_build_info", "The running version.", ["version"], registry=registry).labels(version).set(1)
        ExchangeMetrics.__init__(self, registry)
        AccessMetrics.__init__(self, registry)
        KeyMetrics.__init__(self, registry)
        BesideMetrics.__init__(self, registry)
        ExtensionMetrics.__init__(self, registry)

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
