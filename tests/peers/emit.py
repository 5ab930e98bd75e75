"""Emits three signals with the OpenTelemetry SDK for Python: COUNT traces of two spans, a counter, a histogram and a
gauge, and one log inside each child span. Prints one line of JSON with the ids it made.

Environment: OTLP_PROTOCOL grpc | http/protobuf; OTLP_ENDPOINT URL; COUNT; SERVICE; OTLP_COMPRESSION gzip | none."""
import json
import os
import time

from opentelemetry import metrics, trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

protocol, endpoint = os.environ["OTLP_PROTOCOL"], os.environ["OTLP_ENDPOINT"]
count, gzip = int(os.environ.get("COUNT", "3")), os.environ.get("OTLP_COMPRESSION") == "gzip"
if protocol == "grpc":
    from grpc import Compression
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
else:
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter


def options(signal):
    chosen = {"compression": Compression.Gzip if gzip else Compression.NoCompression}
    if protocol == "grpc":
        return {"endpoint": endpoint, "insecure": True, **chosen}
    return {"endpoint": f"{endpoint}/v1/{signal}", **chosen}


resource = Resource.create({"service.name": os.environ["SERVICE"], "deployment.environment.name": "interop"})
traces = TracerProvider(resource=resource)
traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(**options("traces"))))
meters = MeterProvider(resource=resource, metric_readers=[
    PeriodicExportingMetricReader(OTLPMetricExporter(**options("metrics")), export_interval_millis=3_600_000)])
logs = LoggerProvider(resource=resource)
logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(**options("logs"))))

meter, tracer, logger = meters.get_meter("emit"), traces.get_tracer("emit", "1.0"), logs.get_logger("emit")
counter, histogram = meter.create_counter("emit.requests"), meter.create_histogram("emit.latency", unit="ms")
meter.create_observable_gauge("emit.gauge", [lambda _: [metrics.Observation(42.5, {"k": "v"})]])
made = []
for i in range(count):
    with tracer.start_as_current_span("parent", attributes={"i": i, "arr": ["a", "b"], "ok": True, "f": 1.5, "s": "tëxt"}) as parent:
        with tracer.start_as_current_span("child", kind=trace.SpanKind.CLIENT) as child:
            child.add_event("ev", {"n": i})
            child.set_status(trace.Status(trace.StatusCode.ERROR, "boom") if i == 0 else trace.Status(trace.StatusCode.OK))
            now = time.time_ns()
            logger.emit(LogRecord(timestamp=now, observed_timestamp=now, severity_number=SeverityNumber.WARN,
                                  severity_text="WARN", body=f"log {i}", attributes={"i": i},
                                  context=trace.set_span_in_context(child)))
        made.append({"trace": format(parent.get_span_context().trace_id, "032x"),
                     "parent": format(parent.get_span_context().span_id, "016x"),
                     "child": format(child.get_span_context().span_id, "016x")})
    counter.add(1, {"i": i})
    histogram.record(10.0 * i, {"route": "/x"})
flushed = traces.force_flush() and meters.force_flush() and logs.force_flush()
for provider in (traces, meters, logs):
    provider.shutdown()
print(json.dumps({"flushed": flushed, "made": made}))
