"""Runs the program and talks to it: start, wait for a log line, send, a destination that counts what arrives.

Nothing here sleeps for a guessed time: everything waits for a fact, with a limit that only a failure reaches.
"""
import contextlib
import ctypes
import faulthandler
import fcntl
import gzip
import http.client
import http.server
import json
import os
import re
import shutil
import signal as signals
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import zlib

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import otlp  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LEAT = os.environ.get("LEAT", os.path.join(TOP, "build", "leat"))
LONG = os.environ.get("LEAT_LONG", "0") == "1"
LIMIT = 30  # seconds that a step may take before it counts as failed
EX_USAGE, EX_CONFIG = 64, 78
PROTOBUF, JSON = "application/x-protobuf", "application/json"


def wait_until(condition, what, limit=LIMIT):
    """Returns the first true value of condition(); AssertionError saying `what` after `limit` seconds."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"after {limit} s still not: {what() if callable(what) else what}")
        time.sleep(0.02)


def free_port():
    """A port nobody has now: only for peers that cannot say which port the kernel gave them."""
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def private_network():
    """Moves this process into a network of its own where the kernel allows, so that well-known ports are free."""
    libc = ctypes.CDLL(None, use_errno=True)
    new_user, new_net = 0x10000000, 0x40000000
    if libc.unshare(new_net) != 0 and libc.unshare(new_user | new_net) != 0:
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        flags = struct.pack("16sh", b"lo", 1)  # IFF_UP
        fcntl.ioctl(s.fileno(), 0x8914, flags + bytes(40 - len(flags)))  # SIOCSIFFLAGS
    return True


def run(*args, env=None, cwd=None, limit=LIMIT, stdin=None):
    """The program to its end: (exit code, stdout, stderr)."""
    p = subprocess.run([LEAT, *args], capture_output=True, text=True, timeout=limit, cwd=cwd, input=stdin,
                       env={**os.environ, "NO_COLOR": "1", **(env or {})}, errors="replace")
    return p.returncode, p.stdout, p.stderr


class Leat:
    """The program, running. `config` is YAML text or None; stops at the end of the with block."""

    def __init__(self, config=None, args=(), env=None, folder=None):
        self.folder = folder or tempfile.mkdtemp(prefix="leat-e2e-")
        self.own_folder = folder is None
        argv = [LEAT]
        if config is not None:
            path = os.path.join(self.folder, "leat.yaml")
            with open(path, "w", encoding="utf-8") as f:
                f.write(config)
            argv += ["--config", path]
        argv += list(args)
        self.out_path = os.path.join(self.folder, f"leat-{time.monotonic_ns()}.out")
        self.out = open(self.out_path, "wb")
        self.process = subprocess.Popen(argv, stdout=self.out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                        env={**os.environ, "NO_COLOR": "1", **(env or {})}, cwd=self.folder)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        code = self.stop()
        if kind is not None:
            print(f"--- output of the program (exit {code}):\n{self.log()}", flush=True)
        if self.own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)
        if kind is None and code != 0:
            raise AssertionError(f"the program ended with {code}:\n{self.text}")

    def log(self):
        if os.path.exists(self.out_path):
            with open(self.out_path, encoding="utf-8", errors="replace") as f:
                self.text = f.read()
        return self.text

    def running(self):
        return self.process.poll() is None

    def wait_log(self, pattern, limit=LIMIT):
        """The match of `pattern` in the output; fails when the program ends without it."""
        compiled = re.compile(pattern, re.M)

        def look():
            ended = not self.running()
            m = compiled.search(self.log())
            if m is None and ended:
                raise AssertionError(f"the program ended ({self.process.returncode}) without {pattern!r}:\n{self.log()}")
            return m
        return wait_until(look, lambda: f"{pattern!r} in the output:\n{self.log()}", limit)

    def port(self, component, protocol=None):
        """The port from the line "ID<tab>listening on 127.0.0.1:PORT (grpc|http)"."""
        end = rf" \({protocol}\)" if protocol else ""
        m = self.wait_log(rf"^.*\t{re.escape(component)}\t.*listening on (?:[^\n]*[ ,])?127\.0\.0\.1:(\d+)[^\n]*?{end}")
        return int(m.group(1))

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, limit=LIMIT):
        """SIGTERM when it still runs; the exit code. Killed (and failed) after `limit` seconds."""
        if self.running():
            self.process.terminate()
        return self.wait(limit)

    def wait(self, limit=LIMIT):
        try:
            code = self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            print(f"--- output of the program:\n{self.log()}", flush=True)
            raise AssertionError(f"the program did not end within {limit} s") from None
        self.out.close()
        self.log()
        return code


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body


def http_request(port, method, path, body=None, headers=None, tls=None, limit=LIMIT):
    """One request on a connection of its own."""
    if tls is not None:
        c = http.client.HTTPSConnection("localhost", port, timeout=limit, context=tls)
    else:
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=limit)
    with contextlib.closing(c):
        c.request(method, path, body=body, headers=headers or {})
        r = c.getresponse()
        return Reply(r.status, {k.lower(): v for k, v in r.getheaders()}, r.read())


def get(port, path="/"):
    return http_request(port, "GET", path)


def post(port, signal, body, content_type=PROTOBUF, headers=None, path=None, tls=None, limit=LIMIT):
    if isinstance(body, dict):
        body, content_type = json.dumps(body).encode(), JSON
    return http_request(port, "POST", path or otlp.PATHS[signal], body,
                        {"Content-Type": content_type, **(headers or {})}, tls, limit)


def send(port, signal, names, **kw):
    """Sends names as one protobuf request; the reply."""
    return post(port, signal, otlp.request(signal, names), **kw)


class Client:
    """Sends over one kept connection, made anew when the server closes it."""

    def __init__(self, port):
        self.port, self.connection = port, None

    def close(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    def send(self, signal, names):
        """The status; 0 when the connection broke, so that nobody knows what became of the request."""
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
            self.connection.request("POST", otlp.PATHS[signal], otlp.request(signal, names), {"Content-Type": PROTOBUF})
            r = self.connection.getresponse()
            r.read()
            if r.will_close:
                self.close()
            return r.status
        except (OSError, http.client.HTTPException):
            self.close()
            return 0


class GrpcReply:
    def __init__(self, http_status, headers, message_size):
        self.http_status, self.headers, self.message_size = http_status, headers, message_size
        self.status = int(headers.get("grpc-status", -1))
        self.text = headers.get("grpc-message", "")


def grpc(port, signal, message, headers=(), encoding=None, method=None):
    """One unary call by nghttp over HTTP/2 with prior knowledge. (curl 7.88 throws an answer away that comes before it has
    sent its whole body.)"""
    with tempfile.NamedTemporaryFile() as body:
        body.write(bytes([1 if encoding else 0]) + struct.pack(">I", len(message)) + message)
        body.flush()
        argv = ["nghttp", "-nv", "--no-dep", "-t", str(LIMIT), "-d", body.name, "-H", "content-type: application/grpc", "-H", "te: trailers"]
        for h in ([f"grpc-encoding: {encoding}"] if encoding else []) + list(headers):
            argv += ["-H", h]
        p = subprocess.run([*argv, f"http://127.0.0.1:{port}{method or otlp.METHODS[signal]}"], capture_output=True, text=True,
                           timeout=LIMIT + 5)
    found = dict(re.findall(r"recv \(stream_id=\d+\) (:?[\w-]+): (.*)", p.stdout))
    if ":status" not in found:
        raise AssertionError(f"no answer: {p.stdout[-2000:]}{p.stderr}")
    sizes = [int(n) for n in re.findall(r"recv DATA frame <length=(\d+)", p.stdout)]
    return GrpcReply(int(found[":status"]), found, sum(sizes) - 5 if sum(sizes) else None)


class QuietServer(http.server.ThreadingHTTPServer):
    """What destinations are made of: ends with the test, and says nothing of clients that go away."""
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_):
        pass  # a client that goes away is none of our business


class QuietHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass


class Sink:
    """An OTLP/HTTP destination that counts records by their ids. `answer(signal, names)` may return
    (status, headers, body) or None for 200; it is called under the lock."""

    def __init__(self, answer=None, port=0, tls=None):
        self.lock = threading.Lock()
        self.answer = answer
        self.received = {s: {} for s in otlp.SIGNALS}
        self.requests = []  # (signal, names, headers, status)
        sink = self

        class Handler(QuietHandler):
            def do_POST(self):
                sink.serve(self)

        class Server(QuietServer):
            request_queue_size = 128

            def process_request(self, request, address):
                with sink.lock:
                    sink.sockets.add(request)
                super().process_request(request, address)

            def shutdown_request(self, request):
                with sink.lock:
                    sink.sockets.discard(request)
                super().shutdown_request(request)

        self.sockets = set()
        self.server = Server(("127.0.0.1", port), Handler)
        if tls is not None:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Stops listening and cuts every connection, as a destination that goes away does."""
        self.server.shutdown()
        self.server.server_close()
        with self.lock:
            for s in self.sockets:
                with contextlib.suppress(OSError):
                    s.shutdown(socket.SHUT_RDWR)

    def serve(self, h):
        body = self.body(h)
        signal = h.path.rsplit("/", 1)[-1]
        is_json = h.headers.get("Content-Type", "").startswith(JSON)
        names = otlp.names_json(signal, body) if is_json else otlp.names(signal, body)
        with self.lock:
            status, headers, reply = (self.answer and self.answer(signal, names)) or (200, {}, b"{}" if is_json else b"")
            self.requests.append((signal, names, dict(h.headers), status))
            if status == 200:
                for n in names:
                    self.received[signal][n] = self.received[signal].get(n, 0) + 1
        h.send_response(status)
        for k, v in {"Content-Type": JSON if is_json else PROTOBUF, "Content-Length": str(len(reply)), **headers}.items():
            h.send_header(k, v)
        h.end_headers()
        h.wfile.write(reply)

    @staticmethod
    def body(h):
        if h.headers.get("Transfer-Encoding", "") == "chunked":
            data = b""
            while size := int(h.rfile.readline().split(b";")[0], 16):
                data += h.rfile.read(size)
                h.rfile.readline()
            h.rfile.readline()
        else:
            data = h.rfile.read(int(h.headers.get("Content-Length", 0)))
        encoding = h.headers.get("Content-Encoding", "")
        if encoding == "gzip":
            return gzip.decompress(data)
        if encoding in ("deflate", "zlib"):
            return zlib.decompress(data)
        if encoding:
            raise AssertionError(f"the sink does not know {encoding}")
        return data

    def got(self, signal):
        with self.lock:
            return dict(self.received[signal])

    def forget(self):
        """Nothing has arrived yet."""
        with self.lock:
            self.requests.clear()
            for names in self.received.values():
                names.clear()

    def wait_for(self, signal, names, limit=LIMIT):
        """Until every name was accepted at least once."""
        wanted = set(names)

        def missing():
            return wanted - self.got(signal).keys()
        wait_until(lambda: not missing(), lambda: f"{len(missing())} of {len(wanted)} {signal} arrive: "
                   f"{sorted(missing())[:5]}…", limit)


def metrics(port):
    """The program's own metrics: {name: [(labels, value)]}."""
    r = get(port, "/metrics")
    assert r.status == 200, r.status
    found = {}
    for line in r.body.decode().splitlines():
        m = re.fullmatch(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)", line)
        if m:
            labels = dict(re.findall(r'(\w+)="((?:\\.|[^"\\])*)"', m.group(2) or ""))
            found.setdefault(m.group(1), []).append((labels, float(m.group(3))))
    return found


def total(found, name, **labels):
    """The sum of a metric's series that have these labels; None when there is none."""
    values = [v for have, v in found.get(name, []) if all(have.get(k) == w for k, w in labels.items())]
    return sum(values) if values else None


def telemetry(port):
    """The service.telemetry block that puts the metrics page on a port."""
    return f"""
  telemetry:
    metrics: {{readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {port}}}}}}}}}]}}"""


def pipelines(receivers="[otlp]", exporters="[debug]", processors="[]", kinds=otlp.SIGNALS):
    return "".join(f"\n    {s}: {{receivers: {receivers}, processors: {processors}, exporters: {exporters}}}" for s in kinds)


OTLP = "otlp: {protocols: {grpc: {endpoint: 127.0.0.1:0}, http: {endpoint: 127.0.0.1:0}}}"


def config(exporters, used, receivers=OTLP, processors="", processing="[]", extensions="", extended="[]", tail="",
           kinds=otlp.SIGNALS):
    """A whole file: sections as YAML text (indented by two), the pipelines all alike."""
    parts = [f"receivers:\n  {receivers}"]
    if processors:
        parts.append(f"processors:\n  {processors}")
    parts.append(f"exporters:\n  {exporters}")
    if extensions:
        parts.append(f"extensions:\n  {extensions}")
    parts.append(f"service:{tail}\n  extensions: {extended}\n  pipelines:" +
                 pipelines(exporters=used, processors=processing, kinds=kinds))
    return "\n".join(parts) + "\n"


def certificates(folder):
    """A CA, a server's and a client's certificate in `folder`, made by openssl; their names."""
    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True)
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key",
            "-out", "ca.pem", "-days", "2", "-subj", "/CN=leat test ca")
    for name, extra in (("server", "subjectAltName=DNS:localhost,IP:127.0.0.1"), ("client", "extendedKeyUsage=clientAuth")):
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key",
                "-out", f"{name}.csr", "-subj", f"/CN={name}")
        with open(os.path.join(folder, f"{name}.ext"), "w", encoding="ascii") as f:
            f.write(extra + "\n")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out",
                f"{name}.pem", "-days", "2", "-extfile", f"{name}.ext")
    return {n: os.path.join(folder, n) for n in ("ca.pem", "server.pem", "server.key", "client.pem", "client.key")}


def client_tls(ca, cert=None, key=None):
    context = ssl.create_default_context(cafile=ca)
    if cert:
        context.load_cert_chain(cert, key)
    return context


class Case(unittest.TestCase):
    maxDiff = None

    def folder(self):
        d = tempfile.mkdtemp(prefix="leat-e2e-")
        self.addCleanup(shutil.rmtree, d, True)
        return d


def main():
    if not os.access(LEAT, os.X_OK):
        raise SystemExit(f"{LEAT}: no such program; set LEAT or build first")
    signals.signal(signals.SIGPIPE, signals.SIG_IGN)
    faulthandler.register(signals.SIGTERM, chain=True)  # stopped at its limit, it says where it was
    private_network()
    unittest.main(verbosity=2)
