"""Prometheus and VictoriaMetrics: started, and asked what they have."""
import json
import re
import urllib.parse
import urllib.request

import peers
from peers import lib

STALE = "stale"  # stands for the value of a stale marker


def ask(port, path, **parameters):
    """The data of an answer of the query API."""
    query = urllib.parse.urlencode(parameters, doseq=True)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}?{query}", timeout=lib.LIMIT) as r:
        answer = json.load(r)
    if answer["status"] != "success":
        raise AssertionError(f"{path} {parameters}: {answer}")
    return answer["data"]


def series(name, **labels):
    """What stands for one series wherever a test compares them: its labels as a sorted tuple, the name among them."""
    return tuple(sorted({"__name__": name, **labels}.items()))


def key(labels):
    return tuple(sorted(labels.items()))


def shown(one):
    """A series as a selector; a name as it is."""
    if isinstance(one, str):
        return one
    labels = dict(one)
    return labels.pop("__name__", "") + "{" + ", ".join(f"{k}={v!r}" for k, v in labels.items()) + "}"


def differences(found, wanted):
    """Lines of text: what is missing, too much or another value, one line a series."""
    lines = [f"missing   {shown(s)} {wanted[s]}" for s in wanted.keys() - found.keys()]
    lines += [f"unwanted  {shown(s)} {found[s]}" for s in found.keys() - wanted.keys()]
    lines += [f"different {shown(s)}\n    found  {found[s]}\n    wanted {wanted[s]}" for s in found.keys() & wanted.keys()
              if found[s] != wanted[s]]
    return sorted(lines)


class Case(lib.Case):
    def wait_equal(self, look, wanted):
        """Until a look (a dictionary by series, or a set of series) is what is wanted; fails with the differences."""
        last = []

        def same():
            last[:] = [look()]
            return last[0] == wanted
        try:
            lib.wait_until(same, "the destination has what was sent")
        except AssertionError as e:
            found, wished = (x if isinstance(x, dict) else dict.fromkeys(x, "") for x in (last[0], wanted))
            raise AssertionError(f"{e}\n" + "\n".join(differences(found, wished))) from None


class Database(peers.Peer):
    """What both have in common; `port` is set before it starts."""

    ready = ""  # where it says that it is ready

    def wait(self):
        """Until it answers queries."""
        return self.wait_ready(lambda: lib.get(self.port, self.ready).status == 200, f"port {self.port} is ready")

    @property
    def write(self):
        return f"http://127.0.0.1:{self.port}/api/v1/write"

    def metadata(self):
        """{metric: ((type, help, unit), …)}; of Prometheus: of what it scrapes."""
        return {name: tuple(sorted({(m["type"], m["help"], m.get("unit", "")) for m in all_of}))
                for name, all_of in ask(self.port, "/api/v1/metadata").items()}


class Prometheus(Database):
    """A receiver of remote write, and a scraper where jobs (YAML, a list) are given. `old` is Debian's version 2."""

    ready = "/-/ready"

    def __init__(self, old=False, jobs="[]"):
        self.port, self.old = lib.free_port(), old
        features = "exemplar-storage,native-histograms" + ("" if old else ",metadata-wal-records,created-timestamp-zero-ingestion")
        super().__init__("prometheus-debian" if old else "prometheus", f"""
global: {{scrape_interval: 200ms, scrape_timeout: 200ms}}
storage: {{exemplars: {{max_exemplars: 100000}}}}
scrape_configs: {jobs}
""", ("--config.file={config}", "--storage.tsdb.path={folder}/tsdb", f"--web.listen-address=127.0.0.1:{self.port}",
            "--web.enable-remote-write-receiver", "--scrape.discovery-reload-interval=100ms", f"--enable-feature={features}"))
        self.wait()

    def raw(self, at, selector='{__name__!=""}', back="1h"):
        """{series: [(milliseconds, value or histogram)]} of the samples as they are stored, up to a time in seconds."""
        data = ask(self.port, "/api/v1/query", query=f"{selector}[{back}]", time=at)
        found = {}
        for s in data["result"]:
            values = [(round(t * 1000), float(v)) for t, v in s.get("values", [])]
            values += [(round(t * 1000), native(h)) for t, h in s.get("histograms", [])]
            found[key(s["metric"])] = sorted(values, key=lambda one: one[0])
        return found

    def now(self, at, selector='{__name__!=""}'):
        """{series: value} of an instant query: what is not stale."""
        data = ask(self.port, "/api/v1/query", query=selector, time=at)
        return {key(s["metric"]): native(s["histogram"][1]) if "histogram" in s else float(s["value"][1]) for s in data["result"]}

    def exemplars(self, start, end, selector='{__name__!=""}'):
        """{series: [(milliseconds, value, labels)]}."""
        data = ask(self.port, "/api/v1/query_exemplars", query=selector, start=start, end=end)
        return {key(s["seriesLabels"]): sorted((round(e["timestamp"] * 1000), float(e["value"]), key(e["labels"]))
                                               for e in s["exemplars"]) for s in data}

    def targets(self):
        return ask(self.port, "/api/v1/targets")["activeTargets"]


def native(h):
    """A native histogram of the query API: (count, sum, ((from, to, count), …))."""
    return (float(h["count"]), float(h["sum"]),
            tuple((float(left), float(right), float(count)) for _, left, right, count in h.get("buckets", [])))


def ranges(one, h):
    """{series: value}: what VictoriaMetrics makes of a native histogram."""
    labels = dict(one)
    name = labels.pop("__name__")
    count, total, buckets = h
    found = {series(f"{name}_count", **labels): count, series(f"{name}_sum", **labels): total}
    for left, right, n in buckets:
        found[series(f"{name}_bucket", **labels, vmrange=f"{left:.3e}...{right:.3e}")] = n
    return found


class VictoriaMetrics(Database):
    ready = "/health"

    def __init__(self):
        self.port = lib.free_port()
        super().__init__("victoria-metrics", "", (
            "-storageDataPath={folder}/data", f"-httpListenAddr=127.0.0.1:{self.port}", "-retentionPeriod=30d",
            "-search.latencyOffset=0s", "-memory.allowedBytes=128MiB", "-enableMetadata", "-loggerLevel=WARN"))
        self.wait()

    def raw(self, at=None, selector='{__name__!=""}'):
        """{series: [(milliseconds, value)]}; STALE where a series was ended."""
        lib.get(self.port, "/internal/force_flush")
        r = lib.get(self.port, "/api/v1/export?" + urllib.parse.urlencode({"match[]": selector}))
        if r.status != 200:
            raise AssertionError(f"export: {r.status} {r.body}")
        found = {}
        for line in r.body.decode().splitlines():
            s = json.loads(line)
            found.setdefault(key(s["metric"]), []).extend(
                (t, STALE if v is None else float(v)) for t, v in zip(s["timestamps"], s["values"]))
        return {k: sorted(v, key=lambda one: one[0]) for k, v in found.items()}


LABELS = r'(?:[^"}]|"(?:\\.|[^"\\])*")*'
LINE = re.compile(rf"([a-zA-Z_:][\w:]*)(?:\{{({LABELS})\}})? (\S+)(?: (\S+))?(?: # \{{({LABELS})\}} (\S+)(?: (\S+))?)?")


def labels_of(text):
    return {k: re.sub(r"\\(.)", lambda c: "\n" if c.group(1) == "n" else c.group(1), v)
            for k, v in re.findall(r'([\w:.]+)="((?:\\.|[^"\\])*)"', text or "")}


def page(text):
    """An exposition: {series: value}, {family: {"TYPE": …, "HELP": …, "UNIT": …}}, {series: (value, labels)} of exemplars."""
    values, families, exemplars = {}, {}, {}
    for line in text.split("\n"):
        if line.startswith("# ") and line != "# EOF":
            _, word, name, *said = line.split(" ", 3)
            if word in families.setdefault(name, {}):
                raise AssertionError(f"twice on the page: {line!r}")
            families[name][word] = said[0] if said else ""
            continue
        if line in ("", "# EOF"):
            continue
        m = LINE.fullmatch(line)
        if m is None:
            raise AssertionError(f"not a line of an exposition: {line!r}")
        one = series(m.group(1), **labels_of(m.group(2)))
        if one in values:
            raise AssertionError(f"twice on the page: {line!r}")
        values[one] = float(m.group(3))
        if m.group(6):
            exemplars[one] = (float(m.group(6)), key(labels_of(m.group(5))))
    return values, families, exemplars
