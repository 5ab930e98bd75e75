"""Twenty clients, one of which sends a hundred times what each of the others does: what the others keep.

python3 bench/fairness.py [--seconds S] [--systems leat,otelcol] [bottleneck…]     (after bash bench/run.sh has built)

For each bottleneck the nineteen polite clients run alone, then beside the greedy one: a process and a connection each,
on an open schedule that does not care for refusals. A client keeps the part of its acknowledged requests per second
that it still has beside the greedy one; the demand is 90 % for the one that keeps least. Prints a table in Markdown and
writes it, with every number, to build/bench/results/fairness.md and .json.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass

import measure
import scenarios
import systems

POLITE = 19
MUST = 0.9
WARMUP = 2  # seconds: the greedy one has filled what it can by then


@dataclass
class Bottleneck:
    name: str
    what: str
    payload: str
    rate: float                # of each polite client, requests a second
    greedy: tuple              # load's options for the greedy one
    queue: str = "enabled: false"
    memory: int = 256          # MiB
    delay: int = 0             # of the destination, ms
    out: str = "none"          # compression


def greedy_rate(rate):
    return ("--rate", str(100 * rate), "--streams", "1")


ALL = [
    Bottleneck("destination", "the destination takes 500 requests a second, behind a queue of 1000", "logs-varied-20",
               10, greedy_rate(10), queue="queue_size: 1000, num_consumers: 5", delay=10),
    Bottleneck("cpu", "the worker's core is busy with gzip: the greedy one has 1000 streams open", "logs-varied-100",
               10, ("--streams", "1000"), out="gzip"),
    Bottleneck("memory", "16 MiB for requests, the destination answers after a second", "logs-varied-100", 5,
               greedy_rate(5), memory=16, delay=1000),
]
BY_NAME = {b.name: b for b in ALL}


def start_load(b, address, options, seconds):
    command = ["taskset", "-c", "1", os.path.join(measure.TOOLS, "load"), "--to", address, "--connections", "1",
               "--file", os.path.join(measure.BODIES, b.payload + ".pb"), "--warmup", str(WARMUP),
               "--seconds", str(seconds), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish_load(process, limit):
    out, err = process.communicate(timeout=limit)
    if process.returncode != 0:
        raise RuntimeError(f"load: {err.strip()}")
    return json.loads(out)


def crowd(b, running, seconds, with_greedy):
    """One run: what each polite client, and the greedy one, had."""
    pids = [x for p in running.pids() for x in ("--pid", str(p))]
    greedy = start_load(b, running.address, (*b.greedy, *pids), seconds) if with_greedy else None
    polite = [start_load(b, running.address, ("--rate", str(b.rate)), seconds) for _ in range(POLITE)]
    limit = WARMUP + seconds + 60
    found = [finish_load(p, limit) for p in polite]
    return {"polite": [{"acks": f["acks"] / f["wall_ns"] * 1e9, "errors": f["errors"], "p99_ns": f["p99_ns"]}
                       for f in found],
            "greedy": finish_load(greedy, limit) if greedy else None}


def measure_one(b, system, seconds, folder):
    scenario = scenarios.Scenario(b.name, b.what, payload=b.payload, out=b.out)
    out = {}
    for name, with_greedy in (("alone", False), ("beside", True)):
        sink = measure.Sink(folder, "--delay", str(b.delay))
        running = None
        try:
            running = system.start(scenario, sink, folder)
            out[name] = crowd(b, running, seconds, with_greedy)
        finally:
            if running is not None:
                running.stop()
            sink.stop()
    out["kept"] = [beside["acks"] / alone["acks"] if alone["acks"] else 0
                   for alone, beside in zip(out["alone"]["polite"], out["beside"]["polite"])]
    return out


def known(build, b):
    leat = systems.find("leat", os.environ.get("LEAT"), os.path.join(build, "leat"))
    otelcol = systems.find("otelcol", os.path.join(systems.PEERS, "bin", "otelcol"))
    fill = {"queue": b.queue, "memory": b.memory, "heap": b.memory + 80}
    return {"leat": systems.Leat("leat", leat, "fair-leat.yaml", fill=fill),
            "otelcol": systems.Otelcol("otelcol", otelcol, "fair-otelcol.yaml", env={"GOMAXPROCS": "1"}, fill=fill)}


def row(b, name, r):
    polite, greedy = r["beside"]["polite"], r["beside"]["greedy"]
    p99 = [statistics.median(c["p99_ns"] for c in r[k]["polite"]) / 1e6 for k in ("alone", "beside")]
    return (f"| {b.name} | {name} | {min(r['kept']):.0%} | {statistics.median(r['kept']):.0%} | "
            f"{sum(c['errors'] for c in polite)} | {p99[0]:.1f} → {p99[1]:.1f} ms | "
            f"{greedy['acks'] / greedy['wall_ns'] * 1e9:.0f}/s | {greedy['errors']} | "
            f"{greedy['cpu_ns'] / greedy['wall_ns']:.0%} | "
            f"{'yes' if min(r['kept']) >= MUST else '**no**'} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--systems", default="leat,otelcol")
    parser.add_argument("bottleneck", nargs="*", choices=[[], *BY_NAME], default=[])
    args = parser.parse_args()
    folder = os.path.join(measure.TOOLS, "results")
    os.makedirs(folder, exist_ok=True)
    results, lines = {}, [
        f"{POLITE} polite clients beside one that sends 100 times as much, {args.seconds:g} s; a client keeps what it "
        "had alone.", "",
        "| bottleneck | system | least kept | median kept | polite refused | p99 of the polite | greedy had | "
        "greedy refused | core | ≥ 90 % |", "|---|---|---|---|---|---|---|---|---|---|"]
    for b in [BY_NAME[n] for n in args.bottleneck] or ALL:
        for name in args.systems.split(","):
            system = known(measure.BUILD, b)[name]
            if not system.available():
                print(f"fairness: {name} is not installed, left out", file=sys.stderr)
                continue
            results.setdefault(b.name, {})[name] = r = measure_one(b, system, args.seconds, folder)
            lines.append(row(b, name, r))
            print(lines[-1], file=sys.stderr)
    lines += ["", f"Load average at the end: {os.getloadavg()[0]:.1f}. With others on the machine take the times as a "
              "hint; a client that was kept from its schedule alone seems to keep more than it had.", ""] + [f"{b.name}: {b.what}; {b.payload}, {b.rate:g}/s each polite." for b in ALL if b.name in results]
    text = "\n".join(lines) + "\n"
    with open(os.path.join(folder, "fairness.md"), "w", encoding="utf-8") as f:
        f.write(text)
    with open(os.path.join(folder, "fairness.json"), "w", encoding="utf-8") as f:
        json.dump(results, f, indent=1)
    print(text)
    ok = all(min(r["leat"]["kept"]) >= MUST for r in results.values() if "leat" in r)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
