"""OTLP/gRPC calls and refusals, made with nghttp."""
import gzip

import lib
import otlp


class Grpc(lib.Case):
    @classmethod
    def setUpClass(cls):
        cls.leat = lib.Leat(lib.config("debug: {}", "[debug]", kinds=("traces", "logs"), receivers=(
            "otlp: {protocols: {grpc: {endpoint: 127.0.0.1:0, max_recv_msg_size_mib: 1}}}")))
        cls.addClassCleanup(cls.leat.__exit__, None, None, None)
        cls.port = cls.leat.port("otlp", "grpc")

    def test_success(self):
        r = lib.grpc(self.port, "traces", otlp.request("traces", ["a", "b"]))
        self.assertEqual((r.http_status, r.status, r.message_size), (200, 0, 0))
        self.assertTrue(r.headers["content-type"].startswith("application/grpc"))

    def test_empty_message_is_success(self):
        self.assertEqual(lib.grpc(self.port, "logs", b"").status, 0)

    def test_gzip(self):
        body = gzip.compress(otlp.request("logs", ["z"] * 100))
        r = lib.grpc(self.port, "logs", body, encoding="gzip")
        self.assertEqual(r.status, 0, r.text)

    def test_unused_signals_and_unknown_methods_are_unimplemented(self):
        self.assertEqual(lib.grpc(self.port, "metrics", b"").status, 12)
        self.assertEqual(lib.grpc(self.port, "logs", b"", method="/no.such.Service/Call").status, 12)

    def test_unknown_compression_is_unimplemented(self):
        r = lib.grpc(self.port, "logs", b"", encoding="brotli")
        self.assertEqual(r.status, 12)
        self.assertIn("gzip", r.headers.get("grpc-accept-encoding", ""))

    def test_malformed_is_invalid_argument(self):
        for body in (b"\xff" * 9, otlp.request("logs", ["a"])[:-1]):
            r = lib.grpc(self.port, "logs", body)
            self.assertEqual(r.status, 3)
            self.assertTrue(r.text)
        self.assertIn(lib.grpc(self.port, "logs", b"not gzip", encoding="gzip").status, (3, 13))

    def test_too_large_is_resource_exhausted_without_a_delay(self):
        big = otlp.request("logs", ["x" * (1 << 20)])
        r = lib.grpc(self.port, "logs", big)
        self.assertEqual(r.status, 8)
        self.assertNotIn("grpc-status-details-bin", r.headers)
        r = lib.grpc(self.port, "logs", gzip.compress(big), encoding="gzip")
        self.assertEqual(r.status, 8)

    def test_http1_on_the_grpc_port_is_told_so(self):
        try:
            r = lib.get(self.port)
        except (ConnectionError, lib.http.client.HTTPException):
            self.fail("HTTP/1 on the gRPC port got no answer")
        self.assertGreaterEqual(r.status, 400)


class Both(lib.Case):
    def test_an_unavailable_destination_is_14(self):
        port = lib.free_port()
        exporter = (f"otlp_http: {{endpoint: 'http://127.0.0.1:{port}', sending_queue: {{enabled: false}}, "
                    "retry_on_failure: {enabled: false}}")
        with lib.Leat(lib.config(exporter, "[otlp_http]")) as leat:
            r = lib.grpc(leat.port("otlp", "grpc"), "logs", otlp.request("logs", ["a"]))
            self.assertEqual(r.status, 14, r.text)
            r = lib.send(leat.port("otlp", "http"), "logs", ["a"])
            self.assertEqual(r.status, 503)
            self.assertEqual(otlp.status(r.body)[0], 14)

    def test_a_destination_that_rejects_is_permanent(self):
        with lib.Sink(lambda s, n: (400, {}, b"")) as sink:
            exporter = f"otlp_http: {{endpoint: 'http://127.0.0.1:{sink.port}', sending_queue: {{enabled: false}}}}"
            with lib.Leat(lib.config(exporter, "[otlp_http]")) as leat:
                r = lib.grpc(leat.port("otlp", "grpc"), "logs", otlp.request("logs", ["a"]))
                self.assertIn(r.status, (3, 13), r.text)
                self.assertIn(lib.send(leat.port("otlp", "http"), "logs", ["a"]).status, (400, 500))
                self.assertEqual(len(sink.requests), 2, "a rejected request was sent again")


if __name__ == "__main__":
    lib.main()
