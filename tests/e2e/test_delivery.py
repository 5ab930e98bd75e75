"""Nothing that was accepted is lost: counted by unique ids through outages, refusals and an orderly stop."""
import signal
import threading
import time

import lib
import otlp

RETRY = "retry_on_failure: {initial_interval: 20ms, max_interval: 200ms}"


def exporter(port, more):
    return f"otlp_http: {{endpoint: 'http://127.0.0.1:{port}', {RETRY}{more}}}"


class Load:
    """Threads that send numbered records until stopped. What was refused is sent again, as an SDK does."""

    def __init__(self, port, threads=4, records=3, kind="logs", on_accept=None):
        self.accepted, self.unknown, self.lock = set(), set(), threading.Lock()
        self.stopping = threading.Event()
        self.kind, self.records, self.on_accept = kind, records, on_accept
        self.failures = []
        self.threads = [threading.Thread(target=self.work, args=(port, n), daemon=True) for n in range(threads)]
        for t in self.threads:
            t.start()

    def work(self, port, thread):
        client = lib.Client(port)
        request = 0
        while not self.stopping.is_set():
            names = [f"t{thread}-{request}-{i}" for i in range(self.records)]
            request += 1
            while not self.stopping.is_set():
                status = client.send(self.kind, names)
                if status == 200:
                    if self.on_accept and not self.on_accept(names):
                        self.failures.append(names)
                    with self.lock:
                        self.accepted.update(names)
                    break
                if status == 0:
                    with self.lock:
                        self.unknown.update(names)
                    break
                if status not in (429, 502, 503, 504):
                    self.failures.append((status, names))
                    break
                time.sleep(0.01)  # the pace of a client that was told to wait
        client.close()

    def count(self):
        with self.lock:
            return len(self.accepted)

    def wait_for_more(self, n):
        goal = self.count() + n
        lib.wait_until(lambda: self.count() >= goal, lambda: f"{self.count()} of {goal} are accepted")

    def stop(self):
        self.stopping.set()
        for t in self.threads:
            t.join(lib.LIMIT)
        return self.accepted


class Outages(lib.Case):
    def through_a_restart(self, more, checked_at_once=False, **settings):
        sinks = [lib.Sink()]
        text = lib.config(exporter(sinks[0].port, more), "[otlp_http]", **settings)

        def delivered(names):
            return not checked_at_once or all(any(n in s.got("logs") for s in sinks) for n in names)
        with lib.Leat(text) as leat:
            load = Load(leat.port("otlp", "http"), on_accept=delivered)
            load.wait_for_more(200)
            sinks[0].close()
            lib.wait_until(lambda: "\twarn\t" in leat.log() or "\terror\t" in leat.log() or load.stopping.is_set(),
                           "the outage is said in the log")
            sinks.append(lib.Sink(port=sinks[0].port))
            load.wait_for_more(200)
            accepted = load.stop()
            lib.wait_until(lambda: accepted <= sinks[0].got("logs").keys() | sinks[1].got("logs").keys(),
                           "all that was accepted has arrived")
        self.assertEqual(load.failures, [])
        for s in sinks[1:]:
            s.close()

    def test_restart_with_a_memory_queue(self):
        self.through_a_restart("")

    def test_restart_with_batch_before_a_memory_queue(self):
        self.through_a_restart("", processors="batch: {timeout: 20ms}", processing="[batch]")

    def test_restart_with_batching_in_the_queue(self):
        self.through_a_restart(", sending_queue: {batch: {flush_timeout: 10ms, min_size: 50}}")

    def test_restart_without_a_queue(self):
        self.through_a_restart(", sending_queue: {enabled: false}", checked_at_once=True)

    def test_restart_with_wait_for_result(self):
        self.through_a_restart(", sending_queue: {wait_for_result: true}", checked_at_once=True)

    # Delays of an hour: what waits for its own drawn moment arrives in none of these tests.
    HOURS = "retry_on_failure: {initial_interval: 1h, max_interval: 1h, max_elapsed_time: 0s}"

    def outage_among_sleepers(self, stop, back, sink, more=""):
        text = lib.config(exporter(sink.port, more).replace(RETRY, self.HOURS), "[otlp_http]")
        sinks = [sink]
        with lib.Leat(text) as leat:
            load = Load(leat.port("otlp", "http"))
            load.wait_for_more(200)
            stop()
            leat.wait_log("will try again in ")
            time.sleep(60 if lib.LONG else 0)  # how long it lasts must not matter
            sinks += back()
            load.wait_for_more(2000)  # more than the queue holds: it moves again
            accepted = load.stop()
            lib.wait_until(lambda: accepted <= set().union(*(s.got("logs") for s in sinks)),
                           "all that was accepted has arrived")
            self.assertEqual(load.failures, [])

    def test_nobody_sleeps_on_when_the_destination_is_back(self):
        with lib.Sink() as first:
            later = []
            self.addCleanup(lambda: [s.close() for s in later])

            def back():
                later.append(lib.Sink(port=first.port))
                return later
            self.outage_among_sleepers(first.close, back, first, ", sending_queue: {queue_size: 300}")

    def test_nobody_sleeps_on_when_the_destination_answers_again(self):
        awake = threading.Event()
        awake.set()
        with lib.Sink(lambda kind, names: awake.wait() and None) as sink:
            self.addCleanup(awake.set)
            self.outage_among_sleepers(awake.clear, lambda: awake.set() or [], sink,
                                       ", timeout: 500ms, sending_queue: {queue_size: 300}")

    def test_a_full_queue_refuses_and_keeps_what_it_took(self):
        port = lib.free_port()
        text = lib.config(exporter(port, ", sending_queue: {queue_size: 5, num_consumers: 1}"), "[otlp_http]")
        with lib.Leat(text) as leat:
            at = leat.port("otlp", "http")
            replies = {n: lib.send(at, "logs", [f"q{n}"]) for n in range(60)}
            taken = [f"q{n}" for n, r in replies.items() if r.status == 200]
            refused = [r for r in replies.values() if r.status != 200]
            self.assertTrue(taken and refused, [r.status for r in replies.values()])
            for r in refused:
                self.assertIn(r.status, (429, 503))
                self.assertTrue(otlp.status(r.body)[1])
            with lib.Sink(port=port) as sink:
                sink.wait_for("logs", taken)


class Refusals(lib.Case):
    def test_retry_after_is_waited_for(self):
        times = []

        def answer(kind, names):
            times.append(time.monotonic())
            return (503, {"Retry-After": "2"}, b"") if len(times) == 1 else None
        with lib.Sink(answer) as sink, lib.Leat(lib.config(exporter(sink.port, ""), "[otlp_http]")) as leat:
            self.assertEqual(lib.send(leat.port("otlp", "http"), "logs", ["late"]).status, 200)
            sink.wait_for("logs", ["late"])
            self.assertEqual(len(times), 2)
            self.assertGreaterEqual(times[1] - times[0], 2.0)

    def test_each_retryable_status_is_tried_again_and_no_other(self):
        for status, again in ((429, True), (502, True), (503, True), (504, True), (400, False), (401, False),
                              (404, False), (500, False), (501, False)):
            calls = []

            def answer(kind, names):
                calls.append(names)
                return (status, {}, b"") if len(calls) == 1 else None
            with lib.Sink(answer) as sink, lib.Leat(
                    lib.config(exporter(sink.port, ", sending_queue: {wait_for_result: true}"), "[otlp_http]")) as leat:
                r = lib.send(leat.port("otlp", "http"), "logs", ["a"])
                self.assertEqual(r.status == 200, again, f"{status}: {r.status}")
                self.assertEqual(len(calls), 2 if again else 1, status)

    def test_one_bad_request_does_not_take_its_neighbours(self):
        def answer(kind, names):
            return (400, {}, b"") if any(n.startswith("bad") for n in names) else None
        more = ", sending_queue: {wait_for_result: true, batch: {flush_timeout: 500ms, min_size: 40, sizer: items}}"
        with lib.Sink(answer) as sink, lib.Leat(lib.config(exporter(sink.port, more), "[otlp_http]")) as leat:
            port, results = leat.port("otlp", "http"), {}

            def one(n):
                word = "bad" if n == 3 else "good"
                results[n] = lib.send(port, "logs", [f"{word}{n}-{i}" for i in range(4)]).status
            threads = [threading.Thread(target=one, args=(n,)) for n in range(10)]
            for t in threads:
                t.start()
            for t in threads:
                t.join(lib.LIMIT)
            self.assertEqual({n: s for n, s in results.items() if n != 3}, {n: 200 for n in range(10) if n != 3})
            self.assertIn(results[3], (400, 500))
            good = {f"good{n}-{i}" for n in range(10) if n != 3 for i in range(4)}
            self.assertEqual(sink.got("logs").keys(), good)
            self.assertTrue(all(v == 1 for v in sink.got("logs").values()), "something was delivered twice")
            self.assertTrue(any(len(n) > 4 for _, n, _, _ in sink.requests), "nothing was ever joined")

    def test_too_large_is_halved(self):
        def answer(kind, names):
            return (413, {}, b"") if len(names) > 8 else None
        for kind in otlp.SIGNALS:
            more = ", sending_queue: {wait_for_result: true}"
            with lib.Sink(answer) as sink, lib.Leat(lib.config(exporter(sink.port, more), "[otlp_http]")) as leat:
                ids = [f"h{i}" for i in range(50)]
                self.assertEqual(lib.send(leat.port("otlp", "http"), kind, ids).status, 200)
                self.assertEqual(sink.got(kind), dict.fromkeys(ids, 1))

    def test_fan_out_to_a_dead_and_a_living_destination(self):
        with lib.Sink() as sink:
            exporters = exporter(sink.port, "") + "\n  " + exporter(lib.free_port(), "").replace("otlp_http:", "otlp_http/dead:")
            text = lib.config(exporters, "[otlp_http, otlp_http/dead]")
            with lib.Leat(text, args=["--set", "exporters.otlp_http/dead.retry_on_failure.max_elapsed_time=1s"]) as leat:
                port = leat.port("otlp", "http")
                ids = [f"f{n}" for n in range(50)]
                for n in ids:
                    self.assertEqual(lib.send(port, "logs", [n]).status, 200)
                sink.wait_for("logs", ids)
                self.assertEqual(sink.got("logs"), dict.fromkeys(ids, 1))


class Stops(lib.Case):
    def stop_in_mid_flow(self, more, delay=0.0, **settings):
        with lib.Sink(lambda kind, names: time.sleep(delay)) as sink:
            text = lib.config(exporter(sink.port, more), "[otlp_http]", **settings)
            with lib.Leat(text) as leat:
                load = Load(leat.port("otlp", "http"))
                load.wait_for_more(300)
                leat.signal(signal.SIGTERM)
                self.assertEqual(leat.wait(), 0)
                accepted = load.stop()
            missing = accepted - sink.got("logs").keys()
            self.assertEqual(sorted(missing)[:10], [], f"{len(missing)} of {len(accepted)} accepted records are lost")
            self.assertEqual(load.failures, [])

    def test_with_wait_for_result(self):
        self.stop_in_mid_flow(", sending_queue: {wait_for_result: true}")

    def test_without_a_queue(self):
        self.stop_in_mid_flow(", sending_queue: {enabled: false}")

    def test_with_a_memory_queue_and_a_slow_destination(self):
        self.stop_in_mid_flow("", delay=0.005)

    def test_with_batch_before_the_queue(self):
        self.stop_in_mid_flow("", delay=0.005, processors="batch: {timeout: 100ms, send_batch_size: 64}", processing="[batch]")

    def test_with_batching_in_the_queue(self):
        self.stop_in_mid_flow(", sending_queue: {batch: {flush_timeout: 100ms, min_size: 64}}", delay=0.005)

    def test_kill_loses_nothing_that_was_confirmed(self):
        with lib.Sink() as sink:
            text = lib.config(exporter(sink.port, ", sending_queue: {wait_for_result: true}"), "[otlp_http]")
            leat = lib.Leat(text)
            load = Load(leat.port("otlp", "http"))
            load.wait_for_more(300)
            leat.signal(signal.SIGKILL)
            self.assertEqual(leat.wait(), -signal.SIGKILL)
            accepted = load.stop()
            self.assertLessEqual(accepted, sink.got("logs").keys())

    def test_a_second_signal_ends_it_at_once(self):
        """With a destination that never answers the orderly stop takes its time; who asks twice is obeyed."""
        release = threading.Event()
        with lib.Sink(lambda kind, names: release.wait(lib.LIMIT * 2) and None) as sink:
            leat = lib.Leat(lib.config(exporter(sink.port, ""), "[otlp_http]"))
            self.assertEqual(lib.send(leat.port("otlp", "http"), "logs", ["stuck"]).status, 200)
            leat.signal(signal.SIGTERM)
            leat.signal(signal.SIGINT)
            code = leat.wait(lib.LIMIT)
            self.assertNotIn(code, (-signal.SIGSEGV, -signal.SIGABRT))
            release.set()


if __name__ == "__main__":
    lib.main()
