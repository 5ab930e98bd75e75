"""What peers do that no library does: frames, answers and endings by hand, on both sides of the program."""
import os
import shutil
import ssl

import lib
import otlp


class Destinations(lib.Case):
    def test_a_request_over_64_mib_is_halved_before_it_is_sent(self):
        receiver = "otlp: {protocols: {http: {endpoint: 127.0.0.1:0, max_request_body_size: 134217728}}}"
        names = [f"{i}" + "x" * (9 << 20) for i in range(8)]
        sizes = []

        def answer(signal, got):
            sizes.append(sum(map(len, got)))
        with lib.Sink(answer) as sink:
            exporter = (f"otlp_http: {{endpoint: 'http://127.0.0.1:{sink.port}', compression: none, "
                        "sending_queue: {enabled: false}}")
            with lib.Leat(lib.config(exporter, "[otlp_http]", receivers=receiver)) as leat:
                self.assertEqual(lib.send(leat.port("otlp", "http"), "logs", names).status, 200)
            self.assertEqual(sorted(sink.got("logs")), sorted(names))
        self.assertEqual(len(sizes), 2, sizes)

    def test_a_warning_of_the_destination_is_told(self):
        with lib.Sink(lambda s, n: (200, {}, otlp.field(1, otlp.field(2, "mind the gap")))) as sink:
            exporter = (f"otlp_http: {{endpoint: 'http://127.0.0.1:{sink.port}', compression: none, "
                        "sending_queue: {enabled: false}}")
            with lib.Leat(lib.config(exporter, "[otlp_http]")) as leat:
                r = lib.send(leat.port("otlp", "http"), "logs", ["a"])
                self.assertEqual((r.status, r.body), (200, b""))
                leat.wait_log(r"\twarn\totlp_http\t.*mind the gap")


class Certificates(lib.Case):
    def test_clients_of_a_new_ca_are_let_in_and_those_of_the_old_are_not(self):
        old, new = lib.certificates(self.folder()), lib.certificates(self.folder())
        ca = os.path.join(self.folder(), "clients.pem")
        shutil.copy(old["ca.pem"], ca)
        receiver = (f"otlp: {{protocols: {{http: {{endpoint: 127.0.0.1:0, tls: {{cert_file: {old['server.pem']}, key_file: "
                    f"{old['server.key']}, client_ca_file: {ca}, client_ca_file_reload: true, reload_interval: 1h}}}}}}}}")

        def status(files):
            tls = lib.client_tls(old["ca.pem"], files["client.pem"], files["client.key"])
            try:
                return lib.send(port, "logs", ["a"], tls=tls).status
            except (ssl.SSLError, ConnectionError, lib.http.client.RemoteDisconnected):
                return 0
        with lib.Leat(lib.config("debug: {}", "[debug]", receivers=receiver)) as leat:
            port = leat.port("otlp", "http")
            self.assertEqual((status(old), status(new)), (200, 0))
            shutil.copy(new["ca.pem"], ca)
            lib.wait_until(lambda: status(new) == 200, "the new CA's client is let in")
            lib.wait_until(lambda: status(old) == 0, "the old CA's client is refused")


if __name__ == "__main__":
    lib.main()
