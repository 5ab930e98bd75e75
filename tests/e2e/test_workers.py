"""Several workers under load from many connections, with metrics read meanwhile and an orderly stop in mid-flow."""
import threading

import lib
import otlp
from test_delivery import Load


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


if __name__ == "__main__":
    lib.main()
