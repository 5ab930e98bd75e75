"""Several workers under load from many connections, with metrics read meanwhile and an orderly stop in mid-flow."""
import contextlib
import itertools
import os
import socket
import threading

import attacks
import lib
import otlp
import raw_h2
import test_statsd
import under_attack
from test_delivery import Load

PINGS = 20


def worker_times(pid):
    """How long each worker's thread has run, in nanoseconds."""
    found = {}
    for task in os.listdir(f"/proc/{pid}/task"):
        folder = f"/proc/{pid}/task/{task}"
        with open(f"{folder}/comm", encoding="ascii") as name, open(f"{folder}/schedstat", encoding="ascii") as times:
            if (worker := name.read().strip()).startswith("leat-"):
                found[worker] = int(times.read().split()[0])
    return found


def ping(client):
    client.send(raw_h2.frame(raw_h2.PING, payload=b"12345678"))
    while True:
        kind, flags, *_ = client.frames.next()
        if kind == raw_h2.PING and flags & raw_h2.ACK:
            return


def worker_of(client, pid):
    """Which worker has this connection: the one that runs when it is asked for something."""
    ping(client)
    before = worker_times(pid)
    for _ in range(PINGS):
        ping(client)
    after = worker_times(pid)
    return max(after, key=lambda w: after[w] - before[w])


class Attackers:
    """Threads that flood, reset, and leave in the middle of a body, on connection after connection, until stopped."""

    def __init__(self, http, grpc):
        self.stopping, self.rounds, self.http, self.grpc = threading.Event(), itertools.count(), http, grpc
        self.done = 0
        self.threads = [threading.Thread(target=self.work, args=(f,), daemon=True) for f in (self.floods, self.leavers, self.resets)]
        for t in self.threads:
            t.start()

    def work(self, attack):
        while not self.stopping.is_set():
            with contextlib.suppress(OSError, AssertionError):
                attack()
            self.done = next(self.rounds)

    def floods(self):
        for attack in attacks.H2_FLOODS.values():
            if self.stopping.is_set():
                return
            attacks.flood(self.grpc, attack, limit=0.2)

    def leavers(self):
        """A body that ends with its connection, over each protocol."""
        part = otlp.request("logs", ["never whole"])[:-3]
        for head in (b"Content-Length: 5000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n1000\r\n"):
            with contextlib.closing(attacks.connect(self.http)) as sock:
                sock.sendall(attacks.POST + head + part)
        for port, grpc in ((self.http, False), (self.grpc, True)):
            with raw_h2.Client(port) as c:
                s = c.open("logs", grpc=grpc)
                c.data(s, raw_h2.message(part, length=5000) if grpc else part, ends=False)

    def resets(self):
        """Streams that are reset while their request is on its way through, and a connection that is cut."""
        with raw_h2.Client(self.grpc) as c:
            for n in range(20):
                s = c.request(otlp.request("metrics", [f"reset {n}"]), "metrics")
                c.send(raw_h2.frame(raw_h2.RST, 0, s, attacks.u32(8)))
            c.status(c.request(otlp.request("metrics", ["after resets"]), "metrics"))
            c.request(otlp.request("metrics", ["and cut"]), "metrics")
            c.sock.setsockopt(attacks.socket.SOL_SOCKET, attacks.socket.SO_LINGER, attacks.struct.pack("ii", 1, 0))

    def stop(self):
        self.stopping.set()
        for t in self.threads:
            t.join(lib.LIMIT)


class Http2(under_attack.Healthy):
    """Records over gRPC, and over HTTP/2 on the port of HTTP; what was answered with success is `accepted`."""

    @staticmethod
    def http(port):
        client = raw_h2.Client(port)

        def send(name):
            s = client.open("logs", grpc=False)
            client.data(s, otlp.request("logs", [name]))
            return int(client.answer(s)["headers"][":status"])
        return client, send


def serve_all(c):
    while True:
        c.ok(*c.request())


class Workers(lib.Case):
    def test_load_on_several_workers(self):
        at = lib.free_port()
        with lib.Sink() as sink:
            text = lib.config(f"otlp_http: {{endpoint: 'http://127.0.0.1:{sink.port}'}}\n  debug: {{}}", "[otlp_http, debug]",
                              processors="batch: {timeout: 10ms}\n  memory_limiter: {check_interval: 1s, limit_mib: 512}",
                              processing="[memory_limiter, batch]", extensions="health_check: {endpoint: 127.0.0.1:0}",
                              extended="[health_check]", tail=lib.telemetry(at))
            with lib.Leat(text + "leat: {workers: 3, admin: admin.sock}\n") as leat:
                http, grpc = leat.port("otlp", "http"), leat.port("otlp", "grpc")
                done = threading.Event()

                codes = set()

                def watch():
                    while not done.wait(0.05):
                        lib.metrics(at)
                        codes.add(lib.run("status", "--interval", "0", "--socket", f"{leat.folder}/admin.sock")[0])
                watcher = threading.Thread(target=watch)
                watcher.start()
                loads = [Load(http, threads=3, kind=s) for s in otlp.SIGNALS]
                for n in range(20):
                    self.assertEqual(lib.grpc(grpc, "traces", otlp.request("traces", [f"g{n}"])).status, 0)
                for load in loads:
                    load.wait_for_more(300)
                done.set()
                watcher.join(lib.LIMIT)
                self.assertEqual(codes, {0})
                leat.signal(lib.signals.SIGTERM)
                self.assertEqual(leat.wait(lib.LIMIT * 2), 0)
                for s, load in zip(otlp.SIGNALS, loads):
                    missing = load.stop() - sink.got(s).keys()
                    self.assertEqual(sorted(missing)[:5], [], f"{len(missing)} {s} are lost")
                    self.assertEqual(load.failures, [])

    def test_four_workers_under_attack(self):
        """HTTP/1, HTTP/2 and gRPC in, HTTP and gRPC out, attackers all the while, and a stop in the middle of it."""
        with lib.Sink() as sink, raw_h2.Server(serve_all) as far:
            text = lib.config(f"otlp_http: {{endpoint: 'http://127.0.0.1:{sink.port}', sending_queue: {{enabled: false}}}}\n"
                              f"  otlp_grpc: {{endpoint: '127.0.0.1:{far.port}', tls: {{insecure: true}}, compression: none, "
                              "sending_queue: {enabled: false}}", "[otlp_http]")
            text = text.replace("logs: {receivers: [otlp], processors: [], exporters: [otlp_http]}",
                                "logs: {receivers: [otlp], processors: [], exporters: [otlp_http, otlp_grpc]}")
            with lib.Leat(text + "leat: {workers: 4}\n") as leat:
                http, grpc = leat.port("otlp", "http"), leat.port("otlp", "grpc")
                attackers = Attackers(http, grpc)
                load = Load(http, threads=2, kind="traces")
                clients = Http2(http, grpc, threads=2)
                clients.wait_for_more(300)
                load.wait_for_more(300)
                lib.wait_until(lambda: attackers.done >= 30, "thirty rounds of attacks")
                failed = list(clients.failures)
                leat.signal(lib.signals.SIGTERM)
                self.assertEqual(leat.wait(lib.LIMIT * 2), 0)
                attackers.stop()
                clients.stop()
                accepted = load.stop()
            self.assertEqual(failed, [])
            self.assertEqual(sorted(accepted - sink.got("traces").keys())[:5], [])
            self.assertEqual(load.failures, [])
            self.assertEqual(sorted(set(clients.accepted) - sink.got("logs").keys())[:5], [])
            self.assertEqual(sorted(set(clients.accepted) - set(far.got()))[:5], [])
            self.assertNotIn("never whole", sink.got("logs"))

    def test_statsd_tables_go_from_worker_to_worker(self):
        """Lines and events by UDP and TCP into four workers, a pass every few milliseconds, and a stop soon after."""
        page, each, threads_ = lib.free_port(), 80, 3
        packets = each * threads_

        def send(kind, at):
            for n in range(each):
                with socket.socket(socket.AF_INET, kind) as s:
                    s.connect(("127.0.0.1", at))
                    s.sendall(b"hits:1|c\n" * 50 + b"level:%d|g\nlat:3|ms\n_e{1,1}:a|b\n" % n)
        for transport, kind in (("udp", socket.SOCK_DGRAM), ("tcp", socket.SOCK_STREAM)):
            with self.subTest(transport), test_statsd.Points() as sink:
                text = test_statsd.config(sink, f"endpoint: '127.0.0.1:0', transport: {transport}", "10ms", 4, ("metrics", "logs"),
                                          page=page)
                with lib.Leat(text) as leat:
                    senders = [threading.Thread(target=send, args=(kind, test_statsd.port(leat))) for _ in range(threads_)]
                    for t in senders:
                        t.start()
                    for t in senders:
                        t.join()
                    lib.wait_until(lambda: lib.total(lib.metrics(page), "leat_statsd_lines_total") == 53 * packets, "all lines are read")
                    self.assertEqual(leat.stop(lib.LIMIT * 2), 0)
                self.assertEqual(sink.total("hits"), 50 * packets)
                self.assertEqual(len(sink.values("lat")), packets)
                self.assertEqual(len(sink.logs()), packets)

    def test_few_connections_are_shared_out_evenly(self):
        text = lib.config("debug: {}", "[debug]") + "leat: {workers: 4}\n"
        with lib.Leat(text) as leat:
            grpc = leat.port("otlp", "grpc")
            clients = [raw_h2.Client(grpc) for _ in range(8)]
            workers = [worker_of(c, leat.process.pid) for c in clients]
            for c in clients:
                c.close()
            self.assertEqual(len(worker_times(leat.process.pid)), 4)
            self.assertEqual([workers.count(w) for w in sorted(set(workers))], [2, 2, 2, 2], workers)


if __name__ == "__main__":
    lib.main()
