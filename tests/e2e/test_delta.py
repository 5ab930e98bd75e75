"""Deltas and cumulative metrics through the program, with two workers: one instance of the processor has all
streams, whatever worker their points come by."""
import json
import os
import threading

import lib

PROCESSORS = "deltatocumulative:\n  cumulativetodelta: {initial_value: keep}"
DELTA, CUMULATIVE = 1, 2


def request(name, attribute, start, time, value, temporality=DELTA):
    point = {"attributes": [{"key": "a", "value": {"stringValue": attribute}}], "startTimeUnixNano": str(start),
             "timeUnixNano": str(time), "asInt": str(value)}
    metric = {"name": name, "sum": {"dataPoints": [point], "aggregationTemporality": temporality, "isMonotonic": True}}
    return {"resourceMetrics": [{"resource": {}, "scopeMetrics": [{"scope": {"name": "s"}, "metrics": [metric]}]}]}


def requests(kind, names, time):
    """One delta of each of these metrics, from this moment to the next."""
    numbers = {"sum": {"asInt": "1"}, "histogram": {"count": "1", "explicitBounds": [1, 2], "bucketCounts": ["0", "1", "0"]},
               "exponentialHistogram": {"count": "1", "scale": 3, "positive": {"offset": time, "bucketCounts": ["1"]}}}
    point = {"startTimeUnixNano": str(time), "timeUnixNano": str(time + 1), **numbers[kind]}
    metrics = [{"name": n, kind: {"dataPoints": [point], "aggregationTemporality": DELTA}} for n in names]
    return {"resourceMetrics": [{"resource": {}, "scopeMetrics": [{"scope": {}, "metrics": metrics}]}]}


def points(path):
    """(name, attribute, temporality, start, time, value) in the order of the file."""
    found = []
    with open(path, encoding="utf-8") as f:
        for line in f:
            for group in json.loads(line)["resourceMetrics"]:
                for scope in group["scopeMetrics"]:
                    for m in scope["metrics"]:
                        for p in m["sum"]["dataPoints"]:
                            found.append((m["name"], p["attributes"][0]["value"]["stringValue"],
                                          m["sum"]["aggregationTemporality"], int(p.get("startTimeUnixNano", 0)),
                                          int(p["timeUnixNano"]), int(p["asInt"])))
    return found


class Delta(lib.Case):
    def leat(self, path, processing):
        self.at = lib.free_port()
        return lib.Leat(lib.config(f"file: {{path: '{path}'}}", "[file]", processors=PROCESSORS, processing=processing,
                                   tail=lib.telemetry(self.at), kinds=("metrics",)) + "leat: {workers: 2}\n")

    def test_streams_of_many_connections(self):
        """Each client has a stream of its own and a new connection for every request."""
        path = os.path.join(self.folder(), "out.jsonl")
        failed = []

        def play(port, who):
            for n in range(1, 41):
                if lib.post(port, "metrics", request("own", who, n, n + 1, n)).status != 200:
                    failed.append((who, n))

        with self.leat(path, "[deltatocumulative]") as leat:
            port = leat.port("otlp", "http")
            threads = [threading.Thread(target=play, args=(port, f"c{i}")) for i in range(6)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
        self.assertEqual(failed, [])
        for i in range(6):
            mine = [p for p in points(path) if p[1] == f"c{i}"]
            self.assertEqual(mine, [("own", f"c{i}", CUMULATIVE, 1, n + 1, n * (n + 1) // 2) for n in range(1, 41)])

    def test_there_and_back(self):
        path = os.path.join(self.folder(), "out.jsonl")
        with self.leat(path, "[deltatocumulative, cumulativetodelta]") as leat:
            port = leat.port("otlp", "http")
            for n in range(1, 21):
                self.assertEqual(lib.post(port, "metrics", request("m", "x", n, n + 1, n * n)).status, 200)
        self.assertEqual(points(path), [("m", "x", DELTA, n, n + 1, n * n) for n in range(1, 21)])

    def test_dropped_points_are_counted(self):
        path = os.path.join(self.folder(), "out.jsonl")
        with self.leat(path, "[deltatocumulative]") as leat:
            port = leat.port("otlp", "http")
            for start, time in ((10, 20), (20, 30), (20, 29), (5, 40)):
                self.assertEqual(lib.post(port, "metrics", request("m", "x", start, time, 1)).status, 200)
            own = lib.metrics(self.at)
            name = "otelcol_deltatocumulative_datapoints"
            self.assertEqual(lib.total(own, name, error="delta.ErrOutOfOrder"), 1)
            self.assertEqual(lib.total(own, name, error="delta.ErrOlderStart"), 1)
            self.assertEqual(lib.total(own, "otelcol_deltatocumulative_streams_tracked"), 1)
        self.assertEqual(points(path), [("m", "x", CUMULATIVE, 10, 20, 1), ("m", "x", CUMULATIVE, 10, 30, 2)])


if __name__ == "__main__":
    lib.main()
