// The same three signals as emit.py with the OpenTelemetry SDK for Node.
// Environment: OTLP_PROTOCOL grpc | http/protobuf | http/json; OTLP_ENDPOINT URL; COUNT; SERVICE; OTLP_COMPRESSION.
'use strict';
const { env } = process;
const count = Number(env.COUNT || 3);
const kind = { grpc: 'grpc', 'http/protobuf': 'proto', 'http/json': 'http' }[env.OTLP_PROTOCOL];
const exporter = (signal, path) => {
  const options = { url: env.OTLP_PROTOCOL === 'grpc' ? env.OTLP_ENDPOINT : `${env.OTLP_ENDPOINT}/v1/${path}` };
  if (env.OTLP_COMPRESSION === 'gzip') options.compression = 'gzip';
  const module = require(`@opentelemetry/exporter-${signal}-otlp-${kind}`);
  const name = { trace: 'OTLPTraceExporter', metrics: 'OTLPMetricExporter', logs: 'OTLPLogExporter' }[signal];
  return new module[name](options);
};
const { NodeSDK } = require('@opentelemetry/sdk-node');
const { resourceFromAttributes } = require('@opentelemetry/resources');
const { PeriodicExportingMetricReader } = require('@opentelemetry/sdk-metrics');
const { BatchLogRecordProcessor } = require('@opentelemetry/sdk-logs');
const { trace, metrics, context, SpanStatusCode, SpanKind } = require('@opentelemetry/api');
const { logs, SeverityNumber } = require('@opentelemetry/api-logs');

// The constructor's argument changed between releases of the SDK.
const logExporter = exporter('logs', 'logs');
let processor;
try {
  processor = new BatchLogRecordProcessor({ exporter: logExporter });
} catch {
  processor = new BatchLogRecordProcessor(logExporter);
}
const sdk = new NodeSDK({
  resource: resourceFromAttributes({ 'service.name': env.SERVICE, 'deployment.environment.name': 'interop' }),
  autoDetectResources: false,
  instrumentations: [],
  traceExporter: exporter('trace', 'traces'),
  metricReaders: [new PeriodicExportingMetricReader({ exporter: exporter('metrics', 'metrics'), exportIntervalMillis: 3600000 })],
  logRecordProcessors: [processor],
});
sdk.start();
const tracer = trace.getTracer('emit', '1.0'), meter = metrics.getMeter('emit'), logger = logs.getLogger('emit');
const counter = meter.createCounter('emit.requests'), histogram = meter.createHistogram('emit.latency', { unit: 'ms' });
meter.createObservableGauge('emit.gauge').addCallback(o => o.observe(42.5, { k: 'v' }));
const made = [];
for (let i = 0; i < count; i++) {
  tracer.startActiveSpan('parent', { attributes: { i, arr: ['a', 'b'], ok: true, f: 1.5, s: 'tëxt' } }, parent => {
    tracer.startActiveSpan('child', { kind: SpanKind.CLIENT }, child => {
      child.addEvent('ev', { n: i });
      child.setStatus(i ? { code: SpanStatusCode.OK } : { code: SpanStatusCode.ERROR, message: 'boom' });
      logger.emit({ severityNumber: SeverityNumber.WARN, severityText: 'WARN', body: `log ${i}`, attributes: { i }, context: context.active() });
      made.push({ trace: parent.spanContext().traceId, parent: parent.spanContext().spanId, child: child.spanContext().spanId });
      child.end();
    });
    parent.end();
  });
  counter.add(1, { i });
  histogram.record(10 * i, { route: '/x' });
}
sdk.shutdown().then(() => console.log(JSON.stringify({ flushed: true, made })), e => {
  console.error(`failed: ${e.message || e}`);
  process.exitCode = 1;
});
