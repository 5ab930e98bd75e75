"""What the abuse tests share: the program with a pipeline behind it, clients that behave, and what is checked at the end."""
import contextlib
import functools
import threading
import time

import attacks
import lib
import otlp
import raw_h2

MIB = 1 << 20


@functools.cache
def sanitized():
    """Built with a sanitizer: memory and CPU time of the process say little about the program."""
    with open(lib.LEAT, "rb") as f:
        data = f.read()
    return b"__asan_init" in data or b"__tsan_init" in data


def cpu_max():
    """CPU seconds that one attack may cost."""
    return 20.0 if sanitized() else 1.0


class Healthy:
    """Clients that send numbered records over HTTP/1 and gRPC until stopped: every request must be answered with success."""

    def __init__(self, http, grpc, threads=1, pause=0.002):
        self.stopping, self.lock = threading.Event(), threading.Lock()
        self.accepted, self.failures, self.seconds, self.pause = [], [], [], pause
        self.threads = [threading.Thread(target=self.work, args=(kind, port, n), daemon=True)
                        for kind, port in ((self.http, http), (self.grpc, grpc)) if port for n in range(threads)]
        for t in self.threads:
            t.start()

    def work(self, kind, port, thread):
        client, send = kind(port)
        with contextlib.closing(client):
            self.send_all(kind, thread, send)

    def send_all(self, kind, thread, send):
        n = 0
        while not self.stopping.wait(self.pause):
            name = f"{kind.__name__}{thread}-{n}"
            n += 1
            begin = time.monotonic()
            try:
                status = send(name)
            except (OSError, AssertionError) as e:
                status = repr(e)
            with self.lock:
                self.seconds.append((begin, time.monotonic() - begin))
                if status in (200, "ok"):
                    self.accepted.append(name)
                else:
                    self.failures.append((name, status))
                    if len(self.failures) > 20:
                        return

    @staticmethod
    def http(port):
        client = lib.Client(port)
        return client, lambda name: client.send("logs", [name])

    @staticmethod
    def grpc(port):
        client = raw_h2.Client(port)

        def send(name):
            stream = client.request(otlp.request("logs", [name]))
            status = client.status(stream)
            del client.seen[stream]
            return "ok" if status == 0 else status
        return client, send

    def count(self):
        with self.lock:
            return len(self.accepted)

    def wait_for_more(self, n):
        until = self.count() + n
        lib.wait_until(lambda: self.count() >= until or self.failures, lambda: f"{n} more requests are answered, of {self.count()}")

    def stop(self):
        self.stopping.set()
        for t in self.threads:
            t.join(lib.LIMIT)


class Attacked(lib.Case):
    """One program, one sink and well-behaved clients for a class of tests. Each test attacks as it likes; at the end of it
    the clients must not have noticed."""

    receiver = lib.OTLP
    rss_max = 4 * MIB  # growth under the attacks of one test

    @classmethod
    def setUpClass(cls):
        cls.metrics_at = lib.free_port()
        cls.sink = lib.Sink()
        cls.addClassCleanup(cls.sink.close)
        exporter = (f"otlp_http: {{endpoint: 'http://127.0.0.1:{cls.sink.port}', compression: none, "
                    "sending_queue: {enabled: false}}")
        cls.leat = lib.Leat(lib.config(exporter, "[otlp_http]", receivers=cls.receiver, kinds=("logs", "traces", "metrics"),
                                       tail=lib.telemetry(cls.metrics_at)) + "leat: {workers: 2}\n")
        cls.addClassCleanup(cls.leat.__exit__, None, None, None)
        cls.http, cls.grpc, cls.pid = cls.leat.port("otlp", "http"), cls.leat.port("otlp", "grpc"), cls.leat.process.pid

    def setUp(self):
        self.lines = len(self.leat.log().splitlines())
        self.healthy = Healthy(self.http, self.grpc)
        self.healthy.wait_for_more(20)
        self.open = self.connections()
        self.cpu, self.rss, self.found = attacks.cpu_seconds(self.pid), attacks.rss_bytes(self.pid), lib.metrics(self.metrics_at)

    def complaints(self, since):
        """Warnings and errors in the log since so many lines, without those that only count others."""
        return [line for line in self.leat.log().splitlines()[since:]
                if ("\twarn\t" in line or "\terror\t" in line) and " more messages like this one in " not in line]

    def connections(self):
        return lib.total(lib.metrics(self.metrics_at), "leat_http_connections", server="otlp")

    def spent(self):
        return attacks.cpu_seconds(self.pid) - self.cpu

    def ended(self, reason):
        """Connections ended for this reason since the test began."""
        def count(found):
            return lib.total(found, "leat_http_connections_ended", reason=reason) or 0
        return count(lib.metrics(self.metrics_at)) - count(self.found)

    def refused(self, reason):
        def count(found):
            return lib.total(found, "leat_http_requests_refused", reason=reason) or 0
        return count(lib.metrics(self.metrics_at)) - count(self.found)

    def memory_is_back(self):
        """What requests were charged with has been given back; on a plain build, the process has not grown."""
        lib.wait_until(lambda: lib.total(lib.metrics(self.metrics_at), "leat_memory_used_bytes") == 0, "all memory is given back")
        if not sanitized():
            self.assertLessEqual(attacks.rss_bytes(self.pid) - self.rss, self.rss_max)

    def clients_are_well(self):
        self.healthy.wait_for_more(20)
        self.healthy.stop()
        self.assertEqual(self.healthy.failures, [])
        got = self.sink.got("logs")
        self.assertEqual([n for n in self.healthy.accepted if n not in got], [])

    def tearDown(self):
        self.healthy.stop()
        with self.sink.lock:
            self.sink.received["logs"].clear()
            self.sink.requests.clear()
