"""The program to the collector and back, three signals with every field, both protocols, every compression that both
speak. What arrives is compared with what the collector itself makes of the same request."""
import os

import peers
import rich
from peers import lib, otlp

GRPC = ("none", "gzip", "zstd", "snappy")
HTTP = ("none", "gzip", "zstd", "snappy", "zlib", "deflate", "lz4", "x-snappy-framed")
ALL = [("otlp_grpc", c) for c in GRPC] + [("otlp_http", c) for c in HTTP]


def exporter(kind, name, port, compression, more=""):
    start = f"{kind}/{name}: {{compression: {compression}, tls: {{insecure: true}}{more}, endpoint: "
    return start + (f"'127.0.0.1:{port}'}}" if kind == "otlp_grpc" else f"'http://127.0.0.1:{port}'}}")


def of_service(lines, service):
    """The requests whose resources have this name, with the name taken out again."""
    found = []
    for line in lines:
        for resources in line.values():
            have = [a for r in resources for a in r["resource"]["attributes"] if a["key"] == "service.name"]
            if have and have[0]["value"]["stringValue"] == service:
                for a in have:
                    a["value"]["stringValue"] = "rich"
                found.append(rich.plain(line))
    return found


class Collector(lib.Case):
    def reference(self, collector):
        """What the collector itself writes for the rich requests."""
        found = {}
        for s in otlp.SIGNALS:
            r = lib.post(collector.http, s, rich.request(s, "reference"))
            self.assertEqual(r.status, 200, r.body)
            found[s] = lib.wait_until(lambda: of_service(collector.lines(s), "reference"), "the collector has written it")[0]
            self.assertEqual(found[s], rich.plain(rich.request(s)), "the collector itself does not keep this request as it is")
        return found

    def test_leat_to_otelcol(self):
        with peers.Otelcol() as collector:
            reference = self.reference(collector)
            for kind, compression in ALL:
                with self.subTest(exporter=kind, compression=compression):
                    port = collector.grpc if kind == "otlp_grpc" else collector.http
                    text = lib.config(exporter(kind, "to", port, compression, ", sending_queue: {wait_for_result: true}"), f"[{kind}/to]")
                    with lib.Leat(text) as leat:
                        for s in otlp.SIGNALS:
                            service = f"{kind}-{compression}"
                            r = lib.post(leat.port("otlp", "http"), s, rich.request(s, service))
                            self.assertEqual(r.status, 200, r.body)
                            found = lib.wait_until(lambda: of_service(collector.lines(s), service), f"the collector has written {s}")
                            self.assertEqual(found, [reference[s]])

    def test_otelcol_to_leat(self):
        folder = self.folder()
        names = {f"{kind[5:]}-{c}": (kind, c) for kind, c in ALL}
        receivers = "\n  ".join(f"otlp/{n}: {{protocols: {{{kind[5:]}: {{endpoint: 127.0.0.1:0}}}}}}" for n, (kind, _) in names.items())
        exporters = "\n  ".join(f"file/{n}-{s}: {{path: '{folder}/{n}-{s}.jsonl', flush_interval: 50ms}}"
                                for n in names for s in otlp.SIGNALS)
        pipes = "".join(f"    {s}/{n}: {{receivers: [otlp/{n}], exporters: [file/{n}-{s}]}}\n" for n in names for s in otlp.SIGNALS)
        text = f"receivers:\n  {receivers}\nexporters:\n  {exporters}\nservice:\n  telemetry: {{logs: {{sampling: {{enabled: false}}}}}}\n  pipelines:\n{pipes}"
        with lib.Leat(text) as leat:
            ports = {n: leat.port(f"otlp/{n}", kind[5:]) for n, (kind, _) in names.items()}
            far = "".join("  " + exporter(kind, n, ports[n], c) + "\n" for n, (kind, c) in names.items())
            with peers.Otelcol(far) as collector:
                reference = self.reference(collector)
                for n in names:
                    for s in otlp.SIGNALS:
                        with self.subTest(exporter=n, signal=s):
                            path = os.path.join(folder, f"{n}-{s}.jsonl")
                            found = lib.wait_until(lambda: of_service(peers.json_lines(path), "reference"), f"{s} over {n} arrive")
                            self.assertEqual(found, [reference[s]])


if __name__ == "__main__":
    lib.main()
