"""Browsers: preflight and the headers of an answer, for origins that are allowed and those that are not."""
import lib
import otlp

RECEIVER = ("otlp: {protocols: {http: {endpoint: 127.0.0.1:0, cors: {allowed_origins: ['https://*.example.com', "
            "'http://localhost:8080'], allowed_headers: [X-Tenant], max_age: 7200}}}}")


class Cors(lib.Case):
    @classmethod
    def setUpClass(cls):
        cls.leat = lib.Leat(lib.config("debug: {}", "[debug]", receivers=RECEIVER))
        cls.addClassCleanup(cls.leat.__exit__, None, None, None)
        cls.port = cls.leat.port("otlp", "http")

    def preflight(self, origin, port=None):
        return lib.http_request(port or self.port, "OPTIONS", "/v1/traces", headers={
            "Origin": origin, "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type,x-tenant"})

    def test_preflight_of_an_allowed_origin(self):
        for origin in ("https://app.example.com", "http://localhost:8080"):
            r = self.preflight(origin)
            self.assertIn(r.status, (200, 204))
            self.assertEqual(r.headers.get("access-control-allow-origin"), origin)
            self.assertIn("POST", r.headers.get("access-control-allow-methods", ""))
            self.assertIn("x-tenant", r.headers.get("access-control-allow-headers", "").lower())
            self.assertEqual(r.headers.get("access-control-max-age"), "7200")
            self.assertEqual(r.headers.get("access-control-allow-credentials"), "true")

    def test_other_origins_get_no_permission(self):
        for origin in ("https://example.com", "https://app.example.com.evil.test", "null"):
            self.assertNotIn("access-control-allow-origin", self.preflight(origin).headers, origin)

    def test_the_answer_itself(self):
        r = lib.send(self.port, "traces", ["a"], headers={"Origin": "https://app.example.com"})
        self.assertEqual((r.status, r.headers.get("access-control-allow-origin")), (200, "https://app.example.com"))
        self.assertIn("origin", r.headers.get("vary", "").lower())
        r = lib.send(self.port, "traces", ["a"], headers={"Origin": "https://other.test"})
        self.assertEqual(r.status, 200)
        self.assertNotIn("access-control-allow-origin", r.headers)

    def test_without_origins_cors_is_off(self):
        with lib.Leat(lib.config("debug: {}", "[debug]")) as leat:
            port = leat.port("otlp", "http")
            self.assertNotIn("access-control-allow-origin", self.preflight("https://app.example.com", port).headers)
            r = lib.http_request(port, "POST", "/v1/traces", otlp.request("traces", ["a"]),
                                 {"Content-Type": lib.PROTOBUF, "Origin": "https://app.example.com"})
            self.assertNotIn("access-control-allow-origin", r.headers)


if __name__ == "__main__":
    lib.main()
