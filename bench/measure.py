"""Measures scenarios: python3 bench/measure.py [--rounds N] [--seconds S] [--warmup S] [--systems a,b] [scenario…]

Systems run pinned to core 0, load and sink on core 1. A round measures every system in order and then in the
opposite order (ABBA), so that what drifts meets all alike; its ratio is that of the sums. A measurement during which
the machine took time away, or something else ran on the system's core, makes its round count as disturbed; disturbed
rounds are left out as long as enough clean ones remain, and the table says how many remained.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import proof
import report
import scenarios
import systems
from report import CODEC

BUILD = os.environ.get("LEAT_BUILD", os.path.join(os.path.dirname(systems.HERE), "build"))
TOOLS = os.path.join(BUILD, "bench")
BODIES = os.path.join(TOOLS, "bodies")
STEAL_MAX = 0.005
FOREIGN_MAX = 0.02
RETRANSMITS_MAX = 0.001  # of the segments: a busy receiver acknowledges late, and TCP probes for a lost tail
SETTLE_STEP, SETTLE_MAX = 0.1, 10  # seconds
ROUNDS_MIN = 5  # clean ones, for a number to be called a result
TICK = 1 / os.sysconf("SC_CLK_TCK")


class Sink:
    """The destination of all systems of one scenario."""
    def __init__(self, folder, *options):
        self.counters_path = os.path.join(folder, "sink.counters")
        self.process = subprocess.Popen(
            ["taskset", "-c", "1", os.path.join(TOOLS, "sink"), "--counters", self.counters_path, *options],
            stdout=subprocess.PIPE, text=True)
        ports = json.loads(self.process.stdout.readline())
        self.grpc, self.http = ports["grpc"], ports["http"]

    def counters(self):
        with open(self.counters_path, "rb") as f:
            raw = f.read()
        return [int.from_bytes(raw[i:i + 8], "little") for i in range(0, len(raw), 8)]

    def settle(self):
        """Waits until nothing comes any more: from systems that answer before they have delivered."""
        end, last = time.monotonic() + SETTLE_MAX, None
        while time.monotonic() < end and (now := self.counters()) != last:
            last = now
            time.sleep(SETTLE_STEP)
        return self.counters()

    def stop(self):
        """What came, as the sink sums it up."""
        self.process.terminate()
        out, _ = self.process.communicate(timeout=20)
        return json.loads(out)


def load(scenario, address, pids=(), core=0, **more):
    """One run of the load generator: what it printed."""
    command = ["taskset", "-c", "1", os.path.join(TOOLS, "load"), "--to", address, "--file",
               os.path.join(BODIES, more.pop("file", scenario.file)), "--signal", scenario.signal,
               "--connections", str(scenario.connections), "--streams", str(scenario.streams),
               "--core", str(core)]
    command += ["--http"] if scenario.protocol == "http" else []
    command += ["--json"] if scenario.json else []
    command += ["--encoding", scenario.encoding] if scenario.encoding else []
    command += [x for p in pids for x in ("--pid", str(p))]
    for key, value in more.items():
        command += [f"--{key}"] if value is True else [f"--{key}", str(value)]
    out = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if out.returncode != 0:
        raise RuntimeError(f"load: {out.stderr.strip()}")
    return json.loads(out.stdout)


def segments():
    """TCP segments sent so far, and those of them that were sent again."""
    with open("/proc/net/snmp", encoding="ascii") as f:
        names, values = [line.split() for line in f if line.startswith("Tcp:")]
    return [int(values[names.index(name)]) for name in ("OutSegs", "RetransSegs")]


def disturbances(m, one_core):
    """What spoiled a measurement: a list of words."""
    found = []
    if m["core_ticks"] > 0 and m["steal_ticks"] / m["core_ticks"] > STEAL_MAX:
        found.append("steal")
    if one_core:
        foreign = m["busy_ticks"] * TICK - m["cpu_ns"] / 1e9
        if foreign / (m["wall_ns"] / 1e9) > FOREIGN_MAX + 2 * TICK / (m["wall_ns"] / 1e9):
            found.append("foreign load")
    if m["retransmits"] > RETRANSMITS_MAX * m["segments"]:
        found.append("retransmits")
    return found


def once(scenario, running, sink, args):
    before, sent = sink.settle(), segments()
    one_core = "," not in running.system.cores
    m = load(scenario, running.address, running.pids(), core=0 if one_core else -1, warmup=args.warmup,
             seconds=args.seconds, **({"rate": scenario.rate} if scenario.rate else {}))
    after = sink.settle()
    m["segments"], m["retransmits"] = [now - then for now, then in zip(segments(), sent)]
    m["disturbed"] = disturbances(m, one_core)
    items = m["acks"] * scenario.items
    if items == 0:
        raise RuntimeError(f"{running.system.name}: nothing was acknowledged "
                           f"({m['all_errors']} errors, last status {m['last_status']})")
    m["ns_item"] = m["cpu_ns"] / items
    all_items = m["all_acks"] * scenario.items
    m["bytes_item"] = (after[1] - before[1]) / all_items
    return m


def rounds_of(scenario, running, sink, args):
    """Per round and system the two measurements, those of the codec calls alone among them; the first round warms up
    and is dropped. A system that answers nothing in its first measurement is left out."""
    for name in list(running):
        try:
            once(scenario, running[name], sink, args)
        except RuntimeError as e:
            print(f"  {e}: left out", file=sys.stderr)
            running.pop(name).stop()
    names, result = list(running) + ([CODEC] if scenario.codec else []), []
    for n in range(1, args.rounds + 1):
        one = {name: [] for name in names}
        for name in names + names[::-1]:
            one[name].append(codec_alone(scenario, args) if name == CODEC else
                             once(scenario, running[name], sink, args))
        result.append(one)
        print(f"  round {n}: " + ", ".join(
            f"{name} {statistics.mean(m['ns_item'] for m in ms):.1f}"
            + ("*" if any(m["disturbed"] for m in ms) else "") for name, ms in one.items()),
            file=sys.stderr, flush=True)
    return result


def clean(one, *names):
    return not any(m["disturbed"] for name in names for m in one[name])


def kept(rounds, *names):
    """The rounds that count for these systems: the clean ones if there are enough."""
    good = [r for r in rounds if clean(r, *names)]
    return (good, True) if len(good) >= min(ROUNDS_MIN, len(rounds)) and len(good) >= ROUNDS_MIN else (rounds, False)


def ratios(rounds, a, b, key):
    used, ok = kept(rounds, a, b)
    values = sorted(sum(m[key] for m in r[a]) / sum(m[key] for m in r[b]) for r in used)
    return {"median": statistics.median(values), "low": values[0], "high": values[-1], "n": len(values),
            "clean": ok}


def value(rounds, name, key):
    used, _ = kept(rounds, name)
    return statistics.median(m[key] for r in used for m in r[name])


def codec_alone(scenario, args):
    """CPU nanoseconds per item of inflating and deflating this payload by the libraries alone."""
    codec = scenario.codec[0] if scenario.codec else "gzip"
    ending = {"gzip": "gz", "zstd": "zst"}[codec]
    out = subprocess.run(
        ["taskset", "-c", "0", os.path.join(TOOLS, "codec_alone"), codec,
         os.path.join(BODIES, scenario.payload + ".pb"), os.path.join(BODIES, f"{scenario.payload}.{ending}"),
         str(args.seconds)], capture_output=True, text=True, check=True)
    r = json.loads(out.stdout)
    return {"ns_item": (r["in_ns"] + r["out_ns"]) / scenario.items, "disturbed": [],
            "zlib1": r["zlib1_bytes"] / scenario.items, "bytes_item": r["out_bytes"] / scenario.items}


def start_all(scenario, known, sink, folder, wanted):
    running = {}
    for name in scenario.systems:
        if wanted and name not in wanted:
            continue
        system = known[name]
        if not system.available():
            print(f"  {name} is not installed: left out", file=sys.stderr)
            continue
        try:
            running[name] = system.start(scenario, sink, folder)
        except RuntimeError as e:
            print(f"  {e}: left out", file=sys.stderr)
    return running


def measure_rounds(scenario, running, sink, args):
    result = {"rows": {}, "ratios": {}}
    rounds = rounds_of(scenario, running, sink, args)
    if scenario.codec or scenario.bytes_of:
        result["codec"] = rounds[0][CODEC][0] if scenario.codec else codec_alone(scenario, args)
    for name, r in running.items():
        now, peak = r.memory()
        result["rows"][name] = {
            "ns_item": value(rounds, name, "ns_item"), "bytes_item": value(rounds, name, "bytes_item"),
            "errors": sum(m["all_errors"] for one in rounds for m in one[name]),
            "rss": now, "peak": peak, "p50_us": value(rounds, name, "p50_ns") / 1e3,
            "p99_us": value(rounds, name, "p99_ns") / 1e3, "p999_us": value(rounds, name, "p999_ns") / 1e3,
            "clean": sum(clean(one, name) for one in rounds), "rounds": len(rounds),
            "why": sorted({w for one in rounds for m in one[name] for w in m["disturbed"]})}
    first = next(iter(running))
    key = "p50_ns" if scenario.kind == "latency" else "ns_item"
    for name in [*running, *([CODEC] if scenario.codec else [])][1:]:
        result["ratios"][name] = ratios(rounds, first, name, key)
    result["raw"] = rounds
    return result


def measure_memory(scenario, running, args):
    rows = {}
    for name, r in running.items():
        idle = r.memory()[0]
        m = load(scenario, r.address, r.pids(), warmup=0, seconds=max(3, args.seconds), rate=scenario.rate)
        now, peak = r.memory()
        rows[name] = {"idle": idle, "busy": now, "peak": peak, "errors": m["all_errors"],
                      "items_s": m["acks"] * scenario.items / (m["wall_ns"] / 1e9)}
    return {"rows": rows, "ratios": {}}


def run(scenario, known, args, folder):
    print(f"{scenario.name}: {scenario.what}", file=sys.stderr)
    os.makedirs(folder, exist_ok=True)
    sink, running = Sink(folder), {}
    try:
        running = start_all(scenario, known, sink, folder, args.systems)
        if not running:
            raise RuntimeError("no system to measure")
        if scenario.kind == "memory":
            return measure_memory(scenario, running, args)
        return measure_rounds(scenario, running, sink, args)
    finally:
        for r in running.values():
            r.stop()
        sink.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario", nargs="*", help="; ".join([*scenarios.BY_NAME, "proof"]))
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--warmup", type=float, default=0.5)
    parser.add_argument("--systems", default="", help="only these, by comma")
    parser.add_argument("--out", default=os.path.join(TOOLS, "results"))
    args = parser.parse_args()
    names = args.scenario or [*scenarios.BY_NAME, "proof"]
    unknown = [n for n in names if n not in scenarios.BY_NAME and n != "proof"]
    if unknown:
        parser.error(f"unknown scenario {', '.join(unknown)}")
    args.systems = [s for s in args.systems.split(",") if s]
    known, results, failed = systems.known(BUILD), {}, 0
    os.makedirs(args.out, exist_ok=True)
    for name in names:
        try:
            if name == "proof":
                results[name] = proof.run_all(known["leat"], Sink, load, args.out)
                failed += sum(not p["ok"] for p in results[name])
            else:
                results[name] = run(scenarios.BY_NAME[name], known, args, os.path.join(args.out, name))
        except RuntimeError as e:
            print(f"{name}: {e}", file=sys.stderr)
            failed += 1
        report.write(results, known, args, args.out)
    print(report.text(results, known, args))
    print(f"written: {os.path.join(args.out, 'results.md')} and results.json", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
