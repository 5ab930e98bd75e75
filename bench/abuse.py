"""What attacks cost: python3 bench/abuse.py [--seconds S] [--systems leat,otelcol] [--bombs N] [attack…]

The bytes are those of tests/e2e (attacks.py, bombs.py). The system runs on core 0; the attacker (at the lowest priority),
a client that sends 200 requests a second, and the sink on core 1. A flood is repeated on new connections for some
seconds; CPU is the scheduler's count for the system while that goes on, less what the client alone costs. Writes
build/bench/results/abuse.md and abuse.json. Wall times (p99) mean something only while nothing else runs.
"""
import argparse
import contextlib
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import time

import measure
import scenarios
import systems

sys.path.insert(0, os.path.join(os.path.dirname(systems.HERE), "tests", "e2e"))
import attacks  # noqa: E402
import bombs  # noqa: E402
import lib  # noqa: E402

SCENARIO = scenarios.BY_NAME["latency"]
SLOW_LIMIT = 45  # seconds that a slow connection is waited for
SLOW_EACH = 10  # of each slow attack at once
MIB = 1 << 20


def cpu(pids):
    return sum(attacks.cpu_seconds(p) for p in pids)


def rss(pids):
    return sum(attacks.rss_bytes(p) for p in pids)


def peak(pids, forget=False):
    """The highest resident memory since it was last forgotten."""
    total = 0
    for p in pids:
        if forget:
            with open(f"/proc/{p}/clear_refs", "w", encoding="ascii") as f:
                f.write("5")
        with open(f"/proc/{p}/status", encoding="ascii") as f:
            total += sum(int(line.split()[1]) * 1024 for line in f if line.startswith("VmHWM:"))
    return total


class Target:
    """A system that is started again when an attack has ended it."""

    def __init__(self, system, folder):
        self.system, self.folder, self.sink, self.running, self.deaths = system, folder, measure.Sink(folder), None, 0

    def up(self):
        if self.running is not None and self.running.process.poll() is not None:
            self.running.stop()
            self.running, self.deaths = None, self.deaths + 1
        if self.running is None:
            self.running = self.system.start(SCENARIO, self.sink, self.folder)
        return self.running

    def ports(self):
        return self.up().ports["in_http"], self.running.ports["in_grpc"]

    def pids(self):
        return self.up().pids()

    def load(self, seconds):
        """A client's p99 in microseconds, its errors, and the system's CPU seconds meanwhile."""
        before = cpu(self.pids())
        m = measure.load(SCENARIO, self.running.address, self.running.pids(), warmup=0.2, seconds=seconds, rate=SCENARIO.rate)
        return m["p99_ns"] / 1e3, m["all_errors"], cpu(self.running.pids()) - before

    def stop(self):
        if self.running is not None:
            self.running.stop()
        self.sink.stop()


def attacker(port, name, seconds, pipe):
    """Its own process: repeats a flood; sends (connections, closed by the system, frames of each)."""
    os.nice(19)
    os.sched_setaffinity(0, {1})
    frames, ended, end = [], 0, time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            closed, sent = attacks.flood(port, attacks.H2_FLOODS[name], limit=0.5)
        except OSError:
            break
        ended += closed
        frames.append(sent)
    pipe.send((len(frames), ended, frames))


def flood(target, name, seconds):
    base_p99, _, base_cpu = target.load(seconds)
    before = rss(target.pids())
    peak(target.pids(), forget=True)
    ours, theirs = multiprocessing.Pipe()
    p = multiprocessing.Process(target=attacker, args=(target.ports()[1], name, seconds + 0.4, theirs))
    p.start()
    try:
        p99, errors, used = target.load(seconds)
    except RuntimeError:
        p99, errors, used = None, None, None
    p.join(60)
    connections, ended, frames = ours.recv() if ours.poll() else (0, 0, [])
    died = target.running.process.poll() is not None
    row = {"attack": name, "connections": connections, "closed": ended, "frames": statistics.median(frames) if frames else None,
           "died": died, "p99_alone_us": base_p99, "p99_us": p99, "errors": errors,
           "cpu_ms_each": max(0.0, used - base_cpu) * 1e3 / connections if used is not None and connections else None,
           "rss_mib": None if died else (rss(target.pids()) - before) / MIB,
           "peak_mib": None if died else (peak(target.pids()) - before) / MIB}
    print(f"  {row}", file=sys.stderr, flush=True)
    return row


def slow(target):
    """All slow attacks at once: after how long each kind's connections are closed (or, a stalled body over HTTP/2, answered)."""
    http, grpc = target.ports()
    kinds = {f"h1 {k}": (a, http) for k, a in attacks.H1_SLOW.items()}
    kinds |= {f"h2 {k}": (a, grpc) for k, a in attacks.H2_SLOW.items() if k not in ("zero-window", "slow-read", "stalled-body")}
    kinds |= {f"h2 {k}": (attacks.H2_SLOW[k], http) for k in ("zero-window", "slow-read", "stalled-body")}
    before, used, rows, open_ = rss(target.pids()), cpu(target.pids()), {}, []
    peak(target.pids(), forget=True)
    for name, (attack, port) in kinds.items():
        for _ in range(1 if "slow-read" in name else SLOW_EACH):
            with contextlib.suppress(OSError):
                open_.append((name, time.monotonic(), attack(port)))
    base_p99 = target.load(2)[0]
    end = time.monotonic() + SLOW_LIMIT
    while open_ and time.monotonic() < end:
        for entry in list(open_):
            name, since, sock = entry
            if not alive(sock) or (name == "h2 stalled-body" and answered(sock)):
                rows.setdefault(name, []).append(time.monotonic() - since)
                open_.remove(entry)
                sock.close()
        time.sleep(0.1)
    result = [{"attack": n, "closed": len(rows.get(n, [])), "of": len(rows.get(n, [])) + sum(o[0] == n for o in open_),
               "seconds": statistics.median(rows[n]) if n in rows else None} for n in kinds]
    for _, _, sock in open_:
        sock.close()
    return {"kinds": result, "p99_us": base_p99, "cpu_s": cpu(target.pids()) - used,
            "rss_mib": (rss(target.pids()) - before) / MIB, "peak_mib": (peak(target.pids()) - before) / MIB}


def alive(sock):
    """Not closed by the other side, as the kernel knows: nothing is read, so that slow readers stay slow."""
    state = sock.getsockopt(attacks.socket.IPPROTO_TCP, attacks.socket.TCP_INFO, 1)[0]
    return state == 1  # TCP_ESTABLISHED


def answered(sock):
    """Whether a request on this connection was answered or reset: over HTTP/2 that is enough, the connection may stay."""
    with contextlib.suppress(BlockingIOError):
        data = sock.recv(65536, attacks.socket.MSG_PEEK | attacks.socket.MSG_DONTWAIT)
        while len(data) >= 9:
            if data[3] in (attacks.HEADERS, attacks.RST):
                return True
            data = data[9 + int.from_bytes(data[:3], "big"):]
    return False


def throw_bombs(target, count):
    rows, http, grpc = [], *target.ports()
    sender = bombs.Sender(http, grpc)
    lib.send(http, "logs", ["first"])
    first, deaths = rss(target.pids()), target.deaths
    for n in bombs.some(count):
        b = bombs.bomb(n)
        pids = target.pids()
        if (http, grpc) != target.ports():
            http, grpc = target.ports()
            sender = bombs.Sender(http, grpc)
        before, used = peak(pids, forget=True) and rss(pids), cpu(pids)
        try:
            answer = sender.throw(b)
        except (OSError, lib.http.client.HTTPException) as e:
            answer = ("none", repr(e))
        died = False
        with contextlib.suppress(lib.subprocess.TimeoutExpired):
            target.running.process.wait(0.2 if answer[0] in ("none", "closed") else 0)
            died = True
        rows.append({"n": n, "kind": b.kind, "lawful": b.lawful, "answer": answer, "died": died,
                     "cpu_ms": None if died else (cpu(pids) - used) * 1e3, "extra_mib": None if died else (peak(pids) - before) / MIB})
    sender.close()
    return {"rows": rows, "deaths": target.up() and target.deaths - deaths,
            "grown_mib": None if target.deaths > deaths else (rss(target.pids()) - first) / MIB}


def number(v, form="{:.1f}"):
    return "–" if v is None else form.format(v)


def flood_table(name, rows):
    out = [f"\n### {name}: floods\n", "| attack | connections | closed by it | frames (median) | CPU ms each | p99 alone, µs | p99 attacked, µs | ratio "
           "| errors | RSS, MiB | peak, MiB |", "|---|---|---|---|---|---|---|---|---|---|---|"]
    for r in rows:
        ratio = r["p99_us"] / r["p99_alone_us"] if r["p99_us"] else None
        out.append(f"| {r['attack']}{' (died)' if r['died'] else ''} | {r['connections']} | {r['closed']} | {number(r['frames'], '{:.0f}')} | "
                   f"{number(r['cpu_ms_each'], '{:.2f}')} | {r['p99_alone_us']:.0f} | {number(r['p99_us'], '{:.0f}')} | {number(ratio, '{:.2f}')} | "
                   f"{r['errors']} | {number(r['rss_mib'])} | {number(r['peak_mib'])} |")
    return out


def slow_table(name, s):
    out = [f"\n### {name}: slow peers, all at once\n", f"Together: {s['cpu_s']:.2f} CPU s in about {SLOW_LIMIT} s, RSS {s['rss_mib']:+.1f} MiB "
           f"(peak {s['peak_mib']:+.1f}); p99 of others {s['p99_us']:.0f} µs.\n", "| attack | closed | after, s (median) |", "|---|---|---|"]
    return out + [f"| {k['attack']} | {k['closed']} of {k['of']} | {number(k['seconds'])} |" for k in s["kinds"]]


def bomb_table(name, result):
    rows = result["rows"]
    out = [f"\n### {name}: {len(rows)} payload bombs\n", f"The program died {result['deaths']} times; from the first to the last it grew by "
           f"{number(result['grown_mib'])} MiB.\n",
           "| kind | bombs | refused | taken | taken against the rules | died | CPU ms: median | worst refused | worst taken | extra MiB, worst |",
           "|---|---|---|---|---|---|---|---|---|---|"]
    for kind in sorted({r["kind"] for r in rows}):
        ours = [r for r in rows if r["kind"] == kind]
        taken = [r for r in ours if tuple(r["answer"]) in (("http", 200), ("grpc", 0))]
        ms, extra = ([r[k] for r in ours if r[k] is not None] or [float("nan")] for k in ("cpu_ms", "extra_mib"))
        worst = [max((r["cpu_ms"] for r in ours if (r in taken) == yes and r["cpu_ms"] is not None), default=None) for yes in (False, True)]
        died = sum(r["died"] for r in ours)
        out.append(f"| {kind} | {len(ours)} | {len(ours) - len(taken) - died} | {len(taken)} | {sum(not r['lawful'] for r in taken)} | {died} | "
                   f"{statistics.median(ms):.2f} | {number(worst[0], '{:.2f}')} | {number(worst[1], '{:.2f}')} | {max(extra):.1f} |")
    return out


def one_system(system, args, wanted):
    folder = os.path.join(args.out, "abuse")
    os.makedirs(folder, exist_ok=True)
    target, result = Target(system, folder), {}
    try:
        names = [n for n in attacks.H2_FLOODS if not wanted or n in wanted]
        result["floods"] = [flood(target, n, args.seconds) for n in names]
        if not wanted or "slow" in wanted:
            result["slow"] = slow(target)
        if not wanted or "bombs" in wanted:
            result["bombs"] = throw_bombs(target, args.bombs)
    finally:
        target.stop()
    return result


def text(results, args):
    versions = "; ".join(f"{n}: {r['version']}" for n, r in results.items())
    out = ["# Abuse: what attacks cost", "", f"{args.seconds} s for each flood. {versions}."]
    for name, r in results.items():
        out += flood_table(name, r["floods"]) if r["floods"] else []
        out += slow_table(name, r["slow"]) if "slow" in r else []
        out += bomb_table(name, r["bombs"]) if "bombs" in r else []
    return "\n".join(out) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("attack", nargs="*", help="; ".join([*attacks.H2_FLOODS, "slow", "bombs"]))
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--systems", default="leat,otelcol")
    parser.add_argument("--bombs", type=int, default=bombs.COUNT)
    parser.add_argument("--out", default=os.path.join(measure.TOOLS, "results"))
    args = parser.parse_args()
    if unknown := set(args.attack) - {*attacks.H2_FLOODS, "slow", "bombs"}:
        parser.error(f"unknown attack {', '.join(unknown)}")
    os.makedirs(args.out, exist_ok=True)
    if not os.path.exists(os.path.join(measure.BODIES, SCENARIO.file)):
        os.makedirs(measure.BODIES, exist_ok=True)
        subprocess.run([os.path.join(measure.TOOLS, "payloads"), measure.BODIES], check=True, stdout=subprocess.DEVNULL)
    os.sched_setaffinity(0, {1})
    known, results = systems.known(measure.BUILD), {}
    for name in args.systems.split(","):
        system = known[name]
        system.config = "abuse.yaml"
        if not system.available():
            print(f"{name} is not installed: left out", file=sys.stderr)
            continue
        print(name, file=sys.stderr)
        results[name] = {"version": system.version(), **one_system(system, args, set(args.attack))}
        with open(os.path.join(args.out, "abuse.json"), "w", encoding="utf-8") as f:
            json.dump(results, f, indent=1)
        with open(os.path.join(args.out, "abuse.md"), "w", encoding="utf-8") as f:
            f.write(text(results, args))
    print(text(results, args))
    return 0


if __name__ == "__main__":
    sys.exit(main())
