"""Starts the real peers beside the program, in a network of the test's own, and asks them what they received."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))
import lib  # noqa: E402
import otlp  # noqa: E402

PEERS = os.environ.get("PEERS") or os.path.expanduser("~/.cache/leat-peers")
SCRIPTS = os.path.join(lib.TOP, "tests", "peers")
SLOW = 60  # seconds for a peer to get ready


def fetch(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=lib.LIMIT) as r:
        return json.load(r)


class Peer:
    """A program of PEERS/bin with a configuration file, until the end of the with block. In its arguments {config} is the
    file and {folder} a folder of its own, which lives as long as the peer."""

    def __init__(self, program, text, args=("--config", "{config}")):
        self.folder = tempfile.mkdtemp(prefix="leat-interop-")
        path = os.path.join(self.folder, "config.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        self.out_path = os.path.join(self.folder, "out")
        self.argv = [os.path.join(PEERS, "bin", program), *(a.format(config=path, folder=self.folder) for a in args)]
        self.start()

    def start(self):
        with open(self.out_path, "ab") as out:
            self.process = subprocess.Popen(self.argv, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=self.folder)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.process.terminate()
        try:
            self.process.wait(lib.LIMIT)
        except subprocess.TimeoutExpired:
            self.kill()
        if kind is not None:
            print(f"--- output of the peer:\n{self.log()[-8000:]}", flush=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def kill(self):
        """At once, as a machine that loses its power; start() begins again with the same folder."""
        self.process.kill()
        self.process.wait()

    def log(self):
        with open(self.out_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait_ready(self, ready, what):
        def look():
            if self.process.poll() is not None:
                raise AssertionError(f"the peer ended with {self.process.returncode}:\n{self.log()[-8000:]}")
            try:
                return ready()
            except OSError:
                return False
        lib.wait_until(look, what, SLOW)
        return self


class Jaeger(Peer):
    def __init__(self):
        self.grpc, self.http, self.query, query_grpc = (lib.free_port() for _ in range(4))
        super().__init__("jaeger", f"""
service:
  extensions: [jaeger_storage, jaeger_query]
  pipelines: {{traces: {{receivers: [otlp], exporters: [jaeger_storage_exporter]}}}}
  telemetry: {{metrics: {{level: none}}}}
extensions:
  jaeger_storage: {{backends: {{memory: {{memory: {{max_traces: 100000}}}}}}}}
  jaeger_query:
    storage: {{traces: memory}}
    http: {{endpoint: "127.0.0.1:{self.query}"}}
    grpc: {{endpoint: "127.0.0.1:{query_grpc}"}}
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:{self.grpc}"}}, http: {{endpoint: "127.0.0.1:{self.http}"}}}}}}}}
exporters: {{jaeger_storage_exporter: {{trace_storage: memory}}}}
""")
        self.wait_ready(lambda: fetch(self.query, "/api/services") is not None, "Jaeger answers queries")

    def trace(self, trace_id):
        """{span id: span} of one trace; None when Jaeger does not have it (yet)."""
        try:
            data = fetch(self.query, f"/api/traces/{trace_id}")["data"]
        except urllib.error.HTTPError as e:
            if e.code == 404:
                return None
            raise
        return {s["spanID"]: s for s in data[0]["spans"]} if data else None

    def traces(self, service):
        return fetch(self.query, f"/api/traces?service={service}&limit=100000")["data"]


def tags(span):
    return {t["key"]: t["value"] for t in span["tags"]}


class Otelcol(Peer):
    """A collector that takes OTLP, writes it to JSON lines per signal and, where asked, sends it on."""

    def __init__(self, exporters="", kinds=otlp.SIGNALS, args=()):
        self.grpc, self.http = lib.free_port(), lib.free_port()
        self.out_files = tempfile.mkdtemp(prefix="leat-interop-")
        names = [line.split(":")[0].strip() for line in exporters.splitlines() if line.strip()]
        pipes = "".join(f"    {s}: {{receivers: [otlp], exporters: [{', '.join([f'file/{s}', *names])}]}}\n" for s in kinds)
        files = "".join(f"  file/{s}: {{path: '{self.out_files}/{s}.jsonl', flush_interval: 50ms}}\n" for s in kinds)
        super().__init__("otelcol", f"""
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:{self.grpc}"}}, http: {{endpoint: "127.0.0.1:{self.http}"}}}}}}}}
exporters:
{files}{exporters}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
{pipes}""", ("--config", "{config}", *args))
        self.wait_ready(lambda: "Everything is ready" in self.log(), "the collector is ready")

    def __exit__(self, *args):
        super().__exit__(*args)
        shutil.rmtree(self.out_files, ignore_errors=True)

    def lines(self, signal):
        return json_lines(f"{self.out_files}/{signal}.jsonl")


def json_lines(path):
    """The objects of a file of JSON lines; a line still being written is left for later."""
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f.read().split("\n")[:-1]]


def emit(argv, **environment):
    """Runs an emitter to its end; what it printed as JSON."""
    p = subprocess.run(argv, capture_output=True, text=True, timeout=SLOW, env={**os.environ, **environment})
    if p.returncode != 0:
        raise AssertionError(f"{argv}: exit code {p.returncode}\n{p.stdout}{p.stderr}")
    return p.stdout + p.stderr


def python_sdk(**environment):
    out = emit([os.path.join(PEERS, "py", "venv", "bin", "python"), os.path.join(SCRIPTS, "emit.py")], **environment)
    return json.loads([line for line in out.splitlines() if line.startswith("{")][-1])


def node_sdk(**environment):
    out = emit(["node", os.path.join(SCRIPTS, "emit.js")], NODE_PATH=os.path.join(PEERS, "node", "node_modules"), **environment)
    return json.loads([line for line in out.splitlines() if line.startswith("{")][-1])


def telemetrygen(*args):
    return emit([os.path.join(PEERS, "bin", "telemetrygen"), *args])
