"""Destinations that mean harm: memory stays small, each request is tried again or dropped by rule and counted, and the
exporter beside them does its work."""
import threading

import attacks
import hostile
import lib
import otlp
import raw_h2
import under_attack

TIMEOUT = "2s"


def request_of(c):
    """Reads to the end of a request: its stream."""
    while True:
        kind, flags, stream, _, _ = c.next()
        if kind in (raw_h2.HEADERS, raw_h2.DATA) and flags & raw_h2.END_STREAM:
            return stream


class Hostile(under_attack.Attacked):
    """Traces go to a hostile HTTP destination, metrics to a hostile gRPC one, logs to a good one."""

    @classmethod
    def setUpClass(cls):
        cls.metrics_at = lib.free_port()
        cls.sink = lib.Sink()
        cls.addClassCleanup(cls.sink.close)
        cls.by_http = hostile.HttpServer()
        cls.addClassCleanup(cls.by_http.close)
        cls.by_grpc = raw_h2.Server(None)
        cls.addClassCleanup(cls.by_grpc.__exit__)
        once = f"compression: none, timeout: {TIMEOUT}, sending_queue: {{enabled: false}}, retry_on_failure: {{enabled: false}}"
        exporters = {"traces": f"otlp_http/bad: {{endpoint: 'http://127.0.0.1:{cls.by_http.port}', {once}}}",
                     "metrics": f"otlp_grpc/bad: {{endpoint: '127.0.0.1:{cls.by_grpc.port}', tls: {{insecure: true}}, {once}}}",
                     "logs": f"otlp_http: {{endpoint: 'http://127.0.0.1:{cls.sink.port}', compression: none, "
                             "sending_queue: {enabled: false}}"}
        text = f"receivers:\n  {lib.OTLP}\nexporters:\n" + "".join(f"  {e}\n" for e in exporters.values())
        text += f"service:{lib.telemetry(cls.metrics_at)}\n  pipelines:\n" + "".join(
            f"    {k}: {{receivers: [otlp], exporters: [{e.split(':')[0]}]}}\n" for k, e in exporters.items())
        cls.leat = lib.Leat(text)
        cls.addClassCleanup(cls.leat.__exit__, None, None, None)
        cls.http, cls.grpc, cls.pid = cls.leat.port("otlp", "http"), cls.leat.port("otlp", "grpc"), cls.leat.process.pid

    def judged(self, name, signal, expected):
        """How the sender is told that its request ended."""
        cpu, rss = attacks.cpu_seconds(self.pid), attacks.rss_bytes(self.pid)
        r = lib.send(self.http, signal, [name])
        verdict = "ok" if r.status == 200 else "retry" if r.status in (429, 503) else "drop"
        print(f"{signal} {name}: {verdict} ({r.status}), {attacks.cpu_seconds(self.pid) - cpu:.3f} s, "
              f"{(attacks.rss_bytes(self.pid) - rss) / 1e6:.1f} MB: {otlp.status(r.body)[1] if r.status != 200 else ''}", flush=True)
        self.assertEqual(verdict, expected)

    def failed(self, exporter, items):
        """Since the test began."""
        before, now = (lib.total(found, f"otelcol_exporter_send_failed_{items}", exporter=exporter) or 0
                       for found in (self.found, lib.metrics(self.metrics_at)))
        return now - before

    def test_over_http(self):
        bad = 0
        for name, (answer, expected) in hostile.HTTP.items():
            with self.subTest(name):
                self.by_http.answer = answer
                self.judged(name, "traces", expected)
            bad += expected != "ok"
        self.assertEqual(self.failed("otlp_http/bad", "spans"), bad)
        self.clients_are_well()
        self.memory_is_back()

    def test_over_grpc(self):
        bad = 0
        for name, (serve, expected) in hostile.GRPC.items():
            def run(c, serve=serve):
                serve(c, request_of(c))
            with self.subTest(name):
                self.anew(run)
                self.judged(name, "metrics", expected)
            bad += expected != "ok"
        for name, (settings, expected) in hostile.GRPC_SETTINGS.items():
            def run(c):
                while True:
                    c.ok(request_of(c), [])
            with self.subTest(name):
                self.by_grpc.own_settings = settings
                self.anew(run)
                self.judged(name, "metrics", expected)
            bad += expected != "ok"
        self.by_grpc.own_settings = {}
        self.assertEqual(self.failed("otlp_grpc/bad", "metric_points"), bad)
        self.clients_are_well()
        self.memory_is_back()

    def test_floods_after_an_answer(self):
        """The answer counts, and the connection is cut soon after, not kept for the next request."""
        for name, flood in hostile.GRPC_FLOODS.items():
            cut = threading.Event()

            def run(c, flood=flood, cut=cut):
                stream = request_of(c)
                c.ok(stream, [])
                try:
                    for _ in range(hostile.FLOOD_FRAMES // 100):
                        c.send(flood(stream))
                        if not attacks.drain(c.sock):
                            break
                    else:
                        if not attacks.closed(c.sock, lib.LIMIT):
                            return
                except ConnectionError:
                    pass
                cut.set()
            with self.subTest(name):
                self.anew(run)
                cpu = attacks.cpu_seconds(self.pid)
                self.judged(name, "metrics", "ok")
                self.assertTrue(cut.wait(lib.LIMIT), f"open after {hostile.FLOOD_FRAMES} frames")
                self.assertLess(attacks.cpu_seconds(self.pid) - cpu, under_attack.cpu_max())
        self.clients_are_well()
        self.memory_is_back()

    def anew(self, serve):
        """The connections of the last case go; the next one is served so."""
        self.by_grpc.serve = serve
        for sock in self.by_grpc.open:
            try:
                sock.shutdown(raw_h2.socket.SHUT_RDWR)
            except OSError:
                pass
        self.by_grpc.open.clear()


class Recovered(lib.Case):
    def test_what_may_be_tried_again_is_and_nothing_else(self):
        """With retries on: a destination that misbehaves once and is well then gets the request twice, or never again."""
        far = hostile.HttpServer()
        self.addCleanup(far.close)
        exporter = (f"otlp_http: {{endpoint: 'http://127.0.0.1:{far.port}', compression: none, timeout: 1s, sending_queue: "
                    "{enabled: false}, retry_on_failure: {initial_interval: 10ms, max_interval: 20ms}}")
        with lib.Leat(lib.config(exporter, "[otlp_http]")) as leat:
            port = leat.port("otlp", "http")
            for name, (bad, expected) in hostile.HTTP.items():
                def answer(sock, bad=bad, first=far.requests + 1):
                    if far.requests == first:
                        return bad(sock)
                    sock.sendall(hostile.whole(b""))
                    return True
                with self.subTest(name):
                    far.answer, before = answer, far.requests
                    status = lib.send(port, "traces", [name]).status
                    # A delay beyond max_elapsed_time is not waited for.
                    again = expected == "retry" and name != "a delay of ages"
                    self.assertEqual((status == 200, far.requests - before), (True, 2) if again else (False, 1))


if __name__ == "__main__":
    lib.main()
