"""The exporter prometheus_remote_write: order per series whatever the destination does, nothing lost, 1.0 after 2.0, what is
rejected and counted, bounds, ends."""
import collections
import concurrent.futures
import contextlib
import ctypes
import random
import socket
import struct
import threading
import time

import lib
import otlp
import remote_write

T0_MS = otlp.T0 // 1_000_000


def point(time_ns, value, attributes=(), start_ns=0):
    made = b"".join(otlp.field(7, otlp.attribute(k, v)) for k, v in attributes)
    if start_ns:
        made += otlp.fixed64(2, start_ns)
    return made + otlp.fixed64(3, time_ns) + otlp.varint(4 << 3 | 1) + struct.pack("<d", value)


def gauge(name, points):
    return otlp.field(1, name) + otlp.field(5, b"".join(otlp.field(1, p) for p in points))


def counter(name, points, temporality=2):
    return otlp.field(1, name) + otlp.field(7, b"".join(otlp.field(1, p) for p in points) + otlp.number(2, temporality) +
                                            otlp.number(3, 1))


def histogram(name, time_ns, counts, bounds, start_ns=0):
    p = otlp.fixed64(3, time_ns) + otlp.fixed64(4, sum(counts)) + otlp.varint(5 << 3 | 1) + struct.pack("<d", 1.5)
    if start_ns:
        p += otlp.fixed64(2, start_ns)
    p += otlp.field(6, struct.pack(f"<{len(counts)}Q", *counts)) + otlp.field(7, struct.pack(f"<{len(bounds)}d", *bounds))
    return otlp.field(1, name) + otlp.field(9, otlp.field(1, p) + otlp.number(2, 2))


def request(metrics, service="e2e", **attributes):
    resource = b"".join(otlp.field(1, otlp.attribute(k, v)) for k, v in {"service.name": service, **attributes}.items())
    return otlp.field(1, otlp.field(1, resource) + otlp.field(2, b"".join(otlp.field(2, m) for m in metrics)))


def value_of(bits):
    return remote_write.double(bits)


class Sink(remote_write.Receiver):
    """A receiver that can misbehave before it looks at a request: `mood(headers)` returns None, "hang", "reset", or
    seconds to wait. Knows how large each message was."""

    def __init__(self, answer=None, port=0, mood=None):
        self.mood, self.sizes, self.release, self.connections = mood, [], threading.Event(), set()
        super().__init__(answer, port)

    def serve(self, h):
        self.connections.add(h.connection)
        mood = self.mood(h.headers) if self.mood else None
        if mood == "hang":
            self.release.wait(lib.LIMIT)
            h.close_connection = True
            return None
        if mood == "reset":
            h.rfile.read(int(h.headers["Content-Length"]))
            h.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            h.close_connection = True
            return None
        if mood:
            time.sleep(mood)
        if h.headers.get("Content-Encoding") == "zstd":
            return self.serve_zstd(h)
        return super().serve(h)

    def serve_zstd(self, h):
        z = ctypes.CDLL("libzstd.so.1")
        z.ZSTD_decompress.restype = ctypes.c_size_t
        raw, out = h.rfile.read(int(h.headers["Content-Length"])), ctypes.create_string_buffer(1 << 22)
        n = z.ZSTD_decompress(out, ctypes.c_size_t(len(out)), raw, ctypes.c_size_t(len(raw)))
        with self.lock:
            self.series += remote_write.decode_v1(out.raw[:n])[0]
        return self.reply(h, 204, {}, b"")

    def __exit__(self, *args):
        self.release.set()
        super().__exit__(*args)
        for c in self.connections:
            with contextlib.suppress(OSError):
                c.shutdown(socket.SHUT_RDWR)


class Case(lib.Case):
    def leat(self, url, more="", args=(), tail="", receivers=lib.OTLP):
        text = f"prometheus_remote_write: {{endpoint: '{url}'{more}}}"
        return lib.Leat(lib.config(text, "[prometheus_remote_write]", kinds=["metrics"], tail=tail, receivers=receivers), args)

    def measured(self, url, more=""):
        self.metrics_port = lib.free_port()
        return self.leat(url, more, tail=lib.telemetry(self.metrics_port))

    def total(self, name, **labels):
        return lib.total(lib.metrics(self.metrics_port), name, **labels)

    def post(self, leat, *metrics, **attributes):
        return lib.post(leat.port("otlp", "http"), "metrics", request(metrics, **attributes))

    def check_books(self, items, delivered):
        """Every point that came is accounted for."""
        def fate(which):
            return self.total("leat_items_total", component="prometheus_remote_write", fate=which) or 0

        lib.wait_until(lambda: sum(map(fate, ("delivered", "rejected", "refused"))) == items, "the books balance")
        self.assertEqual(fate("in"), items)
        self.assertEqual(fate("delivered"), delivered)
        self.assertEqual(self.total("leat_items_held", component="prometheus_remote_write"), 0)


class Messages(Case):
    def test_version_1(self):
        with Sink() as sink, self.leat(sink.url, ", external_labels: {zone: a, 'x-y': 1}, send_metadata: true") as leat:
            self.assertEqual(self.post(leat, gauge("a.b", [point(otlp.T0, 1.5, [("k", "v")])]),
                                       counter("c", [point(otlp.T0 + 10**9, 4)]), **{"host.name": "h"}).status, 200)
            lib.wait_until(lambda: len(sink.got()) == 3, "three series arrive")
        got = {dict(labels)["__name__"]: (dict(labels), samples) for labels, samples in sink.got().items()}
        self.assertEqual(set(got), {"a_b", "c_total", "target_info"})
        self.assertEqual(got["a_b"][0], {"__name__": "a_b", "job": "e2e", "k": "v", "zone": "a", "x_y": "1"})
        self.assertEqual([(t, value_of(v)) for t, v in got["a_b"][1]], [(T0_MS, 1.5)])
        self.assertEqual([(t, value_of(v)) for t, v in got["c_total"][1]], [(T0_MS + 1000, 4)])
        self.assertEqual({n: m[0] for n, m in sink.metadata.items()}.get("c_total"), "counter")
        headers = sink.requests[0][0]
        self.assertEqual(headers["x-prometheus-remote-write-version"], "0.1.0")
        self.assertEqual(headers["content-type"], remote_write.V1)
        self.assertEqual(headers["content-encoding"], "snappy")
        self.assertRegex(headers["user-agent"], "^leat/")

    def test_version_2(self):
        more = ", protobuf_message: io.prometheus.write.v2.Request, translation_strategy: NoTranslation"
        with Sink() as sink, self.leat(sink.url, more) as leat:
            self.post(leat, gauge("a.b", [point(otlp.T0, 1.5, [("k.l", "v")])]),
                      histogram("h", otlp.T0, [1, 2, 3], [0.1, 5], otlp.T0 - 10**9))
            lib.wait_until(lambda: len(sink.got()) == 6, "six series arrive")
        self.assertIn((("__name__", "a.b"), ("job", "e2e"), ("k.l", "v")), sink.got())
        self.assertEqual({s.type for s in sink.series}, {"gauge", "histogram"})
        self.assertEqual(sink.requests[0][0]["x-prometheus-remote-write-version"], "2.0.0")
        self.assertEqual(sink.requests[0][0]["content-type"], remote_write.V2)
        self.assertEqual({s.created for s in sink.series if s.type == "histogram"}, {T0_MS - 1000})

    def test_zstd(self):
        with Sink() as sink, self.leat(sink.url, ", compression: zstd") as leat:
            self.post(leat, gauge("z", [point(otlp.T0, 1)]))
            lib.wait_until(lambda: len(sink.got()) == 1, "it arrives")

    def test_the_block_http_and_tls(self):
        folder = self.folder()
        files = lib.certificates(folder)
        with Sink() as sink:
            context = lib.ssl.SSLContext(lib.ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(files["server.pem"], files["server.key"])
            sink.server.socket = context.wrap_socket(sink.server.socket, server_side=True)
            text = (f"prometheus_remote_write: {{http: {{endpoint: 'https://localhost:{sink.port}/w', "
                    f"tls: {{ca_file: {files['ca.pem']}}}, headers: {{x-scope-orgid: seven}}}}}}")
            with lib.Leat(lib.config(text, "[prometheus_remote_write]", kinds=["metrics"])) as leat:
                self.post(leat, gauge("t", [point(otlp.T0, 1)]))
                lib.wait_until(lambda: len(sink.got()) == 1, "it arrives")
        self.assertEqual(sink.requests[0][0]["x-scope-orgid"], "seven")

    def test_authenticated(self):
        with Sink() as sink:
            text = f"prometheus_remote_write: {{endpoint: '{sink.url}', auth: {{authenticator: basicauth/out}}}}"
            with lib.Leat(lib.config(text, "[prometheus_remote_write]", kinds=["metrics"], extended="[basicauth/out]", extensions=(
                    "basicauth/out: {client_auth: {username: me, password: out}}"))) as leat:
                self.post(leat, gauge("g", [point(otlp.T0, 1)]))
                lib.wait_until(lambda: len(sink.got()) == 1, "it arrives")
        self.assertEqual(sink.requests[0][0]["authorization"], "Basic bWU6b3V0")

    def test_headers_of_callers_go_out_again(self):
        receivers = ("otlp: {protocols: {http: {endpoint: 127.0.0.1:0, include_metadata: true}}}")
        with Sink(mood=lambda _: 0.01) as sink, \
                self.leat(sink.url, ", include_metadata_keys: [X-Tenant]", receivers=receivers) as leat:
            port = leat.port("otlp", "http")
            for i in range(40):
                lib.post(port, "metrics", request([gauge(f"m{i % 2}", [point(otlp.T0 + i * 10**9, i)])]),
                         headers={"X-Tenant": f"t{i % 2}"})
            lib.post(port, "metrics", request([gauge("none", [point(otlp.T0, 1)])]))
            lib.wait_until(lambda: sum(map(len, sink.got().values())) == 41, "all arrive")
        for headers, series, _ in sink.requests:
            wanted = {"m0": "t0", "m1": "t1", "none": None}
            for s in series:
                self.assertEqual(headers.get("x-tenant"), wanted[dict(s.labels)["__name__"]])


class Order(Case):
    """Whatever the destination does: each sample arrives, and the samples of a series in their order."""
    CLIENTS, ROUNDS, SERIES = 4, 30, 25

    def drive(self, leat, rounds=ROUNDS, first=0):
        """Several clients at once, each with series of its own; the value is the number of the round."""
        port = leat.port("otlp", "http")

        def run(client):
            c = lib.http.client.HTTPConnection("127.0.0.1", port, timeout=lib.LIMIT)
            for i in range(first, first + rounds):
                metrics = [gauge("g", [point(otlp.T0 + i * 10**9, i, [("client", str(client)), ("series", str(s))])
                                       for s in range(self.SERIES)]),
                           histogram(f"h{client}", otlp.T0 + i * 10**9, [i, 1], [0.5])]
                c.request("POST", "/v1/metrics", request(metrics), {"Content-Type": lib.PROTOBUF})
                r = c.getresponse()
                r.read()
                assert r.status == 200, r.status
            c.close()

        with concurrent.futures.ThreadPoolExecutor(self.CLIENTS) as pool:
            list(pool.map(run, range(self.CLIENTS)))

    def check(self, sink, rounds=ROUNDS, again=()):
        """`again`: metrics of which samples that were answered may come once more."""
        want = self.CLIENTS * (self.SERIES + 4)

        def complete():
            got = sink.got()
            return len(got) == want and all(len({t for t, _ in s}) == rounds for s in got.values())

        lib.wait_until(complete, lambda: f"{want} series with {rounds} samples: {sorted((len(s)) for s in sink.got().values())}")
        for labels, samples in sink.got().items():
            times = [t for t, _ in samples]
            if dict(labels)["__name__"].startswith(again or ("-",)):
                times = list(dict.fromkeys(times))
            self.assertEqual(times, [T0_MS + i * 1000 for i in range(rounds)], labels)

    def test_parallel_requests_failures_and_delays(self):
        rng = random.Random(5)
        lock = threading.Lock()
        statuses = collections.Counter()

        def mood(_):
            with lock:
                return rng.choice([None, None, None, 0.001, 0.01, 0.03, "reset"])

        def answer(headers, series):
            status = rng.choice([204, 204, 204, 429, 500, 503])
            statuses[status] += 1
            if status == 204:
                return None
            return status, rng.choice([{}, {"Retry-After": "0"}]), b"not now"

        for message in ("prometheus.WriteRequest", "io.prometheus.write.v2.Request"):
            with self.subTest(message), Sink(answer, mood=mood) as sink, \
                    self.leat(sink.url, f", protobuf_message: {message}, max_batch_size_bytes: 4000, "
                              "remote_write_queue: {num_consumers: 7}") as leat:
                self.drive(leat)
                self.check(sink)
                self.assertGreater(statuses[503] + statuses[429] + statuses[500], 0)

    def test_the_destination_goes_away_and_comes_back(self):
        with Sink() as sink:
            port = sink.port
            with self.leat(sink.url) as leat:
                self.drive(leat, 10)
                self.check(sink, 10)
                sink.__exit__()
                self.drive(leat, 10, 10)
                leat.wait_log("will try again")
                with Sink(port=port) as again:
                    with again.lock:
                        again.series[:0] = sink.series
                    self.check(again, 20)

    def test_one_request_at_a_time(self):
        active, most, lock = [0], [0], threading.Lock()

        class Counting(Sink):
            def serve(self, h):
                with lock:
                    active[0] += 1
                    most[0] = max(most[0], active[0])
                time.sleep(0.002)
                with lock:
                    active[0] -= 1
                super().serve(h)

        with Counting() as sink, self.leat(sink.url, ", max_batch_request_parallelism: 1") as leat:
            self.drive(leat)
            self.check(sink)
        self.assertEqual(most[0], 1)

    def test_samples_of_a_series_in_one_request_are_sorted(self):
        with Sink() as sink, self.leat(sink.url) as leat:
            self.post(leat, gauge("g", [point(otlp.T0 + i * 10**9, i) for i in (5, 1, 4, 2, 3, 0)]))
            lib.wait_until(lambda: len(list(sink.got().values())[0:]) == 1, "it arrives")
        self.assertEqual([t for t, _ in list(sink.got().values())[0]], [T0_MS + i * 1000 for i in range(6)])

    def test_415_gets_version_1(self):
        def answer(headers, _):
            return (415, {}, b"what is that") if headers["Content-Type"] == remote_write.V2 else None

        with Sink(answer) as sink, self.leat(sink.url, ", protobuf_message: io.prometheus.write.v2.Request, "
                                             "max_batch_size_bytes: 3000") as leat:
            self.drive(leat)
            self.check(sink)
            log = leat.log()
        self.assertEqual(log.count("does not know remote write 2.0"), 1)
        # None of it goes out as 2.0 once the first answers are in.
        last = max(i for i, (h, _, _) in enumerate(sink.requests) if h["content-type"] == remote_write.V2)
        self.assertLessEqual(last, 10)

    def test_415_in_the_middle(self):
        """A destination that is rolled back: points that it has answered are not sent again, the rest is; of those that
        make several series, of which one was not answered, all are."""
        count = [0]

        def answer(headers, _):
            count[0] += 1
            return (415, {}, b"") if headers["Content-Type"] == remote_write.V2 and count[0] > 20 else None

        with Sink(answer, mood=lambda _: 0.002) as sink, \
                self.leat(sink.url, ", protobuf_message: io.prometheus.write.v2.Request, max_batch_size_bytes: 2000") as leat:
            self.drive(leat)
            self.check(sink, again="h")
            self.assertEqual(leat.log().count("does not know remote write 2.0"), 1)
        versions = {h["x-prometheus-remote-write-version"] for h, _, status in sink.requests if status == 204}
        self.assertEqual(versions, {"0.1.0", "2.0.0"})

    def test_a_destination_of_1_that_says_yes_to_everything(self):
        def answer(headers, _):
            return (200, {}, b"") if headers["Content-Type"] == remote_write.V2 else None

        with Sink(answer) as sink, self.leat(sink.url, ", protobuf_message: io.prometheus.write.v2.Request") as leat:
            self.post(leat, gauge("g", [point(otlp.T0, 1)]))
            lib.wait_until(lambda: sink.requests and sink.requests[-1][0]["content-type"] == remote_write.V1, "1.0 comes")

    def test_sigterm_sends_what_is_held(self):
        with Sink(mood=lambda _: 0.05) as sink:
            with self.leat(sink.url, ", max_batch_size_bytes: 2000") as leat:
                self.drive(leat)
                leat.signal(lib.signals.SIGTERM)
                self.assertEqual(leat.wait(), 0)
            self.check(sink)


    def test_sigterm_with_a_destination_that_hangs(self):
        with Sink(mood=lambda _: "hang") as sink:
            text = f"prometheus_remote_write: {{endpoint: '{sink.url}', max_batch_size_bytes: 500}}"
            with lib.Leat(lib.config(text, "[prometheus_remote_write]", kinds=["metrics"]) +
                          "leat: {shutdown_timeout: 300ms}\n") as leat:
                for _ in range(20):
                    self.post(leat, *[gauge(f"g{i}", [point(otlp.T0, 1)]) for i in range(50)])
                leat.signal(lib.signals.SIGTERM)
                self.assertEqual(leat.wait(), 0)
            self.assertIn("50 metric_points not delivered before the program ended", leat.text)


class Losses(Case):
    def test_only_the_request_that_is_rejected_is_lost(self):
        def answer(_, series):
            bad = any(dict(s.labels)["__name__"].startswith("bad") for s in series)
            return (400, {}, b"out of order sample\nsecond line") if bad else None

        with Sink(answer) as sink, self.measured(sink.url, ", max_batch_size_bytes: 100") as leat:
            self.post(leat, *[gauge(f"{'bad' if i % 4 == 0 else 'good'}_{i}_with_a_long_name_{'x' * 60}", [point(otlp.T0, i)])
                              for i in range(20)])
            self.check_books(20, 15)
            self.assertEqual(len(sink.got()), 15)
            self.assertEqual(self.total("leat_prometheus_remote_write_dropped_samples_total", status="400"), 5)
            leat.wait_log("rejected 5 of 20 metric_points: HTTP status 400: out of order sample$")

    def test_a_histogram_counts_once(self):
        """Its series are in several requests; whatever they fare, it is one point."""
        def answer(_, series):
            return (400, {}, b"no") if any(dict(s.labels).get("le") == "0.5" for s in series) else None

        with Sink(answer) as sink, self.measured(sink.url, ", max_batch_size_bytes: 60") as leat:
            self.post(leat, *[histogram(f"h{i}", otlp.T0, [1, 2], [0.5 if i < 3 else 0.6]) for i in range(8)])
            self.check_books(8, 5)

    def test_what_was_not_written_is_counted(self):
        def answer(_, series):
            n = sum(len(s.samples) for s in series)
            return 204, {"X-Prometheus-Remote-Write-Samples-Written": str(n - 1),
                         "X-Prometheus-Remote-Write-Histograms-Written": "0",
                         "X-Prometheus-Remote-Write-Exemplars-Written": "0"}, b""

        with Sink(answer) as sink, self.measured(sink.url, ", protobuf_message: io.prometheus.write.v2.Request, "
                                                 "max_batch_request_parallelism: 1") as leat:
            self.post(leat, gauge("g", [point(otlp.T0, i, [("i", str(i))]) for i in range(10)]))
            self.check_books(10, 9)
            self.assertEqual(len(sink.requests), 1)

    def test_delta_is_dropped_by_name_and_counted(self):
        with Sink() as sink, self.measured(sink.url) as leat:
            self.post(leat, counter("d.e", [point(otlp.T0, 1), point(otlp.T0, 2, [("a", "b")])], temporality=1),
                      gauge("g", [point(otlp.T0, 1)]))
            self.check_books(3, 1)
            self.assertEqual(self.total("leat_prometheus_remote_write_dropped_points_total", reason="temporality"), 2)
            self.assertEqual(self.total("otelcol_exporter_prometheusremotewrite_failed_translations"), 2)
            leat.wait_log('rejected 2 of 3 metric_points: metric "d.e" cannot be written: .*deltatocumulative')

    def test_without_a_queue_the_caller_hears_of_it(self):
        status = [204]
        with Sink(lambda *_: None if status[0] == 204 else (status[0], {}, b"no")) as sink, \
                self.leat(sink.url, ", remote_write_queue: {enabled: false}, retry_on_failure: {max_elapsed_time: 300ms}") as leat:
            for given, wanted in ((204, 200), (400, 400), (503, 503), (204, 200)):
                status[0] = given
                self.assertEqual(self.post(leat, gauge("g", [point(otlp.T0, given)])).status, wanted, given)
            self.assertGreater(len([1 for _, _, s in sink.requests if s == 503]), 1)

    def test_given_up_after_max_elapsed_time(self):
        with Sink(lambda *_: (503, {}, b"no")) as sink, \
                self.measured(sink.url, ", retry_on_failure: {max_elapsed_time: 300ms}") as leat:
            self.post(leat, gauge("g", [point(otlp.T0, 1)]))
            leat.wait_log("1 metric_points not delivered, no more retries left: .*HTTP status 503")
            self.check_books(1, 0)

    def test_part_of_a_batch_is_given_up(self):
        def answer(_, series):
            return (503, {}, b"no") if any(dict(s.labels)["__name__"] == "bad" for s in series) else None

        with Sink(answer) as sink, \
                self.measured(sink.url, ", max_batch_size_bytes: 30, retry_on_failure: {max_elapsed_time: 300ms}") as leat:
            self.post(leat, gauge("bad", [point(otlp.T0, 1)]), *[gauge(f"g{i}", [point(otlp.T0, 1)]) for i in range(9)])
            self.check_books(10, 9)
            leat.wait_log("rejected 1 of 10 metric_points: no more retries left: HTTP status 503: no")

    def test_no_answer_is_tried_again(self):
        moods = iter(["hang"])
        with Sink(mood=lambda _: next(moods, None)) as sink, self.leat(sink.url, ", timeout: 300ms") as leat:
            self.post(leat, gauge("g", [point(otlp.T0, 1)]))
            leat.wait_log("timed out")
            lib.wait_until(lambda: len(sink.got()) == 1, "it arrives")


class Bounds(Case):
    def test_requests_are_cut_at_their_size(self):
        for message, decode in (("prometheus.WriteRequest", "V1"), ("io.prometheus.write.v2.Request", "V2")):
            sizes = []
            unblock = remote_write.snappy_unblock

            def measure(data):
                body = unblock(data)
                sizes.append(len(body))
                return body

            remote_write.snappy_unblock = measure
            self.addCleanup(setattr, remote_write, "snappy_unblock", unblock)
            with self.subTest(decode), Sink() as sink, \
                    self.leat(sink.url, f", protobuf_message: {message}, max_batch_size_bytes: 5000") as leat:
                self.post(leat, *[gauge(f"metric_{i}", [point(otlp.T0 + k, k, [("k", str(k))]) for k in range(20)])
                                  for i in range(50)])
                lib.wait_until(lambda: len(sink.got()) == 1000, "all arrive")
            remote_write.snappy_unblock = unblock
            self.assertLessEqual(max(sizes), 5000)
            self.assertGreater(sum(sizes), 20000)

    def test_a_stalled_destination_costs_bounded_memory(self):
        """The OTLP bytes are held, the encoded ones are bounded, and all of it arrives when it goes on."""
        stalled = [True]
        with Sink(mood=lambda _: "hang" if stalled[0] else None) as sink, self.measured(sink.url, ", timeout: 60s") as leat:
            drawn = random.Random(1)  # such as no compression makes small
            body = [gauge(f"metric_number_{i}", [point(otlp.T0, k, [("a_longer_label_name", drawn.randbytes(100).hex())])
                                                 for k in range(100)]) for i in range(300)]
            for n in range(6):
                self.assertEqual(self.post(leat, *body, service=f"s{n}").status, 200)
            encoded = "leat_prometheus_remote_write_encoded_bytes"
            lib.wait_until(lambda: (self.total(encoded) or 0) > 8_000_000, "all shards are full")
            lib.wait_until(lambda: self.total("leat_prometheus_remote_write_shards_busy") == 5, "all are busy")
            self.assertLess(self.total(encoded), 30_000_000)
            held = self.total("leat_items_held", component="prometheus_remote_write")
            self.assertEqual(held, 6 * 30000)
            stalled[0] = False
            sink.release.set()
            lib.wait_until(lambda: self.total("leat_items_total", component="prometheus_remote_write", fate="delivered") ==
                           6 * 30000, "all are delivered", 90)
            lib.wait_until(lambda: (self.total(encoded) or 0) < 100_000, "the memory is given back")


class Settings(Case):
    def test_errors_have_a_place(self):
        cases = [
            ("{}", "endpoint.*is required"),
            ("{endpoint: 'http://h/', http: {timeout: 1s}}", "timeout"),
            ("{http: {}}", "endpoint.*is required"),
            ("{endpoint: 'http://h/', compression: gzip}", "compression.*snappy"),
            ("{endpoint: 'http://h/', compression: none}", "compression.*snappy"),
            ("{endpoint: 'http://h/', headers: {Content-Type: x}}", "Content-Type says what the message is"),
            ("{endpoint: 'http://h/', include_metadata_keys: [User-Agent]}", "User-Agent says what"),
            ("{endpoint: 'http://h/', include_metadata_keys: [connection]}", "set by the client itself"),
            ("{endpoint: 'http://h/', translation_strategy: NoTranslation}", "keeps UTF-8"),
            ("{endpoint: 'http://h/', translation_strategy: NoUTF8EscapingWithSuffixes}", "keeps UTF-8"),
            ("{endpoint: 'http://h/', translation_strategy: Nonsense}", "NoTranslation"),
            ("{endpoint: 'http://h/', convert_explicit_histograms_to_nhcb: true}", "needs protobuf_message"),
            ("{endpoint: 'http://h/', external_labels: {a: ''}}", "needs a name and a value"),
            ("{endpoint: 'http://h/', remote_write_queue: {queue_size: 0}}", "queue_size.*above 0"),
            ("{endpoint: 'http://h/', remote_write_queue: {num_consumers: 0}}", "num_consumers"),
            ("{endpoint: 'http://h/', max_batch_request_parallelism: 0}", "above 0"),
            ("{endpoint: 'http://h/', max_batch_size_bytes: -1}", "max_batch_size_bytes"),
            ("{endpoint: 'http://h/', protobuf_message: x}", "prometheus.WriteRequest"),
            ("{endpoint: 'http://h/', sending_queue: {}}", "sending_queue"),
            ("{endpoint: 'http://h/', retry_on_failure: {max_elapsed_time: 10ms}}", "max_elapsed_time"),
        ]
        for text, wanted in cases:
            with self.subTest(text):
                path = self.write(text)
                code, out, err = lib.run("validate", "--config", path)
                self.assertEqual(code, lib.EX_CONFIG, out + err)
                self.assertRegex(out + err, wanted)
                self.assertIn("^", err + out)

    def write(self, text):
        path = f"{self.folder()}/c.yaml"
        with open(path, "w", encoding="utf-8") as f:
            f.write(lib.config(f"prometheus_remote_write: {text}", "[prometheus_remote_write]", kinds=["metrics"]))
        return path

    def test_what_is_used_in_the_field_is_taken(self):
        for text in ("{endpoint: 'http://h:9090/api/v1/write', tls: {insecure: true}, external_labels: }",
                     "{endpoint: 'http://h/', resource_to_telemetry_conversion: {enabled: true}}",
                     "{endpoint: 'http://h/', external_labels: {a: 1, __b: c}, wal: {directory: ./x, buffer_size: 300}}",
                     "{endpoint: 'http://h/', remote_write_queue: {enabled: true, queue_size: 10, num_consumers: 5}, "
                     "retry_on_failure: {enabled: true, initial_interval: 5s, max_interval: 10s, max_elapsed_time: 30s}}",
                     "{endpoint: 'http://h/', target_info: {enabled: false}, add_metric_suffixes: false}",
                     "{endpoint: 'http://h/', remote_write_queue: {enabled: false, queue_size: 0}}"):
            with self.subTest(text):
                code, out, err = lib.run("validate", "--config", self.write(text))
                self.assertEqual(code, 0, out + err)

    def test_warnings(self):
        for text, wanted in (
                ("{endpoint: 'http://h/', wal: {directory: ./x}}", "queue on disk comes later"),
                ("{endpoint: 'http://h/', add_metric_suffixes: false}", "deprecated.*UnderscoreEscapingWithoutSuffixes"),
                ("{endpoint: 'http://h/', http: {endpoint: 'http://g/'}}", "no effect beside the block 'http'"),
                ("{endpoint: 'http://h/', remote_write_queue: {num_consumers: 300}}", "taken as 256"),
                ("{endpoint: 'http://h/', max_batch_request_parallelism: 300}", "taken as 256"),
                ("{endpoint: 'http://h/', keep_classic_histograms: true}", "no effect without")):
            with self.subTest(text):
                code, out, err = lib.run("validate", "--config", self.write(text))
                self.assertEqual(code, 0, out + err)
                self.assertRegex(out + err, f"warning: .*{wanted}")

    def test_suffixes_as_the_older_key_says(self):
        with Sink() as sink, self.leat(sink.url, ", add_metric_suffixes: false, namespace: ns") as leat:
            self.post(leat, counter("c", [point(otlp.T0, 1)]))
            lib.wait_until(lambda: len(sink.got()) == 1, "it arrives")
        self.assertEqual(dict(list(sink.got())[0])["__name__"], "ns_c")


if __name__ == "__main__":
    lib.main()
