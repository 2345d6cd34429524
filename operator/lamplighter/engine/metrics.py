"""Prometheus metrics of the operator. Labels never carry the names of objects."""

from prometheus_client import Counter, Gauge, Histogram

RECONCILE = Histogram(
    "lamplighter_reconcile_seconds",
    "Duration of one reconcile.",
    ["kind"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
ERRORS = Counter("lamplighter_reconcile_errors_total", "Reconciles that failed.", ["kind", "reason"])
REQUESTS = Counter("lamplighter_api_requests_total", "Requests to the API server.", ["verb", "resource", "code"])
QUEUE_DEPTH = Gauge("lamplighter_queue_depth", "Objects that wait for a worker.")
LEADER = Gauge("lamplighter_leader", "1 while this process holds the lease.")
EVENTS = Counter("lamplighter_watch_events_total", "Watch events that were received.", ["resource"])
PROGRESS_REPORTS = Counter("lamplighter_progress_reports_total", "What became of progress reports.", ["verdict"])
TOKEN_REVIEWS = Counter("lamplighter_token_reviews_total", "Tokens that the API server was asked about.", ["result"])
PROGRESS_SECONDS = Histogram(
    "lamplighter_progress_seconds",
    "Time to answer a progress report.",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
