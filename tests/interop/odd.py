"""OTLP metrics that make translators disagree: odd names, labels, values, resources and scopes. Each case has a metric name
of its own, so that what came of it can be told apart."""
import samples
from samples import counter, metric, point

T0 = 1_700_000_000_000_000_000
MS0 = T0 // 1_000_000


def gauge(name, v=1.5, unit="", **labels):
    return metric("gauge", name, [point(T0, v, labels=labels.pop("labels", labels))], unit=unit)


def names():
    """Names and units."""
    return [
        gauge("runs..of...dots"), gauge("_outer_"), gauge("1st.digit"), gauge("ünï.code"), gauge("a:colon"), gauge("🎉party"),
        gauge("with space/slash"), gauge("unit.rate", unit="By/s"), gauge("unit.braces", unit="{packets}"),
        gauge("unit.braces.per", unit="{packets}/s"), gauge("unit.per.braces", unit="ms/{op}"), gauge("unit.percent", unit="%"),
        gauge("unit.kib", unit="KiBy"), gauge("unit.tib", unit="TiBy"), gauge("unit.own", unit="widgets"), gauge("unit.odd", unit="°F"),
        gauge("unit.speed", unit="m/s"), gauge("unit.month", unit="By/mo"), gauge("unit.present.seconds", unit="s"),
        gauge("seconds.in.front", unit="s"), gauge("bytes.per.second.there", unit="By/s"), gauge("unit.one", unit="1"),
        gauge("ratio.first", unit="1"), gauge("unit.space", unit=" s "), gauge("unit.unknown.per", unit="By/fortnight"),
        counter("total.in.front", [point(T0, 3)]), counter("count.total", [point(T0, 3)]), counter("one.counted", [point(T0, 3)], unit="1"),
        counter("bytes.out", [point(T0, 3)], unit="By"), counter("total.bytes.total", [point(T0, 3)], unit="By"),
        metric("sum", "sum.ratio", [point(T0, 3)], unit="1"), metric("sum", "not.monotonic.total", [point(T0, 3)]),
        metric("histogram", "histogram.count", [point(T0, samples.buckets(1, 1.0, (), (1,)))]),
    ]


def labels():
    """Attributes of points."""
    return [
        gauge("label.dots", labels={"a.b": "x", "c-d": "y", "e f": "z"}), gauge("label.collide", labels={"k.k": "one", "k_k": "two"}),
        gauge("label.collide.equal", labels={"k.k": "same", "k_k": "same"}), gauge("label.runs", labels={"a..b": "x", "c__d": "y"}),
        gauge("label.outer", labels={"_x": "1", "x_": "2"}), gauge("label.double", labels={"__y": "1"}),
        gauge("label.reserved", labels={"__z__": "1"}), gauge("label.digit", labels={"1st": "x"}), gauge("label.unicode", labels={"ü": "x"}),
        gauge("label.empty.value", labels={"e": "", "f": "full"}), gauge("label.empty.key", labels={"": "x", "f": "full"}),
        gauge("label.le", labels={"le": "x", "quantile": "y"}), gauge("label.identity", labels={"job": "mine", "instance": "own"}),
        gauge("label.types", labels={"i": -5, "b": True, "d": 0.1, "whole": 3.0, "big": 1e21, "tiny": 1e-7, "inf": float("inf"),
                                     "list": ["a", 1, True], "map": {"k": {"l": 1.5}}}),
        {"name": "label.bytes", "gauge": {"dataPoints": [{"timeUnixNano": str(T0), "asDouble": 1.5, "attributes": [
            {"key": "raw", "value": {"bytesValue": "AAEC/w=="}}, {"key": "none", "value": {}}]}]}},
        gauge("label.text", labels={"t": samples.TEXT + "\u0001\t"}),
        gauge("label.twice.same", labels={"http.method": "GET"}),
    ]


def values():
    """Numbers and times."""
    histogram = samples.buckets(10, 5.5, (1e-7, 0.1, 1, 2.5e10, 1e21), (1, 2, 3, 1, 1, 2))
    at = [point(T0, 1.5, case="ms"), point(T0 + 999_999, 1.5, case="ns"), point(0, 1.5, case="zero")]
    return [
        metric("gauge", "value.odd", [point(T0, v, case=c) for c, v in (
            ("largest", 2 ** 63 - 1), ("smallest", -2 ** 63), ("odd", 2 ** 53 + 1))]),
        gauge("value.minus.zero", -0.0),
        {"name": "value.special", "gauge": {"dataPoints": [
            {"timeUnixNano": str(T0), "asDouble": v, "attributes": samples.attributes({"case": v})} for v in ("NaN", "Infinity", "-Infinity")]}},
        metric("gauge", "value.none", [point(T0)]), metric("gauge", "value.time", at),
        metric("gauge", "value.stale", [point(T0, stale=True)]),
        counter("value.negative.counter", [point(T0, -3.5)]),
        metric("gauge", "value.later", [point(T0 + 2_000_000, 2.0), point(T0 + 1_000_000, 1.0)]),
        metric("histogram", "value.bounds", [point(T0, histogram)]),
        metric("histogram", "value.no.sum", [point(T0, samples.buckets(3, None, (1,), (1, 2)))]),
        metric("histogram", "value.no.buckets", [point(T0, {"count": "4", "sum": 2.0})]),
        metric("histogram", "value.stale.histogram", [point(T0, {"explicitBounds": [1]}, stale=True)]),
        metric("summary", "value.quantiles", [point(T0, samples.quantiles(3, 1.5, {1e-7: 0.5, 0.5: 1.0, 0.9999999: 2.0, 1: 3.0}))]),
        metric("summary", "value.no.quantiles", [point(T0, samples.quantiles(3, 1.5, {}))]),
        metric("gauge", "value.no.points", []),
    ]


def natives():
    made = {"plain": samples.exponential(9, 12.5, 3, 1, (0, (1, 2, 0, 0, 0, 5))), "fine": samples.exponential(3, 3.0, 20, 0, (5, (1, 1, 1))),
            "coarse": samples.exponential(3, 3.0, -4, 0, (-1, (1, 2))), "too.coarse": samples.exponential(3, 3.0, -5, 0, (-1, (1, 2))),
            "empty": samples.exponential(0, 0.0, 0, 0),
            "threshold": {**samples.exponential(3, 3.0, 0, 2, (0, (1,))), "zeroThreshold": 0.25},
            "no.sum": {k: v for k, v in samples.exponential(2, 3.0, 0, 0, (0, (2,))).items() if k != "sum"},
            "gap": samples.exponential(2, 3.0, 0, 0, (0, (1, *[0] * 9, 1)), (3, (0, 0))),
            "merged": samples.exponential(12, 12.5, 9, 0, (0, (1, 1, 0, 0, 5, 5)))}
    return [metric("exponentialHistogram", f"native.{name}", [point(T0, v)]) for name, v in made.items()] + [
        metric("exponentialHistogram", "native.stale", [point(T0, stale=True)])]


def deltas():
    """Remote write has no place for these; the page adds them up."""
    return [metric("sum", "delta.counter", [point(T0, 3, start=T0 - 10)], monotonic=True, delta=True),
            metric("sum", "delta.gauge", [point(T0, 3, start=T0 - 10)], delta=True),
            metric("histogram", "delta.histogram", [point(T0, samples.buckets(3, 1.5, (1,), (1, 2)), start=T0 - 10)], delta=True),
            metric("exponentialHistogram", "delta.native", [point(T0, samples.exponential(3, 6.0, 0, 0, (0, (3,))), start=T0 - 10)],
                   delta=True)]


def exemplars():
    def one(*given):
        return [samples.exemplar(T0 - 1_000_000, *a, **k) for a, k in given]
    many = {f"attribute.{i:02}": "x" * 10 for i in range(20)}
    return [
        counter("exemplar.counter", [point(T0, 3, exemplars=one(((1.0,), {"a.b": "x"})))]),
        counter("exemplar.long", [point(T0, 3, exemplars=one(((1.0,), many)))]),
        counter("exemplar.no.trace", [point(T0, 3, exemplars=one(((1.0, None), {"k": "v"})))]),
        counter("exemplar.int", [point(T0, 3, exemplars=[{"timeUnixNano": str(T0), "asInt": "7"}])]),
        metric("gauge", "exemplar.gauge", [point(T0, 3, exemplars=one(((1.0,), {})))]),
        metric("histogram", "exemplar.histogram", [point(T0, samples.buckets(3, 1.5, (1, 2), (1, 1, 1)),
                                                         exemplars=one(((0.5,), {}), ((1.5,), {}), ((99.0,), {}), ((0.75,), {})))]),
        metric("exponentialHistogram", "exemplar.native", [point(T0, samples.exponential(2, 3.0, 0, 0, (0, (2,))),
                                                                 exemplars=one(((1.5,), {}), ((1.75,), {})))]),
    ]


def resources():
    """(resource, scope, name of the metric)."""
    scope = {"name": "lib", "version": "1"}
    named = {"service.name": "s"}
    return [
        ({}, {}, "resource.none"), ({"service.name": ""}, {}, "resource.empty.name"),
        ({"service.name": "s", "service.namespace": ""}, {}, "resource.empty.namespace"),
        ({"service.namespace": "n"}, {}, "resource.only.namespace"), ({"service.instance.id": "i", "k": "v"}, {}, "resource.only.instance"),
        ({**named, "service.instance.id": "i-2"}, {}, "resource.no.others"),
        *(({"service.name": f"odd-{i}", **more}, {}, f"resource.odd.{i}") for i, more in enumerate((
            {"a..b": "1"}, {"_x": "1"}, {"__y": "1"}, {"c.d": "4", "c_d": "5"}, {"empty": "", "full": "x"}, {"ü": "6"},
            {"n": 5, "list": [1, "a"]}, {"job": "other", "instance": "other"}, {"1st": "x"}))),
        ({"k": "v"}, {}, "resource.no.identity"), ({"service.name": 5}, {}, "resource.number.name"),
        (named, scope, "scope.plain"), (named, {"name": "lib"}, "scope.no.version"), (named, {"version": "1"}, "scope.no.name"),
        (named, {**scope, "attributes": samples.attributes({"name": "n", "version": "v", "schema_url": "u", "k.k": "x"})}, "scope.attributes"),
    ]


def request():
    """All of it in one request."""
    first = samples.request([*names(), *labels(), *values(), *natives(), *deltas(), *exemplars()],
                            {"service.name": "odd", "host.name": "h"}, {"name": "lib", "version": "1"})
    for resource, scope, name in resources():
        first["resourceMetrics"] += samples.request([gauge(name)], resource, scope)["resourceMetrics"]
    first["resourceMetrics"] += [
        {"resource": {"attributes": samples.attributes({"service.name": "s"})}, "schemaUrl": "https://example.test/r",
         "scopeMetrics": [{"scope": {"name": "lib"}, "schemaUrl": "https://example.test/s", "metrics": [gauge("scope.schema")]}]}]
    return first


# What the two ways out do not agree on, whatever the options: see the differences in test_same_series.py.
DISPUTED = {"native.stale", "native.merged", "native.too.coarse", "delta.counter", "delta.gauge", "delta.histogram", "delta.native", "value.no.points",
            "value.stale.histogram", "label.collide", "label.collide.equal", "label.identity", "resource.odd.3", "resource.odd.7"}


def agreed():
    """All but those."""
    made = request()
    for r in made["resourceMetrics"]:
        for s in r["scopeMetrics"]:
            s["metrics"] = [m for m in s["metrics"] if m["name"] not in DISPUTED]
    made["resourceMetrics"] = [r for r in made["resourceMetrics"] if any(s["metrics"] for s in r["scopeMetrics"])]
    return made
