"""OTLP metrics as JSON, made from short calls, and one set of them with what Prometheus must make of each."""
import math
import time

from tsdb import series

TRACE, SPAN = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"
SECOND = 1_000_000_000
ZERO = 1e-128  # the threshold of a native histogram that names none


def now():
    """The present in nanoseconds, to the millisecond: what Prometheus keeps of a time."""
    return time.time_ns() // 1_000_000 * 1_000_000


def value(v):
    if isinstance(v, bool):
        return {"boolValue": v}
    if isinstance(v, int):
        return {"intValue": str(v)}
    if isinstance(v, float):
        return {"doubleValue": v if math.isfinite(v) else {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}[repr(v)]}
    if isinstance(v, (list, tuple)):
        return {"arrayValue": {"values": [value(one) for one in v]}}
    if isinstance(v, dict):
        return {"kvlistValue": {"values": attributes(v)}}
    return {"stringValue": v}


def attributes(d):
    return [{"key": k, "value": value(v)} for k, v in d.items()]


def point(at, given=None, start=None, exemplars=(), stale=False, **labels):
    """A data point at a time in nanoseconds. `given`: int or float for a number, a dict of members for the other kinds."""
    made = {"timeUnixNano": str(at), "attributes": attributes(labels.pop("labels", labels))}
    if start is not None:
        made["startTimeUnixNano"] = str(start)
    if isinstance(given, dict):
        made.update(given)
    elif given is not None:
        made["asInt" if isinstance(given, int) else "asDouble"] = str(given) if isinstance(given, int) else given
    if exemplars:
        made["exemplars"] = list(exemplars)
    if stale:
        made["flags"] = 1
    return made


def exemplar(at, v, trace=TRACE, span=SPAN, **labels):
    made = {"timeUnixNano": str(at), "asDouble": v, "filteredAttributes": attributes(labels.pop("labels", labels))}
    return {**made, "traceId": trace, "spanId": span} if trace else made


def metric(kind, name, points, unit="", description="", delta=False, monotonic=False):
    """kind: gauge, sum, histogram, exponentialHistogram or summary."""
    body = {"dataPoints": list(points)}
    if kind in ("sum", "histogram", "exponentialHistogram"):
        body["aggregationTemporality"] = 1 if delta else 2
    if kind == "sum":
        body["isMonotonic"] = monotonic
    return {"name": name, "unit": unit, "description": description, kind: body}


def counter(name, points, **how):
    return metric("sum", name, points, monotonic=True, **how)


def request(metrics, resource=None, scope=None):
    """One resource with one scope."""
    return {"resourceMetrics": [{"resource": {"attributes": attributes(resource or {})},
                                 "scopeMetrics": [{"scope": scope or {}, "metrics": list(metrics)}]}]}


def buckets(count, total, bounds, counts):
    return {"count": str(count), **({} if total is None else {"sum": total}), "explicitBounds": list(bounds),
            "bucketCounts": [str(n) for n in counts]}


def exponential(count, total, scale, zero, positive=(0, ()), negative=(0, ())):
    def side(offset, counts):
        return {"offset": offset, "bucketCounts": [str(n) for n in counts]}
    return {"count": str(count), "sum": total, "scale": scale, "zeroCount": str(zero), "positive": side(*positive),
            "negative": side(*negative)}


def quantiles(count, total, values):
    return {"count": str(count), "sum": total, "quantileValues": [{"quantile": q, "value": v} for q, v in values.items()]}


RESOURCE = {"service.name": "shop", "service.namespace": "eu", "service.instance.id": "i-1", "host.name": "h1", "cores": 8}
SCOPE = {"name": "lib.http", "version": "1.2", "attributes": attributes({"short.lived": True})}
IDENTITY = {"job": "eu/shop", "instance": "i-1"}
OF_SCOPE = {"otel_scope_name": "lib.http", "otel_scope_version": "1.2", "otel_scope_short_lived": "true"}
TEXT = 'ü€😀 "quoted" \\ back\nline'


def ids(v, at, **labels):
    """An exemplar as the query API has it."""
    return at // 1_000_000, v, tuple(sorted({"trace_id": TRACE, "span_id": SPAN, **labels}.items()))


class Everything:
    """Every kind of metric at one moment (nanoseconds), `n` of which came before. `series` and `histograms` are what is
    stored at that moment, `exemplars` what belongs to it."""

    def __init__(self, at, n=0):
        self.at, self.ms, self.start = at, at // 1_000_000, at - (n + 1) * SECOND
        self.series, self.histograms, self.exemplars, self.metadata = {}, {}, {}, {}
        self.metrics = []
        self.n = n
        self.numbers(self.start)
        self.classic(self.start)
        self.others(self.start)
        self.series[series("target_info", host_name="h1", cores="8", **IDENTITY)] = 1.0
        # What counts up from its start: all but gauges and quantiles.
        self.counting = {s for s in (*self.series, *self.histograms) if dict(s)["__name__"].startswith(
            ("http_", "rpc_", "gc_")) and "quantile" not in dict(s)}

    def request(self):
        return request(self.metrics, RESOURCE, SCOPE)

    def expect(self, name, v, **labels):
        self.series[series(name, **IDENTITY, **OF_SCOPE, **labels)] = float(v)

    def numbers(self, start):
        n, at = self.n, self.at
        self.metrics += [
            metric("gauge", "queue.length", [point(at, 3 + n, queue="a.b", text=TEXT), point(at, -2.5 - n)],
                   unit="{item}", description="how long the queue is"),
            metric("gauge", "cache.hits", [point(at, 0.25)], unit="1"),
            counter("http.requests", [
                point(at, 10 + 5 * n, start=start, exemplars=[exemplar(at - 1000000, 1.0, route="/x")],
                      labels={"http.method": "GET", "code": 200}),
                point(at, 2.5 + n, start=start, labels={"http.method": "PUT", "code": 503, "retry": True, "at": 0.1})],
                    unit="{request}", description="requests\nserved"),
            metric("sum", "in.flight", [point(at, 7 - n, start=start)], unit="By"),
            metric("gauge", "extremes", [point(at, v, which=w) for w, v in
                                         (("tiny", 5e-324), ("huge", 1.7976931348623157e308), ("tenth", 0.1),
                                          ("int", 9007199254740993), ("zero", 0))]),
        ]
        self.expect("queue_length", 3 + n, queue="a.b", text=TEXT)
        self.expect("queue_length", -2.5 - n)
        self.expect("cache_hits_ratio", 0.25)
        got = {"http_method": "GET", "code": "200"}
        self.expect("http_requests_total", 10 + 5 * n, **got)
        self.exemplars[series("http_requests_total", **IDENTITY, **OF_SCOPE, **got)] = ids(1.0, at - 1000000, route="/x")
        self.expect("http_requests_total", 2.5 + n, http_method="PUT", code="503", retry="true", at="0.1")
        self.expect("in_flight_bytes", 7 - n)
        for which, v in (("tiny", 5e-324), ("huge", 1.7976931348623157e308), ("tenth", 0.1), ("int", 9007199254740992), ("zero", 0)):
            self.expect("extremes", v, which=which)
        self.metadata.update({"queue_length": ("gauge", "how long the queue is", ""), "cache_hits_ratio": ("gauge", "", ""), "extremes": ("gauge", "", ""),
                              "http_requests_total": ("counter", "requests\nserved", ""), "in_flight_bytes": ("gauge", "", "bytes")})

    def classic(self, start):
        n, at = self.n, self.at
        self.metrics += [
            metric("histogram", "http.duration", [
                point(at, buckets(6 + n, 12.5 + n, (0.005, 0.5, 10), (1, 2, 3, n)), start=start, method="GET",
                      exemplars=[exemplar(at - 2000000, 0.25), exemplar(at - 1000000, 7.5)]),
                point(at, buckets(4, None, (), (4,)), start=start, method="PUT")],
                unit="s", description="how long it takes"),
            metric("summary", "gc.pause", [point(at, quantiles(9 + n, 4.5, {0: 0.125, 0.5: 0.5, 0.99: 2.0, 1: 2.5}), start=start)],
                   unit="ms"),
        ]
        for le, v in (("0.005", 1), ("0.5", 3), ("10", 6), ("+Inf", 6 + n)):
            self.expect("http_duration_seconds_bucket", v, method="GET", le=le)
        self.expect("http_duration_seconds_sum", 12.5 + n, method="GET")
        self.expect("http_duration_seconds_count", 6 + n, method="GET")
        self.expect("http_duration_seconds_bucket", 4, method="PUT", le="+Inf")
        self.expect("http_duration_seconds_count", 4, method="PUT")
        for le, one in (("0.5", ids(0.25, at - 2000000)), ("10", ids(7.5, at - 1000000))):
            self.exemplars[series("http_duration_seconds_bucket", **IDENTITY, **OF_SCOPE, method="GET", le=le)] = one
        for q, v in (("0", 0.125), ("0.5", 0.5), ("0.99", 2.0), ("1", 2.5)):
            self.expect("gc_pause_milliseconds", v, quantile=q)
        self.expect("gc_pause_milliseconds_sum", 4.5)
        self.expect("gc_pause_milliseconds_count", 9 + n)
        self.metadata.update({"http_duration_seconds": ("histogram", "how long it takes", "seconds"),
                              "gc_pause_milliseconds": ("summary", "", "milliseconds")})

    def others(self, start):
        """Native histograms: scale 0 has the bounds 1, 2, 4, …; scale 9 is merged down to 8."""
        n, at = self.n, self.at
        self.metrics += [metric("exponentialHistogram", "rpc.size", [
            point(at, exponential(10 + n, 25.5, 0, 1 + n, (1, (2, 0, 3)), (-1, (4,))), start=start, side="both",
                  exemplars=[exemplar(at - 1000000, 3.0)]),
            point(at, exponential(3, 3.0, 9, 0, (0, (1, 1, 1))), start=start, side="fine")], unit="By")]
        both, fine = (series("rpc_size_bytes", **IDENTITY, **OF_SCOPE, side=side) for side in ("both", "fine"))
        self.histograms[both] = (10.0 + n, 25.5, ((-1.0, -0.5, 4.0), (-ZERO, ZERO, 1.0 + n), (2.0, 4.0, 2.0), (8.0, 16.0, 3.0)))
        one, two = 2 ** (1 / 256), 2 ** (2 / 256)
        self.histograms[fine] = (3.0, 3.0, ((1.0, one, 2.0), (one, two, 1.0)))
        self.exemplars[both] = ids(3.0, at - 1000000)
        self.metadata["rpc_size_bytes"] = ("histogram", "", "bytes")

