"""StatsD in, Prometheus out: python3 bench/metrics.py [--rounds N] [--seconds S] [--systems a,b] [row…]

Systems run pinned to core 0, load and sink on core 1; CPU time is the scheduler's (schedstat), per packet or line that
the system has really received (sent minus what the kernel dropped at its socket), per data point that was acknowledged.
Rounds go forth and back (ABBA); a ratio is that of one round's sums, the table gives the median, lowest and highest.
"""
import argparse
import json
import os
import re
import socket
import statistics
import string
import subprocess
import sys
import time
import urllib.request

import measure
import systems
from scenarios import Scenario

FLOOD_LINES, DISTINCT, CAP = 1, 10_000_000, 100_000


class Peer:
    """A program that takes StatsD, or data points for remote write."""
    def __init__(self, name, program, config=None, env=None, note=""):
        self.name, self.program, self.config, self.env, self.note = name, program, config, env or {}, note

    def available(self):
        return self.program is not None

    def command(self, path, fill):
        if self.name == "brubeck":
            return [self.program, f"--config={path}"]
        if self.name == "drain":
            return [self.program, "--unix", fill["path"]] if fill["path"] else [self.program, "--port", fill["port"]]
        return [self.program, "--config", path]


class Started:
    """A running peer with its sockets."""
    def __init__(self, peer, folder, core="0", **fill):
        self.peer, self.folder = peer, os.path.join(folder, peer.name)
        os.makedirs(self.folder, exist_ok=True)
        self.port, self.page = udp_port(), systems.free_port()
        self.fill = {"port": self.port, "page": self.page, "grpc": systems.free_port(), "path": "",
                     "out": 0, "interval": "10s", "cap": CAP, "folder": self.folder, "endpoint": f"127.0.0.1:{self.port}",
                     "transport": "udp", "buffer": 64 << 20, "exporter": "nop:", "to": "nop", "dump": os.path.join(self.folder, "dump"), **fill}
        if self.fill["path"]:
            self.fill.update(endpoint=self.fill["path"], transport="unixgram")
        self.log = open(os.path.join(self.folder, "log"), "wb")
        self.process = subprocess.Popen(
            ["taskset", "-c", core] + [str(x) for x in peer.command(self.configure(), self.fill)],
            stdout=self.log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env={**os.environ, **peer.env})

    def configure(self):
        if self.peer.config is None:
            return None
        with open(os.path.join(systems.HERE, "peers", self.peer.config), encoding="utf-8") as f:
            text = string.Template(f.read()).substitute(self.fill)
        path = os.path.join(self.folder, self.peer.config)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def wait_for(self, there):
        end = time.monotonic() + systems.START_LIMIT
        while time.monotonic() < end and self.process.poll() is None:
            if there():
                return self
            time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"{self.peer.name} did not start; see {self.folder}/log")

    def wait_socket(self):
        if self.fill["path"]:
            return self.wait_for(lambda: os.path.exists(self.fill["path"]))
        return self.wait_for(lambda: kernel_drops(self.port) is not None)

    def wait_tcp(self, port):
        return self.wait_for(lambda: open_port(port))

    def memory(self):
        return systems.Running.memory(self)

    def pids(self):
        return systems.Running.pids(self)

    def page_values(self):
        """Own metrics by name and labels, as the page of Leat gives them."""
        text = urllib.request.urlopen(f"http://127.0.0.1:{self.page}/metrics", timeout=5).read().decode()
        return {m[1] + (m[2] or ""): float(m[3])
                for m in re.finditer(r"^([a-z_]+)(\{.*\})? (\S+)$", text, re.M)}

    def stop(self):
        systems.Running.stop(self)


def open_port(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def udp_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def kernel_drops(port):
    """Datagrams the kernel has dropped at the sockets of this port; None: nobody is bound."""
    found = None
    for name in ("udp", "udp6"):
        with open(f"/proc/net/{name}", encoding="ascii") as f:
            for line in f:
                part = line.split()
                if len(part) > 12 and part[1].endswith(f":{port:04X}"):
                    found = (found or 0) + int(part[12])
    return found


def statsd_load(started, **options):
    command = ["taskset", "-c", "1", os.path.join(measure.TOOLS, "statsd_load")]
    command += ["--unix", started.fill["path"]] if started.fill["path"] else ["--to", f"127.0.0.1:{started.port}"]
    for key, value in options.items():
        command += [f"--{key}"] if value is True else [f"--{key}", str(value)]
    command += [x for p in started.pids() for x in ("--pid", str(p))] + ["--core", "0"]
    out = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    if out.returncode != 0:
        raise RuntimeError(f"statsd_load: {out.stderr.strip()}")
    return json.loads(out.stdout)


def peers(build):
    leat = systems.find("leat", os.environ.get("LEAT"), os.path.join(build, "leat"))
    otelcol = systems.find("otelcol", os.path.join(systems.PEERS, "bin", "otelcol"))
    brubeck = systems.find("brubeck", os.path.join(systems.PEERS, "bin", "brubeck"))
    one = {"GOMAXPROCS": "1"}
    return {
        "statsd": {p.name: p for p in (
            Peer("leat", leat, "statsd-leat.yaml"), Peer("brubeck", brubeck, "brubeck.json"),
            Peer("otelcol", otelcol, "statsd-otelcol.yaml", one),
            Peer("drain", os.path.join(measure.TOOLS, "statsd_drain")))},
        "write": {p.name: p for p in (Peer("leat", leat, "write-leat.yaml"),
                                      Peer("otelcol", otelcol, "write-otelcol.yaml", one))},
        "live": Peer("leat", leat, "live-leat.yaml"),
    }


# --- CPU per item, beside peers

STATSD = {
    # name: (what, options of the load, packets a second per system, systems)
    "one-line": ("UDP, one line a packet, 3,000 series", {"lines": 1}, ("leat", "drain", "brubeck", "otelcol")),
    "thirty-lines": ("UDP, 30 lines a packet, 3,000 series", {"lines": 30}, ("leat", "drain", "brubeck", "otelcol")),
    "dogstatsd-unix": ("DogStatsD, Unix datagrams of 8 KiB, 3,000 series", {"lines": 60, "kind": "dog"},
                       ("leat", "drain")),
}
RATES = {"one-line": 300_000, "thirty-lines": 150_000, "dogstatsd-unix": 60_000}
SLOW = {"otelcol": {"one-line": 60_000, "thirty-lines": 4_000}}


def statsd_once(row, started, args):
    name, before = started.peer.name, kernel_drops(started.port) or 0
    rate = SLOW.get(name, {}).get(row, RATES[row])
    m = statsd_load(started, seconds=args.seconds, rate=rate, **STATSD[row][1])
    m["drops"] = (kernel_drops(started.port) or 0) - before
    m["segments"] = m["retransmits"] = 0
    m["disturbed"] = measure.disturbances(m, True)
    got = m["packets"] - m["drops"]
    m["ns_packet"], m["ns_line"] = m["cpu_ns"] / got, m["cpu_ns"] / (got * STATSD[row][1]["lines"])
    m["gb_s"] = m["bytes"] / m["cpu_ns"]
    return m


def write_once(_row, started, args):
    m = measure.load(Scenario("remote-write", "", payload="points-varied-1000"), f"127.0.0.1:{started.fill['grpc']}",
                     started.pids(), core=0, warmup=args.warmup, seconds=args.seconds, pool=100, streams=8)
    m["segments"], m["retransmits"], m["disturbed"] = 1, 0, []
    m["disturbed"] = measure.disturbances(m, True)
    if m["acks"] == 0:
        raise RuntimeError(f"{started.peer.name}: nothing was acknowledged ({m['last_status']})")
    m["ns_item"] = m["cpu_ns"] / (m["acks"] * 1000)
    return m


def rounds(row, running, once, args):
    result = []
    for n in range(1, args.rounds + 1):
        one = {name: [] for name in running}
        for name in [*running, *list(running)[::-1]]:
            one[name].append(once(row, running[name], args))
        result.append(one)
        print(f"  round {n}: " + ", ".join(
            f"{name} {sum(m['cpu_ns'] for m in ms) / 1e6:.0f} ms" + ("*" if any(m["disturbed"] for m in ms) else "")
            for name, ms in one.items()), file=sys.stderr, flush=True)
    return result


def run_statsd(row, known, args, folder):
    running = {}
    for name in STATSD[row][2]:
        if (args.systems and name not in args.systems) or not known["statsd"][name].available():
            continue
        path = os.path.join(folder, f"{name}.sock") if row.endswith("unix") else ""
        running[name] = Started(known["statsd"][name], folder, path=path).wait_socket()
    try:
        result = rounds(row, running, statsd_once, args)
        return cpu_table(row, result, running, ["ns_packet", "ns_line", "gb_s", "drops"])
    finally:
        for s in running.values():
            s.stop()


def run_write(row, known, args, folder):
    sink, running = measure.Sink(folder), {}
    try:
        for name, peer in known["write"].items():
            if peer.available() and (not args.systems or name in args.systems):
                s = Started(peer, folder, out=sink.http)
                running[name] = s.wait_tcp(s.fill["grpc"])
                write_once(row, s, argparse.Namespace(warmup=0.2, seconds=1))  # every series is known afterwards
        result = rounds(row, running, write_once, args)
        return cpu_table(row, result, running, ["ns_item"])
    finally:
        for s in running.values():
            s.stop()
        sink.stop()


def run_write_proof(row, known, args, folder):
    """Every point is a sample at the destination, and the same ones whichever system wrote them."""
    found = {}
    for name, peer in known["write"].items():
        if not peer.available() or (args.systems and name not in args.systems):
            continue
        sink = measure.Sink(folder, "--write", name=name)
        s = Started(peer, folder, out=sink.http)
        try:
            s.wait_tcp(s.fill["grpc"])
            m = measure.load(Scenario("remote-write", "", payload="points-varied-1000"), f"127.0.0.1:{s.fill['grpc']}",
                             core=0, seconds=60, pool=CAP // 1000, count=CAP // 1000, connections=1, streams=1)
            sink.settle()
        finally:
            s.stop()
            found[name] = sink.stop()
        found[name]["points"] = m["acks"] * 1000
    return {"row": row, "found": found}


def write_proof_claims(found):
    leat, other = found.get("leat"), found.get("otelcol")
    if leat is None:
        return []
    wrong = sum(leat[k] for k in ("malformed", "bad_labels", "older"))
    rows = [("samples = points", leat["samples"] - leat["info"], leat["samples"] - leat["info"] == leat["points"] > 0),
            ("malformed, badly labelled or out of order", wrong, wrong == 0)]
    if other is not None:
        same = leat["digest"] == other["digest"]
        rows.append(("the samples otelcol writes, by series, time and value", float(same), same))
    return rows


def cpu_table(row, result, running, keys):
    names = list(running)
    table = {"row": row, "systems": {}, "ratios": {}}
    for name in names:
        ms = [m for one in result for m in one[name]]
        table["systems"][name] = {k: statistics.median(m[k] for m in ms) for k in keys}
        table["systems"][name].update(rss=running[name].memory()[0], disturbed=sum(bool(m["disturbed"]) for m in ms),
                                      measured=len(ms))
    key = "ns_item" if "ns_item" in keys else "ns_packet"
    for name in names[1:]:
        values = sorted(sum(m[key] for m in one[names[0]]) / sum(m[key] for m in one[name]) for one in result)
        table["ratios"][name] = [statistics.median(values), values[0], values[-1]]
    table["raw"] = result
    return table


# --- nothing lost unseen, memory within its bound

def value_of(values, name):
    return sum(v for k, v in values.items() if k.split("{")[0] == name)


def settle(started, name, seconds=20):
    """The counter when it does not grow any more."""
    end, last = time.monotonic() + seconds, None
    while time.monotonic() < end and (now := value_of(started.page_values(), name)) != last:
        last = now
        time.sleep(0.5)
    return started.page_values()


def run_flood(row, known, args, folder):
    """As many packets as the sender can, into a small socket buffer: received + drops reported = sent."""
    started = Started(known["statsd"]["leat"], folder, interval="1s", buffer=32 << 10).wait_socket()
    try:
        m = statsd_load(started, seconds=args.long, lines=FLOOD_LINES)
        values = settle(started, "leat_statsd_packets_total")
        got, dropped = (value_of(values, n) for n in ("leat_statsd_packets_total", "leat_statsd_kernel_drops_total"))
        return {"row": row, "sent": m["packets"], "received": got, "drops": dropped,
                "difference": m["packets"] - got - dropped, "cpu_ns": m["cpu_ns"], "wall_ns": m["wall_ns"],
                "rss": started.memory()[1]}
    finally:
        started.stop()


def run_cap(row, known, args, folder):
    """10 M series in a minute where 100,000 are allowed; the load stays below what the socket holds. At the end all is
    flushed into a file: every known series stands there with its one sample, the overflow series with the rest."""
    path, lines = os.path.join(folder, "points.json"), 20
    if os.path.exists(path):
        os.remove(path)
    started = Started(known["statsd"]["leat"], folder, interval="10m", to="file",
                      exporter=f"file: {{path: {path}}}").wait_socket()
    try:
        m = statsd_load(started, distinct=True, lines=lines, rate=DISTINCT / lines / 55, count=DISTINCT // lines,
                        seconds=120)
        values = settle(started, "leat_statsd_packets_total")
        result = {"row": row, "sent_lines": m["lines"], "wall_s": m["wall_ns"] / 1e9,
                  "samples": value_of(values, "leat_statsd_samples_total"),
                  "table_bytes": value_of(values, "leat_statsd_table_bytes"),
                  "drops": value_of(values, "leat_statsd_kernel_drops_total"), "rss": started.memory()}
    finally:
        started.stop()
    return {**result, **written(path)}


def written(path):
    """The points of a file of OTLP/JSON: series with their values, and what overflowed."""
    known, wrong, overflow = set(), 0, 0
    with open(path, encoding="utf-8") as f:
        for line in f:
            for metric in (m for r in json.loads(line)["resourceMetrics"] for s in r["scopeMetrics"]
                           for m in s["metrics"]):
                for point in metric["sum"]["dataPoints"]:
                    value = int(point.get("asInt", 0))
                    if any(a["key"] == "otel.metric.overflow" for a in point.get("attributes", [])):
                        overflow += value
                    else:
                        wrong += value != 1 or metric["name"] in known
                        known.add(metric["name"])
    return {"known": len(known), "wrong": wrong, "overflow": overflow}


def run_live(row, known, args, folder):
    """StatsD to remote write with 100,000 live series, each touched in every interval."""
    sink = measure.Sink(folder)
    started = Started(known["live"], folder, interval="5s", out=sink.http).wait_socket()
    try:
        peak = 0
        for _ in range(6):
            statsd_load(started, lines=25, series=CAP, count=CAP // 25, rate=2000, seconds=20)
            time.sleep(3)
            peak = max(peak, started.memory()[0])
        return {"row": row, "rss": started.memory(), "highest_seen": peak, "sink": sink.counters()[:2],
                "values": {k: v for k, v in started.page_values().items() if "series" in k or "bytes" in k}}
    finally:
        started.stop()
        sink.stop()


ROWS = {**{name: run_statsd for name in STATSD}, "remote-write": run_write, "remote-write-proof": run_write_proof,
        "flood": run_flood, "cap": run_cap, "live-series": run_live}


# --- what must be shown

def claims(r):
    """(claim, shown, kept) for every must of this row."""
    leat, ratio = r.get("systems", {}).get("leat"), r.get("ratios", {})
    if "systems" in r and leat is None:
        return []
    rows = {
        "one-line": lambda: [("≥ 1.6 M packets per CPU second", 1e3 / leat["ns_packet"], 1e3 / leat["ns_packet"] >= 1.6),
                             *over(ratio, "drain", 1.6)],
        "thirty-lines": lambda: [("≥ 20 M lines per CPU second", 1e3 / leat["ns_line"], 1e3 / leat["ns_line"] >= 20),
                                 *over(ratio, "brubeck", 1 / 1.3), *over(ratio, "otelcol", 1 / 20)],
        "dogstatsd-unix": lambda: [("≥ 1 GB/s per CPU second", leat["gb_s"], leat["gb_s"] >= 1)],
        "remote-write": lambda: [("≥ 3.5 M samples per CPU second", 1e3 / leat["ns_item"], 1e3 / leat["ns_item"] >= 3.5),
                                 *over(ratio, "otelcol", 1 / 10)],
        "remote-write-proof": lambda: write_proof_claims(r["found"]),
        "flood": lambda: [("received + drops = sent", r["difference"], r["difference"] == 0)],
        "cap": lambda: [("samples = lines sent - drops", r["samples"], r["drops"] == 0 and r["samples"] == r["sent_lines"]),
                        ("100,000 known series, each exact", r["known"], r["known"] == CAP and r["wrong"] == 0),
                        ("the overflow series has the rest", r["overflow"], r["overflow"] == r["samples"] - CAP)],
        "live-series": lambda: [("RSS ≤ 40 MiB", r["highest_seen"], r["highest_seen"] <= 40)],
    }
    return rows[r["row"]]()


def over(ratio, peer, most):
    if peer not in ratio:
        return []
    return [(f"CPU ≤ {most:.3g} × {peer}", ratio[peer][0], ratio[peer][0] <= most)]


def show(r):
    print(f"\n### {r['row']}" + (f": {STATSD[r['row']][0]}" if r["row"] in STATSD else ""))
    for name, s in r.get("systems", {}).items():
        print(f"- {name}: " + ", ".join(f"{k} {v:.4g}" for k, v in s.items()))
    for name, (mid, low, high) in r.get("ratios", {}).items():
        print(f"- CPU {next(iter(r['systems']))} / {name}: {mid:.3f} ({low:.3f}–{high:.3f})")
    if "systems" not in r:
        print("- " + ", ".join(f"{k} {v}" for k, v in r.items() if k != "row"))
    for claim, shown, kept in claims(r):
        print(f"- must: {claim}: {shown:.4g} → {'yes' if kept else '**no**'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("row", nargs="*", help="; ".join(ROWS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--warmup", type=float, default=0.3)
    parser.add_argument("--long", type=float, default=30, help="seconds of the flood")
    parser.add_argument("--systems", default="", help="only these, by comma")
    parser.add_argument("--out", default=os.path.join(measure.TOOLS, "results"))
    args = parser.parse_args()
    args.systems = [s for s in args.systems.split(",") if s]
    unknown = [n for n in args.row if n not in ROWS]
    if unknown:
        parser.error(f"unknown row {', '.join(unknown)}")
    known, results = peers(measure.BUILD), []
    for row in args.row or ROWS:
        print(f"{row}", file=sys.stderr)
        folder = os.path.join(args.out, row)
        os.makedirs(folder, exist_ok=True)
        results.append(ROWS[row](row, known, args, folder))
        show(results[-1])
    with open(os.path.join(args.out, "metrics.json"), "w", encoding="utf-8") as f:
        json.dump(results, f, indent=1)
    return 0 if all(kept for r in results for _, _, kept in claims(r)) else 1


if __name__ == "__main__":
    sys.exit(main())
