"""The exporter prometheus: a page to scrape, as scrapers ask for it, while data comes in, and for slow readers."""
import base64
import gzip
import json
import os
import re
import socket
import threading
import time
import urllib.parse

import lib
import otlp

OPEN = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})? (\S+)(?: (\d+(?:\.\d+)?))?(?: # (\{.*\} \S+(?: \S+)?))?$')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')


def sample(line):
    """(name, labels, value, time, exemplar) of a line; AssertionError when it is none."""
    m = SAMPLE.match(line)
    assert m, line
    labels, at = {}, 0
    text = m.group(2) or ""
    while at < len(text):
        found = LABEL.match(text, at)
        assert found, line
        assert found.group(1) not in labels, line
        labels[found.group(1)] = found.group(2)
        at = found.end()
    return m.group(1), labels, float(m.group(3)), m.group(4), m.group(5)


def parse(text, is_open=False):
    """{(name, frozenset of labels): value}; AssertionError unless families are whole and once, in order."""
    samples, types, family = {}, {}, None
    lines = text.split("\n")
    assert lines.pop() == "", "the last line ends"
    if is_open:
        assert lines.pop() == "# EOF"
    for line in lines:
        if line.startswith("# TYPE "):
            _, _, family, kind = line.split(" ")
            assert family not in types, f"{family} twice"
            types[family] = kind
        elif not line.startswith("#"):
            name, labels, value, *_ = sample(line)
            assert family is not None and name.startswith(family), (family, line)
            key = (name, frozenset(labels.items()))
            assert key not in samples, f"{line} twice"
            samples[key] = value
    assert list(types) == sorted(types) or is_open, "families in order"
    return samples


def points(name, kind, data, resource=None, scope="lib", **more):
    """An OTLP/JSON request of one metric."""
    attributes = [{"key": k, "value": {"stringValue": v}}
                  for k, v in (resource or {"service.name": "shop", "service.instance.id": "i-1", "host.name": "h1"}).items()]
    metric = {"name": name, "description": f"What {name} is.", kind: data, **more}
    return json.dumps({"resourceMetrics": [{"resource": {"attributes": attributes}, "scopeMetrics": [
        {"scope": {"name": scope, "version": "1"}, "metrics": [metric]}]}]})


def gauge(name, series, now="1700000000000000000"):
    return points(name, "gauge", {"dataPoints": [
        {"timeUnixNano": now, "asDouble": v, "attributes": [{"key": "n", "value": {"stringValue": k}}]} for k, v in series.items()]})


def counter(name, value, start="1", now="2", temporality=2, **more):
    return points(name, "sum", {"aggregationTemporality": temporality, "isMonotonic": True, "dataPoints": [
        {"startTimeUnixNano": start, "timeUnixNano": now, "asInt": str(value), **more}]})


def long(k):
    return f"{k}-" + "x" * 100


class Page(lib.Case):
    def leat(self, settings="", extensions="", extended="[]", tail="", end=""):
        return lib.Leat(lib.config(f"prometheus: {{endpoint: '127.0.0.1:0'{settings}}}", "[prometheus]", kinds=("metrics",),
                                   extensions=extensions, extended=extended, tail=tail) + end)

    def send(self, leat, body, rejected=0):
        r = lib.post(leat.port("otlp", "http"), "metrics", body, content_type=lib.JSON)
        self.assertEqual(r.status, 200, r.body)
        said = json.loads(r.body).get("partialSuccess", {})
        self.assertEqual(int(said.get("rejectedDataPoints", 0)), rejected, r.body)
        return said.get("errorMessage", "")

    def get(self, leat, path="/metrics", method="GET", **headers):
        return lib.http_request(leat.port("prometheus"), method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})

    def page(self, leat, path="/metrics"):
        r = self.get(leat, path)
        self.assertEqual(r.status, 200, r.body)
        return parse(r.body.decode())

    def value(self, leat, name, **labels):
        """The value of the one series with this name and (at least) these labels, None: there is none."""
        found = [v for (n, have), v in self.page(leat).items() if n == name and set(labels.items()) <= have]
        self.assertLessEqual(len(found), 1, name)
        return found[0] if found else None

    # --- what is shown

    def test_every_type(self):
        with self.leat() as leat:
            self.send(leat, counter("http.requests", 42))
            self.send(leat, gauge("temp", {"a": 1.5, "b": -2}))
            self.send(leat, points("lat", "histogram", {"aggregationTemporality": 2, "dataPoints": [
                {"timeUnixNano": "2", "count": "6", "sum": 10, "bucketCounts": [1, 2, 3], "explicitBounds": [0.5, 1]}]}, unit="s"))
            self.send(leat, points("q", "summary", {"dataPoints": [
                {"timeUnixNano": "2", "count": "3", "sum": 4, "quantileValues": [{"quantile": 0.5, "value": 1}]}]}))
            page = self.page(leat)
            common = {"job": "shop", "instance": "i-1", "otel_scope_name": "lib", "otel_scope_version": "1", "otel_scope_schema_url": ""}

            def at(name, **labels):
                return page[name, frozenset({**common, **labels}.items())]
            self.assertEqual(at("http_requests_total"), 42)
            self.assertEqual((at("temp", n="a"), at("temp", n="b")), (1.5, -2))
            self.assertEqual([at("lat_seconds_bucket", le=le) for le in ("0.5", "1", "+Inf")], [1, 3, 6])
            self.assertEqual((at("lat_seconds_sum"), at("lat_seconds_count")), (10, 6))
            self.assertEqual((at("q", quantile="0.5"), at("q_sum"), at("q_count")), (1, 4, 3))
            self.assertEqual(page["target_info", frozenset({"job": "shop", "instance": "i-1", "host_name": "h1"}.items())], 1)
            self.assertEqual(len(page), 12)

    def test_what_cannot_be_shown_is_told_and_counted(self):
        at = lib.free_port()
        with self.leat(tail=lib.telemetry(at)) as leat:
            self.send(leat, counter("c", 5, temporality=1))
            self.send(leat, counter("c", 7, start="2", now="3", temporality=1))
            self.assertEqual(self.value(leat, "c_total"), 12)
            said = self.send(leat, points("d", "sum", {"aggregationTemporality": 1, "dataPoints": [{"asInt": "1"}, {"asInt": "2"}]}), 2)
            self.assertIn("temporality 2", said)
            self.assertIn("type_conflict 1", self.send(leat, gauge("c_total", {"a": 1}), 1))
            leat.wait_log("c_total is a counter already")
            found = lib.metrics(at)
            self.assertEqual(lib.total(found, "leat_prometheus_dropped_points_total", reason="temporality"), 2)
            self.assertEqual(lib.total(found, "leat_prometheus_dropped_points_total", reason="type_conflict"), 1)
            self.assertEqual(lib.total(found, "leat_prometheus_series"), 1)
            self.assertEqual(lib.total(found, "leat_prometheus_scrapes_total"), 1)
            books = {labels["fate"]: v for labels, v in found["leat_items_total"]
                     if labels["component"] == "prometheus" and labels["signal"] == "metrics"}
            self.assertEqual((books["in"], books["delivered"], books["rejected"]), (5, 2, 3))

    def test_series_beyond_the_limit(self):
        with self.leat(", max_series: 2") as leat:
            self.assertIn("limit 1", self.send(leat, gauge("g", {"a": 1, "b": 2, "c": 3}), 1))
            self.send(leat, gauge("g", {"a": 10, "b": 20}, now="1700000001000000000"))
            self.assertEqual((self.value(leat, "g", n="a"), self.value(leat, "g", n="b"), self.value(leat, "g", n="c")), (10, 20, None))

    def test_expiry(self):
        with self.leat(", metric_expiration: 2s") as leat:
            self.send(leat, gauge("g", {"old": 1}))
            self.assertEqual(self.value(leat, "g", n="old"), 1)
            fresh = iter(range(1, 1000))

            def only_new():
                self.send(leat, gauge("g", {"new": 1}, now=f"17000000{next(fresh):02d}000000000"))
                return self.value(leat, "g", n="old") is None
            lib.wait_until(only_new, "the series that is not updated is gone")
            self.assertEqual(self.value(leat, "g", n="new"), 1)
            lib.wait_until(lambda: not self.page(leat), "nothing is left")

    def test_settings_shape_the_page(self):
        with self.leat(", namespace: ns, const_labels: {dc: eu}, send_timestamps: true, without_scope_info: true, "
                       "resource_constant_labels: {included: ['host.*']}, add_metric_suffixes: false") as leat:
            self.send(leat, counter("http.requests", 1, now="1700000000123456789"))
            text = self.get(leat).body.decode()
            self.assertIn('ns_http_requests{dc="eu",host_name="h1",instance="i-1",job="shop"} 1 1700000000123\n', text)
            self.assertIn('\nns_target_info{host_name="h1",instance="i-1",job="shop"} 1\n', text)

    def test_names_in_utf8(self):
        with self.leat(", translation_strategy: NoTranslation, without_scope_info: true") as leat:
            self.send(leat, gauge("my.metric", {"a": 1}))
            self.assertIn('\nmy_metric{instance="i-1",job="shop",n="a"} 1\n', self.get(leat).body.decode())
            r = self.get(leat, Accept="text/plain;version=0.0.4;escaping=allow-utf-8")
            self.assertIn('\n{"my.metric",instance="i-1",job="shop",n="a"} 1\n', r.body.decode())
            self.assertIn("escaping=allow-utf-8", r.headers["content-type"])

    # --- how it is asked for

    def test_negotiation(self):
        exemplar = [{"timeUnixNano": "5000000000", "asDouble": 1.5, "traceId": "0102030405060708090a0b0c0d0e0f10",
                     "spanId": "0102030405060708"}]
        with self.leat(", enable_open_metrics: true") as leat:
            self.send(leat, counter("c", 7, exemplars=exemplar))
            r = self.get(leat, Accept=OPEN)
            self.assertEqual(r.headers["content-type"], "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores")
            self.assertIn("# TYPE c counter\n", r.body.decode())
            self.assertIn("# TYPE target info\n", r.body.decode())
            self.assertIn(' 7 # {trace_id="0102030405060708090a0b0c0d0e0f10",span_id="0102030405060708"} 1.5 5.000\n', r.body.decode())
            self.assertEqual(len(parse(r.body.decode(), True)), 2)
            r = self.get(leat, Accept="text/plain;q=0.9," + OPEN)
            self.assertEqual(r.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8; escaping=underscores")
            self.assertIn("# TYPE c_total counter\n", r.body.decode())
            self.assertNotIn("trace_id", r.body.decode())
            plain = r.body
            r = self.get(leat, Accept_Encoding="deflate, gzip")
            self.assertEqual(r.headers["content-encoding"], "gzip")
            self.assertEqual(gzip.decompress(r.body), plain)
            self.assertNotIn("content-encoding", self.get(leat, Accept_Encoding="gzip;q=0").headers)
        with self.leat() as leat:
            self.assertTrue(self.get(leat, Accept=OPEN).headers["content-type"].startswith("text/plain; version=0.0.4"))

    def test_match(self):
        with self.leat() as leat:
            self.send(leat, gauge("g", {"a": 1, "b": 2, "c": 3}))
            self.send(leat, counter("c", 7))

            def chosen(path, *selectors):
                query = urllib.parse.urlencode([("match[]", s) for s in selectors])
                return sorted({(n, dict(have).get("n")) for (n, have) in self.page(leat, f"{path}?{query}")}, key=str)
            for path in ("/metrics", "/federate"):
                self.assertEqual(chosen(path, "c_total"), [("c_total", None)])
                self.assertEqual(chosen(path, 'g{n=~"a|b"}'), [("g", "a"), ("g", "b")])
                self.assertEqual(chosen(path, 'g{n!~"a|b"}', 'c_total{job="shop"}'), [("c_total", None), ("g", "c")])
                self.assertEqual(chosen(path, '{__name__=~".*",n!="a",n!=""}'), [("g", "b"), ("g", "c")])
                self.assertEqual(chosen(path, "nothing"), [])
                r = self.get(leat, f"{path}?match[]=" + urllib.parse.quote("g{n="))
                self.assertEqual(r.status, 400)
                self.assertIn(b"match[]=g{n=: a value in quotes is missing", r.body)
            self.assertEqual(self.get(leat, "/federate").status, 400)

    def test_other_paths_and_methods(self):
        with self.leat() as leat:
            self.send(leat, counter("c", 7))
            r = self.get(leat, method="HEAD")
            self.assertEqual((r.status, r.body), (200, b""))
            self.assertTrue(r.headers["content-type"].startswith("text/plain"))
            self.assertEqual(self.get(leat, "/").status, 404)
            self.assertEqual(self.get(leat, "/metrics/x").status, 404)
            r = self.get(leat, method="POST")
            self.assertEqual((r.status, r.headers["allow"]), (405, "GET"))
            self.assertEqual(len(self.page(leat)), 2)

    def test_password_and_tls(self):
        files = lib.certificates(self.folder())
        with self.leat(f", auth: {{authenticator: basicauth}}, tls: {{cert_file: {files['server.pem']}, key_file: {files['server.key']}}}",
                       extensions="basicauth: {htpasswd: {inline: 'scraper:hunter2'}}", extended="[basicauth]") as leat:
            self.send(leat, counter("c", 7))
            tls = lib.client_tls(files["ca.pem"])

            def status(headers):
                return lib.http_request(leat.port("prometheus"), "GET", "/metrics", headers=headers, tls=tls)
            self.assertEqual(status({}).status, 401)
            r = status({"Authorization": "Basic " + base64.b64encode(b"scraper:hunter2").decode()})
            self.assertEqual(r.status, 200)
            self.assertEqual(len(parse(r.body.decode())), 2)

    # --- a large page

    def fill(self, leat, families=50, series=1000):
        for i in range(families):
            self.send(leat, gauge(f"g{i:03d}", {long(k): k for k in range(series)}))

    def resident(self, leat):
        with open(f"/proc/{leat.process.pid}/status", encoding="ascii") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)) * 1024

    def test_slow_readers_of_50000_series_cost_no_memory(self):
        with self.leat() as leat:
            self.fill(leat)
            whole = self.get(leat).body
            self.assertEqual(len(parse(whole.decode())), 50001)
            self.assertGreater(len(whole), 10_000_000)
            before = self.resident(leat)
            slow = []
            for _ in range(30):
                s = socket.socket()
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
                s.connect(("127.0.0.1", leat.port("prometheus")))
                s.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
                self.assertTrue(s.recv(100).startswith(b"HTTP/1.1 200"))
                slow.append(s)
            self.send(leat, gauge("g000", {long(1): 77}, now="1700000001000000000"))  # nobody waits for them
            self.assertEqual(self.value(leat, "g000", n=long(1)), 77)
            self.assertLess(self.resident(leat) - before, 60 << 20, "30 pages in memory would be 320 MB")
            for s in slow[:10]:
                s.close()
            slow[20].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)  # one of them reads on
            got = bytearray()
            while not got.endswith(b"\r\n0\r\n\r\n"):
                piece = slow[20].recv(1 << 16)
                self.assertTrue(piece)
                got += piece
            body, at = bytearray(), 0
            while at < len(got):  # the chunks, by hand; the first bytes were read above
                end = got.find(b"\r\n", at)
                if re.fullmatch(rb"[0-9a-f]{8}|0", got[at:end]):
                    size = int(got[at:end], 16)
                    body += got[end + 2:end + 2 + size]
                    at = end + 4 + size
                else:
                    at = end + 2
            self.assertEqual(len(parse(body.decode())), 50001)
            for s in slow:
                s.close()

    def test_too_many_at_a_time_are_refused(self):
        with self.leat() as leat:
            self.fill(leat)
            slow, refused = [], None
            for _ in range(60):
                s = socket.socket()
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
                s.connect(("127.0.0.1", leat.port("prometheus")))
                s.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
                first = s.recv(300)
                slow.append(s)
                if first.startswith(b"HTTP/1.1 503"):
                    refused = first
                    break
            self.assertIsNotNone(refused)
            self.assertIn(b"retry-after: 1\r\n", refused)
            for s in slow:
                s.close()
            lib.wait_until(lambda: self.get(leat).status == 200, "there is room again")

    def test_scraped_while_it_changes(self):
        with self.leat(", metric_expiration: 1s") as leat:
            stop, wrong = threading.Event(), []

            def scrape():
                while not stop.is_set():
                    try:
                        parse(self.get(leat, Accept_Encoding="identity").body.decode())
                    except AssertionError as e:
                        wrong.append(e)
                        return
            readers = [threading.Thread(target=scrape) for _ in range(3)]
            for t in readers:
                t.start()
            end = time.monotonic() + 4
            i = 0
            while time.monotonic() < end and not wrong:
                i += 1
                self.send(leat, points(f"h{i % 37}", "histogram", {"aggregationTemporality": 2, "dataPoints": [
                    {"timeUnixNano": str(i), "count": str(2 * i), "bucketCounts": [i, i], "explicitBounds": [1],
                     "attributes": [{"key": "k", "value": {"stringValue": str(k)}}]} for k in range(i % 50)]}))
            stop.set()
            for t in readers:
                t.join()
            self.assertEqual(wrong, [])

    def test_it_ends_with_a_scrape_under_way(self):
        with self.leat(end="leat: {shutdown_timeout: 1s}\n") as leat:
            self.fill(leat)
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
                s.connect(("127.0.0.1", leat.port("prometheus")))
                s.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
                self.assertTrue(s.recv(100).startswith(b"HTTP/1.1 200"))
                self.assertEqual(leat.stop(), 0)

    # --- settings that are wrong

    def test_mistakes(self):
        for settings, what in (
                ("{}", "endpoint"),
                ("{endpoint: '127.0.0.1:0', metric_relabeling: []}", "metric_relabeling"),
                ("{endpoint: '127.0.0.1:0', translation_strategy: Best}", "translation_strategy"),
                ("{endpoint: '127.0.0.1:0', const_labels: {'a-b': x}}", "a-b is no label name"),
                ("{endpoint: '127.0.0.1:0', const_labels: {__x: x}}", "__x is Prometheus' own label"),
                ("{endpoint: '127.0.0.1:0', resource_constant_labels: {enabled: true, included: [a]}}", "either included")):
            path = os.path.join(self.folder(), "leat.yaml")
            with open(path, "w", encoding="utf-8") as f:
                f.write(lib.config(f"prometheus: {settings}", "[prometheus]", kinds=("metrics",)))
            code, out, err = lib.run("validate", "--config", path)
            self.assertEqual(code, lib.EX_CONFIG, settings)
            self.assertIn(what, out + err)


if __name__ == "__main__":
    lib.main()
