"""More connections than file descriptors: nobody who was there before is hurt, exporters still connect, nothing spins,
and all is well as soon as the flood has gone."""
import contextlib
import os
import resource
import select
import socket
import time

import lib

DESCRIPTORS = 64
FLOOD = 2000
SPIN = 0.5  # of a core: a loop that spins takes all of one


def cpu_seconds(pid):
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
            total += int(f.read().split()[0])
    return total / 1e9


@contextlib.contextmanager
def few_descriptors():
    """For what is started inside. The limit is this process's too, but what it has open already stays."""
    old = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, old)


class Flood:
    """Connections that are opened and then say nothing; those that the program closes stay closed."""

    def __init__(self, port, count):
        self.sockets = []
        for _ in range(count):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", port))
            self.sockets.append(s)

    def closed(self):
        poll = select.poll()
        for s in self.sockets:
            poll.register(s, select.POLLIN | select.POLLRDHUP)
        return sum(1 for _, events in poll.poll(0) if events & (select.POLLRDHUP | select.POLLHUP | select.POLLERR))

    def end(self):
        for s in self.sockets:
            s.close()


class Descriptors(lib.Case):
    def setUp(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < FLOOD + 500:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, FLOOD + 500), hard))

    def delivers(self, client, sink, signal, name):
        self.assertEqual(client.send(signal, [name]), 200, name)
        lib.wait_until(lambda: name in sink.got(signal), f"{name} delivered")

    def test_a_flood_of_connections(self):
        with lib.Sink() as before, lib.Sink() as during:
            exporters = (f"otlp_http/before: {{endpoint: 'http://127.0.0.1:{before.port}'}}\n"
                         f"  otlp_http/during: {{endpoint: 'http://localhost:{during.port}'}}")
            text = lib.config(exporters, "[otlp_http/before]", kinds=("logs",)) + \
                "    traces: {receivers: [otlp], exporters: [otlp_http/during]}\nleat: {workers: 2}\n"
            with few_descriptors():
                leat = lib.Leat(text)
            with leat:
                port = leat.port("otlp", "http")
                early = lib.Client(port)
                self.delivers(early, before, "logs", "first")
                flood = Flood(port, FLOOD)
                lib.wait_until(lambda: flood.closed() >= FLOOD // 2, "peers are told that there is no room")
                self.assertTrue(leat.running())
                self.delivers(early, before, "logs", "healthy")  # there before, and its destination too
                self.delivers(early, during, "traces", "connects")  # a destination that is connected now
                began, used = time.monotonic(), cpu_seconds(leat.process.pid)
                while time.monotonic() < began + 2:  # over a time, because a rate is asked for
                    self.delivers(early, before, "logs", f"n{time.monotonic_ns()}")
                    time.sleep(0.1)
                share = (cpu_seconds(leat.process.pid) - used) / (time.monotonic() - began)
                print(f"CPU while full: {share:.3f} of a core")
                self.assertLess(share, SPIN)
                flood.end()
                late = lib.Client(port)
                self.delivers(late, before, "logs", "late")
                for c in (early, late):
                    c.close()
                self.assertIn("raise the limit of open files", leat.log())


if __name__ == "__main__":
    lib.main()
