"""What a server counts, in Prometheus' text format."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_1_0_0

from micro_rl.control.decision import Decision
from micro_rl.serve.sessions import Sessions

CONTENT_TYPE = CONTENT_TYPE_PLAIN_1_0_0
SECONDS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5)


class Metrics:
    """The counters of one server."""

    def __init__(self, sessions: Sessions):
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "micro_rl_requests", "requests answered", ("operation", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "micro_rl_request_seconds", "until an answer", ("operation",), buckets=SECONDS, registry=self._registry
        )
        self._decisions = Counter("micro_rl_decisions", "steps, by what acted", ("source",), registry=self._registry)
        self._alarms = Counter(
            "micro_rl_alarm_steps", "steps at which the policy was not to act", registry=self._registry
        )
        gauge = Gauge("micro_rl_sessions", "sessions that are open", registry=self._registry)
        gauge.set_function(lambda: len(sessions))

    def answered(self, operation: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(operation, str(status)).inc()
        self._seconds.labels(operation).observe(seconds)

    def decided(self, decision: Decision) -> None:
        """Count a step."""
        self._decisions.labels(decision.source).inc()
        self._alarms.inc(decision.alarm)

    def text(self) -> bytes:
        """All of them."""
        return generate_latest(self._registry)
