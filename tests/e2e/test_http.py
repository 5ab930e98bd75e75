"""OTLP/HTTP requests and refusals, by the tables of the protocol's specification."""
import json
import socket

import lib
import otlp

CONF = lib.config("debug: {}", "[debug]")
SMALL = lib.config("debug: {}", "[debug]", receivers="otlp: {protocols: {http: {endpoint: 127.0.0.1:0, "
                   "max_request_body_size: 2000}}}")


class Http(lib.Case):
    @classmethod
    def setUpClass(cls):
        cls.leat = lib.Leat(CONF)
        cls.addClassCleanup(cls.leat.__exit__, None, None, None)
        cls.port = cls.leat.port("otlp", "http")

    def test_success_answers_in_the_requests_encoding(self):
        for s in otlp.SIGNALS:
            r = lib.send(self.port, s, ["a"])
            self.assertEqual((r.status, r.headers["content-type"], r.body), (200, lib.PROTOBUF, b""))
            r = lib.post(self.port, s, otlp.request_json(s, ["a"]))
            self.assertEqual((r.status, r.headers["content-type"]), (200, lib.JSON))
            self.assertIn(json.loads(r.body), ({}, {"partialSuccess": {}}))

    def test_content_type_parameters_are_ignored(self):
        r = lib.post(self.port, "logs", json.dumps(otlp.request_json("logs", ["a"])).encode(),
                     "application/json; charset=utf-8")
        self.assertEqual(r.status, 200, r.body)

    def test_empty_body_is_success(self):
        for s in otlp.SIGNALS:
            r = lib.post(self.port, s, b"")
            self.assertEqual((r.status, r.body), (200, b""))
        self.assertEqual(lib.post(self.port, "traces", {}).status, 200)

    def test_other_methods_are_405(self):
        for method in ("GET", "PUT", "DELETE", "PATCH"):
            r = lib.http_request(self.port, method, "/v1/traces")
            self.assertEqual(r.status, 405, method)
            self.assertTrue(r.headers["content-type"].startswith("text/plain"), r.headers)

    def test_other_content_types_are_415(self):
        for kind in ("text/plain", "application/xml", "application/protobuf"):
            self.assertEqual(lib.post(self.port, "traces", b"x", kind).status, 415, kind)
        r = lib.http_request(self.port, "POST", "/v1/traces", otlp.request("traces", ["a"]))
        self.assertEqual(r.status, 415)

    def test_unknown_paths_are_404(self):
        for path in ("/", "/v1/profile", "/v1/traces/x", "/V1/traces"):
            self.assertEqual(lib.post(self.port, "traces", b"", path=path).status, 404, path)

    def test_malformed_bodies_are_400_with_a_status(self):
        good = otlp.request("traces", ["a"])
        for body in (good[:-1], b"\xff" * 20, b"\x0a\xff\xff\xff\xff\x0f", otlp.field(1, otlp.field(2, b"\x12\x7f"))):
            r = lib.post(self.port, "traces", body)
            self.assertEqual((r.status, r.headers["content-type"]), (400, lib.PROTOBUF), body)
            code, message = otlp.status(r.body)
            self.assertEqual(code, 3)
            self.assertTrue(message)
        for body in (b"{", b"[]", b'{"resourceSpans": 5}', b'{"resourceSpans": [{"scopeSpans": [{"spans": '
                     b'[{"traceId": "zz"}]}]}]}', b"\xff\xfe", b'{"a": "\xff"}'):
            r = lib.post(self.port, "traces", body, lib.JSON)
            self.assertEqual((r.status, r.headers["content-type"]), (400, lib.JSON), body)
            self.assertEqual(json.loads(r.body)["code"], 3)
            self.assertTrue(json.loads(r.body)["message"])

    def test_ids_of_a_wrong_length_are_400(self):
        span = otlp.field(1, b"\x01" * 15) + otlp.field(2, b"\x02" * 8) + otlp.field(5, "x")
        r = lib.post(self.port, "traces", otlp.field(1, otlp.field(2, otlp.field(2, span))))
        self.assertEqual(r.status, 400)

    def test_json_leniency(self):
        """int64 as number or text, enums by name, either case of id, null for absent, unknown keys skipped."""
        body = {"resourceSpans": [{"scopeSpans": [{"spans": [{
            "traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "eee19b7ec3c1b174", "name": "lenient",
            "startTimeUnixNano": 1544712660000000000, "endTimeUnixNano": "1544712661000000000",
            "kind": "SPAN_KIND_SERVER", "unknownKey": {"a": [1, {"b": None}]}, "attributes": None}]}],
            "schemaUrl": None}]}
        self.assertEqual(lib.post(self.port, "traces", body).status, 200)

    def test_deep_nesting_is_refused_not_followed(self):
        deep = b"[" * 100_000
        r = lib.post(self.port, "traces", b'{"resourceSpans": ' + deep, lib.JSON)
        self.assertEqual(r.status, 400)
        value = otlp.field(1, "x")
        for _ in range(500):
            value = otlp.field(5, otlp.field(1, value))
        log = otlp.field(5, value)
        r = lib.post(self.port, "logs", otlp.field(1, otlp.field(2, otlp.field(2, log))))
        self.assertEqual(r.status, 400)
        self.assertTrue(self.leat.running())

    def test_chunked_and_kept_alive(self):
        with socket.create_connection(("127.0.0.1", self.port), lib.LIMIT) as s:
            for n in range(3):
                body = otlp.request("logs", [f"chunk-{n}"])
                head = (b"POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
                        b"Transfer-Encoding: chunked\r\n\r\n")
                s.sendall(head + b"5\r\n" + body[:5] + b"\r\n" + b"%x\r\n" % len(body[5:]) + body[5:] + b"\r\n0\r\n\r\n")
                answer = b""
                while b"\r\n\r\n" not in answer:
                    part = s.recv(4096)
                    self.assertTrue(part, "closed instead of kept")
                    answer += part
                self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), answer)

    def test_garbage_gets_an_answer_and_the_server_lives(self):
        for garbage in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET\r\n\r\n", b"\x00" * 100,
                        b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
                        b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", self.port), lib.LIMIT) as s:
                s.sendall(garbage)
                s.shutdown(socket.SHUT_WR)
                answer = b""
                try:
                    while part := s.recv(4096):
                        answer += part
                except ConnectionError:
                    pass
                self.assertNotIn(b" 200 ", answer)
        self.assertEqual(lib.send(self.port, "logs", ["still"]).status, 200)


class Limits(lib.Case):
    def test_too_large_is_413(self):
        with lib.Leat(SMALL) as leat:
            port = leat.port("otlp", "http")
            self.assertEqual(lib.send(port, "logs", ["x" * 1000]).status, 200)
            r = lib.send(port, "logs", ["x" * 3000])
            self.assertEqual(r.status, 413)
            self.assertTrue(otlp.status(r.body)[1])
            self.assertNotIn("retry-after", r.headers)

    def test_a_declared_length_is_not_believed(self):
        with lib.Leat(SMALL) as leat:
            with socket.create_connection(("127.0.0.1", leat.port("otlp", "http")), lib.LIMIT) as s:
                s.sendall(b"POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
                          b"Content-Length: 99999999999\r\n\r\n")
                self.assertTrue(s.recv(4096).startswith(b"HTTP/1.1 413 "))

    def test_an_unused_signal_is_404(self):
        with lib.Leat(lib.config("debug: {}", "[debug]", kinds=("traces",))) as leat:
            port = leat.port("otlp", "http")
            self.assertEqual(lib.send(port, "traces", ["a"]).status, 200)
            self.assertEqual(lib.send(port, "logs", ["a"]).status, 404)
            self.assertEqual(lib.send(port, "metrics", ["a"]).status, 404)

    def test_paths_and_response_headers_are_settings(self):
        receiver = ("otlp: {protocols: {http: {endpoint: 127.0.0.1:0, traces_url_path: my/traces, "
                    "response_headers: {x-edge: one}}}}")
        with lib.Leat(lib.config("debug: {}", "[debug]", receivers=receiver)) as leat:
            port = leat.port("otlp", "http")
            r = lib.send(port, "traces", ["a"], path="/my/traces")
            self.assertEqual((r.status, r.headers.get("x-edge")), (200, "one"))
            self.assertEqual(lib.send(port, "traces", ["a"]).status, 404)

    def test_a_destinations_partial_success_is_passed_back(self):
        def answer(signal, names):
            part = otlp.field(1, otlp.number(1, 1) + otlp.field(2, "one was odd"))
            return 200, {}, part
        with lib.Sink(answer) as sink:
            exporter = (f"otlp_http: {{endpoint: 'http://127.0.0.1:{sink.port}', compression: none, "
                        "sending_queue: {enabled: false}}")
            with lib.Leat(lib.config(exporter, "[otlp_http]")) as leat:
                r = lib.send(leat.port("otlp", "http"), "logs", ["a", "b"])
                self.assertEqual(r.status, 200)
                self.assertEqual(otlp.partial_success(r.body), (1, "one was odd"))


if __name__ == "__main__":
    lib.main()
