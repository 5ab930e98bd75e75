"""Allocation n fails while requests pass, for sampled n, the program's own allocations and those of its libraries: it goes
on, leaks nothing, answers every request or closes the connection, and loses nothing that it has acknowledged.

Each scenario carries the traffic of other programs of this folder, named in its comment. One process lives through
many failures: in every round some allocation fails, then a healthy request must succeed, all that was acknowledged must
have arrived, the books must balance and all memory be given back. `--long` fails every allocation in turn, or each k-th where there are thousands.

Not in our hands, and kept out: libuv aborts when its table of file descriptors cannot grow (so the table is made large
first); libsnappy's operator new throws, which ends a program in C (the codec tries for as much memory before it calls).
"""
import base64
import contextlib
import glob
import http.client
import json
import os
import random
import re
import shutil
import socket
import subprocess
import threading

import codecs_by_hand
import lib
import no_memory
import otlp
import raw_h2
import remote_write
import test_delta
import test_metrics

ROUNDS = 8        # failures per scenario, when not --long
FAILURES_MAX = 8  # of one scenario are told, each with a new process
HANDSHAKES = 40
DRAINS = 3
STARTS = 6
SEED = 20
WARM = 200        # connections at once
SHORT = 1         # seconds that each m-th allocation fails: what needs more than m in one piece is held up for as long
RETRY = "retry_on_failure: {initial_interval: 5ms, max_interval: 20ms}"


class Traffic:
    """What one round has sent: every request with its outcome."""

    def __init__(self, tag, scenario):
        self.tag, self.scenario, self.acknowledged, self.n = tag, scenario, [], 0

    def names(self, count=3):
        self.n += 1
        return [f"{self.tag}.{self.n}.{i}" for i in range(count)]

    def note(self, signal, names, ok):
        if ok:
            self.acknowledged += [(signal, n) for n in names]

    def http(self, signal="logs", as_json=False, encoding=None, headers=None, count=3, tls=None, port=None, client=None):
        names = self.names(count)
        body = json.dumps(otlp.request_json(signal, names)).encode() if as_json else otlp.request(signal, names)
        headers = {"Content-Type": lib.JSON if as_json else lib.PROTOBUF, **(headers or {})}
        if encoding:
            body = codecs_by_hand.CODECS[encoding](body)
            headers["Content-Encoding"] = encoding
        status = self.ask("POST", otlp.PATHS[signal], body, headers, tls, port)
        self.note(signal, names, status == 200)
        return status

    def ask(self, method, path, body=None, headers=None, tls=None, port=None):
        """The status; 0: the connection was closed instead."""
        try:
            return lib.http_request(port or self.scenario.http, method, path, body, headers, tls).status
        except TimeoutError as e:
            raise AssertionError(f"no answer to {method} {path}, and the connection is open") from e
        except (OSError, http.client.HTTPException):
            return 0

    def grpc(self, signals=("logs",), gzipped=False, headers=(), tls=None, count=3):
        """Several calls at once over one connection; their codes, None where it was closed instead."""
        sent, codes = [], []
        try:
            with raw_h2.Client(self.scenario.grpc, tls=tls) as c:
                for signal in signals:
                    names = self.names(count)
                    body, extra = otlp.request(signal, names), list(headers)
                    if gzipped:
                        body, extra = codecs_by_hand.gzip.compress(body), extra + [("grpc-encoding", "gzip")]
                    stream = c.open(signal, extra)
                    c.data(stream, raw_h2.message(body, int(gzipped)))
                    sent.append((signal, names, stream))
                for signal, names, stream in sent:
                    code = c.status(stream)
                    codes.append(code)
                    self.note(signal, names, code == 0)
        except TimeoutError as e:
            raise AssertionError("no answer to a call, and the connection is open") from e
        except (OSError, AssertionError):
            codes += [None] * (len(signals) - len(codes))
        return codes


class Scenario:
    """A configuration, its traffic, and where the records arrive."""
    rounds = ROUNDS
    first = 3    # rounds in which nothing fails: they fill caches
    most = 1000  # failures in the long form
    in_a_row = 2, 10
    keeps = 0    # bytes it may hold when all is quiet
    pinned = []  # failures that once found something
    processors, processing, extensions, extended, tail, kinds = "", "[]", "", "[]", "", otlp.SIGNALS

    def __init__(self, folder):
        self.folder, self.at = folder, lib.free_port()
        self.stack = contextlib.ExitStack()
        self.open()

    def open(self):
        """Makes the destinations."""

    def close(self):
        self.stack.close()

    def sink(self, answer=None):
        return self.stack.enter_context(lib.Sink(answer))

    def far(self, sink, **kw):
        """Another program, healthy, that passes on to a sink whatever comes, before it says yes."""
        exporter = f"otlp_http: {{endpoint: 'http://127.0.0.1:{sink.port}', compression: none, sending_queue: {{enabled: false}}}}"
        far = self.stack.enter_context(lib.Leat(lib.config(exporter, "[otlp_http]", **kw)))
        return far.port("otlp", "http"), far.port("otlp", "grpc")

    def receiver(self):
        return lib.OTLP

    def config(self):
        exporters, used = self.exporters()
        return lib.config(exporters, used, receivers=self.receiver(), processors=self.processors, processing=self.processing,
                          extensions=self.extensions, extended=self.extended, tail=lib.telemetry(self.at), kinds=self.kinds
                          ) + self.tail

    def started(self, leat):
        self.http, self.grpc = leat.port("otlp", "http"), leat.port("otlp", "grpc")

    def missing(self, acknowledged):
        got = [{s: sink.got(s) for s in otlp.SIGNALS} for sink in self.sinks]
        return [n for s, n in acknowledged for have in got if n not in have[s]]

    def forget(self):
        """What has arrived is looked for no more: thousands of rounds stay as fast as the first, and as small."""
        for sink in self.sinks:
            sink.forget()

    def healthy(self, t):
        """After the failure: this must succeed."""
        self.good(t.http, 200)

    def good(self, ask, wanted):
        """At once, or after "retry": a stage that had no memory may ask for some time."""
        said = []

        def asked():
            said.append(ask())
            assert said[-1] in (wanted, 503, [14]), f"a healthy request afterwards: {said}"
            return said[-1] == wanted
        lib.wait_until(asked, lambda: f"a healthy request succeeds: {said[-3:]}")


class HttpIn(Scenario):
    """test_http, test_compression, test_cors, test_default: protobuf and JSON, each encoding, refusals, preflight."""
    processors, processing = "batch: {timeout: 5ms, send_batch_size: 10}\n  memory_limiter: {check_interval: 1s, limit_mib: 512}", \
        "[memory_limiter, batch]"

    def open(self):
        self.sinks = [self.sink()]

    def receiver(self):
        return ("otlp: {protocols: {grpc: {endpoint: 127.0.0.1:0}, http: {endpoint: 127.0.0.1:0, cors: {allowed_origins: "
                "['https://*.example.com']}}}}")

    def exporters(self):
        return f"otlp_http: {{endpoint: 'http://127.0.0.1:{self.sinks[0].port}', {RETRY}}}", "[otlp_http]"

    def traffic(self, t):
        origin = {"Origin": "https://a.example.com"}
        for s in otlp.SIGNALS:
            t.http(s)
            t.http(s, as_json=True, headers=origin)
        for encoding in codecs_by_hand.CODECS:
            t.http(encoding=encoding, count=6)
        t.http(as_json=True, encoding="gzip", count=400)
        t.ask("OPTIONS", "/v1/logs", headers={**origin, "Access-Control-Request-Method": "POST"})
        t.ask("POST", "/v1/logs", b'{"resourceLogs": [}', {"Content-Type": lib.JSON})
        t.ask("POST", "/v1/logs", b"\xff\xff", {"Content-Type": lib.PROTOBUF})
        t.ask("POST", "/v1/logs", b"no gzip", {"Content-Type": lib.PROTOBUF, "Content-Encoding": "gzip"})
        t.ask("GET", "/v1/logs")
        t.ask("POST", "/elsewhere", b"")


class GrpcIn(Scenario):
    """test_grpc, test_audit_io: calls at once over one connection, gzip, refusals; on by gRPC, confirmed by the far end."""

    def open(self):
        self.sinks = [self.sink()]
        self.far_http, self.far_grpc = self.far(self.sinks[0])

    def exporters(self):
        return (f"otlp_grpc: {{endpoint: '127.0.0.1:{self.far_grpc}', tls: {{insecure: true}}, {RETRY}, sending_queue: "
                "{enabled: false}}"), "[otlp_grpc]"

    def traffic(self, t):
        t.grpc(otlp.SIGNALS * 2)
        t.grpc(["logs"], gzipped=True, count=300)
        t.grpc(["traces"], count=2000)
        with contextlib.suppress(OSError, AssertionError), raw_h2.Client(self.grpc) as c:
            for body in (b"\xff\xff", b""):
                c.request(body)
            c.data(c.open(method="/no.Such/Method"), raw_h2.message(b""))
            c.answer(5)
        t.http("metrics")

    def healthy(self, t):
        for signal in otlp.SIGNALS:
            self.good(lambda s=signal: t.grpc([s]), [0])


class Tls(Scenario):
    """test_tls: mutual, both ways, HTTP/1.1 and HTTP/2, the destination found by name."""

    def block(self, name, ca):
        f = self.files
        return f"tls: {{cert_file: {f[name + '.pem']}, key_file: {f[name + '.key']}, {ca}: {f['ca.pem']}}}"

    def receiver(self):
        block = self.block("server", "client_ca_file")
        return f"otlp: {{protocols: {{grpc: {{endpoint: 127.0.0.1:0, {block}}}, http: {{endpoint: 127.0.0.1:0, {block}}}}}}}"

    def open(self):
        self.files = lib.certificates(self.folder)
        self.known = lib.client_tls(self.files["ca.pem"], self.files["client.pem"], self.files["client.key"])
        self.sinks = [self.sink(), self.sink()]
        self.far_http, _ = self.far(self.sinks[0], receivers=self.receiver())
        _, self.far_grpc = self.far(self.sinks[1], receivers=self.receiver())

    def exporters(self):
        block = f"{self.block('client', 'ca_file')}, {RETRY}"
        return (f"otlp_http: {{endpoint: 'https://localhost:{self.far_http}', {block}, sending_queue: {{wait_for_result: true}}}}\n"
                f"  otlp_grpc: {{endpoint: 'localhost:{self.far_grpc}', {block}, sending_queue: {{enabled: false}}}}",
                "[otlp_http, otlp_grpc]")

    def traffic(self, t):
        t.http(tls=self.known)
        t.http(as_json=True, count=500, tls=self.known)
        t.grpc(otlp.SIGNALS, tls=self.h2())
        t.http(tls=lib.client_tls(self.files["ca.pem"]))
        t.http()

    def h2(self):
        context = lib.client_tls(self.files["ca.pem"], self.files["client.pem"], self.files["client.key"])
        context.set_alpn_protocols(["h2"])
        return context

    def healthy(self, t):
        self.good(lambda: t.http(tls=self.known), 200)
        self.good(lambda: t.grpc(tls=self.h2()), [0])


class Auth(Scenario):
    """test_auth: basicauth with hashed passwords on HTTP, tokens on gRPC; the exporter signs."""
    extended = "[basicauth/in, bearertokenauth/in, basicauth/out, bearertokenauth/out]"

    def open(self):
        self.sinks = [self.sink(), self.sink()]
        self.basic = {"Authorization": "Basic " + base64.b64encode(b"me:hunter2").decode()}
        crypted = subprocess.run(["openssl", "passwd", "-apr1", "hunter2"], check=True, capture_output=True, text=True).stdout.strip()
        with open(os.path.join(self.folder, "htpasswd"), "w", encoding="ascii") as f:
            f.write(f"me:{crypted}\n")
        with open(os.path.join(self.folder, "token"), "w", encoding="ascii") as f:
            f.write("t0ken\n")
        self.extensions = (f"basicauth/in: {{htpasswd: {{file: {self.folder}/htpasswd}}}}\n"
                           f"  bearertokenauth/in: {{filename: {self.folder}/token}}\n"
                           "  basicauth/out: {client_auth: {username: me, password: out}}\n"
                           "  bearertokenauth/out: {token: t0ken-out}")

    def receiver(self):
        return ("otlp: {protocols: {grpc: {endpoint: 127.0.0.1:0, auth: {authenticator: bearertokenauth/in}}, "
                "http: {endpoint: 127.0.0.1:0, auth: {authenticator: basicauth/in}}}}")

    def exporters(self):
        return (f"otlp_http/a: {{endpoint: 'http://127.0.0.1:{self.sinks[0].port}', auth: {{authenticator: basicauth/out}}, {RETRY}}}\n"
                f"  otlp_http/b: {{endpoint: 'http://127.0.0.1:{self.sinks[1].port}', auth: {{authenticator: bearertokenauth/out}}, "
                f"{RETRY}}}", "[otlp_http/a, otlp_http/b]")

    def traffic(self, t):
        t.http(headers=self.basic)
        assert t.http() != 200, "accepted without a password"
        assert t.http(headers={"Authorization": "Basic bWU6eA=="}) != 200, "accepted with a wrong password"
        token = [("authorization", "Bearer t0ken")]
        # The file is looked at again now and then.
        os.utime(os.path.join(self.folder, "token"))
        t.grpc(["logs", "traces"], headers=token)
        assert t.grpc() != [0], "accepted without a token"
        assert t.grpc(headers=[("authorization", "Bearer x")]) != [0], "accepted with a wrong token"

    def healthy(self, t):
        self.good(lambda: t.http(headers=self.basic), 200)
        self.good(lambda: t.grpc(headers=[("authorization", "Bearer t0ken")]), [0])


class Reload(Scenario):
    """test_auth, test_tls: tokens and certificates are replaced while allocations fail; afterwards the new ones count."""
    first, rounds, most = 2, 6, 60
    kinds = ("logs",)
    extended = "[bearertokenauth]"

    def open(self):
        self.sinks, self.n = [self.sink()], 0
        self.files = lib.certificates(self.folder)
        for name in ("a", "b"):
            os.makedirs(f"{self.folder}/{name}", exist_ok=True)
            made = lib.certificates(f"{self.folder}/{name}")
            with open(made["ca.pem"], encoding="ascii") as f, open(made["server.pem"], "a", encoding="ascii") as chain:
                chain.write(f.read())
        self.extensions = f"bearertokenauth: {{filename: {self.folder}/token}}"
        self.replace()

    def replace(self):
        """Another token, another certificate."""
        self.n += 1
        self.kind = "ab"[self.n % 2]
        with open(f"{self.folder}/token.new", "w", encoding="ascii") as f:
            f.write(f"t0ken-{self.n}\n")
        os.replace(f"{self.folder}/token.new", f"{self.folder}/token")
        for name in ("server.key", "server.pem"):
            shutil.copy(f"{self.folder}/{self.kind}/{name}", f"{self.folder}/{name}.new")
            os.replace(f"{self.folder}/{name}.new", f"{self.folder}/{name}")

    def receiver(self):
        return (f"otlp: {{protocols: {{grpc: {{endpoint: 127.0.0.1:0, tls: {{cert_file: {self.folder}/server.pem, key_file: "
                f"{self.folder}/server.key, reload_interval: 1ms}}}}, http: {{endpoint: 127.0.0.1:0, auth: "
                "{authenticator: bearertokenauth}}}}")

    def exporters(self):
        return f"otlp_http: {{endpoint: 'http://127.0.0.1:{self.sinks[0].port}', {RETRY}}}", "[otlp_http]"

    def h2(self):
        context = lib.client_tls(f"{self.folder}/{self.kind}/ca.pem")
        context.set_alpn_protocols(["h2"])
        return context

    def token(self, t):
        return t.http(headers={"Authorization": f"Bearer t0ken-{self.n}"})

    def traffic(self, t):
        self.replace()
        for _ in range(3):
            t.grpc(tls=self.h2())
        # It looks once a second. Without memory it may be the next time.
        with contextlib.suppress(AssertionError):
            lib.wait_until(lambda: self.token(t) == 200, "the token is read", 1.5)

    def healthy(self, t):
        lib.wait_until(lambda: self.token(t) == 200, "the new token counts")
        lib.wait_until(lambda: t.grpc(tls=self.h2()) == [0], "the new certificate is shown")


class FanOut(Scenario):
    """test_metrics, test_debug_exporter, test_delivery: two destinations that refuse at first, debug, forward, cut batches."""
    processors = "batch: {timeout: 5ms, send_batch_size: 4, send_batch_max_size: 4}"
    # The debug exporter had no memory for its text, and none for the sentence in its place.
    pinned = [{"first": n, "times": 10} for n in (26, 28, 28, 28, 30)]  # which thread is first is chance

    def open(self):
        self.seen = set()

        def at_first(signal, names):
            key = (signal, tuple(names))
            if key in self.seen:
                return None
            self.seen.add(key)
            return 503, {}, b""
        self.sinks = [self.sink(at_first), self.sink(at_first)]

    def config(self):
        a, b = (s.port for s in self.sinks)
        return f"""
receivers:
  {lib.OTLP}
processors:
  {self.processors}
connectors:
  forward:
exporters:
  otlp_http/a: {{endpoint: 'http://127.0.0.1:{a}', {RETRY}}}
  otlp_http/b: {{endpoint: 'http://127.0.0.1:{b}', encoding: json, compression: none, {RETRY}, sending_queue: {{sizer: items, batch: {{min_size: 6, max_size: 6, flush_timeout: 5ms}}}}}}
  debug: {{verbosity: detailed}}
  debug/out: {{verbosity: normal, use_internal_logger: false, output_paths: [{self.folder}/debug.out]}}
  nop:
service:{lib.telemetry(self.at)}
  pipelines:
    logs: {{receivers: [otlp], processors: [batch], exporters: [otlp_http/a, forward, debug]}}
    logs/2: {{receivers: [forward], exporters: [otlp_http/b, nop, debug/out]}}
    traces: {{receivers: [otlp], exporters: [otlp_http/a, otlp_http/b, debug]}}
    metrics: {{receivers: [otlp], processors: [batch], exporters: [otlp_http/a, otlp_http/b, debug/out]}}
"""

    def traffic(self, t):
        for s in otlp.SIGNALS:
            t.http(s, count=9)
            t.http(s, as_json=True)
        t.grpc(otlp.SIGNALS)


class CodecsOut(Scenario):
    """test_compression towards the destination: every encoding, by HTTP and gRPC."""
    kinds = ("logs",)

    def open(self):
        self.sinks = [self.sink()]
        self.far_http, self.far_grpc = self.far(self.sinks[0])

    def exporters(self):
        names = ("gzip", "zlib", "deflate", "zstd", "snappy", "x-snappy-framed", "lz4")
        text = "".join(f"otlp_http/{n}: {{endpoint: 'http://127.0.0.1:{self.far_http}', compression: {n}, {RETRY}}}\n  " for n in names)
        text += "".join(f"otlp_grpc/{n}: {{endpoint: '127.0.0.1:{self.far_grpc}', tls: {{insecure: true}}, compression: {n}, {RETRY}, "
                        "sending_queue: {wait_for_result: true}}\n  " for n in ("gzip", "zstd", "snappy"))
        used = [f"otlp_http/{n}" for n in names] + [f"otlp_grpc/{n}" for n in ("gzip", "zstd", "snappy")]
        return text, f"[{', '.join(used)}]"

    def traffic(self, t):
        t.http(count=500)
        t.grpc(["logs", "logs"], count=100)


class Files(Scenario):
    """test_file_exporter, test_workers: four workers, files in the first of them, so that every request travels by parcel."""
    tail = "leat: {workers: 4}\n"
    in_a_row = 2, 3  # each may cost a second: so long a destination without memory waits
    # No attempt at the large request gets by: it is held up until memory comes back.
    pinned = [{"every": 11}]

    def started(self, leat):
        super().started(leat)
        self.known, self.read = {}, {}  # it has emptied the files

    def exporters(self):
        d = self.folder
        return (f"file/json: {{path: {d}/all.json, {RETRY}}}\n"
                f"  file/zstd: {{path: {d}/all.zst, format: proto, compression: zstd, {RETRY}}}\n"
                f"  file/group: {{path: '{d}/groups/*.json', create_directory: true, group_by: {{enabled: true, resource_attribute: "
                f"service.name, max_open_files: 2}}, sending_queue: {{enabled: true}}, {RETRY}}}\n"
                f"  file/turned: {{path: {d}/turned.json, rotation: {{max_megabytes: 1, max_backups: 3}}, {RETRY}}}",
                "[file/json, file/zstd, file/group, file/turned]")

    def traffic(self, t):
        for s in otlp.SIGNALS:
            t.http(s)
            t.http(s, as_json=True)
        names = t.names(4)
        body = b"".join(otlp.request("logs", [n], service=f"s{i}") for i, n in enumerate(names))
        t.note("logs", names, t.ask("POST", "/v1/logs", body, {"Content-Type": lib.PROTOBUF}) == 200)
        t.http(count=3000)
        t.grpc(otlp.SIGNALS)

    def forget(self):
        """The files are read once as they are."""

    def missing(self, acknowledged):
        return [n for pattern in ("all.json", "groups/*.json") for n in self.lacks(pattern, {n for _, n in acknowledged})]

    def lacks(self, pattern, names):
        """Those that stand in no file of the pattern; what was read once is known."""
        known = self.known.setdefault(pattern, set())
        for path in glob.glob(os.path.join(self.folder, pattern)):
            with open(path, encoding="utf-8") as f:
                f.seek(self.read.get(path, 0))
                text = f.read()
            whole = text.rfind("\n") + 1
            self.read[path] = self.read.get(path, 0) + whole  # all of it is ASCII
            known |= set(re.findall(r'"(\w+\.\d+\.\d+)"', text[:whole]))
        return names - known


class Written:
    """A receiver of remote write as a sink of metrics, which are known by their names."""

    def __init__(self, receiver):
        self.receiver = receiver

    def got(self, _):
        return {dict(labels)["__name__"] for labels in self.receiver.got()}

    def forget(self):
        with self.receiver.lock:
            self.receiver.series.clear()
            self.receiver.requests.clear()


class RemoteWrite(Scenario):
    """test_remote_write: both messages, from two workers to the first; small requests, so that shards are full at times."""
    kinds = ("metrics",)
    tail = "leat: {workers: 2}\n"
    in_a_row = 2, 3

    def open(self):
        self.sinks = [Written(self.stack.enter_context(remote_write.Receiver())) for _ in range(2)]

    def exporters(self):
        one, two = (s.receiver.url for s in self.sinks)
        return (f"prometheus_remote_write/1: {{endpoint: '{one}', max_batch_size_bytes: 5000, send_metadata: true, {RETRY}}}\n"
                f"  prometheus_remote_write/2: {{endpoint: '{two}', max_batch_size_bytes: 2000, {RETRY}, "
                "protobuf_message: io.prometheus.write.v2.Request, include_metadata_keys: [x-tenant]}",
                "[prometheus_remote_write/1, prometheus_remote_write/2]")

    def receiver(self):
        return "otlp: {protocols: {grpc: {endpoint: 127.0.0.1:0}, http: {endpoint: 127.0.0.1:0, include_metadata: true}}}"

    def traffic(self, t):
        t.http("metrics", headers={"X-Tenant": "a"})
        t.http("metrics", as_json=True, headers={"X-Tenant": "b"})
        t.http("metrics", count=400)
        t.grpc(["metrics"] * 4)

    def healthy(self, t):
        self.good(lambda: t.http("metrics"), 200)

    def missing(self, acknowledged):
        got = [s.got("metrics") for s in self.sinks]
        return [n for _, n in acknowledged for have in got if n.replace(".", "_") not in have]


class Deltas(Files):
    """test_delta: streams begin and are added to in worker 0; a second later they are forgotten, and their memory is back."""
    kinds, tail = ("metrics",), "leat: {workers: 2}\n"
    processors, processing = "deltatocumulative: {max_stale: 1s}", "[deltatocumulative]"
    pinned = []

    def exporters(self):
        return f"file: {{path: {self.folder}/all.json, {RETRY}}}", "[file]"

    def traffic(self, t):
        for time in range(1, 5):
            for kind in ("sum", "histogram", "exponentialHistogram"):
                names = t.names(20)
                body = test_delta.requests(kind, [*names, f"{t.tag}.again.0"], time)
                t.note("metrics", names, t.ask("POST", "/v1/metrics", json.dumps(body).encode(), {"Content-Type": lib.JSON}) == 200)

    def healthy(self, t):
        self.good(lambda: t.http("metrics"), 200)

    def missing(self, acknowledged):
        return list(self.lacks("all.json", {n for _, n in acknowledged}))


class Pages(Scenario):
    """test_extensions, test_metrics, test_workers: the pages asked for while allocations fail, several workers behind them."""
    extensions, extended = "health_check: {endpoint: 127.0.0.1:0}\n  zpages: {endpoint: 127.0.0.1:0}\n  pprof: {endpoint: 127.0.0.1:0}", \
        "[health_check, zpages, pprof]"
    processors, processing = "batch: {timeout: 5ms}", "[batch]"
    tail = "leat: {workers: 3}\n"

    def open(self):
        self.sinks = [self.sink()]

    def exporters(self):
        return f"otlp_http: {{endpoint: 'http://127.0.0.1:{self.sinks[0].port}', {RETRY}}}\n  debug: {{}}", "[otlp_http, debug]"

    def started(self, leat):
        super().started(leat)
        self.health, self.zpages = leat.port("health_check"), leat.port("zpages")

    def traffic(self, t):
        t.http()
        for port, path in ((self.at, "/metrics"), (self.health, "/"), (self.zpages, "/debug/servicez"),
                           (self.zpages, "/debug/pipelinez"), (self.zpages, "/debug/extensionz"), (self.at, "/nosuch")):
            t.ask("GET", path, port=port)
        t.grpc()

    def healthy(self, t):
        super().healthy(t)
        for port, path in ((self.health, "/"), (self.zpages, "/debug/servicez"), (self.zpages, "/debug/pipelinez")):
            self.good(lambda port=port, path=path: t.ask("GET", path, port=port), 200)


class Scraped(Scenario):
    """test_prometheus_page: the page of the exporter prometheus in its forms, while points come in. A point there is no memory for is
    told as rejected, so nothing is missing."""
    kinds = ("metrics",)

    def exporters(self):
        return "prometheus: {endpoint: 127.0.0.1:0, enable_open_metrics: true, metric_expiration: 400ms}", "[prometheus]"

    def started(self, leat):
        super().started(leat)
        self.page = leat.port("prometheus")

    def traffic(self, t):
        t.http("metrics", count=50)
        t.http("metrics", as_json=True)
        for path, headers in (("/metrics", {"Accept-Encoding": "gzip"}), ("/metrics", {"Accept": "application/openmetrics-text"}),
                              ("/metrics?match[]=%7B__name__=~%22.*%22,a!=%22%22%7D", {}), ("/federate?match[]=x%7B", {}), ("/nosuch", {})):
            t.ask("GET", path, headers=headers, port=self.page)

    def missing(self, acknowledged):
        return []

    def forget(self):
        """Series stay until they expire."""

    def healthy(self, t):
        self.good(lambda: t.http("metrics"), 200)
        self.good(lambda: t.ask("GET", "/metrics", port=self.page), 200)


class Statsd(Scenario):
    """test_statsd: lines by UDP, TCP and Unix datagrams, events into logs, two workers' tables, passes every few milliseconds."""
    tail = "leat: {workers: 2}\n"
    keeps = 8 << 20  # worker 0 has room for as many series as there were at a time

    def open(self):
        self.sinks, self.path = [self.sink()], os.path.join(self.folder, "s.sock")

    def config(self):
        every = "aggregation_interval: 10ms, ignore_host: true"
        return f"""
receivers:
  {lib.OTLP}
  statsd/udp: {{endpoint: 'localhost:0', {every}}}
  statsd/tcp: {{endpoint: 'localhost:0', transport: tcp, {every}}}
  statsd/unix: {{endpoint: '{self.path}', transport: unixgram, {every}}}
exporters:
  otlp_http: {{endpoint: 'http://127.0.0.1:{self.sinks[0].port}', {RETRY}}}
service:{lib.telemetry(self.at)}
  pipelines:
    traces: {{receivers: [otlp], exporters: [otlp_http]}}
    metrics: {{receivers: [otlp, statsd/udp, statsd/tcp, statsd/unix], exporters: [otlp_http]}}
    logs: {{receivers: [otlp, statsd/udp, statsd/tcp, statsd/unix], exporters: [otlp_http]}}
{self.tail}"""

    def started(self, leat):
        super().started(leat)
        self.udp, self.tcp = leat.port("statsd/udp"), leat.port("statsd/tcp")
        leat.wait_log("listening on .*s[.]sock")

    def put(self, text):
        """By each way; where there is no memory a connection may be closed instead."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(text, ("127.0.0.1", self.udp))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.settimeout(lib.LIMIT)
            s.sendto(text, self.path)
        with contextlib.suppress(ConnectionError), socket.create_connection(("127.0.0.1", self.tcp), lib.LIMIT) as s:
            for i in range(0, len(text), 700):
                s.sendall(text[i:i + 700])

    def traffic(self, t):
        lines = [f"{t.tag}.{i}:{i}|{kind}|#a:{i % 7}" for i in range(40) for kind in ("c", "g", "ms", "s")]
        for signal in otlp.SIGNALS * 2:
            self.put("\n".join(lines).encode())
            self.put(f"_e{{5,4}}:title|text\n{t.tag}:1|c\n_sc|check|0".encode() + b"\n" + b"x" * 3000)
            t.http(signal)

    def healthy(self, t):
        super().healthy(t)
        arrived = f"{t.tag}.healthy"

        def counted():
            self.put(f"{arrived}:1|c\n_e{{{len(arrived)},1}}:{arrived}|x".encode())
            return arrived in self.sinks[0].got("metrics") and arrived in self.sinks[0].got("logs")
        lib.wait_until(counted, "a line and an event arrive afterwards")


class Held(Scenario):
    """A batch that waits for more: all is still inside when the program is told to end."""
    processors, processing = "batch: {timeout: 1h, send_batch_size: 100000}", "[batch]"

    def open(self):
        self.sinks = [self.sink()]

    def exporters(self):
        return f"otlp_http: {{endpoint: 'http://127.0.0.1:{self.sinks[0].port}', {RETRY}}}", "[otlp_http]"


class NoMemory(lib.Case):
    def setUp(self):
        if not os.path.exists(no_memory.PRELOAD):
            self.fail(f"{no_memory.PRELOAD} is not built; configure with -DLEAT_TESTS=ON")

    def start(self, s, control):
        leat = no_memory.Program(s.config(), s.folder, control)
        s.started(leat)
        self.grow_tables(s)
        return leat

    @staticmethod
    def grow_tables(s):
        """So many connections at once that libuv's table of descriptors, in each worker, has room for all rounds."""
        with contextlib.ExitStack() as all_of_them:
            for _ in range(WARM):
                all_of_them.enter_context(socket.create_connection(("127.0.0.1", s.http), lib.LIMIT))
            # Answered, so they have been accepted; the page counts them too.
            lib.wait_until(lambda: (lib.total(lib.metrics(s.at), "leat_http_connections") or 0) >= WARM, "all are accepted")
        lib.wait_until(lambda: (lib.total(lib.metrics(s.at), "leat_http_connections") or 0) < WARM / 4, "they have gone")

    def settle(self, s, acknowledged):
        lib.wait_until(lambda: not s.missing(acknowledged),
                       lambda: f"acknowledged, and not there: {s.missing(acknowledged)[:3]}", 15)

        def quiet():
            found = lib.metrics(s.at)
            state["held"], state["used"] = lib.total(found, "leat_items_held"), lib.total(found, "leat_memory_used_bytes")
            state["gaps"] = test_metrics.gaps(found)
            return state["held"] == 0 and state["used"] <= s.keeps and not state["gaps"]
        state = {}
        lib.wait_until(quiet, lambda: f"nothing is held and the books balance: {state}", 15)

    def round(self, s, leat, control, tag, **failure):
        """How many allocations there were."""
        t = Traffic(tag, s)
        control.arm(**failure)
        comes_back = threading.Timer(SHORT, control.disarm)
        if "every" in failure:
            comes_back.start()
        try:
            s.traffic(t)
        finally:
            comes_back.cancel()
            if "every" in failure:
                comes_back.join()
            count = control.disarm()
        assert leat.running(), f"it ended with {leat.process.returncode}:\n{leat.reports() or leat.log()[-3000:]}"
        s.healthy(t)
        self.settle(s, t.acknowledged)
        s.forget()
        return count

    def plan(self, count, s):
        """What fails in each round: one allocation, some in a row, every m-th."""
        if lib.LONG:
            step = max(1, count // s.most)
            return (s.pinned + [{"first": n} for n in range(1, count + 1, step)] + [{"every": m} for m in range(2, 40)] +
                    [{"first": n, "times": k} for k in s.in_a_row for n in range(1, count + 1, step * 5)])
        rng = random.Random(SEED)
        parts = s.rounds - 4
        singles = [rng.randrange(count * i // parts, count * (i + 1) // parts) + 1 for i in range(parts)]
        return (s.pinned + [{"first": n} for n in singles] + [{"first": rng.randrange(1, count + 1), "times": k} for k in s.in_a_row] +
                [{"every": m} for m in (7, 60)])

    def check(self, kind):
        folder = self.folder()
        s = kind(folder)
        self.addCleanup(s.close)
        control = no_memory.Control(folder)
        leat, wrong, count = self.start(s, control), [], 0
        try:
            for n in range(s.first):
                count = self.round(s, leat, control, f"r{n}")
            self.assertGreater(count, 50, "allocations are not seen: is the sanitizer linked statically?")
            done = []
            for i, failure in enumerate(self.plan(count, s)):
                try:
                    self.round(s, leat, control, f"f{i}", **failure)
                    done.append(failure)
                except AssertionError as e:
                    where, end = control.where(), leat.end()
                    wrong.append(f"--- {kind.__name__} {failure}: {e}\nfailed:\n{where}\nend: {end}")
                    print(wrong[-1], flush=True)
                    done = []
                    if len(wrong) == FAILURES_MAX:
                        break
                    leat = self.start(s, control)
            end = leat.end() if len(wrong) < FAILURES_MAX else None
            if end:
                wrong.append(f"--- {kind.__name__}, after {done}: {end}")
        finally:
            if leat.running():
                leat.process.kill()
                leat.process.wait()
        print(f"{kind.__name__}: {count} allocations a round", flush=True)
        self.assertFalse(wrong, f"{len(wrong)} times; the first:\n{wrong[0] if wrong else ''}")


    def test_handshakes(self):
        """TLS, allocation by allocation: OpenSSL's, nghttp2's and ours of one connection, without looking at the books between."""
        folder = self.folder()
        s = Tls(folder)
        self.addCleanup(s.close)
        control = no_memory.Control(folder)
        with self.start(s, control) as leat:
            # The destinations are connected to already: what is counted is the receiver's.
            for _ in range(3):
                t = Traffic("first", s)
                control.arm()
                t.grpc(tls=s.h2())
                count = control.disarm()
            sent, failures = [], range(1, count + 1, 1 if lib.LONG else max(1, count // HANDSHAKES))
            for n in failures:
                t = Traffic(f"h{n}", s)
                control.arm(first=n)
                t.grpc(tls=s.h2())
                control.disarm()
                sent += t.acknowledged
                self.assertTrue(leat.running(), f"ended at allocation {n}:\n{control.where()}")
            s.healthy(t)
            self.settle(s, sent + t.acknowledged)
            self.assertGreater(len(sent), len(failures), "one failure costs one connection at most")
        self.assertIsNone(leat.reports())

    def test_drain(self):
        """test_delivery: what was acknowledged and is still held is sent although allocations fail after SIGTERM."""
        def run(n):
            folder = self.folder()
            s = Held(folder)
            self.addCleanup(s.close)
            control = no_memory.Control(folder)
            with self.start(s, control) as leat:
                t = Traffic("d", s)
                for signal in otlp.SIGNALS:
                    self.assertEqual(t.http(signal), 200)
                    self.assertEqual(t.grpc([signal]), [0])
                control.arm(first=n)
                wrong = leat.end()
                self.assertIsNone(wrong, f"allocation {n} after SIGTERM:\n{control.where()}\n{wrong}")
            self.assertEqual(s.missing(t.acknowledged), [], f"allocation {n} after SIGTERM:\n{control.where()}")
            return control.disarm()
        count = run(0)
        self.assertGreater(count, 0)
        for n in range(1, count + 1) if lib.LONG else random.Random(SEED).sample(range(1, count + 1), min(count, DRAINS)):
            run(n)

    def test_start(self):
        """test_commands, test_config_errors: a start without memory runs, or ends with a sentence; never by a stray signal."""
        folder = self.folder()
        s = FanOut(folder)
        self.addCleanup(s.close)
        control = no_memory.Control(folder)

        def run(n):
            """Whether it started."""
            control.arm(first=n)
            leat = no_memory.Program(s.config(), folder, control)
            with contextlib.suppress(AssertionError, OSError):
                s.started(leat)
                lib.wait_until(lambda: lib.get(s.at, "/metrics").status == 200, "it serves")
            count.append(control.disarm())
            code, said = leat.stop(), leat.log()
            where = f"allocation {n} of the start, exit code {code}:\n{control.where()}\n{said[-3000:]}"
            self.assertNotIn("Sanitizer", said, where)
            if code == -lib.signals.SIGABRT:
                self.assertIn("leat: out of memory", said, where)
            elif code != 0:
                self.assertIn(code, (1, lib.EX_USAGE, lib.EX_CONFIG), where)
                self.assertRegex(said, r"(?i)memory|cannot|error", where)
            return code == 0
        count = []
        self.assertTrue(run(0))
        most = count[0]
        started = [run(n) for n in (range(1, most + 1) if lib.LONG else random.Random(SEED).sample(range(1, most + 1), STARTS))]
        self.assertIn(False, started)


for scenario in (HttpIn, GrpcIn, Tls, Auth, Reload, FanOut, CodecsOut, Files, RemoteWrite, Deltas, Pages, Statsd, Scraped):
    def check(self, kind=scenario):
        self.check(kind)
    check.__doc__ = None
    setattr(NoMemory, f"test_{scenario.__name__.lower()}", check)


if __name__ == "__main__":
    lib.main()
