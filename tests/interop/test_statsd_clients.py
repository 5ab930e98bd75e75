"""StatsD clients that others wrote, and lines by nc, into the program; what it makes of them is read back from its file
exporter and compared with what the clients were told to send (tests/peers/statsd_emit.*)."""
import os
import subprocess

import peers
import samples
import tsdb
from peers import lib

DELTA = 1
CONTAINER = {"container.id": "0123456789"}  # without the ci- of the line
TAGGED = {"env": "prod", "zone": "eu-1"}
NODE = os.path.join(peers.PEERS, "statsd-node", "node_modules")
PYTHON = os.path.join(peers.PEERS, "statsd-py", "venv", "bin", "python")
MAPPING = """
    timer_histogram_mapping:
      - {statsd_type: timing, observer_type: summary, summary: {percentiles: [0, 50, 100]}}
      - {statsd_type: histogram, observer_type: histogram, histogram: {explicit_buckets: [{matcher_pattern: '.*', buckets: [1, 10, 100]}]}}
      - {statsd_type: distribution, observer_type: histogram, histogram: {max_size: 160}}"""


def config(folder, transport, endpoint, rest=None):
    """One interval that is longer than the test: what is there at the end is what the client sent, each series once."""
    return f"""
receivers:
  statsd:
    transport: {transport}
    endpoint: {endpoint}
    aggregation_interval: 1h{MAPPING}
""" + (rest or f"""
exporters:
  file/metrics: {{path: '{folder}/metrics.jsonl'}}
  file/logs: {{path: '{folder}/logs.jsonl'}}
service:
  pipelines:
    metrics: {{receivers: [statsd], exporters: [file/metrics]}}
    logs: {{receivers: [statsd], exporters: [file/logs]}}
""")


def rounded(found):
    """Bounds of native histograms are the results of powers: equal to twelve digits."""
    return {one: (v[0], v[1], tuple(tuple(float(f"{x:.12g}") for x in b) for b in v[2])) if isinstance(v, tuple) else v
            for one, v in found.items()}


def attributes(record):
    return {a["key"]: next(iter(a["value"].values())) for a in record.get("attributes", [])}


def series(name, tags):
    return name + str(sorted(tags.items()))


def points(lines):
    """{series: [a short form of each point]}."""
    found = {}
    for line in lines:
        for r in line["resourceMetrics"]:
            for s in r["scopeMetrics"]:
                for m in s["metrics"]:
                    kind = next(k for k in ("gauge", "sum", "summary", "histogram", "exponentialHistogram") if k in m)
                    for p in m[kind]["dataPoints"]:
                        found.setdefault(series(m["name"], attributes(p)), []).append(short(kind, m[kind], p))
    return found


def short(kind, m, p):
    if kind in ("gauge", "sum"):
        number = float(p["asInt"]) if "asInt" in p else p["asDouble"]
        return (kind, number) if kind == "gauge" else (kind, m.get("aggregationTemporality"), number)
    if kind == "summary":
        return kind, int(p["count"]), p["sum"], {q.get("quantile", 0): q.get("value", 0) for q in p["quantileValues"]}
    rest = (m["aggregationTemporality"], int(p["count"]), p["sum"], p["min"], p["max"])
    if kind == "histogram":
        return (kind, *rest, p["explicitBounds"], [int(n) for n in p["bucketCounts"]])
    side = p["positive"]
    counts = {side.get("offset", 0) + i: int(n) for i, n in enumerate(side["bucketCounts"]) if int(n)}
    return (kind, *rest, p.get("scale", 0), counts)


def count(n):
    return "sum", DELTA, float(n)


def gauge(v):
    return "gauge", float(v)


TIMER = ("summary", 3, 60.5, {0: 10, 0.5: 20.5, 1: 30})
HISTOGRAM = ("histogram", DELTA, 3, 707.5, 0.5, 700, [1, 10, 100], [1, 1, 0, 1])
# 1, 2 and 4 in at most 160 buckets: 64 for each doubling.
DISTRIBUTION = ("exponentialHistogram", DELTA, 3, 7, 1, 4, 6, {-1: 1, 63: 1, 127: 1})


class Clients(lib.Case):
    def through(self, transport, endpoint, send):
        """Runs the program around send(place), and gives what it has written: (points, log records)."""
        folder = self.folder()
        with lib.Leat(config(folder, transport, endpoint)) as leat:
            place = endpoint if endpoint.startswith("/") else leat.port("statsd")
            leat.wait_log("listening on")
            send(place)
            if transport in ("tcp", "unix"):
                lib.wait_until(lambda: not connections(place), "the program has closed the connection it has read to its end")
        logs = peers.json_lines(f"{folder}/logs.jsonl")
        return points(peers.json_lines(f"{folder}/metrics.jsonl")), [
            record for line in logs for r in line["resourceLogs"] for s in r["scopeLogs"] for record in s["logRecords"]]

    def expect(self, found, wanted):
        """Every series is there, with one point, and no other."""
        self.assertEqual({s: v for s, v in found.items()}, {series(n, tags): [v] for n, tags, v in wanted})

    # --- npm

    def basic(self, prefix, tags):
        """What every client but PyPI's statsd can send."""
        return [(f"{prefix}.counter", tags, count(5)), (f"{prefix}.tagged", {**tags, **TAGGED}, count(5)),
                (f"{prefix}.gauge", tags, gauge(7.25)), (f"{prefix}.timer", {**tags, **TAGGED}, TIMER),
                (f"{prefix}.histogram", tags, HISTOGRAM), (f"{prefix}.set", tags, gauge(3))]

    def node(self, *args):
        return lambda port: peers.emit(["node", os.path.join(peers.SCRIPTS, "statsd_emit.js"), args[0], str(port), *args[1:]], NODE_PATH=NODE)

    def test_node_statsd(self):
        found, logs = self.through("udp", "127.0.0.1:0", self.node("node-statsd"))
        self.expect(found, self.basic("ns", {"app": "node"}))
        self.assertEqual(logs, [])

    def test_hot_shots(self):
        for transport in ("udp", "tcp"):
            with self.subTest(transport=transport):
                found, logs = self.through(transport, "127.0.0.1:0", self.node("hot-shots", transport))
                tags = {"app": "node", **CONTAINER}
                self.expect(found, self.basic("hs", tags) + [
                    ("hs.level", tags, gauge(12.5)), ("hs.distribution", tags, DISTRIBUTION),
                    ("hs.mapped", {**tags, "a b": "c_d", "pipe": "x_y"}, count(2))])
                self.notices(logs, "hs.deploy", "hs.alive", tags)

    # --- PyPI

    def python(self, *args):
        return lambda place: peers.emit([PYTHON, os.path.join(peers.SCRIPTS, "statsd_emit.py"), *args, str(place)])

    def test_datadog(self):
        path = os.path.join(self.folder(), "dsd.socket")
        for transport, kind, endpoint in (("udp", "udp", "127.0.0.1:0"), ("unixgram", "unix", path)):
            with self.subTest(transport=transport):
                found, logs = self.through(transport, endpoint, self.python("datadog", kind))
                tags = {"app": "python", **CONTAINER}
                self.expect(found, self.basic("dd", tags) + [
                    ("dd.distribution", tags, DISTRIBUTION), ("dd.dated", tags, count(6)), ("dd.dated.gauge", tags, gauge(2.5)),
                    ("dd.cardinal", tags, count(2))] + [("dd.packed", {"app": "python", "n": str(n)}, count(50)) for n in range(4)])
                self.notices(logs, "deploy", "alive", tags)

    def test_statsd(self):
        path = os.path.join(self.folder(), "statsd.socket")
        for transport, kind, endpoint in (("udp", "udp", "127.0.0.1:0"), ("tcp", "tcp", "127.0.0.1:0"), ("unix", "stream", path)):
            with self.subTest(transport=transport):
                found, logs = self.through(transport, endpoint, self.python("statsd", kind))
                self.expect(found, [("py.counter", {}, count(5)), ("py.gauge", {}, gauge(7.25)), ("py.negative", {}, gauge(-3.5)),
                                    ("py.level", {}, gauge(12.5)), ("py.timer", {}, TIMER), ("py.set", {}, gauge(3)),
                                    ("py.packed", {}, count(200)), ("py.last", {}, gauge(3))])
                self.assertEqual(logs, [])

    # --- into Prometheus

    def test_into_prometheus(self):
        """All four, one after the other, through deltatocumulative and remote write; all of it is sent when the program ends.
        (The points that datadog dates to 2023 are too old for Prometheus; with messages 1.0 that costs all of their request.)"""
        with tsdb.Prometheus() as db:
            text = config(None, "udp", "127.0.0.1:0", f"""
processors: {{deltatocumulative: {{}}}}
exporters: {{prometheus_remote_write: {{endpoint: '{db.write}', disable_scope_info: true, protobuf_message: io.prometheus.write.v2.Request}}}}
service:
  pipelines:
    metrics: {{receivers: [statsd], processors: [deltatocumulative], exporters: [prometheus_remote_write]}}
""").replace("aggregation_interval", "is_monotonic_counter: true\n    aggregation_interval")
            with lib.Leat(text) as leat:
                for send in (self.node("hot-shots"), self.node("node-statsd"), self.python("datadog", "udp"), self.python("statsd", "udp")):
                    send(leat.port("statsd"))
            wanted = {}
            for prefix, tags, tagged in (("hs", {"app": "node", **CONTAINER}, TAGGED), ("ns", {"app": "node"}, TAGGED),
                                         ("dd", {"app": "python", **CONTAINER}, TAGGED), ("py", {}, {})):
                tags = {k.replace(".", "_"): v for k, v in tags.items()}

                def expect(name, v, **more):
                    wanted[tsdb.series(f"{prefix}_{name}", **tags, **more)] = v
                expect("counter_total", 5.0)
                expect("gauge", 7.25)
                expect("set", 3.0)
                expect("timer_count", 3.0, **tagged)
                expect("timer_sum", 60.5, **tagged)
                for quantile, v in (("0", 10.0), ("0.5", 20.5), ("1", 30.0)):
                    expect("timer", v, quantile=quantile, **tagged)
                if prefix != "py":
                    expect("tagged_total", 5.0, **TAGGED)
                    expect("histogram_count", 3.0)
                    expect("histogram_sum", 707.5)
                    for le, v in (("1", 1.0), ("10", 2.0), ("100", 2.0), ("+Inf", 3.0)):
                        expect("histogram_bucket", v, le=le)
                if prefix in ("hs", "dd"):
                    # 1, 2 and 4: the upper bounds of their buckets.
                    step = 2 ** (1 / 64)
                    expect("distribution", (3.0, 7.0, ((1 / step, 1.0, 1.0), (2 / step, 2.0, 1.0), (4 / step, 4.0, 1.0))))
            chosen = "|".join(f".._{n}.*" for n in ("counter", "gauge", "set", "timer", "tagged", "histogram", "distribution"))
            self.assertEqual(tsdb.differences(rounded(db.now(samples.now() / samples.SECOND, f'{{__name__=~"{chosen}"}}')), rounded(wanted)), [])

    # --- lines

    LINES = """sampled:3|c|@0.1
sampled:3|c|@0.1
third:1|c|@0.3
third:1|c|@0.3
third:1|c|@0.3
weighted:20|ms|@0.5|#a:b
weighted:10|ms|#a:b
boxes:5|h|@0.25
boxes:50|h
packed:1:2:3:4|c
packed.time:10:20.5:30|ms
ordered:1|c|#x:1,y:2
ordered:2|c|#y:2,x:1
no value|c
wrong:abc|c
kind:1|q
kept:1|c|nonsense|@0.5
kept:1|c||#
last:-0.5|g
"""

    def nc(self, *flags):
        def send(place):
            where = [place] if isinstance(place, str) else ["127.0.0.1", str(place)]
            subprocess.run([os.path.join(peers.PEERS, "bin", "nc"), *flags, *where], input=self.LINES.encode(), timeout=lib.LIMIT, check=True)
        return send

    def test_lines_by_nc(self):
        """Rates are weights; a bad part does not cost the line, a bad line does not cost the packet."""
        path = os.path.join(self.folder(), "lines.socket")
        for transport, endpoint, flags in (("udp", "127.0.0.1:0", ("-u", "-q0")), ("tcp", "127.0.0.1:0", ("-N",)),
                                           ("unixgram", path, ("-uU", "-q0"))):
            with self.subTest(transport=transport):
                found, logs = self.through(transport, endpoint, self.nc(*flags))
                self.expect(found, [
                    ("sampled", {}, count(60)), ("third", {}, count(10)),
                    ("weighted", {"a": "b"}, ("summary", 3, 50, {0: 10, 0.5: 20, 1: 20})),
                    ("boxes", {}, ("histogram", DELTA, 5, 70, 5, 50, [1, 10, 100], [0, 4, 1, 0])),
                    ("packed", {}, count(10)), ("packed.time", {}, TIMER), ("ordered", {"x": "1", "y": "2"}, count(3)),
                    ("kept", {}, count(3)), ("last", {}, gauge(-0.5))])
                self.assertEqual(logs, [])

    # --- events and service checks

    def notices(self, logs, event, check, tags):
        found = {r["eventName"]: r for r in logs}
        self.assertEqual(len(logs), 2, logs)
        self.assertEqual(sorted(found), ["datadog.event", "datadog.service_check"])
        one = found["datadog.event"]
        self.assertEqual(one["body"], {"stringValue": event})
        self.assertEqual(one["timeUnixNano"], "1700000000000000000")
        self.assertEqual(one["severityText"].lower()[:4], "warn")
        have = attributes(one)
        self.assertLessEqual({*tags.items(), *TAGGED.items()}, {*have.items()})
        self.assertLessEqual({"line one\nline two", "web-1", "group", "low", "ci"}, {*have.values()})
        one = found["datadog.service_check"]
        self.assertEqual(one["body"], {"stringValue": "not well"})
        self.assertEqual(one["timeUnixNano"], "1700000000000000000")
        self.assertEqual(one["severityNumber"], 17)
        have = attributes(one)
        self.assertLessEqual({*tags.items(), *TAGGED.items()}, {*have.items()})
        self.assertLessEqual({check, "web-1"}, {*have.values()})


def connections(place):
    """Connections at a TCP port or a path of which the program still holds its end, or has not taken it yet."""
    found = []
    with open("/proc/net/unix" if isinstance(place, str) else "/proc/net/tcp", encoding="ascii") as f:
        for words in map(str.split, list(f)[1:]):
            if isinstance(place, str):
                if words[-1] == place and int(words[3], 16) == 0:  # not the one that listens
                    found.append(words)
            elif int(words[1].split(":")[1], 16) == place and words[3] in ("01", "08"):  # established, close wait
                found.append(words)
    return found


if __name__ == "__main__":
    lib.main()
