"""Counters for Prometheus: kept as plain numbers, put into its form by its own library when asked."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from opperlite import __version__
from opperlite.domain.services import Services

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


class Metrics:
    """What the server has answered since it started."""

    def __init__(self) -> None:
        self.in_flight = 0
        self._requests: defaultdict[tuple[str, str, int], int] = defaultdict(int)
        self._seconds: defaultdict[tuple[str, str, int], float] = defaultdict(float)

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Note an answered request; `route` is the path with its parameters' names, empty for none."""
        key = (method, route, status)
        self._requests[key] += 1
        self._seconds[key] += seconds

    def render(self, services: Services) -> bytes:
        """All counters in Prometheus' text format."""
        # Loaded when somebody scrapes.
        from prometheus_client import CollectorRegistry, disable_created_metrics, generate_latest

        disable_created_metrics()  # type: ignore[no-untyped-call]
        registry = CollectorRegistry(auto_describe=False)
        self._collect(registry, services)
        return generate_latest(registry)

    def _collect(self, registry: CollectorRegistry, services: Services) -> None:
        from prometheus_client import Counter, Gauge

        labels = ("method", "route", "status")
        requests = Counter("opperlite_requests", "Requests answered.", labels, registry=registry)
        seconds = Counter("opperlite_request_seconds", "Seconds spent on requests.", labels, registry=registry)
        for (method, route, status), number in self._requests.items():
            named = (method, route or "none", str(status))
            requests.labels(*named).inc(number)
            seconds.labels(*named).inc(self._seconds[(method, route, status)])
        gauges = {
            "opperlite_requests_in_flight": ("Requests being answered.", self.in_flight),
            "opperlite_jobs_running": ("Jobs being worked on.", services.jobs.running),
            "opperlite_jobs_waiting": ("Jobs that wait.", services.jobs.waiting),
        }
        for name, (help_text, value) in gauges.items():
            Gauge(name, help_text, registry=registry).set(value)
        Gauge("opperlite_info", "The version that runs.", ("version",), registry=registry).labels(__version__).set(1)
