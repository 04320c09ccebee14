"""What a monitoring system asks for: counters and gauges of one site, in the Prometheus format.

The registry belongs to the site, so that two sites in one process do not mix.
"""

from __future__ import annotations

import time
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final, final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.routing import Route
from starlette.types import Scope
from typing_extensions import override

from gemeos.foresee.score import LeadScore
from gemeos.runtime.host import Host
from gemeos.runtime.trust import Trust
from gemeos.serve.queues import queue_of
from gemeos.units.instant import SECOND

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
MOST_TWINS_TOLD: Final = 1000
"""Twins with rows of their own; all count in ``gemeos_twins``."""
_COUNTED: Final = {
    "readings": "Readings taken in.",
    "duplicates": "Readings that were there already.",
    "too_late": "Readings from before the horizon: stored, not assimilated.",
    "refused": "Readings and messages that went to quarantine.",
    "commits": "Durable commits.",
    "rewinds": "Times that a late reading took a twin back.",
}


@final
class Metrics:
    """One site's registry."""

    def __init__(self, host: Host) -> None:
        """Nothing is looked at before it is asked for."""
        self._registry = CollectorRegistry()
        self._registry.register(_HostCollector(host))
        self._requests = Counter(
            "gemeos_http_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self._took = Histogram(
            "gemeos_http_request_seconds",
            "How long a request took; of a stream, how long it lasted.",
            ("route",),
            registry=self._registry,
        )
        self.streams = Gauge(
            "gemeos_stream_clients", "Clients of the live stream.", registry=self._registry
        )

    def told(self) -> bytes:
        """The exposition. Looks at every twin: call it beside the loop."""
        return generate_latest(self._registry)

    @contextmanager
    def request(self, scope: Scope, status: Callable[[], int]) -> Iterator[None]:
        """Count a request when the block ends; ``status`` tells the answer's."""
        began = time.perf_counter()
        try:
            yield
        finally:
            # The route as declared, not the path: a path is anybody's text, and each would stay.
            route = scope.get("route")
            path = route.path if isinstance(route, Route) else "other"
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._requests.labels(method, path, str(status())).inc()
            self._took.labels(path).observe(time.perf_counter() - began)


_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@final
class _HostCollector(Collector):
    def __init__(self, host: Host) -> None:
        self._host = host

    @override
    def collect(self) -> Iterable[Metric]:
        host = self._host
        for name, meaning in _COUNTED.items():
            yield CounterMetricFamily(f"gemeos_{name}", meaning, value=host.counted[name])
        yield GaugeMetricFamily(
            "gemeos_loop_lag_seconds", "By how much the event loop was late.", host.loop_lag_s
        )
        yield GaugeMetricFamily(
            "gemeos_links_open",
            "Links that are open.",
            sum(host.link(link.name) is not None for link in host.site.links),
        )
        yield from self._links()
        yield from self._twins()

    def _links(self) -> Iterable[Metric]:
        waiting = GaugeMetricFamily(
            "gemeos_link_waiting", "What came and is not taken in yet.", labels=["link"]
        )
        dropped = CounterMetricFamily(
            "gemeos_link_dropped", "Messages that a lossy link let go.", labels=["link"]
        )
        for link in self._host.site.links:
            queue = queue_of(self._host.link(link.name))
            waiting.add_metric([link.name], queue.waiting)
            dropped.add_metric([link.name], queue.dropped)
        yield from (waiting, dropped)

    def _twins(self) -> Iterable[Metric]:
        names = self._host.site.twin_names
        trusts = [self._host.questions.trust(name) for name in names]
        phases = Tally(trust.phase.value for trust in trusts)
        count = GaugeMetricFamily("gemeos_twins", "Twins in each phase.", labels=["phase"])
        for phase, twins in phases.items():
            count.add_metric([phase], twins)
        yield count
        for metric, meaning, of in _OF_A_TWIN:
            family = GaugeMetricFamily(metric, meaning, labels=["twin"])
            for trust in trusts[:MOST_TWINS_TOLD]:
                value = of(trust)
                if value is not None:
                    family.add_metric([trust.twin], value)
            yield family
        phase_of = GaugeMetricFamily(
            "gemeos_twin_phase", "1 for the phase that the twin is in.", labels=["twin", "phase"]
        )
        for trust in trusts[:MOST_TWINS_TOLD]:
            phase_of.add_metric([trust.twin, trust.phase.value], 1)
        yield phase_of
        for metric, meaning, of_score in _OF_A_SCORE:
            family = GaugeMetricFamily(metric, meaning, labels=["twin", "variable", "lead_s"])
            for trust in trusts[:MOST_TWINS_TOLD]:
                for score in trust.scores:
                    told = of_score(score)
                    if told is not None:
                        lead = f"{score.lead / SECOND:g}"
                        family.add_metric([trust.twin, score.variable, lead], told)
            yield family


_OF_A_TWIN: Final[tuple[tuple[str, str, Callable[[Trust], float | None]], ...]] = (
    (
        "gemeos_twin_age_seconds",
        "Site time since the newest reading was measured.",
        lambda trust: None if trust.age is None else trust.age / SECOND,
    ),
    ("gemeos_twin_assimilated", "Readings assimilated.", lambda trust: trust.assimilated),
    ("gemeos_twin_failed_members", "Members that were replaced.", lambda t: t.failed_members),
)

_OF_A_SCORE: Final[tuple[tuple[str, str, Callable[[LeadScore], float | None]], ...]] = (
    ("gemeos_forecast_crps", "Mean CRPS of forecasts as issued, in the unit.", lambda s: s.crps),
    (
        "gemeos_forecast_skill",
        "Skill of forecasts against persistence; below 0 they are worse.",
        lambda s: s.persistence.skill,
    ),
    (
        "gemeos_forecast_coverage",
        "Share of truths within the 90 % interval.",
        lambda s: s.coverage[2],
    ),
)
