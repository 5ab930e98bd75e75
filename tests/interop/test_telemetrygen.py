"""telemetrygen, through the program, into Jaeger and a counting sink: every trace, point and record arrives once."""
import peers
from peers import lib

TRACES, CHILDREN, RECORDS = 200, 3, 500


class Telemetrygen(lib.Case):
    def test_both_protocols(self):
        with peers.Jaeger() as jaeger, lib.Sink() as sink:
            exporters = (f"otlp_http/jaeger: {{endpoint: 'http://127.0.0.1:{jaeger.http}'}}\n"
                         f"  otlp_http: {{endpoint: 'http://127.0.0.1:{sink.port}'}}")
            text = lib.config(exporters, "[otlp_http]", processors="batch: {}", processing="[batch]", kinds=("metrics", "logs"))
            text += "    traces: {receivers: [otlp], processors: [batch], exporters: [otlp_http/jaeger]}\n"
            with lib.Leat(text) as leat:
                for protocol, flags in (("grpc", []), ("http", ["--otlp-http"])):
                    with self.subTest(protocol=protocol):
                        self.one(leat.port("otlp", protocol), jaeger, sink, protocol, flags)

    def one(self, port, jaeger, sink, protocol, flags):
        common = ["--otlp-endpoint", f"127.0.0.1:{port}", "--otlp-insecure", "--rate", "0", "--service", f"gen-{protocol}", *flags]
        peers.telemetrygen("traces", *common, "--traces", str(TRACES), "--child-spans", str(CHILDREN))
        peers.telemetrygen("metrics", *common, "--metrics", str(RECORDS), "--otlp-metric-name", f"gen.{protocol}")
        peers.telemetrygen("logs", *common, "--logs", str(RECORDS), "--body", f"from {protocol}")

        def spans():
            return [len(t["spans"]) for t in jaeger.traces(f"gen-{protocol}")]
        lib.wait_until(lambda: sum(spans()) == TRACES * (CHILDREN + 1), lambda: f"{sum(spans())} spans in {len(spans())} traces")
        self.assertEqual(set(spans()), {CHILDREN + 1})

        def got():
            return sink.got("metrics").get(f"gen.{protocol}", 0), sink.got("logs").get(f"from {protocol}", 0)
        lib.wait_until(lambda: got() >= (RECORDS, RECORDS), lambda: f"metrics and logs: {got()}")
        self.assertEqual(got(), (RECORDS, RECORDS))


if __name__ == "__main__":
    lib.main()
