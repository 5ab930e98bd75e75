"""The same OTLP metrics through the collector's exporters and through ours give the same series: names, labels, values,
times, exemplars, native histograms, types. The only differences are those listed here, each with its reason; one that
is not listed fails, and so does one that is listed and no longer there."""
import collections

import odd
import peers
import remote_write
import samples
import tsdb
from peers import lib

GATE = "--feature-gates=exporter.prometheusremotewritexporter.enableSendingRW2"


def number(bits):
    return "stale" if bits == remote_write.STALE else repr(remote_write.double(bits))


def when(ms):
    return f"@{ms - odd.MS0}" if abs(ms - odd.MS0) < 10_000 else f"@{ms}!"


def written(receiver):
    """What arrived as a collection of lines, one a fact."""
    facts = collections.Counter()
    for one, found in receiver.got("samples").items():
        facts.update(f"{tsdb.shown(one)} = {number(v)} {when(ms)}" for ms, v in found)
        if len(found) > 1:
            facts[f"{tsdb.shown(one)} in the order {[when(ms) for ms, _ in found]}"] += 1
    for one, found in receiver.got("histograms").items():
        for ms, h in found:
            h = {**{k: v for k, v in h.items() if k != "sum_bits"}, "sum": number(h["sum_bits"])}
            facts[f"{tsdb.shown(one)} native {dict(sorted(h.items()))} {when(ms)}"] += 1
    for one, found in receiver.got("exemplars").items():
        facts.update(f"{tsdb.shown(one)} exemplar {e.value!r} {dict(sorted(e.labels))} {when(e.time)}" for e in found)
    facts.update(f"metadata {family} {what}" for family, what in receiver.metadata.items())
    facts.update({f"metadata of {tsdb.shown(tuple(sorted(s.labels)))} {(s.type, s.help, s.unit)}" for s in receiver.series if s.type is not None})
    return facts


V2 = remote_write.V2.split("=")[1]


def config(url, options=""):
    return f"prometheus_remote_write: {{endpoint: '{url}', send_metadata: true{options}}}"


# --- the differences: {reason: (facts of the collector alone, facts of the program alone)}

SCOPE = {"otel_scope_name": "lib", "otel_scope_version": "1"}
ODD = {"job": "odd", **SCOPE}
PAGED = {**ODD, "otel_scope_schema_url": ""}
RICH = {**samples.IDENTITY, **samples.OF_SCOPE}
TRACED = {"span_id": samples.SPAN, "trace_id": samples.TRACE}


def one(name, labels, what):
    return f"{tsdb.shown(tsdb.series(name, **labels))} {what}"


def exemplar(name, labels, v, ago, **more):
    return one(name, labels, f"exemplar {v!r} {dict(sorted({**TRACED, **more}.items()))} @{-ago}")


def paged(name, labels, v, **more):
    return one(name, labels, f"exemplar {(v, tsdb.key(more))}")


def native(name, count, total, schema=0, positive=()):
    h = {"count": count, "negative": {}, "positive": dict(positive), "reset_hint": 0, "schema": schema, "sum": total, "zero_count": 0,
         "zero_threshold": samples.ZERO}
    return one(name, ODD, f"native {h} @0")


WRITTEN = {
    "the end of a native histogram is a sum that is the marker; the collector puts the marker's bits into the count as well": (
        [native("native_stale", remote_write.STALE, "stale")], [native("native_stale", 0, "stale")]),
    "buckets 4 and 5 are one at half the scale, number 3 as Prometheus counts; the collector leaves the first beside it where empty ones come before": (
        [native("native_merged", 12, "12.5", 8, {1: 2, 2: 5, 3: 5})], [native("native_merged", 12, "12.5", 8, {1: 2, 3: 10})]),
}
ENDED = one("value_stale_histogram_sum", ODD, "= stale @0")
WRITTEN_1 = {
    **WRITTEN,
    "a point that only ends a histogram has no sum and ends that series too; the collector leaves it": ([], [ENDED]),
    "the collector describes metrics of which it sends no point": (
        [f"metadata {name} {(kind, '', '')}" for name, kind in (
            ("delta_counter_total", "counter"), ("delta_gauge", "gauge"), ("delta_histogram", "histogram"), ("delta_native", "histogram"),
            ("native_too_coarse", "histogram"), ("value_no_points", "gauge"))], []),
}
INFO = ("gauge", "Target metadata", "")
BUCKETS = [("exemplar_histogram_bucket", {**ODD, "le": le}, v, 1) for le, v in (("1", 0.5), ("1", 0.75), ("2", 1.5), ("+Inf", 99.0))] + [
    ("http_duration_seconds_bucket", {**RICH, "method": "GET", "le": le}, v, ago) for le, v, ago in (("0.5", 0.25, 2), ("10", 7.5, 1))]
WRITTEN_2 = {
    **WRITTEN,
    "a point that only ends a histogram has no sum and ends that series too; the collector leaves it": (
        [], [ENDED, "metadata of " + one("value_stale_histogram_sum", ODD, ("histogram", "", ""))]),
    "exemplars belong to counters and buckets; the collector's 2.0 sends none of buckets, and those of gauges": (
        [exemplar("exemplar_gauge", ODD, 1.0, 1)], [exemplar(*x) for x in BUCKETS]),
    "target_info has the same labels in both messages; the collector has another rule in 2.0": (
        [x for i, name, v in ((0, "a_b", 1), (1, "key_x", 1), (2, "key_y", 1), (5, "key_", 6)) for x in (
            one("target_info", {"job": f"odd-{i}", name: str(v)}, "= 1.0 @0"),
            "metadata of " + one("target_info", {"job": f"odd-{i}", name: str(v)}, INFO))],
        [x for i, name in ((0, "a__b"), (1, "_x"), (2, "__y")) for x in (
            one("target_info", {"job": f"odd-{i}", name: "1"}, "= 1.0 @0"),
            "metadata of " + one("target_info", {"job": f"odd-{i}", name: "1"}, INFO))]),
}
COARSE = [one(f"native_too_coarse{part}", {**PAGED, **more}, "= 3.0") for part, more in (("_bucket", {"le": "+Inf"}), ("_count", {}), ("_sum", {}))]
PAGE = {
    "labels that collide are joined, the resource's job wins, as in remote write; the collector drops the point": ([], [
        one("label_collide", {**PAGED, "k_k": "one;two"}, "= 1.5"), one("label_collide_equal", {**PAGED, "k_k": "same"}, "= 1.5"),
        one("label_identity", {**PAGED, "instance": "own"}, "= 1.5"),
        *(f"{word} {name} {said!r}" for name in ("label_collide", "label_collide_equal", "label_identity")
          for word, said in (("HELP", ""), ("TYPE", "gauge")))]),
    "sum and count of an exponential histogram do not depend on its scale; the collector drops those below -4": (
        [], [*COARSE, "HELP native_too_coarse ''", "TYPE native_too_coarse 'histogram'"]),
}
UNITS = {"gc_pause_milliseconds": "milliseconds", "http_duration_seconds": "seconds", "in_flight_bytes": "bytes", "rpc_size_bytes": "bytes",
         "unit_braces_per_per_second": "per_second", "unit_kib_kibibytes": "kibibytes", "unit_month_bytes_per_month": "bytes_per_month",
         "unit_odd_F": "F", "unit_own_widgets": "widgets", "unit_per_braces_milliseconds": "milliseconds", "unit_percent": "percent",
         "unit_present_seconds": "seconds", "unit_rate_bytes_per_second": "bytes_per_second", "unit_space_seconds": "seconds",
         "unit_speed_meters_per_second": "meters_per_second", "unit_tib_tibibytes": "tibibytes",
         "unit_unknown_per_bytes_per_fortnight": "bytes_per_fortnight"}
GET = {**RICH, "otel_scope_schema_url": "", "http_method": "GET", "code": "200"}
PAGE_OPEN = {
    **PAGE,
    "OpenMetrics has a line for the unit": ([], [f"UNIT {name} {unit!r}" for name, unit in UNITS.items()]),
    "OpenMetrics has the type info, whose family is without _info": (
        ["HELP target_info 'Target metadata'", "TYPE target_info 'gauge'"], ["HELP target 'Target metadata'", "TYPE target 'info'"]),
    "exemplars keep their own attributes, and need no trace; the collector shows the two ids alone": (
        [paged("exemplar_counter_total", PAGED, 1.0, **TRACED), paged("http_requests_total", GET, 1.0, **TRACED)],
        [paged("exemplar_counter_total", PAGED, 1.0, a_b="x", **TRACED), paged("http_requests_total", GET, 1.0, route="/x", **TRACED),
         paged("exemplar_int_total", PAGED, 7.0), paged("exemplar_no_trace_total", PAGED, 1.0, k="v")]),
    "exemplars of an exponential histogram stand at its one bucket": ([], [
        paged("exemplar_native_bucket", {**PAGED, "le": "+Inf"}, 1.75, **TRACED),
        paged("rpc_size_bytes_bucket", {**RICH, "otel_scope_schema_url": "", "side": "both", "le": "+Inf"}, 3.0, **TRACED)]),
}


class Same(lib.Case):
    def post(self, port, request):
        r = lib.post(port, "metrics", request)
        self.assertEqual(r.status, 200, r.body)

    def compare(self, theirs, ours, listed):
        """listed: {reason: (lines only they have, lines only we have)}"""
        only_theirs, only_ours = sorted((theirs - ours).elements()), sorted((ours - theirs).elements())
        wanted_theirs = sorted(line for lines, _ in listed.values() for line in lines)
        wanted_ours = sorted(line for _, lines in listed.values() for line in lines)
        text = []
        for word, found, wanted in (("collector", only_theirs, wanted_theirs), ("program", only_ours, wanted_ours)):
            found, wanted = collections.Counter(found), collections.Counter(wanted)
            text += [f"not listed, only of the {word}: {line!r}" for line in sorted((found - wanted).elements())]
            text += [f"listed and not so, only of the {word}: {line!r}" for line in sorted((wanted - found).elements())]
        if text:
            self.fail("\n" + "\n".join(text))

    def remote_write(self, options, listed, first):
        def end(receiver):
            return any(dict(s.labels)["__name__"].endswith(("the_end", "the.end")) for s in receiver.series)

        requests = [first, samples.Everything(odd.T0, 1).request(), samples.request([odd.gauge("the.end")])]
        with remote_write.Receiver() as theirs, remote_write.Receiver() as ours:
            with peers.Otelcol("  " + config(theirs.url, options), ("metrics",), (GATE,)) as collector, \
                    lib.Leat(lib.config(config(ours.url, options), "[prometheus_remote_write]", kinds=("metrics",))) as leat:
                for port, receiver in ((collector.http, theirs), (leat.port("otlp", "http"), ours)):
                    for request in requests:
                        self.post(port, request)
                    lib.wait_until(lambda: end(receiver), "the last series has arrived")
            self.compare(written(theirs), written(ours), listed)

    def test_remote_write_1(self):
        self.remote_write("", WRITTEN_1, odd.request())

    def test_remote_write_2(self):
        self.remote_write(f", protobuf_message: {V2}", WRITTEN_2, odd.request())

    def test_remote_write_options(self):
        for options in ("namespace: my_ns", "external_labels: {zone: z, job: ext}", "resource_to_telemetry_conversion: {enabled: true}",
                        "resource_to_telemetry_conversion: {enabled: true, exclude_service_attributes: true}", "add_metric_suffixes: false",
                        "disable_scope_info: true", "target_info: {enabled: false}", "translation_strategy: UnderscoreEscapingWithoutSuffixes"):
            with self.subTest(options):
                self.remote_write(f", {options}", {}, odd.agreed())

    def page(self, accept, options, listed, first):
        def exporter(port):
            return f"prometheus: {{endpoint: '127.0.0.1:{port}', enable_open_metrics: true{options}}}"

        at = lib.free_port()
        requests = [first, samples.Everything(odd.T0, 1).request(), samples.request([odd.gauge("the.end")])]
        with peers.Otelcol("  " + exporter(at), ("metrics",)) as collector, \
                lib.Leat(lib.config(exporter(0), "[prometheus]", kinds=("metrics",))) as leat:
            found = []
            for to, port in ((collector.http, at), (leat.port("otlp", "http"), leat.port("prometheus"))):
                for request in requests:
                    self.post(to, request)
                found.append(lib.wait_until(lambda: self.whole_page(port, accept), "the last series is on the page"))
        self.compare(*found, listed)

    def whole_page(self, port, accept):
        """The facts on a page; None while the last series is not there."""
        r = lib.http_request(port, "GET", "/metrics", headers={"Accept": accept})
        self.assertEqual((r.status, r.headers["content-type"].split(";")[0]), (200, accept.split(";")[0]))
        text = r.body.decode()
        if "the_end" not in text:
            return None
        values, families, exemplars = tsdb.page(text)
        facts = collections.Counter(f"{tsdb.shown(one)} = {v!r}" for one, v in values.items())
        facts.update(f"{word} {name} {said!r}" for name, words in families.items() for word, said in words.items())
        facts.update(f"{tsdb.shown(one)} exemplar {said}" for one, said in exemplars.items())
        return facts

    def test_page_text(self):
        self.page("text/plain;version=0.0.4", "", PAGE, odd.request())

    def test_page_open_metrics(self):
        self.page("application/openmetrics-text;version=1.0.0", "", PAGE_OPEN, odd.request())

    def test_page_options(self):
        for options in ("namespace: my_ns", "const_labels: {zone: z}", "resource_to_telemetry_conversion: {enabled: true}",
                        "without_scope_info: true", "send_timestamps: true", "translation_strategy: UnderscoreEscapingWithoutSuffixes"):
            with self.subTest(options):
                self.page("text/plain;version=0.0.4", f", {options}", {}, odd.agreed())


if __name__ == "__main__":
    lib.main()
