"""What peers do that no library does: frames, answers and endings by hand, on both sides of the program."""
import os
import shutil
import socket
import ssl
import threading

import lib
import otlp
import raw_h2


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


class Callers(lib.Case):
    def test_http2_that_ended_its_side_gets_its_answer(self):
        go = threading.Event()
        with lib.Sink(lambda s, n: go.wait(lib.LIMIT) and None) as sink:
            exporter = (f"otlp_http: {{endpoint: 'http://127.0.0.1:{sink.port}', compression: none, "
                        "sending_queue: {enabled: false}}")
            with lib.Leat(lib.config(exporter, "[otlp_http]")) as leat:
                with raw_h2.Client(leat.port("otlp", "grpc")) as c:
                    whole = c.request(otlp.request("logs", ["asked"]))
                    part = c.open("logs")
                    c.data(part, raw_h2.message(otlp.request("logs", ["cut"]))[:9], ends=False)
                    c.sock.shutdown(socket.SHUT_WR)
                    self.assertEqual(c.answer(part)["reset"], 8)
                    go.set()
                    self.assertEqual(c.status(whole), 0)
                    c.to_end()
            self.assertEqual(sink.got("logs"), {"asked": 1})

    def test_a_parameter_of_the_query_can_carry_the_token(self):
        receiver = ("otlp: {protocols: {http: {endpoint: 127.0.0.1:0, auth: {authenticator: bearertokenauth, "
                    "request_params: [other, x-token]}}}}")
        text = lib.config("debug: {}", "[debug]", receivers=receiver, extended="[bearertokenauth]",
                          extensions="bearertokenauth: {token: 'a token+', scheme: '', header: X-Token}")
        with lib.Leat(text) as leat:
            port = leat.port("otlp", "http")

            def status(query, **headers):
                return lib.send(port, "logs", ["a"], path="/v1/logs" + query, headers=headers).status
            self.assertEqual(status("?x-token=a+token%2B"), 200)
            self.assertEqual(status("?y=1&x-token=a%20token%2b&other=" + "o" * 3000), 200)
            self.assertEqual(status("", **{"X-Token": "a token+"}), 200)
            for query in ("", "?", "?x-token", "?x-token=", "?x-token=a", "?xx-token=a+token%2B", "?x-token=a+token%2",
                          "?x-token=a+token%2B%00", "?x-token=a+token%2B%0a", "?x-token=" + "a" * 5000):
                self.assertEqual(status(query), 401, query)


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
