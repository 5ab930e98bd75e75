"""Prometheus scrapes the page of the `prometheus` exporter: what it has afterwards is what was sent; promtool finds nothing
to complain about; a second job takes a part of it by match[]."""
import os
import subprocess

import peers
import samples
import tsdb
from peers import lib
from samples import SECOND, now
from tsdb import series

OPEN = "application/openmetrics-text;version=1.0.0"
TEXT = "text/plain;version=0.0.4"


def config(more=""):
    return lib.config(f"prometheus: {{endpoint: '127.0.0.1:0', enable_open_metrics: true{more}}}", "[prometheus]", kinds=("metrics",))


def job(name, port, *lines):
    """What a job finds has the job's name in the label `via`."""
    return "\n".join(["", f"  - job_name: {name}", "    honor_labels: true",
                      f"    static_configs: [{{targets: ['127.0.0.1:{port}'], labels: {{via: {name}}}}}]", *(f"    {line}" for line in lines)])


def tidy(one):
    """A series whose bounds are written as Prometheus 3 and OpenMetrics write them, without labels that are empty."""
    return tuple((k, repr(float(v)) if k in ("le", "quantile") and v != "+Inf" else v) for k, v in one if v != "" and k != "via")


def own(db, via):
    """What a job has found, without the series Prometheus makes itself for a scrape."""
    return {tidy(s): v for s, v in db.now(now() / SECOND, f'{{via="{via}"}}').items() if dict(s)["__name__"] not in (
        "up", "scrape_duration_seconds", "scrape_samples_scraped", "scrape_samples_post_metric_relabeling", "scrape_series_added")}


PART = """params: {'match[]': ['http_requests_total{code="200"}', '{__name__=~"gc_.*",job!="x"}']}"""


class Page(tsdb.Case):
    """Prometheus lets five seconds pass before its first scrape: two of them, started once, serve all tests."""

    @classmethod
    def setUpClass(cls):
        cls.all, cls.sums = (cls.enterClassContext(lib.Leat(config(", metric_expiration: 1h"))) for _ in range(2))
        port = cls.all.port("prometheus")
        jobs = job("all", port) + job("sums", cls.sums.port("prometheus")) + job("part", port, "metrics_path: /federate", PART)
        cls.dbs = [cls.enterClassContext(tsdb.Prometheus(old=old, jobs=jobs)) for old in (True, False)]

    def send(self, leat, *metrics, resource=None):
        request = metrics[0] if isinstance(metrics[0], dict) and "resourceMetrics" in metrics[0] else samples.request(metrics, resource)
        r = lib.post(leat.port("otlp", "http"), "metrics", request)
        self.assertEqual(r.status, 200, r.body)

    def everything(self, m):
        """What a scrape must find: a page has no native histograms and always a sum."""
        wanted = {tidy(s): v for s, v in m.series.items()}
        wanted[series("http_duration_seconds_sum", **samples.IDENTITY, **samples.OF_SCOPE, method="PUT")] = 0.0
        for s, (count, total, _) in m.histograms.items():
            labels = dict(s)
            name = labels.pop("__name__")
            wanted.update({series(f"{name}_count", **labels): count, series(f"{name}_sum", **labels): total,
                           series(f"{name}_bucket", **labels, le="+Inf"): count})
        return wanted

    def test_scraped(self):
        """By both Prometheus; values change between scrapes; exemplars come by OpenMetrics, each once."""
        for n in (0, 3):
            m = samples.Everything(now(), n)
            self.send(self.all, m.request())
            exemplars = {tidy(s): e for s, e in m.exemplars.items() if s not in m.histograms}
            exemplars.update({series("rpc_size_bytes_bucket", le="+Inf", **{k: v for k, v in s if k != "__name__"}): e
                              for s, e in m.exemplars.items() if s in m.histograms})
            for db in self.dbs:
                with self.subTest(n=n, old=db.old):
                    self.wait_equal(lambda: own(db, "all"), self.everything(m))
                    self.wait_equal(lambda: {tidy(s): e[-1] for s, e in db.exemplars(m.ms / 1000 - 60, m.ms / 1000 + 60, '{via="all"}').items()},
                                    exemplars)
        for db in self.dbs:
            with self.subTest(old=db.old):
                self.assertEqual([(t["health"], t["lastError"]) for t in db.targets()], [("up", "")] * 3)
                types = {name: one[0][0] for name, one in db.metadata().items()}
                self.assertIn("counter", (types.get("http_requests_total"), types.get("http_requests")))
                self.assertEqual([types.get(n) for n in ("http_duration_seconds", "gc_pause_milliseconds", "queue_length")],
                                 ["histogram", "summary", "gauge"])

    def test_promtool(self):
        """Well-named metrics with descriptions give a page that promtool has nothing to say about."""
        def one(kind, name, given, unit="", **how):
            return samples.metric(kind, name, [samples.point(now(), given, path="/x"), samples.point(now(), given, path=samples.TEXT)],
                                  unit=unit, description=f"About {name}, \\ and\nmore.", **how)
        with lib.Leat(config()) as leat:
            self.send(leat, one("gauge", "queue.length", 3, unit="{item}"), one("sum", "http.requests", 5, monotonic=True),
                      one("sum", "http.sent", 0.5, unit="By", monotonic=True), one("sum", "in.flight", -7, unit="By"),
                      one("histogram", "http.duration", samples.buckets(6, 12.5, (0.005, 0.5, 1e21), (1, 2, 3, 0)), unit="s"),
                      one("exponentialHistogram", "rpc.size", samples.exponential(3, 6.0, 0, 0, (0, (3,))), unit="By"),
                      one("summary", "gc.pause", samples.quantiles(3, 1.5, {0.5: 0.25, 0.99: 1.0}), unit="s"),
                      resource=samples.RESOURCE)
            port = leat.port("prometheus")
            for accept in (TEXT, "*/*"):
                text = lib.http_request(port, "GET", "/metrics", headers={"Accept": accept}).body
                p = subprocess.run([os.path.join(peers.PEERS, "bin", "promtool"), "check", "metrics"], input=text, capture_output=True,
                                   timeout=lib.LIMIT)
                self.assertEqual((p.returncode, p.stdout, p.stderr), (0, b"", b""), text.decode())
            self.assertIn(b"rpc_size_bytes_count", text)

    def test_delta_adds_up(self):
        """Deltas become what they sum to, a series that is not told of any more goes."""
        total, at, db = 0, now(), self.dbs[1]
        for n in range(1, 4):
            total += n
            start, at = at, max(now(), at + 1_000_000)
            self.send(self.sums, samples.counter("added", [samples.point(at, n, start=start, k="v")], delta=True),
                      samples.metric("histogram", "took", [samples.point(at, samples.buckets(n, 1.5 * n, (1,), (0, n)), start=start)],
                                     unit="s", delta=True))
            wanted = {series("added_total", k="v"): float(total), series("took_seconds_bucket", le="1.0"): 0.0,
                      series("took_seconds_bucket", le="+Inf"): float(total), series("took_seconds_sum"): 1.5 * total,
                      series("took_seconds_count"): float(total)}
            # Without a resource the series have the scrape's job and instance.
            self.wait_equal(lambda: {tuple(x for x in s if x[0] not in ("job", "instance")): v
                                     for s, v in own(db, "sums").items()}, wanted)
        self.send(self.sums, samples.counter("added", [samples.point(at + 1_000_000, start=at, k="v", stale=True)], delta=True))
        self.wait_equal(lambda: {dict(s)["__name__"] for s in own(db, "sums")},
                        {"took_seconds_bucket", "took_seconds_sum", "took_seconds_count"})

    def test_federation(self):
        """A part of the page, chosen as Prometheus chooses from another Prometheus, by whole metrics."""
        m = samples.Everything(now(), 7)
        self.send(self.all, m.request())
        wanted = {s: v for s, v in self.everything(m).items() if ("code", "200") in s or dict(s)["__name__"].startswith("gc_")}
        self.assertEqual(len(wanted), 7)
        for db in self.dbs:
            with self.subTest(old=db.old):
                self.wait_equal(lambda: own(db, "part"), wanted)


if __name__ == "__main__":
    lib.main()
