"""Several workers under load from many connections, with metrics read meanwhile and an orderly stop in mid-flow."""
import os
import threading

import lib
import otlp
import raw_h2
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
