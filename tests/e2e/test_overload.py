"""More than fits: the budget holds, every refusal says when to come again, and what was acknowledged arrives."""
import base64
import gzip
import json
import socket
import threading

import lib
import otlp
import raw_h2
from test_metrics import gaps

MIB = 1 << 20
BUDGET = 8 * MIB
RETRY = "retry_on_failure: {initial_interval: 20ms, max_interval: 200ms}"
PADDING = "x" * 2000


def big(name):
    """About 200 KiB of records with ids of their own."""
    return [f"{name}-{i}-{PADDING}" for i in range(100)]


def delay_of(details):
    """Milliseconds that a grpc-status-details-bin asks to wait (google.rpc.Status with a RetryInfo); 0: none."""
    raw = base64.b64decode(details + "=" * (-len(details) % 4))
    for any_of in otlp.inside(raw, 3):
        found = dict(otlp.fields(any_of))
        if found.get(1, b"").endswith(b"google.rpc.RetryInfo"):
            for duration in otlp.inside(found.get(2, b""), 1):
                parts = dict(otlp.fields(duration))
                return parts.get(1, 0) * 1000 + parts.get(2, 0) // 1000000
    return 0


class Clients:
    """Threads that send one request each, again and again until it is acknowledged; what was refused waits for `go`."""

    def __init__(self, port, number):
        self.lock, self.go = threading.Lock(), threading.Event()
        self.refused, self.accepted, self.wrong = 0, set(), []
        self.threads = [threading.Thread(target=self.work, args=(port, f"c{n}"), daemon=True) for n in range(number)]
        for t in self.threads:
            t.start()

    def work(self, port, name):
        names = big(name)
        while True:
            r = lib.send(port, "logs", names, limit=2 * lib.LIMIT)
            with self.lock:
                if r.status == 200:
                    self.accepted.update(names)
                    return
                self.refused += 1
                if r.status not in (429, 503) or int(r.headers.get("retry-after", 0)) < 1 or not otlp.status(r.body)[1]:
                    self.wrong.append((r.status, r.headers))
                    return
            self.go.wait(2 * lib.LIMIT)

    def finish(self):
        self.go.set()
        for t in self.threads:
            t.join(2 * lib.LIMIT)


class Overload(lib.Case):
    def start(self, exporters, used="[otlp_http]", budget=BUDGET, **settings):
        self.page = lib.free_port()
        text = lib.config(exporters, used, kinds=("logs",), tail=lib.telemetry(self.page), **settings)
        return lib.Leat(text + f"leat: {{workers: 1, memory: {budget // MIB}MiB}}\n")

    def memory(self):
        """The page's figures; the budget is within its limit whenever anybody looks."""
        found = lib.metrics(self.page)
        self.assertLessEqual(lib.total(found, "leat_memory_used_bytes"), lib.total(found, "leat_memory_limit_bytes"))
        return found

    def check_books(self):
        def empty():
            found = self.memory()
            return lib.total(found, "leat_items_held") == 0 and lib.total(found, "leat_memory_used_bytes") == 0 and found
        self.assertEqual(gaps(lib.wait_until(empty, "nothing is held any more")), {})

    def check_refusals(self, leat):
        """What every kind of caller hears while there is no room."""
        http, at_grpc = leat.port("otlp", "http"), leat.port("otlp", "grpc")
        names = [PADDING * 10] * 20  # more than what is left
        for body, headers in ((otlp.request("logs", names), {"Content-Type": lib.PROTOBUF}),
                              (gzip.compress(otlp.request("logs", names)), {"Content-Type": lib.PROTOBUF, "Content-Encoding": "gzip"}),
                              (json.dumps(otlp.request_json("logs", names)).encode(), {"Content-Type": lib.JSON})):
            r = lib.http_request(http, "POST", "/v1/logs", body, headers)
            self.assertEqual(r.status, 503, headers)
            self.assertGreaterEqual(int(r.headers["retry-after"]), 1, headers)
        for encoding, pack in ((None, bytes), ("gzip", gzip.compress)):
            r = lib.grpc(at_grpc, "logs", pack(otlp.request("logs", names)), encoding=encoding)
            self.assertEqual(r.status, 14)
            self.assertGreater(delay_of(r.headers["grpc-status-details-bin"]), 0)

    def test_a_stalled_destination(self):
        """More clients than fit, a destination that answers nobody; then it does."""
        go = threading.Event()
        with lib.Sink(lambda kind, names: go.wait(2 * lib.LIMIT) and None) as sink:
            exporter = (f"otlp_http: {{endpoint: 'http://127.0.0.1:{sink.port}', timeout: 60s, {RETRY}, "
                        "sending_queue: {wait_for_result: true, queue_size: 10000, num_consumers: 4}}")
            with self.start(exporter) as leat:
                clients = Clients(leat.port("otlp", "http"), 60)

                def full():
                    found = self.memory()
                    return clients.refused >= 10 and lib.total(found, "leat_memory_used_bytes") > BUDGET * 3 // 4
                lib.wait_until(full, "the budget is spent")
                self.assertEqual(clients.accepted, set())
                self.check_refusals(leat)
                self.assertGreaterEqual(lib.total(self.memory(), "leat_memory_refused_total"), 10)
                go.set()
                clients.finish()
                self.assertEqual(clients.wrong, [])
                everything = {n for c in range(60) for n in big(f"c{c}")}
                self.assertEqual(clients.accepted, everything)
                self.assertEqual(sink.got("logs"), dict.fromkeys(everything, 1))
                self.check_books()

    def test_tiny_requests_are_charged_more_than_their_bytes(self):
        """Thousands of requests of 70 bytes under way: what the calls themselves take is within the budget, too."""
        port, streams = lib.free_port(), 800
        exporter = (f"otlp_http: {{endpoint: 'http://127.0.0.1:{port}', {RETRY}, "
                    "sending_queue: {wait_for_result: true, queue_size: 100000, num_consumers: 4, batch: {min_size: 0}}}")
        with self.start(exporter, budget=4 * MIB) as leat:
            clients = [raw_h2.Client(leat.port("otlp", "grpc")) for _ in range(3)]
            names = {}
            for c, client in enumerate(clients):
                for n in range(streams):
                    names[c, client.request(otlp.request("logs", [f"t{c}-{n}"]))] = f"t{c}-{n}"
            too_many = 3 * streams - 4 * MIB // 3072

            def refused():
                found = self.memory()
                return sum(lib.total(found, "leat_http_requests_refused", reason=r) for r in ("overload", "client_share"))
            lib.wait_until(lambda: refused() >= too_many, "what does not fit is refused")
            with lib.Sink(port=port) as sink:
                accepted = set()
                for (c, stream), name in names.items():
                    headers = clients[c].answer(stream)["headers"]
                    if headers["grpc-status"] == "0":
                        accepted.add(name)
                        continue
                    self.assertEqual(headers["grpc-status"], "14")
                    self.assertGreater(delay_of(headers["grpc-status-details-bin"]), 0)
                for client in clients:
                    client.close()
                self.assertLessEqual(len(accepted), 4 * MIB // 3072)
                self.assertGreater(len(accepted), 4 * MIB // 6144)
                self.assertEqual(sink.got("logs"), dict.fromkeys(accepted, 1))
                self.check_books()

    def stopped(self):
        """A destination at zero window: connections are made by the kernel, nobody ever reads."""
        s = socket.socket()
        self.addCleanup(s.close)
        s.bind(("127.0.0.1", 0))
        s.listen(64)
        return s

    def test_one_of_three_destinations_stops_a_fan_out_goes_on(self):
        ids = [f"f{n}-{PADDING * 20}" for n in range(60)]
        third = self.stopped()
        with lib.Sink() as one, lib.Sink() as two:
            ports = (one.port, two.port, third.getsockname()[1])
            exporters = "\n  ".join(f"otlp_http/{n}: {{endpoint: 'http://127.0.0.1:{p}', timeout: 60s, {RETRY}}}"
                                    for n, p in enumerate(ports))
            with self.start(exporters, "[otlp_http/0, otlp_http/1, otlp_http/2]") as leat:
                for n in ids:
                    self.assertEqual(lib.send(leat.port("otlp", "http"), "logs", [n]).status, 200)
                for sink in (one, two):
                    sink.wait_for("logs", ids)
                third.close()
                with lib.Sink(port=ports[2]) as back:
                    back.wait_for("logs", ids)
                    self.check_books()
                for sink in (one, two):
                    self.assertEqual(sink.got("logs"), dict.fromkeys(ids, 1))

    def test_one_of_three_destinations_stops_the_other_pipelines_go_on(self):
        """Its queue fills and refuses; what it holds leaves room for the others in the one budget."""
        third = self.stopped()
        with lib.Sink() as one, lib.Sink() as two:
            ports = (one.port, two.port, third.getsockname()[1])
            text = "receivers:" + "".join(f"\n  otlp/{n}: {{protocols: {{http: {{endpoint: '127.0.0.1:0'}}}}}}" for n in range(3))
            text += "\nexporters:" + "".join(
                f"\n  otlp_http/{n}: {{endpoint: 'http://127.0.0.1:{p}', timeout: 60s, {RETRY}, "
                f"sending_queue: {{queue_size: 20, num_consumers: 4}}}}" for n, p in enumerate(ports))
            self.page = lib.free_port()
            text += f"\nservice:{lib.telemetry(self.page)}\n  pipelines:" + "".join(
                f"\n    logs/{n}: {{receivers: [otlp/{n}], exporters: [otlp_http/{n}]}}" for n in range(3))
            with lib.Leat(text + f"\nleat: {{workers: 1, memory: {BUDGET // MIB}MiB}}\n") as leat:
                at = [leat.port(f"otlp/{n}", "http") for n in range(3)]
                sent = [[], [], []]
                for turn in range(60):
                    for n in range(3):
                        name = f"p{n}-{turn}-{PADDING * 20}"
                        r = lib.send(at[n], "logs", [name])
                        if r.status == 200:
                            sent[n].append(name)
                        else:
                            self.assertEqual((n, r.status), (2, 503))
                            self.assertGreaterEqual(int(r.headers["retry-after"]), 1)
                self.assertLess(len(sent[2]), 60)
                self.assertEqual([len(s) for s in sent[:2]], [60, 60])
                for sink, ids in zip((one, two), sent):
                    sink.wait_for("logs", ids)
                third.close()
                with lib.Sink(port=ports[2]) as back:
                    back.wait_for("logs", sent[2])
                    self.check_books()


if __name__ == "__main__":
    lib.main()
