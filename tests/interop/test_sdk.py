"""OpenTelemetry SDKs, through the program, into Jaeger and a counting sink: ids, attributes, events and links of
parents are what the SDK said it made."""
import peers
from peers import lib

COUNT = 3
RUNS = [(peers.python_sdk, "python", ("grpc", "http/protobuf")), (peers.node_sdk, "node", ("grpc", "http/protobuf", "http/json"))]


class Sdk(lib.Case):
    def test_sdks_through_leat_to_jaeger(self):
        with peers.Jaeger() as jaeger, lib.Sink() as sink:
            exporters = (f"otlp_grpc: {{endpoint: '127.0.0.1:{jaeger.grpc}', tls: {{insecure: true}}}}\n"
                         f"  otlp_http: {{endpoint: 'http://127.0.0.1:{sink.port}'}}")
            text = lib.config(exporters, "[otlp_http]", kinds=("metrics", "logs"))
            text += "    traces: {receivers: [otlp], exporters: [otlp_grpc]}\n"
            text = text.replace("exporters: [otlp_http]}    traces", "exporters: [otlp_http]}\n    traces")
            with lib.Leat(text) as leat:
                for sdk, word, protocols in RUNS:
                    for protocol in protocols:
                        for compression in ("none", "gzip"):
                            with self.subTest(sdk=word, protocol=protocol, compression=compression):
                                self.one(leat, jaeger, sink, sdk, word, protocol, compression)

    def one(self, leat, jaeger, sink, sdk, word, protocol, compression):
        port = leat.port("otlp", "grpc" if protocol == "grpc" else "http")
        service = f"{word}-{protocol.replace('/', '-')}-{compression}"
        seen = len(sink.requests)
        said = sdk(OTLP_PROTOCOL=protocol, OTLP_ENDPOINT=f"http://127.0.0.1:{port}", OTLP_COMPRESSION=compression,
                   SERVICE=service, COUNT=str(COUNT))
        self.assertTrue(said["flushed"])
        self.assertEqual(len(said["made"]), COUNT)
        for i, made in enumerate(said["made"]):
            spans = lib.wait_until(lambda: jaeger.trace(made["trace"]), f"Jaeger has {made['trace']}")
            spans = lib.wait_until(lambda: len(jaeger.trace(made["trace"])) == 2 and jaeger.trace(made["trace"]), "both spans")
            self.assertEqual(spans.keys(), {made["parent"], made["child"]})
            parent, child = spans[made["parent"]], spans[made["child"]]
            have = peers.tags(parent)
            self.assertEqual((parent["operationName"], have["i"], have["f"], have["ok"], have["s"]), ("parent", i, 1.5, True, "tëxt"))
            self.assertEqual(have["arr"].replace(" ", ""), '["a","b"]')
            have = peers.tags(child)
            self.assertEqual((child["operationName"], have["span.kind"], have["otel.status_code"]),
                             ("child", "client", "OK" if i else "ERROR"))
            self.assertEqual(child["references"][0]["spanID"], made["parent"])
            event = {f["key"]: f["value"] for f in child["logs"][0]["fields"]}
            self.assertEqual((event["event"], event["n"]), ("ev", i))
        self.assertEqual(len(jaeger.traces(service)), COUNT)

        def names(signal):
            with sink.lock:
                return sorted(n for s, ns, _, _ in sink.requests[seen:] if s == signal for n in ns)
        logs, metrics = [f"log {i}" for i in range(COUNT)], ["emit.gauge", "emit.latency", "emit.requests"]
        lib.wait_until(lambda: names("logs") == logs, lambda: f"the logs are {names('logs')}")
        lib.wait_until(lambda: set(names("metrics")) == set(metrics), lambda: f"the metrics are {names('metrics')}")


if __name__ == "__main__":
    lib.main()
