"""The same deltas through our deltatocumulative and the collector's: what comes out is equal, point by point."""
import os
import random

import peers
from peers import lib

DELTA = 1


def value(n):
    """A 64-bit number is a string in OTLP/JSON, a double is not."""
    return {"asDouble": n} if isinstance(n, float) else {"asInt": str(n)}


def histogram(r, bounds):
    counts = [r.randrange(9) for _ in range(len(bounds) + 1)]
    point = {"count": str(sum(counts)), "bucketCounts": [str(c) for c in counts], "explicitBounds": bounds}
    return {**point, "sum": r.randrange(1000) / 4, "min": r.randrange(100) / 4, "max": r.randrange(100) / 4}


def side(r):
    return {"offset": r.randrange(-300, 300), "bucketCounts": [str(r.randrange(1, 9)) for _ in range(r.randrange(1, 40))]}


def exponential(r):
    point = {"scale": r.randrange(-2, 6), "zeroCount": str(r.randrange(3)), "sum": r.randrange(1000) / 4}
    up, down = side(r), side(r)
    count = sum(int(c) for s in (up, down) for c in s["bucketCounts"]) + int(point["zeroCount"])
    return {**point, "count": str(count), "positive": up, "negative": down}


def metric(r, stream, times):
    """A random point of a stream; now and then too old, or with a start from before."""
    start, time = times
    kind = stream % 4
    if r.randrange(8) == 0:
        start, time = r.choice([(start - 5, time), (1000, 999), (start, start - 1)])
    point = {"startTimeUnixNano": str(start), "timeUnixNano": str(time),
             "attributes": [{"key": "stream", "value": {"stringValue": str(stream)}}]}
    if kind == 3:
        data = {"exponentialHistogram": {"dataPoints": [{**point, **exponential(r)}], "aggregationTemporality": DELTA}}
    elif kind == 2:
        bounds = [1.0, 2.5, 10.0] if r.randrange(10) else [1.0, 5.0]
        data = {"histogram": {"dataPoints": [{**point, **histogram(r, bounds)}], "aggregationTemporality": DELTA}}
    else:
        n = r.randrange(100) if kind == 0 else r.randrange(400) / 4
        data = {"sum": {"dataPoints": [{**point, **value(n)}], "aggregationTemporality": DELTA, "isMonotonic": stream % 8 < 4}}
    return {"name": f"m{kind}", **data}


def request(r, clocks):
    metrics = []
    for _ in range(r.randrange(1, 30)):
        stream = r.randrange(len(clocks))
        start = clocks[stream] + r.choice([0, 0, 0, 10])
        clocks[stream] = start + r.randrange(1, 20)
        metrics.append(metric(r, stream, (start, clocks[stream])))
    return {"resourceMetrics": [{"resource": {}, "scopeMetrics": [{"scope": {}, "metrics": metrics}]}]}


def trimmed(buckets):
    counts, offset = [int(c) for c in buckets.get("bucketCounts", [])], buckets.get("offset", 0)
    while counts and counts[0] == 0:
        counts, offset = counts[1:], offset + 1
    while counts and counts[-1] == 0:
        counts = counts[:-1]
    return (offset, counts) if counts else None


def coarser(point, scale):
    """The same histogram at a coarser scale."""
    found = {**point, "scale": scale}
    for s in ("positive", "negative"):
        if found[s] is not None:
            offset, counts = found[s]
            shift = point["scale"] - scale
            first = offset >> shift
            found[s] = (first, [0] * (((offset + len(counts) - 1) >> shift) - first + 1))
            for i, c in enumerate(counts):
                found[s][1][((offset + i) >> shift) - first] += c
    return found


def plain(point):
    found = {k: v for k, v in point.items() if v not in ("0", 0, [], {}) or k in ("asInt", "asDouble", "scale")}
    for s in ("positive", "negative"):
        found.pop(s, None)
        found[s] = trimmed(point.get(s, {}))
    return found


def points(lines):
    found = []
    for line in lines:
        for group in line["resourceMetrics"]:
            for scope in group["scopeMetrics"]:
                for m in scope["metrics"]:
                    for kind in ("sum", "histogram", "exponentialHistogram"):
                        for p in m.get(kind, {}).get("dataPoints", []):
                            found.append((m["name"], kind, m[kind]["aggregationTemporality"], m[kind].get("isMonotonic", False),
                                          plain(p)))
    return found


CONFIG = """
receivers: {{otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{port}"}}}}}}}}
processors: {{deltatocumulative: }}
exporters: {{file: {{path: '{path}', flush_interval: 50ms}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{metrics: {{receivers: [otlp], processors: [deltatocumulative], exporters: [file]}}}}
"""


class Deltas(lib.Case):
    def test_as_the_collector(self):
        folder, port, r = self.folder(), lib.free_port(), random.Random(7)
        ours, theirs = (os.path.join(folder, n) for n in ("ours.jsonl", "theirs.jsonl"))
        clocks = [1000] * 24
        with lib.Leat(CONFIG.format(port=0, path=ours)) as leat:
            with peers.Peer("otelcol", CONFIG.format(port=port, path=theirs)) as collector:
                collector.wait_ready(lambda: "Everything is ready" in collector.log(), "the collector is ready")
                for _ in range(200):
                    body = request(r, clocks)
                    for at in (leat.port("otlp", "http"), port):
                        self.assertEqual(lib.post(at, "metrics", body).status, 200)
        ours, theirs = points(peers.json_lines(ours)), points(peers.json_lines(theirs))
        self.assertGreater(len(theirs), 1500)
        self.assertEqual(len(ours), len(theirs))
        for a, b in zip(ours, theirs):
            if a[1] == "exponentialHistogram":  # the collector may keep one bucket more than its own limit: a finer scale
                self.assertLessEqual(a[-1].get("scale", 0), b[-1].get("scale", 0))
                scale = a[-1].setdefault("scale", 0)
                b[-1].setdefault("scale", 0)
                b = (*b[:-1], coarser(b[-1], scale))
            self.assertEqual(a, b)


if __name__ == "__main__":
    lib.main()
