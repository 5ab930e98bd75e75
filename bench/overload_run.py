"""What the overload rows are made of: systems with a budget, memory watched closely, loads side by side, ids counted."""
import array
import json
import os
import subprocess
import threading
import time

import measure
import systems

MIB = 1 << 20
SAMPLE = 0.02        # seconds between two looks at the memory
SETTLE_LIMIT = 60    # seconds that what was acknowledged may take to arrive after the destination is back
LOAD_SPARE = 60      # seconds a load may take beyond its own times


# --- configurations

def exporter_block(kind, ports, queue, retry):
    """Exporters of every destination in ports["out"]: [(name, address)]."""
    lines = []
    for name, address in ports["out"]:
        lines.append(f"  {kind}{name}: {{endpoint: '{address}', tls: {{insecure: true}}, "
                     f"compression: {ports['compression']}, timeout: {ports['timeout']}, sending_queue: {queue}, "
                     f"retry_on_failure: {retry}}}")
    return "\n".join(lines)


class Budgeted:
    """Leat or otelcol as an overload row starts it: written from peers/overload.yaml."""
    def __init__(self, system, row, budget, cgroup=None):
        self.system, self.row, self.budget, self.cgroup = system, row, budget, cgroup
        self.name = system.name
        self.is_leat = isinstance(system, systems.Leat) and not isinstance(system, systems.Otelcol)

    def own(self):
        """(processors block, processors used, what stands at the end, environment)"""
        if self.is_leat:
            memory = "" if self.cgroup else f", memory: {self.budget}MiB"
            return "  batch: {}", "[]", f"leat: {{workers: 1{memory}}}", {}
        limit = ("limit_percentage: 80, spike_limit_percentage: 20" if self.cgroup else
                 f"limit_mib: {self.budget}, spike_limit_mib: {self.budget // 5}")
        soft = f"{self.budget * 8 // 10 if self.cgroup else self.budget}MiB"
        return (f"  memory_limiter: {{check_interval: 100ms, {limit}}}", "[memory_limiter]", "",
                {"GOMAXPROCS": "1", "GOMEMLIMIT": soft})

    def kind(self, protocol):
        if self.is_leat:
            return {"grpc": "otlp_grpc", "http": "otlp_http"}[protocol]
        return {"grpc": "otlp", "http": "otlphttp"}[protocol]

    def start(self, scenario, sinks, folder):
        row, http = self.row, scenario.protocol == "http"
        made, used, own, env = self.own()
        names = [""] + [f"/{n}" for n in range(2, len(sinks) + 1)]
        kind = self.kind(scenario.protocol)
        out = [(n, f"{'http://' if http else ''}127.0.0.1:{s.http if http else s.grpc}") for n, s in zip(names, sinks)]
        ports = [(systems.free_port(), systems.free_port()) for _ in (names if row.apart else names[:1])]
        receivers = "\n".join(
            f"  otlp{n}: {{protocols: {{grpc: {{endpoint: '127.0.0.1:{p[0]}'}}, http: {{endpoint: '127.0.0.1:{p[1]}'}}}}}}"
            for n, p in zip(names, ports))
        if row.apart:
            pipes = "\n".join(f"    logs{n}: {{receivers: [otlp{n}], processors: {used}, exporters: [{kind}{n}]}}" for n in names)
        else:
            pipes = f"    logs: {{receivers: [otlp], processors: {used}, exporters: [{', '.join(kind + n for n in names)}]}}"
        fill = {"receivers_block": receivers, "processors_block": made, "pipelines_block": pipes, "own": own,
                "exporters_block": exporter_block(kind, {"out": out, "compression": scenario.out, "timeout": row.timeout}, row.queue, row.retry),
                "in_grpc": ports[0][0], "in_http": ports[0][1]}
        base = self.system
        one = type(base)(base.name, base.program, "overload.yaml", {**base.env, **env}, base.cores, fill, base.note)
        if self.cgroup:
            one.command = lambda path, p: self.cgroup.wrap(base.command(path, p))
        running = systems.Running(one, scenario, sinks[0], folder)
        running.addresses = [{"grpc": f"127.0.0.1:{g}", "http": f"127.0.0.1:{h}"} for g, h in ports]
        return running


class Unbounded:
    """rotel: it has no budget to set; it takes part in what its command line can do."""
    def __init__(self, system):
        self.system, self.name, self.is_leat = system, system.name, False

    def start(self, scenario, sinks, folder):
        running = self.system.start(scenario, sinks[0], folder)
        running.addresses = [{p: f"127.0.0.1:{running.ports['in_' + p]}" for p in ("grpc", "http")}]
        return running


# --- a memory cgroup for the system alone

class NoCgroup(RuntimeError):
    pass


class Cgroup:
    """A child of this process's own memory cgroup (v1, or v2 where the controller is given to children)."""
    def __init__(self, limit):
        with open("/proc/self/cgroup", encoding="ascii") as f:
            own = [line.strip().split(":", 2) for line in f]
        v1 = [path for _, kinds, path in own if "memory" in kinds.split(",")]
        v2 = [path for _, kinds, path in own if kinds == ""]
        self.v1 = bool(v1)
        base = "/sys/fs/cgroup/memory" + v1[0] if v1 else "/sys/fs/cgroup" + (v2[0] if v2 else "")
        if not os.path.isdir(base):  # inside a container its own group is the mount
            base = "/sys/fs/cgroup/memory" if v1 else "/sys/fs/cgroup"
        self.path = os.path.join(base.rstrip("/"), f"leat-bench-{os.getpid()}-{time.monotonic_ns()}")
        try:
            os.mkdir(self.path)
        except OSError as e:
            raise NoCgroup(f"no memory cgroup can be made below {base}: {e.strerror}") from None
        try:
            self.write("memory.limit_in_bytes" if self.v1 else "memory.max", limit)
        except OSError as e:
            self.remove()
            raise NoCgroup(f"{self.path} takes no memory limit: {e.strerror}") from None

    def write(self, name, value):
        with open(os.path.join(self.path, name), "w", encoding="ascii") as f:
            f.write(str(value))

    def read(self, name):
        with open(os.path.join(self.path, name), encoding="ascii") as f:
            return f.read()

    def wrap(self, command):
        return ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', self.path, *command]

    def peak(self):
        """MiB: highest use, page cache and (v2) socket buffers included."""
        try:
            return int(self.read("memory.max_usage_in_bytes" if self.v1 else "memory.peak")) / MIB
        except OSError:
            return None

    def kills(self):
        text = self.read("memory.oom_control" if self.v1 else "memory.events")
        return sum(int(line.split()[1]) for line in text.splitlines() if line.split()[0] == "oom_kill")

    def remove(self):
        for _ in range(50):
            try:
                os.rmdir(self.path)
                return
            except OSError:
                time.sleep(0.1)


# --- watching

def schedstat(pid):
    """(nanoseconds run, waited) of a process's first thread; (0, 0) when it is gone."""
    try:
        with open(f"/proc/{pid}/schedstat", encoding="ascii") as f:
            return tuple(int(v) for v in f.read().split()[:2])
    except OSError:
        return 0, 0


class Watch:
    """Samples the resident memory of a system and what its sinks got, until stopped."""
    def __init__(self, running, sinks):
        self.running, self.sinks = running, sinks
        self.peak = self.longest = self.samples = 0
        self.delivered = []  # (monotonic ns, [ids per sink])
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def resident(self):
        total = 0
        for pid in self.pids:
            try:
                with open(f"/proc/{pid}/statm", encoding="ascii") as f:
                    total += int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            except OSError:
                pass
        return total / MIB

    def work(self):
        self.pids, last = self.running.pids(), time.monotonic()
        next_count = 0
        while not self.over.wait(SAMPLE):
            now = time.monotonic()
            self.peak, self.samples = max(self.peak, self.resident()), self.samples + 1
            self.longest, last = max(self.longest, now - last), now
            if now >= next_count:
                next_count = now + 0.1
                self.delivered.append((time.monotonic_ns(), [sum(s.ids_so_far() for s in group) for group in self.sinks]))

    def stop(self):
        self.over.set()
        self.thread.join()
        try:
            self.high = self.running.memory()[1]
        except OSError:
            self.high = None
        return self

    def rate(self, begin, end, sink=0):
        """Ids a second that this sink got between two instants (monotonic ns)."""
        inside = [(t, got[sink]) for t, got in self.delivered if begin <= t <= end]
        if len(inside) < 2 or inside[-1][0] == inside[0][0]:
            return 0
        return (inside[-1][1] - inside[0][1]) / ((inside[-1][0] - inside[0][0]) / 1e9)


class Sink(measure.Sink):
    """A sink that counts ids in a file of its own."""
    def __init__(self, folder, name, ids_max, *options):
        self.ids_path = os.path.join(folder, f"{name}.ids")
        proof = ["--proof", "--ids", self.ids_path, "--ids-max", str(ids_max)] if ids_max else []
        super().__init__(folder, *proof, *options, name=name)

    def ids_so_far(self):
        return self.counters()[2]

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(12)  # SIGUSR2: one that is stalled ends too
            return super().stop()
        return {}


def read_counts(path):
    counts = array.array("Q")
    if os.path.exists(path):
        with open(path, "rb") as f:
            counts.frombytes(f.read())
    return counts


def compare(acked_paths, sink_paths):
    """(acknowledged items that did not come, items that came without an acknowledgement or once too often)"""
    acked, got = array.array("Q"), array.array("Q")
    for total, paths in ((acked, acked_paths), (got, sink_paths)):
        for path in paths:
            one = read_counts(path)
            total.extend([0] * (len(one) - len(total)))
            for i, n in enumerate(one):
                total[i] += n
    got.extend([0] * (len(acked) - len(got)))
    acked.extend([0] * (len(got) - len(acked)))
    return (sum(a - g for a, g in zip(acked, got) if a > g), sum(g - a for a, g in zip(acked, got) if g > a))


def wait_delivered(acked_paths, sink_paths, alive):
    """Until all that was acknowledged has come, or the limit; then as compare()."""
    end = time.monotonic() + SETTLE_LIMIT
    while True:
        lost, extra = compare(acked_paths, sink_paths)
        if lost == 0 or time.monotonic() > end or not alive():
            return lost, extra
        time.sleep(1)


# --- loads side by side

def run_loads(commands, limit, meanwhile=None):
    """Runs load generators at the same time; what they printed. meanwhile(): called once while they run."""
    started = [subprocess.Popen(c, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for c in commands]
    results = []
    try:
        if meanwhile:
            meanwhile()
        for p in started:
            out, err = p.communicate(timeout=limit + LOAD_SPARE)
            if p.returncode != 0:
                raise RuntimeError(err.strip() or f"the load ended with {p.returncode}")
            results.append(json.loads(out))
    finally:
        for p in started:
            if p.poll() is None:
                p.kill()
                p.wait()
    return results


SUMS = ("acks", "errors", "all_acks", "all_errors", "refused", "refused_bare", "refused_wrong", "broken", "sent", "unsent",
        "behind", "reopened", "own_cpu_ns", "lost")
WORST = ("refusal_p50_ns", "refusal_p99_ns", "refusal_max_ns", "p50_ns", "p99_ns", "wall_ns")


def together(results):
    """Several loads as one: sums, and of times the worst."""
    one = {k: sum(r[k] for r in results) for k in SUMS}
    one.update({k: max(r[k] for r in results) for k in WORST})
    one.update({k: results[0][k] for k in ("cpu_ns", "core_ticks", "busy_ticks", "steal_ticks", "begin_ns", "wait_ns")})
    bins = [r["bins"] for r in results]
    one["bins"] = [sum(b[i] for b in bins) for i in range(min(len(b) for b in bins))]
    return one
