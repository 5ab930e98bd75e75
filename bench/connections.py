"""Many connections: python3 bench/connections.py [--short] [--systems leat,otelcol] [--parts memory,hostile] [--out DIR]
                    python3 bench/connections.py --check

memory   What an idle connection costs after one request, and after ninety: resident memory of the process, the
         difference divided by the connections.
hostile  8,000 idle connections, 1,500 whose request headers never end and 500 that never read: when the server ends
         the last two, what the rest costs it, and the latency of a healthy client before and meanwhile.

--check holds Leat's idle memory against its limit and fails above it. About two minutes for each system.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import types

import idle
import measure
import report
import systems

MOST_KIB = 12  # per idle connection
FULL_KIB = 28  # when its client has filled the header table of 4,096 bytes: measured 25; holds what is, and is no goal
WARM = 64      # connections before the first look at memory, as many as work at once; they stay
REST = 4       # seconds after which idle connections have given back what they can
BODY = bytes.fromhex("0a0a120812062a040a026869")  # one log record
BUSY = 90      # requests of a connection before it becomes idle
WATCH = 45     # seconds: the limits of Leat are 30
DRIP = 1       # seconds between two bytes of a slow request
RATE = 500     # requests a second of the healthy client
PREFACE_PART = 10
SETTLE, QUIET = 15, 0.05  # seconds; CPU seconds in ten times as many
READERS_BUFFER = 4096
SIZES = {False: {"memory": 8000, "busy": 1000, "idle": 8000, "slow": 1500, "readers": 500},
         True: {"memory": 1000, "busy": 1000, "idle": 1000, "slow": 150, "readers": 50}}


def scenario(protocol):
    return types.SimpleNamespace(protocol=protocol, out="none", processors="", file="logs-varied-20.pb", signal="logs",
                                 connections=4, streams=16, json=False, encoding="")


def resident(running):
    return running.memory()[0] * 1024  # KiB


def cpu(running):
    total = 0
    for pid in running.pids():
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
                total += int(f.read().split()[0])
    return total / 1e9


# --- memory

def idle_cost(system, kind, count, requests, sink, folder):
    """KiB of one idle connection."""
    running = system.start(scenario(kind), sink, folder)
    try:
        port = running.ports["in_" + kind]
        warm = idle.open_many(kind, port, WARM, BODY, requests)
        time.sleep(REST)
        before = resident(running)
        connections = idle.open_many(kind, port, count, BODY, requests)
        at_once = resident(running)
        time.sleep(REST)
        after = resident(running)
        for c in warm + connections:  # they still work
            c.ask(BODY)
            c.answered()
            c.sock.close()
    finally:
        running.stop()
    return {"idle_kib": (after - before) / count, "at_once_kib": (at_once - before) / count, "count": count, "requests": requests}


def memory(system, size, sink, folder):
    """A client of Go that is busy fills the header table with its timeouts."""
    return {"http": idle_cost(system, "http", size["memory"], 1, sink, folder),
            "grpc": idle_cost(system, "grpc", size["memory"], 1, sink, folder),
            "http, busy before": idle_cost(system, "http", size["busy"], BUSY, sink, folder),
            "grpc, busy before": idle_cost(system, "grpc", size["busy"], BUSY, sink, folder)}


# --- hostile

class Bad:
    """A connection that does not behave; `sock` as idle.alive() wants it."""
    def __init__(self, sock, first=b"", drip=b""):
        self.sock, self.drip = sock, drip
        sock.sendall(first)

    def step(self):
        if self.drip:
            try:
                self.sock.sendall(self.drip[:1])
                self.drip = self.drip[1:]
            except OSError:
                self.drip = b""


def slow_http(port, i):
    return Bad(idle.connect(port, i), b"POST /v1/logs HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"a" * 1000)


def half_preface(port, i):
    return Bad(idle.connect(port, i), idle.PREFACE[:PREFACE_PART])


def endless_headers(port, i):
    return Bad(idle.connect(port, i), idle.PREFACE + idle.frame(idle.SETTINGS) + idle.frame(idle.HEADERS, 0, 1, idle.head(0)))


def push(sock, data):
    """Sends until the server takes no more."""
    sock.setblocking(False)
    end = time.monotonic() + 1
    while data and time.monotonic() < end:
        try:
            data = data[sock.send(data):]
        except BlockingIOError:
            time.sleep(0.001)
        except OSError:
            return


def deaf_http(port, i):
    c = Bad(idle.connect(port, i, receive=READERS_BUFFER))
    c.flood = b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n" * 20000
    return c


def deaf_grpc(port, i):
    c = Bad(idle.connect(port, i, receive=READERS_BUFFER), idle.PREFACE + idle.frame(idle.SETTINGS))
    c.flood = b"".join(idle.frame(idle.HEADERS, idle.END_HEADERS | idle.END_STREAM, 2 * n + 1, idle.head(n)) for n in range(3000))
    return c


SLOW = {"HTTP/1.1, a byte a second": (slow_http, "http"), "HTTP/2 preface that never ends": (half_preface, "grpc"),
        "HEADERS without END_HEADERS": (endless_headers, "grpc")}
DEAF = {"HTTP/1.1 that never reads": (deaf_http, "http"), "HTTP/2, 3,000 requests and never reads": (deaf_grpc, "grpc")}


def latency(running):
    m = measure.load(scenario("grpc"), running.address, running.pids(), core=0, rate=RATE, seconds=4, warmup=1)
    return {"p50_us": m["p50_ns"] / 1e3, "p99_us": m["p99_ns"] / 1e3, "errors": m["all_errors"]}


def established(ports):
    """(server's port, address, port) of the clients that the server still has a connection with at one of these ports:
    a client that does not read cannot see that it was ended."""
    found, ports = set(), {f"{p:04X}": p for p in ports}
    with open("/proc/net/tcp", encoding="ascii") as f:
        for line in f:
            at = line.split()
            own = at[1].rpartition(":")[2]
            if at[3] == "01" and own in ports:
                address, port = at[2].split(":")
                found.add((ports[own], ".".join(str(b) for b in bytes.fromhex(address)[::-1]), int(port, 16)))
    return found


class Watch:
    """Drips the slow ones' bytes and notes when connections are ended."""
    def __init__(self, ports):
        self.ports = ports
        self.groups = {}  # name: [began, connections still open, seconds until each ended]
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def add(self, name, connections):
        for c in connections:
            c.name = (c.sock.getpeername()[1], *c.sock.getsockname())
        self.groups[name] = [time.monotonic(), connections, []]

    def begin(self):
        for group in self.groups.values():
            group[0] = time.monotonic()

    def run(self):
        while not self.stopping.wait(DRIP):
            there = established(self.ports)
            for group in self.groups.values():
                began, connections, ended = group
                for c in connections:
                    c.step()
                group[1] = [c for c in connections if c.name in there]
                ended += [time.monotonic() - began] * (len(connections) - len(group[1]))

    def finish(self):
        end = time.monotonic() + WATCH
        while time.monotonic() < end and any(g[1] for g in self.groups.values()):
            time.sleep(DRIP)
        self.stopping.set()
        self.thread.join()
        return {name: {"open_still": len(left), "ended": len(ended), "first_s": min(ended, default=None),
                       "last_s": max(ended, default=None)}
                for name, (_, left, ended) in self.groups.items()}


def open_bad(watch, running, kinds, count):
    """Connections of each of these kinds, evenly."""
    for name, (make, protocol) in kinds.items():
        found = [make(running.ports["in_" + protocol], i) for i in range(count // len(kinds))]
        for c in found:
            if hasattr(c, "flood"):
                push(c.sock, c.flood)
                del c.flood
        watch.add(name, found)


def settle(running):
    end = time.monotonic() + SETTLE
    used = None
    while time.monotonic() < end and (used is None or cpu(running) - used > QUIET):
        used = cpu(running)
        time.sleep(QUIET * 10)


def hostile(system, size, sink, folder):
    running = system.start(scenario("grpc"), sink, folder)
    watch = Watch([running.ports["in_http"], running.ports["in_grpc"]])
    result = {"alone": latency(running), "memory_before_kib": resident(running)}
    try:
        quiet = []
        for kind in ("http", "grpc"):
            quiet += idle.open_many(kind, running.ports["in_" + kind], size["idle"] // 2, BODY)
        time.sleep(REST)
        began, used = time.monotonic(), cpu(running)
        time.sleep(3)
        result["idle_cpu"] = (cpu(running) - used) / (time.monotonic() - began)
        result["beside_idle"] = latency(running)
        open_bad(watch, running, DEAF, size["readers"])
        settle(running)  # it answers what they have asked, as far as they take it: their time begins here
        watch.begin()
        open_bad(watch, running, SLOW, size["slow"])
        watch.thread.start()
        result["memory_kib"] = resident(running)
        result["beside_all"] = latency(running)
        result["ended"] = watch.finish()
        result["idle_left"] = len(idle.alive(quiet))
        result["idle"] = len(quiet)
        for c in quiet:
            c.sock.close()
    finally:
        running.stop()
    return result


# --- results

def memory_table(results):
    lines = ["| KiB per idle connection | " + " | ".join(results) + " |", "|---|" + "---|" * len(results)]
    kinds = next(iter(results.values()))["memory"]
    for kind in kinds:
        lines.append(f"| {kind} | " + " | ".join(f"{r['memory'][kind]['idle_kib']:.1f}" for r in results.values()) + " |")
    return lines


def ended_text(e):
    if e["ended"] == 0:
        return f"all {e['open_still']} open after {WATCH} s"
    left = f", {e['open_still']} still open" if e["open_still"] else ""
    return f"{e['first_s']:.0f}–{e['last_s']:.0f} s{left}"


def hostile_table(results):
    lines = ["| | " + " | ".join(results) + " |", "|---|" + "---|" * len(results)]

    def row(name, text):
        lines.append(f"| {name} | " + " | ".join(text(r["hostile"]) for r in results.values()) + " |")
    row("CPU, idle connections only", lambda h: f"{100 * h['idle_cpu']:.2f} %")
    for when, name in (("alone", "alone"), ("beside_idle", "beside the idle ones"), ("beside_all", "beside all of them")):
        row(f"healthy p50 / p99, {name}", lambda h, w=when: f"{h[w]['p50_us']:.0f} / {h[w]['p99_us']:.0f} µs")
    for name in next(iter(results.values()))["hostile"]["ended"]:
        row(f"{name}: ended after", lambda h, n=name: ended_text(h["ended"][n]))
    row("memory with all", lambda h: f"{h['memory_kib'] / 1024:.0f} MiB")
    row("idle ones still there", lambda h: f"{h['idle_left']} of {h['idle']}")
    return lines


def check(found):
    failed = 0
    for kind, v in found.items():
        most = FULL_KIB if kind == "grpc, busy before" else MOST_KIB
        print(f"{kind}: {v['idle_kib']:.2f} KiB per idle connection (at most {most}), {v['at_once_kib']:.2f} at once")
        if v["idle_kib"] > most:
            print(f"FAILED: {kind}: {v['idle_kib']:.2f} KiB per idle connection; {most} is the limit")
            failed = 1
    return failed


def prepare():
    """The payload of the healthy client."""
    bodies = measure.BODIES
    if not os.path.exists(os.path.join(bodies, "logs-varied-20.pb")):
        os.makedirs(bodies, exist_ok=True)
        subprocess.run([os.path.join(measure.TOOLS, "payloads"), bodies], check=True, stdout=subprocess.DEVNULL)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="an eighth to a tenth of the connections")
    parser.add_argument("--systems", default="leat,otelcol")
    parser.add_argument("--parts", default="memory,hostile")
    parser.add_argument("--out", default=os.path.join(measure.BUILD, "bench", "results"))
    parser.add_argument("--check", action="store_true", help="Leat's idle memory only; exit code 1 above the limit")
    args = parser.parse_args()
    parts, size = args.parts.split(","), SIZES[args.short or args.check]
    known = systems.known(measure.BUILD)
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        sink = measure.Sink(folder)
        try:
            if args.check:
                return check(memory(known["leat"], size, sink, folder))
            prepare()
            for name in args.systems.split(","):
                if not known[name].available():
                    print(f"{name} is not here: left out", file=sys.stderr)
                    continue
                results[name] = {"version": known[name].version()}
                for part in parts:
                    results[name][part] = {"memory": memory, "hostile": hostile}[part](known[name], size, sink, folder)
        finally:
            sink.stop()
    text = [f"{report.machine()}. " + "; ".join(f"{n}: {r['version']}" for n, r in results.items()), ""]
    for part, table in (("memory", memory_table), ("hostile", hostile_table)):
        if part in parts:
            text += table(results) + [""]
    os.makedirs(args.out, exist_ok=True)
    with open(os.path.join(args.out, "connections.md"), "w", encoding="utf-8") as f:
        f.write("\n".join(text))
    with open(os.path.join(args.out, "connections.json"), "w", encoding="utf-8") as f:
        json.dump(results, f, indent=1)
    print("\n".join(text))
    return 0


if __name__ == "__main__":
    sys.exit(main())
