"""The programs that are measured: how each is started for a scenario, and what it is."""
import os
import shutil
import signal
import socket
import string
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = os.environ.get("LEAT_PEERS", os.path.expanduser("~/.cache/leat-peers"))
START_LIMIT = 30  # seconds


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def find(name, *more):
    """The first of the places where this program is; None when there is none."""
    for path in more:
        if path and os.access(path, os.X_OK):
            return path
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


def version(command):
    out = subprocess.run(command, capture_output=True, text=True, check=False)
    return (out.stdout + out.stderr).strip().split("\n")[0]


class System:
    """One program. `cores` is what it is pinned to; `fill` fills its configuration's places."""
    def __init__(self, name, program, config=None, env=None, cores="0", fill=None, note=""):
        self.name, self.program, self.config = name, program, config
        self.env, self.cores, self.fill, self.note = env or {}, cores, fill or {}, note

    def available(self):
        return self.program is not None

    def command(self, path, ports):
        """The command line for the configuration that lies at `path`."""
        raise NotImplementedError

    def version(self):
        return ""

    def start(self, scenario, sink, folder):
        return Running(self, scenario, sink, folder)


class Leat(System):
    def command(self, path, ports):
        return [self.program, "--config", path]

    def version(self):
        return version([self.program, "--version"])


class Otelcol(Leat):
    pass


class Nginx(System):
    def command(self, path, ports):
        return [self.program, "-p", os.path.dirname(path), "-c", path]

    def version(self):
        return version([self.program, "-v"])


class Haproxy(System):
    def command(self, path, ports):
        return [self.program, "-db", "-f", path]

    def version(self):
        return version([self.program, "-v"]).split(" - ")[0]


class Relay(System):
    def command(self, path, ports):
        if ports["protocol"] == "http":
            return [self.program, "--http", "--listen", str(ports["in_http"]),
                    "--to", f"127.0.0.1:{ports['out_http']}"]
        return [self.program, "--listen", str(ports["in_grpc"]), "--to", f"127.0.0.1:{ports['out_grpc']}"]

    def version(self):
        return "bench/tools/relay.c"


class Rotel(System):
    def command(self, path, ports):
        http = ports["protocol"] == "http"
        out = f"http://127.0.0.1:{ports['out_http' if http else 'out_grpc']}"
        return [self.program, "start", "--otlp-grpc-endpoint", f"127.0.0.1:{ports['in_grpc']}",
                "--otlp-http-endpoint", f"127.0.0.1:{ports['in_http']}", "--exporter", "otlp",
                "--otlp-exporter-endpoint", out, "--otlp-exporter-protocol", "http" if http else "grpc",
                "--otlp-exporter-compression", ports["compression"]]

    def version(self):
        return version([self.program, "--version"])


class Running:
    """A started system: its processes, its address, its memory."""
    def __init__(self, system, scenario, sink, folder):
        self.system = system
        self.folder = os.path.join(folder, system.name)
        os.makedirs(self.folder, exist_ok=True)
        self.ports = {"in_grpc": free_port(), "in_http": free_port(), "out_grpc": sink.grpc,
                      "out_http": sink.http, "protocol": scenario.protocol, "compression": scenario.out,
                      "processors": scenario.processors, "workers": 1, "nginx_body": "1m",
                      "nginx_buffering": "off", "haproxy_buffer": 65536,
                      "exporter": self.exporter(scenario.protocol), **system.fill}
        self.address = f"127.0.0.1:{self.ports['in_' + scenario.protocol]}"
        path = self.configure()
        command = ["taskset", "-c", system.cores] + system.command(path, self.ports)
        self.log = open(os.path.join(self.folder, "log"), "wb")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT,
                                        stdin=subprocess.DEVNULL, env={**os.environ, **system.env})
        self.wait_ready()

    def exporter(self, protocol):
        if isinstance(self.system, Otelcol):
            return {"grpc": "otlp", "http": "otlphttp"}[protocol]
        return {"grpc": "otlp_grpc", "http": "otlp_http"}[protocol]

    def configure(self):
        if self.system.config is None:
            return None
        with open(os.path.join(HERE, "peers", self.system.config), encoding="utf-8") as f:
            text = string.Template(f.read()).substitute(self.ports)
        path = os.path.join(self.folder, self.system.config)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def wait_ready(self):
        end = time.monotonic() + START_LIMIT
        host, port = self.address.split(":")
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            try:
                socket.create_connection((host, int(port)), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"{self.system.name} did not start; see {self.folder}/log")

    def pids(self):
        """The process and all that it started."""
        found, todo = [], [self.process.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            try:
                with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
                    todo += [int(p) for p in f.read().split()]
            except OSError:
                pass
        return found

    def memory(self):
        """(resident now, highest ever) in MiB, over all processes."""
        now = peak = 0
        for pid in self.pids():
            with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as f:
                for line in f:
                    if line.startswith("VmRSS:"):
                        now += int(line.split()[1])
                    elif line.startswith("VmHWM:"):
                        peak += int(line.split()[1])
        return now / 1024, peak / 1024

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()


def known(build):
    """Every system by name; what is not installed says so by available()."""
    otelcol = find("otelcol", os.path.join(PEERS, "bin", "otelcol"))
    leat = find("leat", os.environ.get("LEAT"), os.path.join(build, "leat"))
    both = [
        Leat("leat", leat, "leat.yaml", note="1 worker"),
        Leat("leat-2", leat, "leat.yaml", cores="0,1", fill={"workers": 2}, note="2 workers"),
        Nginx("nginx", find("nginx"), "nginx.conf", note="1 worker"),
        Haproxy("haproxy", find("haproxy"), "haproxy.cfg", note="1 thread"),
        Relay("relay", find("relay", os.path.join(build, "bench", "relay")),
              note="epoll and nghttp2, no duties"),
        Otelcol("otelcol", otelcol, "otelcol.yaml", env={"GOMAXPROCS": "1"}, note="GOMAXPROCS=1"),
        Otelcol("otelcol-default", otelcol, "otelcol.yaml", cores="0,1", note="defaults, both cores"),
        Rotel("rotel", find("rotel-agent", os.path.join(PEERS, "bin", "rotel-agent")),
              note="defaults; answers before delivery"),
    ]
    return {s.name: s for s in both}
