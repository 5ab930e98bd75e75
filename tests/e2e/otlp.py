"""Smallest possible OTLP: requests with one id per record, in protobuf and JSON, and back to ids.

The id of a record is a span's name, a log's body, a metric's name. Written from the OTLP message definitions
(field numbers), independent of the program under test.
"""
import hashlib
import json
import struct

SIGNALS = ("traces", "metrics", "logs")
ITEMS = {"traces": "spans", "metrics": "metric_points", "logs": "log_records"}
REJECTED = {"traces": "rejectedSpans", "metrics": "rejectedDataPoints", "logs": "rejectedLogRecords"}
PATHS = {s: f"/v1/{s}" for s in SIGNALS}
METHODS = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}
T0 = 1_700_000_000_000_000_000


def varint(n):
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def field(number, payload):
    """A length-delimited field; str is written as UTF-8."""
    data = payload.encode() if isinstance(payload, str) else payload
    return varint(number << 3 | 2) + varint(len(data)) + data


def number(n, value):
    return varint(n << 3) + varint(value)


def fixed64(n, value):
    return varint(n << 3 | 1) + struct.pack("<Q", value)


def attribute(key, value):
    return field(1, key) + field(2, field(1, value))


def trace_id(name):
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def _record(signal, name):
    if signal == "traces":
        return (field(1, bytes.fromhex(trace_id(name))) + field(2, bytes.fromhex(trace_id(name)[:16])) +
                field(5, name) + number(6, 2) + fixed64(7, T0) + fixed64(8, T0 + 1000))
    if signal == "logs":
        return fixed64(1, T0) + number(2, 9) + field(3, "INFO") + field(5, field(1, name))
    point = fixed64(3, T0) + varint(4 << 3 | 1) + struct.pack("<d", 1.5)
    return field(1, name) + field(5, field(1, point))


def request(signal, names, service="e2e", scope="e2e.scope"):
    """An Export…ServiceRequest in protobuf with one record per name."""
    records = b"".join(field(2, _record(signal, n)) for n in names)
    scope_part = field(2, field(1, field(1, scope)) + records)
    return field(1, field(1, field(1, attribute("service.name", service))) + scope_part)


def request_json(signal, names, service="e2e", scope="e2e.scope"):
    """The same request as an object for JSON."""
    def record(n):
        if signal == "traces":
            return {"traceId": trace_id(n), "spanId": trace_id(n)[:16], "name": n, "kind": 2,
                    "startTimeUnixNano": str(T0), "endTimeUnixNano": str(T0 + 1000)}
        if signal == "logs":
            return {"timeUnixNano": str(T0), "severityNumber": 9, "severityText": "INFO",
                    "body": {"stringValue": n}}
        return {"name": n, "gauge": {"dataPoints": [{"timeUnixNano": str(T0), "asDouble": 1.5}]}}
    outer, inner, leaf = KEYS[signal]
    return {outer: [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
                     inner: [{"scope": {"name": scope}, leaf: [record(n) for n in names]}]}]}


KEYS = {"traces": ("resourceSpans", "scopeSpans", "spans"),
        "metrics": ("resourceMetrics", "scopeMetrics", "metrics"),
        "logs": ("resourceLogs", "scopeLogs", "logRecords")}


def fields(data):
    """(number, value) of a message: bytes for length-delimited, int for the rest. ValueError when malformed."""
    at = 0

    def take_varint():
        nonlocal at
        value = shift = 0
        while True:
            if at >= len(data) or shift > 63:
                raise ValueError("varint runs over")
            b = data[at]
            at += 1
            value |= (b & 0x7F) << shift
            shift += 7
            if b < 0x80:
                return value
    while at < len(data):
        key = take_varint()
        wire = key & 7
        if wire == 0:
            yield key >> 3, take_varint()
            continue
        size = 8 if wire == 1 else 4 if wire == 5 else take_varint() if wire == 2 else -1
        if size < 0 or at + size > len(data):
            raise ValueError(f"bad field {key >> 3}, wire type {wire}")
        raw = data[at:at + size]
        at += size
        yield key >> 3, raw if wire == 2 else int.from_bytes(raw, "little")


def inside(data, *path):
    """Every submessage under a path of field numbers."""
    if not path:
        yield data
        return
    for n, value in fields(data):
        if n == path[0] and isinstance(value, bytes):
            yield from inside(value, *path[1:])


def names(signal, body):
    """The ids of all records of a protobuf request, in order."""
    name_at = {"traces": (5,), "metrics": (1,), "logs": (5, 1)}[signal]
    return [v.decode() for v in inside(body, 1, 2, 2, *name_at)]


def names_json(signal, text):
    outer, inner, leaf = KEYS[signal]
    found = []
    for resource in json.loads(text).get(outer, []):
        for scope in resource.get(inner, []):
            for r in scope.get(leaf, []):
                found.append(r["body"]["stringValue"] if signal == "logs" else r["name"])
    return found


def services(signal, body):
    return [v.decode() for v in inside(body, 1, 1, 1, 2, 1)]


def status(body):
    """(code, message) of a google.rpc.Status."""
    code, message = 0, ""
    for n, value in fields(body):
        if n == 1:
            code = value
        elif n == 2:
            message = value.decode()
    return code, message


def partial_success(body):
    """(rejected, message) of an Export…ServiceResponse; None when there is no partial_success."""
    for part in inside(body, 1):
        found = dict(fields(part))
        return found.get(1, 0), found.get(2, b"").decode()
    return None
