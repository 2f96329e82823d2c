"""What an operator sees: canonical events, metrics, health. A leaf, with no global state.

events   one structured event per exchange, and the events of the process
metrics  Prometheus metrics with closed label sets; subjects.py has them by subject
health   named readiness checks
"""

from observe.events import EventLog, LogFormat
from observe.health import Health, Readiness, passed
from observe.metrics import Metrics, merged_expositions

__all__ = ["EventLog", "Health", "LogFormat", "Metrics", "Readiness", "merged_expositions", "passed"]
