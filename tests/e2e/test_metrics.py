"""The program's own metrics: the collector's names, and books that balance."""
import lib
import otlp

FATES = ("out", "delivered", "filtered", "sampled_out", "rejected", "refused")


def gaps(found):
    """{series without fate: in - everything it became - held} where that is not 0."""
    books = {}
    for labels, value in found.get("leat_items_total", []):
        key = tuple(sorted((k, v) for k, v in labels.items() if k != "fate"))
        assert labels["fate"] == "in" or labels["fate"] in FATES, labels
        books[key] = books.get(key, 0) + (value if labels["fate"] == "in" else -value)
    for labels, value in found.get("leat_items_held", []):
        key = tuple(sorted(labels.items()))
        books[key] = books.get(key, 0) - value
    return {k: v for k, v in books.items() if v}


class Metrics(lib.Case):
    def page(self):
        return lib.telemetry(self.at)

    def setUp(self):
        self.at = lib.free_port()

    def test_the_collectors_names(self):
        with lib.Sink() as sink:
            text = lib.config(f"otlp_http/up: {{endpoint: 'http://127.0.0.1:{sink.port}'}}", "[otlp_http/up]",
                              processors="batch: {timeout: 10ms}\n  memory_limiter: {check_interval: 1s, limit_mib: 512}",
                              processing="[memory_limiter, batch]", tail=self.page())
            with lib.Leat(text) as leat:
                http, grpc = leat.port("otlp", "http"), leat.port("otlp", "grpc")
                for s in otlp.SIGNALS:
                    ids = [f"{s}{i}" for i in range(7)]
                    self.assertEqual(lib.send(http, s, ids).status, 200)
                    self.assertEqual(lib.grpc(grpc, s, otlp.request(s, ["g1", "g2"])).status, 0)
                    sink.wait_for(s, ids + ["g1", "g2"])
                lib.wait_until(lambda: all(lib.total(lib.metrics(self.at), f"otelcol_exporter_sent_{otlp.ITEMS[s]}",
                                                     exporter="otlp_http/up") == 9 for s in otlp.SIGNALS), "9 of each are counted as sent")
                found = lib.metrics(self.at)
                for s in otlp.SIGNALS:
                    items = otlp.ITEMS[s]
                    self.assertEqual(lib.total(found, f"otelcol_receiver_accepted_{items}", receiver="otlp", transport="http"), 7)
                    self.assertEqual(lib.total(found, f"otelcol_receiver_accepted_{items}", receiver="otlp", transport="grpc"), 2)
                    self.assertEqual(lib.total(found, f"otelcol_receiver_refused_{items}", receiver="otlp"), 0)
                    self.assertEqual(lib.total(found, f"otelcol_exporter_send_failed_{items}", exporter="otlp_http/up"), 0)
                    self.assertEqual(lib.total(found, f"otelcol_exporter_enqueue_failed_{items}", exporter="otlp_http/up"), 0)
                    self.assertEqual(lib.total(found, "otelcol_exporter_queue_size", exporter="otlp_http/up", data_type=s), 0)
                    self.assertEqual(lib.total(found, "otelcol_exporter_queue_capacity", exporter="otlp_http/up", data_type=s), 1000)
                    self.assertEqual(lib.total(found, "otelcol_processor_incoming_items", processor="batch", otel_signal=s), 9)
                    self.assertEqual(lib.total(found, "otelcol_processor_outgoing_items", processor="batch", otel_signal=s), 9)
                for name in ("otelcol_process_uptime", "otelcol_process_cpu_seconds", "otelcol_process_memory_rss"):
                    self.assertIsNotNone(lib.total(found, name), f"{name} is missing: {sorted(found)}")
                self.assertEqual(gaps(found), {})

    def test_a_receiver_feeds_every_pipeline_that_names_it(self):
        text = lib.config("nop: {}", "[nop]", kinds=("logs",), tail=self.page())
        text += "".join(f"    logs/{i}: {{receivers: [otlp], exporters: [nop]}}\n" for i in range(1, 100))
        with lib.Leat(text) as leat:
            self.assertEqual(lib.send(leat.port("otlp", "http"), "logs", ["a", "b"]).status, 200)
            found = lib.metrics(self.at)
            self.assertEqual(lib.total(found, "leat_items_total", component="nop", fate="delivered"), 200)
            self.assertEqual(lib.total(found, "leat_items_total", component="otlp", fate="out"), 2)
            self.assertEqual(gaps(found), {})

    def test_the_page_is_prometheus_text(self):
        with lib.Leat(lib.config("nop: {}", "[nop]", tail=self.page())) as leat:
            leat.port("otlp", "http")
            r = lib.get(self.at, "/metrics")
            self.assertEqual(r.status, 200)
            self.assertTrue(r.headers["content-type"].startswith("text/plain"), r.headers)
            seen = set()
            for line in r.body.decode().splitlines():
                if line.startswith("# TYPE "):
                    name = line.split()[2]
                    self.assertNotIn(name, seen, "TYPE twice")
                    seen.add(name)
            self.assertTrue(seen)

    def test_level_none_opens_no_page(self):
        text = lib.config("nop: {}", "[nop]", tail="\n  telemetry: {metrics: {level: none}}")
        with lib.Leat(text) as leat:
            leat.port("otlp", "http")
            self.assertNotIn("8888", leat.log())

    def test_the_books_balance_after_good_and_bad_days(self):
        state = {"mode": "ok"}

        def answer(signal, names):
            if state["mode"] == "down":
                return 503, {}, b""
            if any(n.startswith("bad") for n in names):
                return 400, {}, b""
            return None
        with lib.Sink(answer) as sink:
            text = lib.config(
                f"otlp_http: {{endpoint: 'http://127.0.0.1:{sink.port}', sending_queue: {{queue_size: 4}}, "
                "retry_on_failure: {initial_interval: 20ms, max_interval: 50ms}}\n"
                f"  otlp_http/once: {{endpoint: 'http://127.0.0.1:{sink.port}', sending_queue: {{enabled: false}}, "
                "retry_on_failure: {enabled: false}}\n  debug: {}",
                "[otlp_http, otlp_http/once, debug]", processors="batch: {timeout: 10ms, send_batch_size: 20}",
                processing="[batch]", tail=self.page())
            with lib.Leat(text) as leat:
                port = leat.port("otlp", "http")
                statuses = []
                for n in range(60):
                    state["mode"] = "down" if 20 <= n < 40 else "ok"
                    names = [f"{'bad' if n % 7 == 0 else 'r'}{n}-{i}" for i in range(n % 5 + 1)]
                    statuses.append(lib.send(port, "traces", names).status)
                state["mode"] = "ok"
                self.assertIn(200, statuses)

                def drained():
                    found = lib.metrics(self.at)
                    return lib.total(found, "leat_items_held") == 0 and found
                found = lib.wait_until(drained, "everything held has left")
                self.assertEqual(gaps(found), {})
                sent = sum(n % 5 + 1 for n in range(60))
                entered = (lib.total(found, "otelcol_receiver_accepted_spans") + lib.total(found, "otelcol_receiver_refused_spans")
                           + lib.total(found, "otelcol_receiver_failed_spans"))
                self.assertEqual(entered, sent)


if __name__ == "__main__":
    lib.main()
