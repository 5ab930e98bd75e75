"""OTLP metrics through the program into real receivers of remote write, read back by their query APIs: Debian's
Prometheus (messages 1.0), Prometheus 3 (1.0 and 2.0) and VictoriaMetrics."""
import socket

import samples
import tsdb
from peers import lib
from samples import SECOND, now
from tsdb import series

V2 = "io.prometheus.write.v2.Request"


def config(url, message=None, more=""):
    text = f"prometheus_remote_write: {{endpoint: '{url}', send_metadata: true{more}"
    if message is not None:
        text += f", protobuf_message: {message}"
    return lib.config(text + "}", "[prometheus_remote_write]", kinds=("metrics",))


class RemoteWrite(tsdb.Case):
    def send(self, leat, request):
        r = lib.post(leat.port("otlp", "http"), "metrics", request)
        self.assertEqual(r.status, 200, r.body)
        self.assertNotIn(b"ejected", r.body)

    # --- everything, three times over

    def everything(self, text, stored=lambda m: {**m.series, **m.histograms}, look=None, created=False):
        """Sends; waits until look(seconds) gives what is to be stored of each moment. `created`: where told when a series began,
        Prometheus keeps a zero there."""
        begin = now() - 10 * SECOND
        moments = [samples.Everything(begin + n * SECOND, n) for n in range(3)]
        wanted = {}
        with lib.Leat(text) as leat:
            for m in moments:
                self.send(leat, m.request())
                for s, v in stored(m).items():
                    wanted.setdefault(s, []).append((m.ms, v))
            for s in moments[0].counting if created else ():
                wanted[s].insert(0, (moments[0].start // 1_000_000, (0.0, 0.0, ()) if s in moments[0].histograms else 0.0))
            self.wait_equal(lambda: look(begin // SECOND + 60), wanted)
        return moments

    def exemplars(self, db, moments, first_of_native):
        """Prometheus looks at the exemplars of a 1.0 message before its native histograms: one that comes with the first
        point of such a series finds no series."""
        wanted = {}
        for m in moments:
            for s, found in m.exemplars.items():
                if first_of_native or m.n or s not in m.histograms:
                    wanted.setdefault(s, []).append(found)
        self.wait_equal(lambda: db.exemplars(moments[0].ms / 1000 - 60, moments[-1].ms / 1000 + 60), wanted)

    def test_prometheus_2(self):
        with tsdb.Prometheus(old=True) as db:
            self.exemplars(db, self.everything(config(db.write), look=db.raw), False)

    def test_prometheus_3_messages_1(self):
        with tsdb.Prometheus() as db:
            self.exemplars(db, self.everything(config(db.write), look=db.raw), False)

    def test_prometheus_3_messages_2(self):
        with tsdb.Prometheus() as db:
            self.exemplars(db, self.everything(config(db.write, V2), look=db.raw, created=True), True)

    def victoriametrics(self, message=None, more=""):
        """It keeps 15 decimal digits of a number, and native histograms as ranges."""
        def fits(s):
            return dict(s).get("which") not in ("huge", "tiny")

        def stored(m):
            found = {s: v for s, v in m.series.items() if fits(s)}
            for s, h in m.histograms.items():
                found.update(tsdb.ranges(s, h))
            return found

        with tsdb.VictoriaMetrics() as db:
            text = config(db.write, message, more)
            m = self.everything(text, stored, lambda _: {s: v for s, v in db.raw().items() if fits(s)})[0]
            self.wait_equal(lambda: {n: one for n, one in db.metadata().items() if n != "target_info"},
                            {n: (one,) for n, one in m.metadata.items()})

    def test_victoriametrics(self):
        for compression in ("snappy", "zstd"):
            with self.subTest(compression):
                self.victoriametrics(more=f", compression: {compression}")

    def test_fall_back(self):
        """Prometheus 2 and VictoriaMetrics answer 204 to a 2.0 message and keep nothing of it; that they do not say what they
        have written is how a sender knows. The same in 1.0 then."""
        with self.subTest("Prometheus 2"), tsdb.Prometheus(old=True) as db:
            self.everything(config(db.write, V2), look=db.raw)
        with self.subTest("VictoriaMetrics"):
            self.victoriametrics(V2)

    def test_names_of_utf8(self):
        """Prometheus 3 takes names as they are."""
        with tsdb.Prometheus() as db, lib.Leat(config(db.write, V2, ", translation_strategy: NoUTF8EscapingWithSuffixes")) as leat:
            at = now() - SECOND
            self.send(leat, samples.request([
                samples.counter("http.requests", [samples.point(at, 3, labels={"http.method": "GET"})]),
                samples.metric("gauge", "größe", [samples.point(at, 1.5, labels={"ä ö": "ü"})], unit="By")], {"service.name": "s", "a.b": "c"}))
            self.wait_equal(lambda: db.now(at / SECOND + 1), {
                series("http.requests_total", job="s", **{"http.method": "GET"}): 3.0,
                series("größe_bytes", job="s", **{"ä ö": "ü"}): 1.5, series("target_info", job="s", **{"a.b": "c"}): 1.0})

    def test_custom_buckets(self):
        """Classic histograms as native ones with the same bounds."""
        with tsdb.Prometheus() as db, lib.Leat(config(db.write, V2, ", convert_explicit_histograms_to_nhcb: true")) as leat:
            at = now() - SECOND
            self.send(leat, samples.request([samples.metric("histogram", "took", [
                samples.point(at, samples.buckets(10, 12.5, (0.5, 1, 10), (1, 2, 3, 4)))], unit="s")]))
            self.wait_equal(lambda: db.now(at / SECOND + 1), {series("took_seconds"): (10.0, 12.5, (
                (float("-inf"), 0.5, 1.0), (0.5, 1.0, 2.0), (1.0, 10.0, 3.0), (10.0, float("inf"), 4.0)))})

    # --- the end of a series

    def test_stale(self):
        """A point without a recorded value ends its series, and no other."""
        for old in (True, False):
            with self.subTest(old=old), tsdb.Prometheus(old=old) as db:
                begin = now() - 20 * SECOND
                with lib.Leat(config(db.write)) as leat:
                    def both(at, stale):
                        def one(name, kind, given, **how):
                            return samples.metric(kind, name, [samples.point(at, None if stale else given, stale=stale, end="yes"),
                                                               samples.point(at, given, end="no")], **how)
                        buckets = samples.buckets(3, 1.5, (1,), (1, 2))
                        native = samples.exponential(3, 6.0, 0, 0, (0, (3,)))
                        return samples.request([one("level", "gauge", 4), one("seen", "sum", 5, monotonic=True),
                                                one("took", "histogram", buckets), one("size", "exponentialHistogram", native),
                                                one("pause", "summary", samples.quantiles(3, 1.5, {0.5: 0.25}))])
                    self.send(leat, both(begin, False))
                    at = begin / SECOND
                    kept = {series(n, end="no", **more) for n, more in (
                        ("level", {}), ("seen_total", {}), ("took_bucket", {"le": "1"}), ("took_bucket", {"le": "+Inf"}),
                        ("took_sum", {}), ("took_count", {}), ("size", {}), ("pause", {"quantile": "0.5"}), ("pause_sum", {}),
                        ("pause_count", {}))}
                    ended = {tuple(("end", "yes") if label == ("end", "no") else label for label in s) for s in kept}
                    self.wait_equal(lambda: set(db.now(at + 1)), kept | ended)
                    self.send(leat, both(begin + 5 * SECOND, True))
                    # A summary without a value says nothing of its quantiles, a histogram nothing of its bounds.
                    blind = {series("took_bucket", end="yes", le="1"), series("pause", end="yes", quantile="0.5")}
                    self.wait_equal(lambda: set(db.now(at + 6)) - blind, kept)

    # --- samples that are refused

    def test_refused(self):
        """A sample that Prometheus refuses (older than the last, or another value at its time) costs no other, is not sent again, and
        is counted. (With 1.0 it gives up the whole request and does not say so.)"""
        with tsdb.Prometheus() as db:
            at, page = now() - 60 * SECOND, lib.free_port()
            text = config(db.write, V2, ", max_batch_request_parallelism: 1").replace("\nservice:", "\nservice:" + lib.telemetry(page))
            with lib.Leat(text) as leat:
                for a, b, value in ((0, 0, 1.0), (-1, 1, 2.0), (0, 2, 3.0), (3, 3, 4.0)):
                    self.send(leat, samples.request([samples.metric("gauge", name, [samples.point(at + seconds * SECOND, value)])
                                                     for name, seconds in (("a", a), ("b", b))]))
                wanted = {series("a"): [(0, 1.0), (3, 4.0)], series("b"): [(0, 1.0), (1, 2.0), (2, 3.0), (3, 4.0)]}
                self.wait_equal(lambda: db.raw(at / SECOND + 60), {
                    one: [((at + n * SECOND) // 1_000_000, v) for n, v in found] for one, found in wanted.items()})

                def count(name):
                    return lib.total(lib.metrics(page), f"leat_prometheus_remote_write_{name}_samples_total")
                lib.wait_until(lambda: (count("sent"), count("dropped")) == (6, 2), lambda: f"{count('sent')} sent, {count('dropped')} dropped")

    # --- a receiver that is not there

    def many(self, at, count, value):
        return samples.request([samples.counter("many", [samples.point(at, value, n=i) for i in range(count)])],
                               {"service.name": "restart"})

    def restart(self, db, message=None, stop=None):
        """The receiver goes away while points are being sent, and comes back: all are there, each once. (Prometheus refuses a
        sample that is older than its series' last.)"""
        count, moments = 200, 30
        begin = now() - (moments + 1) * SECOND
        more = (", retry_on_failure: {initial_interval: 50ms, max_elapsed_time: 0s}, max_batch_size_bytes: 4000"
                ", remote_write_queue: {num_consumers: 8}")  # many requests at once, none of which may pass another of its series
        with lib.Leat(config(db.write, message, more)) as leat:
            for n in range(moments):
                self.send(leat, self.many(begin + n * SECOND, count, n))
                if n == moments // 3:
                    lib.wait_until(lambda: db.raw(begin / SECOND + 60, 'many_total{n="0"}'), "the first points are there")
                    (stop or db.kill)()
                if n == 2 * moments // 3:
                    db.start()
            db.wait()
            wanted = {series("many_total", job="restart", n=str(i)):
                      [((begin + n * SECOND) // 1_000_000, float(n)) for n in range(moments)] for i in range(count)}
            self.wait_equal(lambda: db.raw(begin / SECOND + 60, '{__name__="many_total"}'), wanted)

    def test_restart_of_prometheus_2(self):
        with tsdb.Prometheus(old=True) as db:
            self.restart(db)

    def test_restart_of_prometheus_3(self):
        with tsdb.Prometheus() as db:
            self.restart(db, V2)

    def test_restart_of_victoriametrics(self):
        """Ended in order: it keeps the newest seconds in memory and would lose what it has acknowledged."""
        with tsdb.VictoriaMetrics() as db:
            def stop():
                db.process.terminate()
                db.process.wait(lib.LIMIT)
            self.restart(db, stop=stop)

    def test_backlog(self):
        """Five minutes of points, one a second, collected before anybody listens."""
        seconds = 300
        for word, start, message in (("Prometheus 2", lambda: tsdb.Prometheus(old=True), None), ("Prometheus 3", tsdb.Prometheus, V2),
                                     ("VictoriaMetrics", tsdb.VictoriaMetrics, None)):
            with self.subTest(word), start() as db:
                db.kill()
                begin = now() - seconds * SECOND
                more = ", retry_on_failure: {initial_interval: 100ms, max_interval: 500ms, max_elapsed_time: 0s}"
                with lib.Leat(config(db.write, message, more)) as leat:
                    for n in range(seconds):
                        self.send(leat, self.many(begin + n * SECOND, 4, n))
                    db.start()
                    db.wait()
                    wanted = {series("many_total", job="restart", n=str(i)):
                              [((begin + n * SECOND) // 1_000_000, float(n)) for n in range(seconds)] for i in range(4)}
                    self.wait_equal(lambda: db.raw(begin / SECOND + 600, '{__name__="many_total"}'), wanted)

    # --- from StatsD

    STATSD = """
receivers:
  statsd: {endpoint: 127.0.0.1:0, aggregation_interval: 200ms, is_monotonic_counter: true, timer_histogram_mapping: [
    {statsd_type: timing, observer_type: histogram, histogram: {explicit_buckets: [{matcher_pattern: '.*', buckets: [1, 10]}]}},
    {statsd_type: distribution, observer_type: histogram, histogram: {max_size: 160}}]}
processors: {deltatocumulative: {}}
"""

    def test_statsd_to_prometheus(self):
        """Counters go on over intervals, gauges keep their value, histograms add up: what a dashboard needs."""
        with tsdb.Prometheus() as db:
            text = self.STATSD + f"""
exporters: {{prometheus_remote_write: {{endpoint: '{db.write}'}}}}
service:
  pipelines:
    metrics: {{receivers: [statsd], processors: [deltatocumulative], exporters: [prometheus_remote_write]}}
"""
            with lib.Leat(text) as leat, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.connect(("127.0.0.1", leat.port("statsd")))
                hits = 0
                for n in range(1, 5):
                    hits += 3 * n
                    for _ in range(3):
                        s.send(b"hits:%d|c|#path:/x" % n)
                    s.send(b"took:0.5|ms\ntook:5|ms\ntook:500|ms\nsize:3|d\nlevel:+2.5|g")
                    wanted = {series("hits_total", path="/x"): float(hits), series("level"): 2.5 * n,
                              series("took_sum"): 505.5 * n, series("took_count"): 3.0 * n,
                              **{series("took_bucket", le=le): float(v) for le, v in (("1", n), ("10", 2 * n), ("+Inf", 3 * n))}}

                    def look():
                        """Without the scope; of the native histogram count and sum."""
                        found = {tuple(x for x in one if not x[0].startswith("otel_")): v for one, v in db.now(now() / SECOND).items()}
                        return {one: v[:2] if isinstance(v, tuple) else v for one, v in found.items()}
                    self.wait_equal(look, {**wanted, series("size"): (float(n), 3.0 * n)})
                for one, found in db.raw(now() / SECOND, '{__name__=~"hits_total|took_.*"}').items():
                    values = [v for _, v in found]
                    self.assertEqual(values, sorted(values), tsdb.shown(one))


if __name__ == "__main__":
    lib.main()
