"""Overload: bash bench/run.sh overload [--seconds S] [--systems a,b] [--budget MIB] [row…]

What a system does when more comes than it can pass on: its memory, what it still passes on, what it tells those it
refuses, and whether everything it acknowledged arrives. bench/README.md, "Overload", says how it is measured.
"""
import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass

import measure
import overload_report
import overload_run as do
import systems
from scenarios import Scenario

SPARE_MIB = 16          # resident memory may be so much above the budget
GOODPUT = 0.95
REFUSAL_P99_MS = 5
BACK_WITHIN = 2         # seconds
OTHERS_RATE, OTHERS_P99 = 0.95, 1.10
CORE_MOST = 0.90        # load and sink together, of their core: above that the tools are the limit
OFFERED_LEAST = 0.98    # of what was due must have been sent, or found no stream: else the load is the limit
BEHIND_MOST = 0.01      # requests sent late by the load's own fault: above that no time is judged
WAIT_MOST = 0.02        # of the time the system waited for its core: above that no time is judged
PEAK_MOST = 1.05        # more than the peak passed: then what was offered was no 2 × or 4 × of it
REFUSALS_LEAST = 100    # for a quantile to be one
WARM = 4                # seconds until an overloaded system is full
PATIENCE_MS = 200
POOL = 60               # bodies with ids of their own
CONNECTIONS = {"grpc": 8, "http": 512}
CONNECTIONS_SMALL = 24  # where bodies are so small that thousands fit
STREAMS = 900           # of each gRPC connection; servers allow 1000 and more
OFF, ON = "{enabled: false}", "{enabled: true}"


@dataclass
class Row:
    name: str
    what: str
    kind: str                       # offered, stop, apart, fan-out
    loads: tuple = ()               # scenarios that send at the same time, each its share
    capacity: float = 0             # of the destination, requests a second; 0: the system is the limit
    queue: str = OFF
    retry: str = OFF
    timeout: str = "5s"             # of the exporter: the default
    kill: bool = False              # the destination is killed and started again, not stalled
    cgroup: bool = False
    apart: bool = False             # a receiver and a pipeline for each destination
    sinks: int = 1
    rotel: bool = False


def sends(name, **more):
    return Scenario(name, name, **more)


GRPC = sends("grpc")
HTTP = sends("http", protocol="http")
JSON = sends("json", protocol="http", json=True)
GZIP = sends("gzip", encoding="gzip")
SMALL = sends("small", payload="logs-varied-20")
TINY = sends("tiny", payload="logs-tiny-1")
HUNDRED = sends("hundred", payload="logs-varied-100")

SLOW = "30s"  # where a full budget is some seconds of work for the destination

ROWS = [
    Row("grpc", "gRPC, destination is the limit", "offered", (GRPC,), 100, rotel=True, timeout=SLOW),
    Row("http", "HTTP, destination is the limit", "offered", (HTTP,), 100, rotel=True, timeout=SLOW),
    Row("json", "OTLP/JSON, destination is the limit", "offered", (JSON,), 50, timeout=SLOW),
    Row("gzip", "gRPC gzip, destination is the limit", "offered", (GZIP,), 100, rotel=True, timeout=SLOW),
    Row("mixed", "gRPC, HTTP, JSON and gzip at once, destination is the limit", "offered", (GRPC, HTTP, JSON, GZIP), 80, timeout=SLOW),
    Row("small", "gRPC, 20 logs a request, destination is the limit", "offered", (SMALL,), 2000, timeout=SLOW),
    Row("tiny", "gRPC, 1 log a request, destination is the limit", "offered", (TINY,), 2000, timeout=SLOW),
    Row("cpu-gzip", "gRPC gzip in and out, the system's CPU is the limit", "offered",
        (sends("gzip", encoding="gzip", out="gzip"),)),
    Row("cpu-json", "OTLP/JSON in, gzip out, the system's CPU is the limit", "offered",
        (sends("json", protocol="http", json=True, out="gzip"),)),
    Row("stall", "destination stops reading, no queue", "stop", (GRPC,), 100),
    Row("stall-queue", "destination stops reading, sending_queue and retry as by default", "stop", (GRPC,), 100, ON, ON),
    Row("restart", "destination killed and started again, no queue", "stop", (GRPC,), 100, kill=True),
    Row("restart-queue", "destination killed and started again, sending_queue and retry as by default", "stop", (GRPC,),
        100, ON, ON, kill=True),
    Row("apart", "three pipelines, one destination stops reading", "apart", (HUNDRED,), queue=ON, retry=ON, apart=True, sinks=3),
    Row("fan-out", "one pipeline to three destinations, one stops reading", "fan-out", (HUNDRED,), queue=ON, retry=ON, sinks=3),
    Row("cgroup", "4 × in a memory cgroup, nothing said of memory", "offered", (GRPC,), 100, cgroup=True, timeout=SLOW),
    Row("cgroup-stall", "destination stops reading, in a memory cgroup, nothing said of memory", "stop", (GRPC,), 100,
        cgroup=True),
]
BY_NAME = {r.name: r for r in ROWS}
ELSEWHERE = ("connections", "fairness")  # rows that are programs of their own beside this one


class Bench:
    """One row with one system: its sinks, the running system, its numbers."""
    def __init__(self, row, system, args, folder):
        self.row, self.args, self.folder = row, args, folder
        os.makedirs(folder, exist_ok=True)
        self.first_ids, at = [], 0
        for s in row.loads:
            self.first_ids.append(at)
            at += POOL * s.items
        self.ids_max = at * (row.sinks if row.apart else 1)
        self.proof = bool(row.capacity or row.sinks > 1)  # the sinks have time to look for ids
        self.ids_of_one = at
        self.sinks = []  # one group for each destination: more than one when it was started again
        self.cgroup = do.Cgroup(args.budget * do.MIB) if row.cgroup else None
        self.acked, self.runs, self.running = [], 0, None
        try:
            for n in range(row.sinks):
                self.sinks.append([self.sink(f"sink{n}")])
            self.running = self.wrapped(system).start(row.loads[0], [g[0] for g in self.sinks], folder)
        except RuntimeError:
            self.stop()
            raise

    def wrapped(self, system):
        if isinstance(system, systems.Rotel):
            return do.Unbounded(system)
        return do.Budgeted(system, self.row, self.args.budget, self.cgroup)

    def sink(self, name, *more):
        rate = ["--rate", str(self.row.capacity)] if self.row.capacity else []
        return do.Sink(self.folder, name, self.ids_max if self.proof else 0, *rate, *more)

    def command(self, scenario, first_id, address, seconds, rate=0, warmup=0, **more):
        self.runs += 1
        acked = os.path.join(self.folder, f"acked{self.runs}")
        self.acked.append(acked)
        http = scenario.protocol == "http"
        if rate:
            more = {"rate": rate, "patience": PATIENCE_MS, "connections": self.connections(scenario), "streams": STREAMS, **more}
        plain = f"{scenario.payload}.{'json' if scenario.json else 'pb'}"
        return measure.load_command(
            scenario, address, self.running.pids(), **{"connections": 16 if http else 4, "streams": 4,
            "seconds": seconds, "warmup": warmup, "pool": POOL, "first_id": first_id, "acked": acked, "file": plain,
            "drain": 20, **more})

    @staticmethod
    def connections(scenario):
        return CONNECTIONS_SMALL if scenario.items < 100 else CONNECTIONS[scenario.protocol]

    def loads(self, seconds, rate=0, warmup=0, meanwhile=None, **more):
        """Every load of the row at its share of the rate; as one."""
        commands = []
        for s, first in zip(self.row.loads, self.first_ids):
            commands.append(self.command(s, first, self.running.addresses[0][s.protocol], seconds,
                                         rate / len(self.row.loads), warmup, **more))
        before = [do.schedstat(g[-1].process.pid)[0] for g in self.sinks]
        one = do.together(do.run_loads(commands, seconds + warmup + 20, meanwhile))
        one["sink_cpu_ns"] = sum(do.schedstat(g[-1].process.pid)[0] for g in self.sinks) - sum(before)
        one.update(span_ns=(seconds + warmup) * 1e9, due=rate * one["wall_ns"] / 1e9)
        return one

    def all_sink_paths(self):
        return [s.ids_path for g in self.sinks for s in g]

    def alive(self):
        return self.running.process.poll() is None

    def stop(self):
        if self.running is not None:
            self.running.stop()
        for g in self.sinks:
            for s in g:
                s.stop()
        if self.cgroup is not None:
            self.cgroup.remove()


def invalid(m):
    """Why this measurement says nothing of the system: words; empty when it does."""
    why = []
    core = (m["own_cpu_ns"] / m["wall_ns"]) + (m["sink_cpu_ns"] / m["span_ns"])
    if core > CORE_MOST:
        why.append(f"load and sink took {core:.0%} of their core")
    if m["sent"] + m["unsent"] < OFFERED_LEAST * m["due"]:
        why.append(f"the load offered {m['sent'] + m['unsent']} of {m['due']:.0f}")
    return why


def disturbed(*ms):
    """Why times measured here say nothing: words; empty when they do."""
    wait = max(m["wait_ns"] / m["wall_ns"] for m in ms)
    late = max(m["behind"] / max(1, m["sent"]) for m in ms)
    why = [f"the system waited {wait:.0%} of the time for its core"] if wait > WAIT_MOST else []
    return why + ([f"the load sent {late:.0%} late"] if late > BEHIND_MOST else [])


def timed(claim, shown, ok, *ms):
    """A verdict on a time or a rate: none where something else ran on the cores, unless it was kept even so."""
    why = disturbed(*ms)
    return (claim, f"{shown} ({'; '.join(why)})" if why else shown, True if ok else None if why else False)


def memory_verdict(bench, watch):
    limit = bench.args.budget + SPARE_MIB
    high = max(watch.peak, watch.high or 0)
    if bench.cgroup is not None:
        kills = bench.cgroup.kills()
        peak = bench.cgroup.peak()
        shown = f"{kills} killed, {peak:.1f} MiB of {bench.args.budget}" if peak else f"{kills} killed"
        return ("no kill in the cgroup", shown, kills == 0 and bench.alive())
    return (f"RSS ≤ {bench.args.budget} + {SPARE_MIB} MiB", f"{high:.1f}", high <= limit)


def refusal_verdicts(m):
    bad = m["refused_bare"] + m["refused_wrong"] + m["broken"]
    n = bad + m["refused"]
    kinds = ", ".join(f"{m[k]} {w}" for k, w in (("refused_bare", "without a delay"), ("refused_wrong", "not retryable"),
                                                 ("broken", "without an answer")) if m[k])
    found = [("every refusal retryable, with a delay", f"{n} refused" + (f": {kinds}" if kinds else ""), bad == 0)]
    return found


def refusal_time(m):
    p99 = m["refusal_p99_ns"] / 1e6
    if m["errors"] < REFUSALS_LEAST:
        return []
    return [timed(f"refusal p99 ≤ {REFUSAL_P99_MS} ms", f"{p99:.2f} ms", p99 <= REFUSAL_P99_MS, m)]


def lost_verdict(bench):
    lost, extra = do.wait_delivered(bench.acked, bench.all_sink_paths(), bench.alive)
    return ("acknowledged = delivered", f"{lost} lost, {extra} without acknowledgement or twice", lost == 0)


def offered(bench, numbers, verdicts):
    """The peak in a closed loop, then an open schedule at 2 × and 4 × of it."""
    row, seconds = bench.row, bench.args.seconds
    peak = bench.loads(max(3, min(10, seconds)), warmup=1)
    capacity = peak["acks"] / (peak["wall_ns"] / 1e9)
    numbers["peak"], numbers["capacity"] = peak, capacity
    if peak["acks"] == 0:
        raise RuntimeError(f"nothing was acknowledged (last status {peak.get('last_status')})")
    for factor in (4,) if row.cgroup else (2, 4):
        watch = do.Watch(bench.running, bench.sinks)
        try:
            m = bench.loads(seconds, factor * capacity, WARM)
        finally:
            watch.stop()
        goodput = m["acks"] / (m["wall_ns"] / 1e9)
        m.update(rss=watch.peak, high=watch.high, longest=watch.longest, samples=watch.samples, goodput=goodput)
        numbers[f"{factor}x"] = m
        why = invalid(m)
        ratio = goodput / capacity
        if ratio > PEAK_MOST:
            why.append(f"the peak of {capacity:.0f} requests/s was measured too low: {goodput:.0f} passed")
        if bench.proof:
            begin = m["begin_ns"]
            items = sum(s.items for s in row.loads) / len(row.loads)
            arrived = watch.rate(begin, begin + m["wall_ns"]) / items / capacity
            m["arrived"] = arrived
            ratio = min(ratio, arrived)
        found = [memory_verdict(bench, watch),
                 timed(f"goodput ≥ {GOODPUT:.0%} of {capacity:.0f} requests/s", f"{ratio:.1%}", ratio >= GOODPUT, m, peak),
                 *refusal_verdicts(m), *refusal_time(m)]
        verdicts += [(f"{factor} ×: {claim}", shown, None if why else ok) for claim, shown, ok in found]
        if why:
            verdicts.append((f"{factor} ×: valid", "; ".join(why), None))
        if m["unsent"]:
            numbers.setdefault("notes", []).append(f"{factor} ×: {m['unsent']} of {m['unsent'] + m['sent']} could not be sent: "
                                                   "no stream was free, the system reads no faster")
    if bench.proof:
        verdicts.append(lost_verdict(bench))


def stop(bench, numbers, verdicts):
    """Full load; the destination is gone for so many seconds, then back."""
    row, seconds = bench.row, bench.args.seconds
    peak = bench.loads(3, warmup=1)
    capacity = numbers["capacity"] = peak["acks"] / (peak["wall_ns"] / 1e9)
    before, after = 5, max(15, seconds / 2)
    at = {}

    def meanwhile():
        time.sleep(WARM + before)
        one = bench.sinks[0][0]
        at["gone"] = time.monotonic_ns()
        if row.kill:
            one.process.kill()
            one.process.wait()
        else:
            one.process.send_signal(10)  # SIGUSR1
        time.sleep(seconds)
        at["back"] = time.monotonic_ns()
        if row.kill:
            bench.sinks[0].append(bench.sink("sink0b", "--grpc", str(one.grpc), "--http", str(one.http)))
        else:
            one.process.send_signal(12)  # SIGUSR2
    watch = do.Watch(bench.running, bench.sinks)
    try:
        m = bench.loads(before + seconds + after, 1.2 * capacity, WARM, meanwhile)
    finally:
        watch.stop()
    items = row.loads[0].items
    back = at["back"] + BACK_WITHIN * 10**9
    rates = []
    for begin, end in ((m["begin_ns"], at["gone"]), (back, m["begin_ns"] + m["wall_ns"])):
        first, last = (begin - m["begin_ns"]) // 10**8 + 1, (end - m["begin_ns"]) // 10**8 - 1
        bins = m["bins"][int(first):int(last)]
        acked = sum(bins) / (len(bins) / 10) if bins else 0
        rates.append((acked, watch.rate(begin, end) / items))
    m.update(rss=watch.peak, high=watch.high, longest=watch.longest, before=rates[0], after=rates[1], samples=watch.samples)
    numbers["stop"] = m
    how = 1 if row.queue == ON else 0  # with a queue the answer says nothing of what arrives
    ratio = rates[1][how] / max(1e-9, rates[0][how])
    found = [memory_verdict(bench, watch),
             timed(f"throughput after {BACK_WITHIN} s ≥ {GOODPUT:.0%} of before",
                   f"{('acknowledged', 'arriving')[how]} {rates[0][how]:.0f} → {rates[1][how]:.0f} requests/s",
                   ratio >= GOODPUT, m), *refusal_verdicts(m)]
    why = invalid(m)
    verdicts += [(claim, shown, None if why else ok) for claim, shown, ok in found]
    if why:
        verdicts.append(("valid", "; ".join(why), None))
    verdicts.append(lost_verdict(bench))


PHASE_RATE = 150  # requests a second to each destination: far below what any system can, so only the stop matters


def phase(bench):
    """Loads for one phase, one per receiver: (results, rate of each sink)."""
    s = bench.row.loads[0]
    commands = [bench.command(s, n * bench.ids_of_one, a[s.protocol], bench.args.seconds, PHASE_RATE, 1)
                for n, a in enumerate(bench.running.addresses)]
    watch = do.Watch(bench.running, bench.sinks)
    try:
        results = do.run_loads(commands, bench.args.seconds + 20)
    finally:
        watch.stop()
    begin, end = results[0]["begin_ns"], results[0]["begin_ns"] + results[0]["wall_ns"]
    return results, [watch.rate(begin, end, n) / s.items for n in range(bench.row.sinks)], watch


def one_of_three(bench, numbers, verdicts):
    """All well, then the third destination stops reading: what becomes of the others."""
    well, well_rates, _ = phase(bench)
    bench.sinks[2][0].process.send_signal(10)
    try:
        ill, ill_rates, watch = phase(bench)
    finally:
        bench.sinks[2][0].process.send_signal(12)
    numbers["well"], numbers["ill"] = well, ill
    numbers["rates"] = {"well": well_rates, "ill": ill_rates}
    worst = min(b / max(1e-9, a) for a, b in zip(well_rates[:2], ill_rates[:2]))
    short = [f"a load offered {r['sent'] + r['unsent']} of {PHASE_RATE * r['wall_ns'] / 1e9:.0f}" for r in well + ill
             if r["sent"] + r["unsent"] < OFFERED_LEAST * PHASE_RATE * r["wall_ns"] / 1e9]
    found = [(f"the others' throughput ≥ {OTHERS_RATE:.0%}", f"{worst:.1%}", worst >= OTHERS_RATE)]
    others = list(zip(well, ill))[:2]
    if all(b["acks"] >= REFUSALS_LEAST for _, b in others):
        p99 = max(b["p99_ns"] / max(1, a["p99_ns"]) for a, b in others)
        shown = ", ".join(f"{a['p99_ns'] / 1e6:.2f} → {b['p99_ns'] / 1e6:.2f} ms" for a, b in others)
        found.append(timed(f"the others' p99 ≤ {OTHERS_P99:.0%}", shown, p99 <= OTHERS_P99, *well, *ill))
    found.append(memory_verdict(bench, watch))
    found += refusal_verdicts(do.together(ill))
    verdicts += [(claim, shown, None if short else ok) for claim, shown, ok in found]
    if short:
        verdicts.append(("valid", "; ".join(short), None))
    if bench.row.apart:
        verdicts.append(lost_verdict(bench))


KINDS = {"offered": offered, "stop": stop, "apart": one_of_three, "fan-out": one_of_three}


def run(row, system, args, folder):
    """{"numbers", "verdicts", "failed"} of one row with one system."""
    numbers, verdicts, failed = {}, [], ""
    try:
        bench = Bench(row, system, args, os.path.join(folder, row.name, system.name))
    except (RuntimeError, OSError) as e:
        return {"numbers": {}, "verdicts": [], "failed": str(e)}
    try:
        KINDS[row.kind](bench, numbers, verdicts)
    except (RuntimeError, OSError, subprocess.TimeoutExpired) as e:
        failed = str(e)
        if not bench.alive():
            code = bench.running.process.returncode
            failed = f"the system ended ({code}{', killed by the kernel for memory' if code == -9 else ''}): {failed}"
    finally:
        bench.stop()
    return {"numbers": numbers, "verdicts": verdicts, "failed": failed}


def elsewhere(names, args):
    """Rows that are programs of their own; {name: exit code}, only those that are there."""
    codes = {}
    for name in names:
        path = os.path.join(systems.HERE, f"{name}.py")
        if not os.path.exists(path):
            print(f"{name}: bench/{name}.py is not there: left out", file=sys.stderr)
            continue
        codes[name] = subprocess.run([sys.executable, path, "--out", args.out], check=False).returncode
    return codes


def make_tiny():
    """A request with one log record that has nothing but an id (ExportLogsServiceRequest, by field numbers)."""
    def field(number, data):
        return bytes([number << 3 | 2, len(data)]) + data
    record = field(5, field(1, b"x")) + field(6, field(1, b"instance.id") + field(2, field(1, b"0" * 16)))
    with open(os.path.join(measure.BODIES, "logs-tiny-1.pb"), "wb") as f:
        f.write(field(1, field(2, field(2, record))))


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("row", nargs="*", help=", ".join([*BY_NAME, *ELSEWHERE]) + "; none: all")
    parser.add_argument("--seconds", type=float, default=60, help="how long each overload, each stop, lasts")
    parser.add_argument("--budget", type=int, default=64, help="MiB")
    parser.add_argument("--systems", default="leat,otelcol,rotel")
    parser.add_argument("--out", default=os.path.join(measure.TOOLS, "results"))
    args = parser.parse_args()
    unknown = [n for n in args.row if n not in BY_NAME and n not in ELSEWHERE]
    if unknown:
        parser.error(f"unknown row {', '.join(unknown)}")
    args.systems = args.systems.split(",")
    return args


def main():
    args = parse()
    known, results, bad = systems.known(measure.BUILD), {}, 0
    folder = os.path.join(args.out, "overload")
    os.makedirs(folder, exist_ok=True)
    make_tiny()
    os.sched_setaffinity(0, {1})
    for row in [BY_NAME[n] for n in args.row if n in BY_NAME] if args.row else ROWS:
        results[row.name] = {}
        for name in args.systems:
            if name == "rotel" and not row.rotel:
                continue
            if not known[name].available():
                print(f"  {name} is not installed: left out", file=sys.stderr)
                continue
            result = results[row.name][name] = run(row, known[name], args, folder)
            overload_report.say(row, name, result)
            bad += name == "leat" and (bool(result["failed"]) or any(ok is not True for *_, ok in result["verdicts"]))
            overload_report.write(results, BY_NAME, known, args)
            with open(os.path.join(args.out, "overload.json"), "w", encoding="utf-8") as f:
                json.dump(results, f, indent=1)
    codes = elsewhere([n for n in ELSEWHERE if not args.row or n in args.row], args)
    print(overload_report.text(results, BY_NAME, known, args))
    print(f"written: {os.path.join(args.out, 'overload.md')} and overload.json", file=sys.stderr)
    return 1 if bad or any(codes.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
