"""The StatsD receiver with its sockets: every transport, what workers add up together, intervals, and the end."""
import contextlib
import json
import os
import re
import socket
import stat
import threading

import lib

SOON = "50ms"  # an interval that ends while the test waits
NEVER = "1h"  # one that does not: what arrives came by SIGTERM


class Points(lib.Sink):
    """A destination that keeps every request it takes, decoded. While `refusing`, it answers 503."""

    def __init__(self):
        self.refusing, self.refused, self.bodies, self.local = False, 0, [], threading.local()
        super().__init__(self.decide)

    def decide(self, *_):
        return (503, {}, b"") if self.local.refuse else None

    def body(self, h):
        data = lib.Sink.body(h)
        with self.lock:
            self.local.refuse = self.refusing
            if self.refusing:
                self.refused += 1
            else:
                self.bodies.append((h.path.rsplit("/", 1)[-1], json.loads(data)))
        return data

    def metrics(self):
        """(name, kind, data point) of all that came, in order."""
        with self.lock:
            bodies = [b for s, b in self.bodies if s == "metrics"]
        for body in bodies:
            for resource in body.get("resourceMetrics", []):
                for scope in resource.get("scopeMetrics", []):
                    for m in scope.get("metrics", []):
                        kind = next(k for k in ("sum", "gauge", "histogram", "exponentialHistogram", "summary") if k in m)
                        for p in m[kind].get("dataPoints", []):
                            yield m["name"], kind, p

    def values(self, name):
        return [value(p) for n, _, p in self.metrics() if n == name]

    def total(self, name):
        return sum(self.values(name))

    def logs(self):
        with self.lock:
            bodies = [b for s, b in self.bodies if s == "logs"]
        return [r for b in bodies for res in b.get("resourceLogs", []) for scope in res.get("scopeLogs", [])
                for r in scope.get("logRecords", [])]


def value(point):
    return float(point["asInt"]) if "asInt" in point else point["asDouble"]


def attributes(point):
    return {a["key"]: a["value"].get("stringValue", a["value"]) for a in point.get("attributes", [])}


def config(sink, receiver, interval=SOON, workers=1, kinds=("metrics",), exporter="", page=None):
    out = f"otlp_http: {{endpoint: 'http://127.0.0.1:{sink.port}', encoding: json, compression: none{exporter}}}"
    return lib.config(out, "[otlp_http]", f"statsd: {{{receiver}, aggregation_interval: {interval}}}", kinds=kinds,
                      tail=lib.telemetry(page) if page else "").replace("[otlp]", "[statsd]") + f"leat: {{workers: {workers}, admin: none}}\n"


def port(leat):
    """Of the line "listening on 127.0.0.1:1234, [::1]:1234 (udp)"."""
    return int(leat.wait_log(r"\tstatsd\t.*listening on [^\n]*?:(\d+)[, ]").group(1))


def udp(address, *packets, family=socket.AF_INET):
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.connect(address)
        for p in packets:
            s.send(p.encode() if isinstance(p, str) else p)


def have_ipv6():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False


class Transports(lib.Case):
    def total(self, sink, name, wanted):
        lib.wait_until(lambda: sink.total(name) >= wanted, lambda: f"{name} is {wanted}: {sink.values(name)}")
        self.assertEqual(sink.total(name), wanted)

    def test_udp_of_either_family(self):
        for transport, addresses in (("udp", ("127.0.0.1", "::1")), ("udp4", ("127.0.0.1",)), ("udp6", ("::1",))):
            with self.subTest(transport), Points() as sink, \
                    lib.Leat(config(sink, f"endpoint: 'localhost:0', transport: {transport}")) as leat:
                at = port(leat)
                sent = 0
                for a in addresses:
                    if a == "::1" and not have_ipv6():
                        continue
                    udp((a, at), "hits:1|c", "hits:2|c\nhits:4|c", family=socket.AF_INET6 if ":" in a else socket.AF_INET)
                    sent += 7
                self.total(sink, "hits", sent)

    def test_tcp_of_either_family(self):
        for transport, addresses in (("tcp", ("127.0.0.1", "::1")), ("tcp4", ("127.0.0.1",)), ("tcp6", ("::1",))):
            with self.subTest(transport), Points() as sink, \
                    lib.Leat(config(sink, f"endpoint: 'localhost:0', transport: {transport}")) as leat:
                at = port(leat)
                sent = 0
                for a in addresses:
                    if a == "::1" and not have_ipv6():
                        continue
                    with socket.create_connection((a, at), lib.LIMIT) as s:
                        s.sendall(b"hits:1|c\nhits:2|c\n")
                        sent += 3
                        self.total(sink, "hits", sent)

    def test_every_address_is_both_families(self):
        with Points() as sink, lib.Leat(config(sink, "endpoint: ':0'")) as leat:
            at = port(leat)
            udp(("127.0.0.1", at), "hits:1|c")
            self.total(sink, "hits", 1)

    def test_unix_datagrams(self):
        path = os.path.join(self.folder(), "s.sock")
        with Points() as sink, lib.Leat(config(sink, f"endpoint: '{path}', transport: unixgram", workers=2)) as leat:
            leat.wait_log(r"listening on .*s\.sock \(unixgram\)")
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o622)
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
                s.connect(path)
                for _ in range(200):  # waits while the queue is full
                    s.send(b"hits:1|c\nhits:1|c")
            self.total(sink, "hits", 400)
        self.assertFalse(os.path.exists(path))

    def test_unix_stream(self):
        path = os.path.join(self.folder(), "s.sock")
        receiver = f"endpoint: '{path}', transport: unix, socket_permissions: 0600"
        with Points() as sink, lib.Leat(config(sink, receiver, workers=2)) as leat:
            leat.wait_log(r"listening on .*s\.sock \(unix\)")
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
            for _ in range(4):
                with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
                    s.connect(path)
                    s.sendall(b"hits:1|c\nhits:1|c")  # the last line ends with the connection
            self.total(sink, "hits", 8)
        self.assertFalse(os.path.exists(path))

    def refused(self, text, why):
        file = os.path.join(self.folder(), "c.yaml")
        with open(file, "w", encoding="utf-8") as f:
            f.write(text)
        code, out, err = lib.run("--config", file)
        self.assertEqual(code, 1, out + err)
        self.assertIn(why, out + err)

    def test_paths_that_are_taken(self):
        for transport, kind in (("unixgram", socket.SOCK_DGRAM), ("unix", socket.SOCK_STREAM)):
            path = os.path.join(self.folder(), "s.sock")
            with Points() as sink:
                text = config(sink, f"endpoint: '{path}', transport: {transport}")
                with socket.socket(socket.AF_UNIX, kind) as s:
                    s.bind(path)
                    if kind == socket.SOCK_STREAM:
                        s.listen()
                    self.refused(text, "address already in use")
                self.assertTrue(os.path.exists(path))  # stale from here on
                with lib.Leat(text) as leat:
                    leat.wait_log("ready")
                with open(path, "w", encoding="ascii") as f:
                    f.write("mine")
                self.refused(text, "the file exists and is no socket")
                with open(path, encoding="ascii") as f:
                    self.assertEqual(f.read(), "mine")


class Lines(lib.Case):
    def setUp(self):
        self.sink = self.enterContext(Points())
        self.page = lib.free_port()

    def start(self, receiver, **kw):
        leat = self.enterContext(lib.Leat(config(self.sink, receiver, page=self.page, **kw)))
        return leat, port(leat)

    def enterContext(self, context):  # as of Python 3.11
        value_ = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return value_

    def own(self, name, **labels):
        return lib.total(lib.metrics(self.page), name, receiver="statsd", **labels)

    def wait_total(self, name, wanted):
        lib.wait_until(lambda: self.sink.total(name) >= wanted, lambda: f"{name} is {wanted}: {self.sink.values(name)}")
        self.assertEqual(self.sink.total(name), wanted)

    def test_fragments_of_a_stream(self):
        leat, at = self.start("endpoint: 'localhost:0', transport: tcp")
        text = b"a:1|c\nb:2|c\r\na:3|c\n\nb:4|c\na:5|c"
        with socket.create_connection(("127.0.0.1", at), lib.LIMIT) as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for i in range(len(text)):
                s.sendall(text[i:i + 1])
                lib.wait_until(lambda n=i: self.own("leat_statsd_bytes_total") == n + 1, "each byte is read by itself")
        self.wait_total("a", 9)
        self.wait_total("b", 6)
        with socket.create_connection(("127.0.0.1", at), lib.LIMIT) as s:  # reads that end at a line's end
            for n in range(1, 6):
                s.sendall(b"c:1|c\n")
                self.wait_total("c", n)
        self.assertEqual(self.own("leat_statsd_lines_total"), 10)
        self.assertEqual(self.own("leat_statsd_parse_failures_total"), 0)
        lib.wait_until(lambda: self.own("leat_statsd_connections") == 0, "both connections are gone")
        leat.signal(lib.signals.SIGTERM)

    def test_a_line_too_long_costs_itself(self):
        _, at = self.start("endpoint: 'localhost:0', transport: tcp")
        with socket.create_connection(("127.0.0.1", at), lib.LIMIT) as s:
            for size in (20000, 300000, 16384):
                s.sendall(b"a:1|c\n" + b"x" * size + b":1|c|#t:1\na:2|c\n")
        self.wait_total("a", 9)
        skipped = self.own("leat_statsd_skipped_lines_total")  # those that did not come in one read
        self.assertGreaterEqual(skipped, 1)
        self.assertEqual(skipped + self.own("leat_statsd_parse_failures_total", reason="long_name"), 3)

    def test_a_connection_that_is_cut(self):
        """Half a line that was never ended by its sender is no line."""
        _, at = self.start("endpoint: 'localhost:0', transport: tcp")
        with socket.create_connection(("127.0.0.1", at), lib.LIMIT) as s:
            s.sendall(b"a:1|c\na:100|c")
            self.wait_total("a", 1)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset at close
        lib.wait_until(lambda: self.own("leat_statsd_cut_lines_total") == 1, "the cut line is counted")
        self.assertEqual(self.sink.total("a"), 1)

    def test_bad_lines_cost_themselves(self):
        _, at = self.start("endpoint: 'localhost:0'")
        udp(("127.0.0.1", at), "a:1|c\nnonsense\na:x|c\na:2|c\na:1|q\n:1|c\na:4|c")
        self.wait_total("a", 7)
        self.assertEqual(self.own("leat_statsd_packets_total"), 1)
        self.assertEqual(self.own("leat_statsd_lines_total"), 7)
        self.assertEqual(self.own("leat_statsd_samples_total"), 3)
        for reason in ("bad_value", "bad_type", "no_name"):
            self.assertEqual(self.own("leat_statsd_parse_failures_total", reason=reason), 1, reason)
        self.assertEqual(self.own("leat_statsd_parse_failures_total"), 4)
        lib.wait_until(lambda: self.own("otelcol_receiver_accepted_metric_points", transport="udp") == 1, "one point is accepted")

    def test_gauges_keep_their_value(self):
        _, at = self.start("endpoint: 'localhost:0'")
        for line, wanted in (("g:10|g", 10), ("g:+5|g", 15), ("g:-7|g", 8), ("g:3|g", 3)):
            udp(("127.0.0.1", at), line)
            lib.wait_until(lambda w=wanted: self.sink.values("g")[-1:] == [w], lambda w=wanted: f"{w}: {self.sink.values('g')}")

    def test_too_many_series_overflow(self):
        leat, at = self.start("endpoint: 'localhost:0', aggregation_cardinality_limit: 10", interval=NEVER)
        udp(("127.0.0.1", at), *[f"s{n}:1|c" for n in range(25)], "s3:10|c")
        lib.wait_until(lambda: self.own("leat_statsd_packets_total") == 26, "all packets are received")
        self.assertEqual(self.own("leat_statsd_overflow_samples_total", type="counter"), 15)
        self.assertEqual(leat.stop(), 0)
        found = {n: value(p) for n, _, p in self.sink.metrics() if "otel.metric.overflow" not in attributes(p)}
        self.assertEqual(found, {f"s{n}": 11 if n == 3 else 1 for n in range(10)})
        over = [value(p) for _, _, p in self.sink.metrics() if "otel.metric.overflow" in attributes(p)]
        self.assertEqual(over, [15])

    def test_senders_are_kept_apart_by_address(self):
        leat, at = self.start("endpoint: '127.0.0.1:0'", interval=NEVER)
        for n in (1, 2):
            for _ in range(3):  # each from a port of its own
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                    s.bind((f"127.0.0.{n}", 0))
                    s.sendto(b"a:%d|c" % n, ("127.0.0.1", at))
        lib.wait_until(lambda: self.own("leat_statsd_packets_total") == 6, "all packets are received")
        self.assertEqual(leat.stop(), 0)
        self.assertEqual(sorted(self.sink.values("a")), [3, 6])

    def test_ignore_host_adds_all_senders_up(self):
        leat, at = self.start("endpoint: 'localhost:0', ignore_host: true", interval=NEVER)
        udp(("127.0.0.1", at), "a:1|c")
        if have_ipv6():
            udp(("::1", at), "a:2|c", family=socket.AF_INET6)
        wanted = 3 if have_ipv6() else 1
        lib.wait_until(lambda: self.own("leat_statsd_samples_total") == (2 if wanted == 3 else 1), "all samples are taken")
        self.assertEqual(leat.stop(), 0)
        self.assertEqual(self.sink.values("a"), [wanted])

    def test_drops_of_the_kernel_are_counted(self):
        """Flooded while it stands still: what it received and what the kernel dropped is what was sent."""
        leat, at = self.start("endpoint: 'localhost:0', socket_buffer_size: 4KiB")
        os.kill(leat.process.pid, lib.signals.SIGSTOP)
        try:
            udp(("127.0.0.1", at), *["a:1|c"] * 5000)
            if have_ipv6():
                udp(("::1", at), *["a:1|c"] * 5000, family=socket.AF_INET6)
        finally:
            os.kill(leat.process.pid, lib.signals.SIGCONT)
        sent = 10000 if have_ipv6() else 5000

        def counted():
            return self.own("leat_statsd_packets_total") + self.own("leat_statsd_kernel_drops_total")
        lib.wait_until(lambda: counted() >= sent, lambda: f"{counted()} of {sent} are accounted for")
        self.assertEqual(counted(), sent)
        self.assertGreater(self.own("leat_statsd_kernel_drops_total", socket=f"127.0.0.1:{at}"), 0)
        got = self.own("leat_statsd_packets_total")
        self.wait_total("a", got)
        leat.wait_log("the kernel has dropped [0-9]+ packets")


class Events(lib.Case):
    EVENT = "_e{5,4}:title|text|t:error|#env:prod"
    CHECK = "_sc|db.up|2|m:no answer"

    def test_they_become_log_records(self):
        for transport in ("udp", "tcp"):
            with self.subTest(transport), Points() as sink, lib.Leat(config(
                    sink, f"endpoint: 'localhost:0', transport: {transport}", kinds=("metrics", "logs"), workers=2)) as leat:
                text = f"{self.EVENT}\n{self.CHECK}\na:1|c\n".encode()
                at = port(leat)
                if transport == "udp":
                    udp(("127.0.0.1", at), text)
                else:
                    with socket.create_connection(("127.0.0.1", at), lib.LIMIT) as s:
                        s.sendall(text)
                lib.wait_until(lambda: len(sink.logs()) == 2, lambda: f"two records: {sink.logs()}")
                bodies = [r["body"]["stringValue"] for r in sink.logs()]
                self.assertEqual(bodies, ["title", "no answer"])
                self.assertEqual(attributes(sink.logs()[0])["env"], "prod")
                lib.wait_until(lambda: sink.total("a") == 1, "the counter arrives")

    def test_without_a_logs_pipeline_they_are_counted(self):
        page = lib.free_port()
        with Points() as sink, lib.Leat(config(sink, "endpoint: 'localhost:0'", page=page)) as leat:
            udp(("127.0.0.1", port(leat)), self.EVENT, self.CHECK, self.CHECK)
            lib.wait_until(lambda: lib.total(lib.metrics(page), "leat_statsd_dropped_total", reason="service_check") == 2, "2 checks")
            self.assertEqual(lib.total(lib.metrics(page), "leat_statsd_dropped_total", reason="event"), 1)

    def test_with_a_logs_pipeline_only(self):
        with Points() as sink, lib.Leat(config(sink, "endpoint: 'localhost:0'", kinds=("logs",))) as leat:
            at = port(leat)
            for n in range(1, 4):
                udp(("127.0.0.1", at), "a:1|c", self.EVENT)
                lib.wait_until(lambda w=n: len(sink.logs()) == w, "the record arrives")
            self.assertEqual(list(sink.metrics()), [])

    def test_a_destination_that_comes_back_gets_them(self):
        once = ", sending_queue: {enabled: false}, retry_on_failure: {enabled: false}"
        with Points() as sink:
            sink.refusing = True
            with lib.Leat(config(sink, "endpoint: 'localhost:0'", kinds=("logs",), exporter=once)) as leat:
                at = port(leat)
                for n in range(3):
                    udp(("127.0.0.1", at), self.EVENT)
                    lib.wait_until(lambda w=n: sink.refused > w, "it is refused")
                sink.refusing = False
                lib.wait_until(lambda: len(sink.logs()) == 3, "all three arrive")
        self.assertEqual(len(sink.logs()), 3)


class Together(lib.Case):
    """What several sockets and workers receive is one point."""

    def test_two_workers_one_point(self):
        with Points() as sink:
            with lib.Leat(config(sink, "endpoint: 'localhost:0'", interval=NEVER, workers=2)) as leat:
                at = port(leat)
                for _ in range(64):  # each from a port of its own: the kernel deals them out
                    udp(("127.0.0.1", at), "hits:1|c", "level:7|g", "users:a|s\nusers:b|s")
                self.assertEqual(leat.stop(), 0)
            self.assertEqual(sink.values("hits"), [64])
            self.assertEqual(sink.values("level"), [7])
            self.assertEqual(sink.values("users"), [2])

    def test_two_workers_over_many_intervals(self):
        sent = 0
        with Points() as sink:
            with lib.Leat(config(sink, "endpoint: 'localhost:0'", interval="20ms", workers=2,
                                 exporter=", sending_queue: {num_consumers: 1}")) as leat:  # they arrive in their order
                at = port(leat)
                while len(sink.values("hits")) < 10:
                    for _ in range(8):
                        udp(("127.0.0.1", at), "hits:1|c", "hits:1|c|@0.5")
                        sent += 3
                self.assertEqual(leat.stop(), 0)
            self.assertEqual(sink.total("hits"), sent)
            times = [(int(p["startTimeUnixNano"]), int(p["timeUnixNano"])) for n, _, p in sink.metrics() if n == "hits"]
            for (_, end), (begin, _) in zip(times, times[1:]):
                self.assertGreaterEqual(begin, end)

    def test_connections_of_two_workers(self):
        with Points() as sink:
            with lib.Leat(config(sink, "endpoint: 'localhost:0', transport: tcp", interval=NEVER, workers=2)) as leat:
                at = port(leat)
                with contextlib.ExitStack() as open_:
                    for _ in range(8):
                        s = open_.enter_context(socket.create_connection(("127.0.0.1", at), lib.LIMIT))
                        s.sendall(b"hits:1|c\n" * 1000)
                    leat.signal(lib.signals.SIGTERM)  # all connections are open, and little of it is read
                    self.assertEqual(leat.wait(), 0)
            self.assertEqual(sink.values("hits"), [8000])

    def test_samples_that_need_much_room_are_sent_before_the_interval_ends(self):
        """Each sample is a point of its own. The worker that has too many asks worker 0 for a pass."""
        page, sent = lib.free_port(), 0
        with Points() as sink:
            receiver = "endpoint: 'localhost:0', transport: tcp, aggregation_cardinality_limit: 1"
            with lib.Leat(config(sink, receiver, interval=NEVER, workers=2, page=page)) as leat:
                at = port(leat)
                with socket.create_connection(("127.0.0.1", at), lib.LIMIT) as one, \
                        socket.create_connection(("127.0.0.1", at), lib.LIMIT) as other:
                    for wanted, s in enumerate((one, other), 1):  # each worker has one
                        while (lib.total(lib.metrics(page), "leat_statsd_passes_total") or 0) < wanted:
                            s.sendall(b"lat:3|ms\n" * 1000)
                            sent += 1000
                            lib.wait_until(lambda: lib.total(lib.metrics(page), "leat_statsd_lines_total") == sent, "it is read")
                self.assertEqual(lib.total(lib.metrics(page), "leat_statsd_dropped_total"), 0)
                self.assertEqual(leat.stop(), 0)
            self.assertEqual(len(sink.values("lat")), sent)

    def test_many_series_of_two_workers(self):
        """More than one chunk, and each series is in exactly one point."""
        with Points() as sink:
            with lib.Leat(config(sink, "endpoint: 'localhost:0', transport: tcp", interval=NEVER, workers=2)) as leat:
                at = port(leat)
                for _ in range(4):
                    with socket.create_connection(("127.0.0.1", at), lib.LIMIT) as s:
                        s.sendall(b"".join(b"series.number.%d:1|c|#a:b\n" % n for n in range(5000)))
                self.assertEqual(leat.stop(), 0)
            found = {}
            for n, _, p in sink.metrics():
                found[n] = found.get(n, []) + [value(p)]
            self.assertEqual(len(found), 5000)
            self.assertEqual({n: v for n, v in found.items() if v != [4]}, {})
            self.assertGreater(len(sink.bodies), 1)

    def test_known_series_beside_a_flood(self):
        """Gauges, because their keys are kept for 240 passes: no delay of this test's makes them unknown."""
        page, sent, floods, known = lib.free_port(), 0, 0, [f"{worker}{n}" for worker in "ab" for n in range(20)]
        receiver = "endpoint: 'localhost:0', transport: tcp, aggregation_cardinality_limit: 100"
        with Points() as sink:
            with lib.Leat(config(sink, receiver, interval="500ms", workers=2, page=page)) as leat:
                at = port(leat)
                with socket.create_connection(("127.0.0.1", at), lib.LIMIT) as one, \
                        socket.create_connection(("127.0.0.1", at), lib.LIMIT) as other:  # each worker has one
                    def send(junk):
                        nonlocal sent
                        for worker, s in (("a", one), ("b", other)):
                            lines = [f"junk{floods}.{n}.{worker}:1|c\n" for n in range(junk)]
                            lines += [f"{name}:{floods}|g\n" for name in known if name[0] == worker]
                            s.sendall("".join(lines).encode())
                            sent += len(lines)
                        lib.wait_until(lambda: lib.total(lib.metrics(page), "leat_statsd_lines_total") == sent, "it is read")

                    def passes():
                        return lib.total(lib.metrics(page), "leat_statsd_passes_total") or 0

                    while passes() < 6:
                        send(0)
                    while passes() < 10:  # in each interval the flood is first
                        floods += 1
                        send(500)
                self.assertEqual(leat.stop(), 0)
            self.assertEqual({name: sink.values(name)[-1:] for name in known}, {name: [floods] for name in known})
            self.assertEqual(sink.values("statsd.overflow.gauge"), [])
            self.assertEqual(sum(value(p) for n, _, p in sink.metrics() if n.startswith(("junk", "statsd.overflow.counter"))), floods * 1000)


class Slow(lib.Case):
    ONCE = ", sending_queue: {enabled: false}, retry_on_failure: {enabled: false}"

    def test_a_destination_that_refuses_for_a_while(self):
        page = lib.free_port()
        with Points() as sink:
            sink.refusing = True
            with lib.Leat(config(sink, "endpoint: 'localhost:0'", exporter=self.ONCE, page=page, workers=2)) as leat:
                at = port(leat)
                sent = 0
                for n in range(3):
                    udp(("127.0.0.1", at), "hits:1|c", "hits:1|c", f"late{n}:1|c")
                    sent += 2
                    lib.wait_until(lambda w=n: sink.refused > w, "it is refused")
                sink.refusing = False
                lib.wait_until(lambda: sink.total("hits") == sent, lambda: f"all {sent}: {sink.values('hits')}")
                lib.wait_until(lambda: all(sink.total(f"late{n}") == 1 for n in range(3)), "the later ones arrive")
                udp(("127.0.0.1", at), "hits:1|c")
                lib.wait_until(lambda: sink.total("hits") == sent + 1, "it goes on")
                found = lib.metrics(page)
                self.assertEqual(lib.total(found, "otelcol_receiver_refused_metric_points"), 0)
        self.assertEqual(sink.total("hits"), sent + 1)

    def test_a_destination_that_comes_back_during_the_end(self):
        with Points() as sink:
            sink.refusing = True
            with lib.Leat(config(sink, "endpoint: 'localhost:0'", NEVER, exporter=self.ONCE, workers=2)) as leat:
                udp(("127.0.0.1", port(leat)), "hits:1|c", "level:3|g")
                leat.signal(lib.signals.SIGTERM)
                lib.wait_until(lambda: sink.refused >= 2, "it is tried")
                self.assertTrue(leat.running())
                sink.refusing = False
                self.assertEqual(leat.wait(), 0)
            self.assertEqual(sink.values("hits"), [1])
            self.assertEqual(sink.values("level"), [3])

    def test_a_destination_that_never_comes_back_is_given_up(self):
        with Points() as sink:
            sink.refusing = True
            text = config(sink, "endpoint: 'localhost:0'", NEVER, exporter=self.ONCE, workers=2).replace(
                "admin: none", "admin: none, shutdown_timeout: 300ms")
            with lib.Leat(text) as leat:
                udp(("127.0.0.1", port(leat)), "hits:1|c", "level:3|g")
                leat.signal(lib.signals.SIGTERM)
                self.assertEqual(leat.wait(), 0)
                self.assertRegex(leat.text, "2 points were not taken by the end and are lost")


class Ends(lib.Case):
    def test_idle_connections_do_not_hold_the_end(self):
        for transport in ("tcp", "unix"):
            where = "localhost:0" if transport == "tcp" else os.path.join(self.folder(), "s")
            with Points() as sink, contextlib.ExitStack() as clients, \
                    lib.Leat(config(sink, f"endpoint: '{where}', transport: {transport}", NEVER)) as leat:
                leat.wait_log("ready")
                for n in range(3):
                    s = clients.enter_context(socket.socket(socket.AF_INET if transport == "tcp" else socket.AF_UNIX))
                    s.settimeout(lib.LIMIT)
                    s.connect(("127.0.0.1", port(leat)) if transport == "tcp" else where)
                    s.sendall(b"a:1|c\n" * n)
                self.assertEqual(leat.stop(), 0)
                self.assertEqual(sink.values("a"), [3])
                self.assertEqual(s.recv(1), b"")

    def test_a_client_that_never_stops_does_not_hold_the_end(self):
        done = threading.Event()

        def flood(at):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", at), lib.LIMIT) as s:
                while not done.is_set():
                    s.sendall(b"a:1|c\n" * 1000)
        with Points() as sink, lib.Leat(config(sink, "endpoint: 'localhost:0', transport: tcp")) as leat:
            client = threading.Thread(target=flood, args=(port(leat),))
            client.start()
            try:
                lib.wait_until(lambda: sink.total("a") > 0, "some arrive")
                self.assertEqual(leat.stop(), 0)
            finally:
                done.set()
                client.join()

    def test_a_start_that_fails_leaves_nothing_behind(self):
        """What was opened before, in both workers, is closed again."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            path = os.path.join(self.folder(), "c.yaml")
            with open(path, "w", encoding="utf-8") as f:
                f.write("receivers:\n  statsd/a: {endpoint: 'localhost:0'}\n  statsd/b: {endpoint: 'localhost:0', transport: tcp}\n"
                        f"  statsd/c: {{endpoint: '127.0.0.1:{taken.getsockname()[1]}', transport: tcp}}\n"
                        "exporters: {nop: {}}\nservice: {pipelines: {metrics: {receivers: [statsd/a, statsd/b, statsd/c], "
                        "exporters: [nop]}}, telemetry: {metrics: {level: none}}}\nleat: {workers: 2, admin: none}\n")
            code, out, err = lib.run("--config", path)
            self.assertEqual(code, 1, out + err)
            self.assertIn("statsd/c: cannot listen on 127.0.0.1:", out + err)
            self.assertNotIn("Sanitizer", out + err)

    def test_a_second_signal_ends_it_at_once(self):
        with Points() as sink:
            sink.refusing = True
            with lib.Leat(config(sink, "endpoint: 'localhost:0'", NEVER, exporter=Slow.ONCE, workers=2)) as leat:
                udp(("127.0.0.1", port(leat)), *["hits:1|c"] * 20)
                leat.signal(lib.signals.SIGTERM)
                lib.wait_until(lambda: sink.refused >= 1, "it is tried")
                leat.signal(lib.signals.SIGTERM)
                self.assertEqual(leat.wait(), 0)


class Settings(lib.Case):
    def errors(self, text):
        """[(line, message, what the caret stands under)] of `leat validate`."""
        path = os.path.join(self.folder(), "c.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(f"receivers:\n  statsd:\n{text}\nexporters: {{nop: {{}}}}\n"
                    "service: {pipelines: {metrics: {receivers: [statsd], exporters: [nop]}}}\n")
        code, out, err = lib.run("validate", "--config", path)
        found = []
        lines = (out + err).splitlines()
        for i, line in enumerate(lines):
            m = re.match(r".*c\.yaml:(\d+):(\d+): error: (.*)", line)
            if m:
                at = lines[i + 2].index("^")
                found.append((int(m[1]), m[3], lines[i + 1][at:]))
        self.assertEqual(code, lib.EX_CONFIG if found else 0, out + err)
        return found

    def test_mistakes_have_a_place(self):
        for text, message, under in (
                ("    endpoint: localhost", "has no port", "localhost"),
                ("    transport: sctp", "sctp", "sctp"),
                ("    transport: unixgram", "needs 'endpoint'", "unixgram"),
                ("    endpoint: ''", "must not be empty", "''"),
                ("    socket_permissions: 0999", "permissions in octal", "0999"),
                ("    aggregation_interval: 0s", "at least 10ms", "0s"),
                ("    aggregation_interval: soon", "soon", "soon"),
                ("    counter_type: long", "long", "long"),
                ("    aggregation_cardinality_limit: 0", "0", "0"),
                ("    agregation_interval: 1s", "unknown key", "agregation_interval"),
                ("    timer_histogram_mapping: [{statsd_type: timing}]", "observer_type", "{statsd_type"),
                ("    timer_histogram_mapping: [{statsd_type: meter, observer_type: gauge}]", "meter", "meter"),
                ("    timer_histogram_mapping: [{statsd_type: timing, observer_type: summary, summary: {percentiles: [50, 101]}}]",
                 "percentiles", "timer_histogram_mapping"),
                ("    timer_histogram_mapping: [{statsd_type: timing, observer_type: histogram, "
                 "histogram: {explicit_buckets: [{matcher_pattern: 'a(', buckets: [1]}]}}]", "cannot be compiled", "timer_histogram_mapping")):
            with self.subTest(text):
                found = self.errors(text)
                self.assertEqual(len(found), 1, found)
                self.assertEqual(found[0][0], 3)
                self.assertIn(message, found[0][1])
                self.assertTrue(found[0][2].startswith(under), found[0])

    def test_every_key_is_taken(self):
        self.assertEqual(self.errors("""    endpoint: 0.0.0.0:8125
    transport: udp4
    socket_permissions: 0622
    socket_buffer_size: 1MiB
    aggregation_interval: 70s
    enable_metric_type: true
    enable_ip_only_aggregation: true
    ignore_host: false
    enable_simple_tags: true
    is_monotonic_counter: true
    counter_type: stochastic_int
    aggregation_cardinality_limit: 5000
    timer_histogram_mapping:
      - {statsd_type: histogram, observer_type: gauge}
      - {statsd_type: timing, observer_type: histogram, histogram: {max_size: 50,
         explicit_buckets: [{matcher_pattern: "http.*", buckets: [0.1, 1, 10]}]}}
      - {statsd_type: distribution, observer_type: summary, summary: {percentiles: [0, 95, 99.9, 100]}}"""), [])


if __name__ == "__main__":
    lib.main()
