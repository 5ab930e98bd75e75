"""health_check, zpages and pprof: ready after the start, and what they show."""
import json
import re
import threading

import lib


class Extensions(lib.Case):
    def leat(self, name, settings="", exporter="nop: {}", used="[nop]"):
        return lib.Leat(lib.config(exporter, used, extensions=f"{name}: {{endpoint: 127.0.0.1:0{settings}}}",
                                   extended=f"[{name}]"))

    def test_health_check(self):
        with self.leat("health_check") as leat:
            port = leat.port("health_check")
            lib.wait_until(lambda: lib.get(port).status == 200, "it is ready")
            r = lib.get(port)
            self.assertTrue(r.headers["content-type"].startswith("application/json"), r.headers)
            body = json.loads(r.body)
            self.assertEqual(body["status"], "Server available")
            self.assertRegex(body["upSince"], r"^\d{4}-\d\d-\d\dT")
            self.assertTrue(body["uptime"])
            self.assertEqual(lib.get(port, "/elsewhere").status, 404)

    def test_health_check_settings(self):
        with self.leat("health_check", ", path: /live, response_body: {healthy: fine, unhealthy: broken}") as leat:
            port = leat.port("health_check")
            lib.wait_until(lambda: lib.get(port, "/live").status == 200, "it is ready")
            self.assertEqual(lib.get(port, "/live").body, b"fine")
            self.assertEqual(lib.get(port, "/").status, 404)

    def test_health_check_says_503_while_it_stops(self):
        """The destination holds one request back, so the stop lasts as long as this test wants."""
        release = threading.Event()
        with lib.Sink(lambda kind, names: release.wait(lib.LIMIT) and None) as sink:
            with self.leat("health_check", exporter=f"otlp_http: {{endpoint: 'http://127.0.0.1:{sink.port}'}}",
                           used="[otlp_http]") as leat:
                port, data = leat.port("health_check"), leat.port("otlp", "http")
                lib.wait_until(lambda: lib.get(port).status == 200, "it is ready")
                self.assertEqual(lib.send(data, "logs", ["held"]).status, 200)
                leat.signal(lib.signals.SIGTERM)
                try:
                    lib.wait_until(lambda: lib.get(port).status == 503, "it says that it stops")
                finally:
                    release.set()
                # Leaving the block would send a second signal, which ends it at once.
                self.assertEqual(leat.wait(), 0)
            self.assertIn("held", sink.got("logs"))

    def test_zpages(self):
        with self.leat("zpages") as leat:
            port = leat.port("zpages")
            for path, words in {"/debug/servicez": ["leat"], "/debug/pipelinez": ["traces", "otlp", "nop"],
                                "/debug/extensionz": ["zpages"]}.items():
                r = lib.get(port, path)
                self.assertEqual(r.status, 200, path)
                self.assertTrue(r.headers["content-type"].startswith("text/html"), r.headers)
                for word in words:
                    self.assertIn(word, r.body.decode(), path)
                self.assertFalse(re.search(r"<script[^>]+src=\"http", r.body.decode()), "loads a script from elsewhere")
            self.assertEqual(lib.get(port, "/debug/nosuch").status, 404)

    def test_pprof_is_accepted(self):
        with self.leat("pprof") as leat:
            self.assertEqual(lib.send(leat.port("otlp", "http"), "logs", ["a"]).status, 200)

    def test_an_extension_that_is_not_listed_does_not_run(self):
        text = lib.config("nop: {}", "[nop]", extensions="health_check: {endpoint: 127.0.0.1:0}")
        with lib.Leat(text) as leat:
            leat.port("otlp", "http")
            self.assertNotIn("\thealth_check\t", leat.log())


if __name__ == "__main__":
    lib.main()
