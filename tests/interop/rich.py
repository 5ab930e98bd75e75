"""One request per signal with every field OTLP has, as JSON; and a form in which two outputs can be compared."""
import copy

T = 1_700_000_000_000_000_000


def attributes(word):
    """Each kind of value, nested ones too."""
    return [
        {"key": "s", "value": {"stringValue": f"{word} ü€😀 \"quoted\" \\ / \u0001\n"}},
        {"key": "empty", "value": {"stringValue": ""}},
        {"key": "yes", "value": {"boolValue": True}},
        {"key": "no", "value": {"boolValue": False}},
        {"key": "big", "value": {"intValue": "9223372036854775807"}},
        {"key": "small", "value": {"intValue": "-9223372036854775808"}},
        {"key": "zero", "value": {"intValue": "0"}},
        {"key": "tenth", "value": {"doubleValue": 0.1}},
        {"key": "tiny", "value": {"doubleValue": 5e-324}},
        {"key": "huge", "value": {"doubleValue": 1.7976931348623157e308}},
        {"key": "bytes", "value": {"bytesValue": "AAEC/w=="}},
        {"key": "list", "value": {"arrayValue": {"values": [{"stringValue": "a"}, {"intValue": "1"}, {"arrayValue": {
            "values": [{"boolValue": True}]}}]}}},
        {"key": "map", "value": {"kvlistValue": {"values": [{"key": "k", "value": {"kvlistValue": {"values": [
            {"key": "deep", "value": {"doubleValue": -1.5}}]}}}]}}},
    ]


def resource(service):
    return {"attributes": [{"key": "service.name", "value": {"stringValue": service}}, *attributes("resource")],
            "droppedAttributesCount": 3}


def scope():
    return {"name": "rich.scope", "version": "1.2.3", "attributes": attributes("scope"), "droppedAttributesCount": 1}


def ids(n):
    return {"traceId": f"{n:032x}", "spanId": f"{n:016x}"}


def spans():
    full = {
        **ids(1), "traceState": "a=1,b=2", "parentSpanId": f"{7:016x}", "flags": 257, "name": "full", "kind": 3,
        "startTimeUnixNano": str(T), "endTimeUnixNano": str(T + 123456789), "attributes": attributes("span"),
        "droppedAttributesCount": 4, "events": [
            {"timeUnixNano": str(T + 5), "name": "event", "attributes": attributes("event"), "droppedAttributesCount": 5},
            {"timeUnixNano": str(T + 6), "name": "bare"}],
        "droppedEventsCount": 6, "links": [
            {**ids(2), "traceState": "c=3", "attributes": attributes("link"), "droppedAttributesCount": 7, "flags": 1}],
        "droppedLinksCount": 8, "status": {"message": "it broke", "code": 2}}
    return [full, {**ids(3), "name": "bare"}, {**ids(4), "name": "ok", "kind": 5, "status": {"code": 1}}]


def metrics():
    point = {"startTimeUnixNano": str(T), "timeUnixNano": str(T + 1000), "attributes": attributes("point")}
    exemplars = [{"timeUnixNano": str(T + 3), "asDouble": 2.5, **ids(5), "filteredAttributes": attributes("exemplar")},
                 {"timeUnixNano": str(T + 4), "asInt": "-3"}]
    return [
        {"name": "gauge", "description": "a gauge", "unit": "By", "gauge": {"dataPoints": [
            {**point, "asDouble": 1.25, "exemplars": exemplars}, {**point, "asInt": "-42"}, {"timeUnixNano": str(T), "flags": 1},
            {**point, "asInt": "0"}, {**point, "asDouble": 0.0}]}},
        {"name": "sum", "metadata": [{"key": "m", "value": {"stringValue": "d"}}], "sum": {
            "aggregationTemporality": 2, "isMonotonic": True, "dataPoints": [{**point, "asInt": "7", "exemplars": exemplars}]}},
        {"name": "delta", "sum": {"aggregationTemporality": 1, "dataPoints": [{**point, "asDouble": -7.5}]}},
        {"name": "histogram", "histogram": {"aggregationTemporality": 2, "dataPoints": [
            {**point, "count": "6", "sum": 12.5, "min": 0.5, "max": 9.0, "bucketCounts": ["1", "2", "3"],
             "explicitBounds": [1.0, 5.0], "exemplars": exemplars}, {**point, "count": "0"}]}},
        {"name": "exponential", "exponentialHistogram": {"aggregationTemporality": 1, "dataPoints": [
            {**point, "count": "9", "sum": 3.5, "scale": -2, "zeroCount": "1", "zeroThreshold": 0.001, "min": -4.0, "max": 4.0,
             "positive": {"offset": -3, "bucketCounts": ["1", "0", "3"]}, "negative": {"offset": 2, "bucketCounts": ["4"]},
             "exemplars": exemplars}]}},
        {"name": "summary", "summary": {"dataPoints": [
            {**point, "count": "5", "sum": 2.5, "quantileValues": [{"quantile": 0.5, "value": 1.0}, {"quantile": 1.0, "value": 2.0}]}]}},
    ]


def logs():
    return [
        {"timeUnixNano": str(T), "observedTimeUnixNano": str(T + 9), "severityNumber": 17, "severityText": "ERROR",
         "body": {"kvlistValue": {"values": attributes("body")}}, "attributes": attributes("log"), "droppedAttributesCount": 2,
         "flags": 1, **ids(6), "eventName": "rich.event"},
        {"observedTimeUnixNano": str(T), "body": {"stringValue": "plain"}},
        {"body": {"intValue": "5"}},
    ]


def request(signal, service="rich"):
    outer, inner, leaf, records = {"traces": ("resourceSpans", "scopeSpans", "spans", spans),
                                   "metrics": ("resourceMetrics", "scopeMetrics", "metrics", metrics),
                                   "logs": ("resourceLogs", "scopeLogs", "logRecords", logs)}[signal]
    return {outer: [
        {"resource": resource(service), "schemaUrl": "https://example.test/resource",
         inner: [{"scope": scope(), "schemaUrl": "https://example.test/scope", leaf: records()},
                 {"scope": {"name": "second"}, leaf: copy.deepcopy(records()[:1])}]},
        {"resource": resource(service), inner: [{"scope": {"name": "third"}, leaf: records()[1:]}]}]}


# Values in which nothing and zero are different things.
KEPT = {"stringValue", "boolValue", "intValue", "doubleValue", "bytesValue", "arrayValue", "kvlistValue", "asInt", "asDouble",
        "sum", "min", "max"}
NUMBERS = {"timeUnixNano", "startTimeUnixNano", "endTimeUnixNano", "observedTimeUnixNano", "count", "zeroCount", "intValue", "asInt"}


def plain(value, key=None):
    """Without members that hold their default, 64-bit numbers as int: how two encoders may differ and mean the same."""
    if isinstance(value, dict):
        members = {k: plain(v, k) for k, v in value.items()}
        return {k: v for k, v in members.items() if k in KEPT or v not in (None, "", 0, False, {}, [])}
    if isinstance(value, list):
        return [int(v) if key == "bucketCounts" else plain(v) for v in value]
    return int(value) if key in NUMBERS else value
