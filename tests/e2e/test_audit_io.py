"""What peers do that no library does: frames, answers and endings by hand, on both sides of the program."""
import contextlib
import os
import shutil
import socket
import ssl
import struct
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


def serve_all(c):
    while True:
        c.ok(*c.request())


def go_away_unprocessed(c):
    for _ in range(3):
        c.ok(*c.request())
    stream, _ = c.request()
    c.send(raw_h2.frame(raw_h2.GOAWAY, 0, 0, struct.pack(">II", stream - 2, 0)))
    while True:
        c.next()


def go_away_and_finish(c):
    for _ in range(3):
        c.ok(*c.request())
    stream, names = c.request()
    c.send(raw_h2.frame(raw_h2.GOAWAY, 0, 0, struct.pack(">II", stream, 0)))
    c.ok(stream, names)
    while True:
        c.next()


def refuse_every_other(c):
    while True:
        stream, _ = c.request()
        c.send(raw_h2.frame(raw_h2.RST, 0, stream, struct.pack(">I", 7)))
        c.ok(*c.request())


def reset_the_third(c):
    for _ in range(2):
        c.ok(*c.request())
    c.request()
    c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def one_each(c):
    c.ok(*c.request())


def error_page(c):
    while True:
        stream, _ = c.request()
        c.send(raw_h2.frame(raw_h2.HEADERS, raw_h2.END_HEADERS, stream,
                            raw_h2.block([(":status", "503"), ("content-type", "text/html")])),
               raw_h2.frame(raw_h2.DATA, raw_h2.END_STREAM, stream, b"<html>"))


class GrpcDestinations(lib.Case):
    """Whatever the destination does, what is acknowledged has arrived."""

    def deliver(self, serve, **own_settings):
        with raw_h2.Server(serve, **own_settings) as far:
            exporter = (f"otlp_grpc: {{endpoint: '127.0.0.1:{far.port}', tls: {{insecure: true}}, compression: none, "
                        "sending_queue: {enabled: false}, retry_on_failure: {initial_interval: 20ms, max_interval: 100ms}}")
            with lib.Leat(lib.config(exporter, "[otlp_grpc]", kinds=("logs",))) as leat:
                port, answers = leat.port("otlp", "http"), []

                def send(number):
                    client = lib.Client(port)
                    answers.extend(client.send("logs", [f"{number}-{i}"]) for i in range(4))
                    client.close()
                threads = [threading.Thread(target=send, args=(n,)) for n in range(6)]
                for t in threads:
                    t.start()
                for t in threads:
                    t.join()
            self.assertEqual(answers, [200] * 24)
            self.assertEqual(set(far.got()), {f"{n}-{i}" for n in range(6) for i in range(4)})
            return far.got()

    def test_one_stream_at_a_time(self):
        self.assertEqual(len(self.deliver(serve_all, max_streams=1)), 24)

    def test_small_windows(self):
        self.assertEqual(len(self.deliver(serve_all, window=7)), 24)

    def test_goaway_with_requests_not_processed(self):
        self.assertEqual(len(self.deliver(go_away_unprocessed)), 24)

    def test_goaway_with_an_answer_to_come(self):
        self.assertEqual(len(self.deliver(go_away_and_finish)), 24)

    def test_refused_streams(self):
        self.assertEqual(len(self.deliver(refuse_every_other)), 24)

    def test_resets_in_the_middle(self):
        self.deliver(reset_the_third)

    def test_closed_after_each_answer(self):
        self.deliver(one_each)

    def test_a_unix_socket(self):
        path = os.path.join(self.folder(), "far.sock")
        with raw_h2.Server(serve_all, family=socket.AF_UNIX, address=path) as far:
            exporter = (f"otlp_grpc: {{endpoint: 'unix://{path}', tls: {{insecure: true}}, compression: none, "
                        "sending_queue: {enabled: false}}")
            with lib.Leat(lib.config(exporter, "[otlp_grpc]", kinds=("logs",))) as leat:
                self.assertEqual(lib.send(leat.port("otlp", "http"), "logs", ["a"]).status, 200)
            self.assertEqual(far.got(), ["a"])

    def test_an_error_page_is_named(self):
        with raw_h2.Server(error_page) as far:
            exporter = (f"otlp_grpc: {{endpoint: '127.0.0.1:{far.port}', tls: {{insecure: true}}, compression: none, "
                        "sending_queue: {enabled: false}, retry_on_failure: {enabled: false}}")
            with lib.Leat(lib.config(exporter, "[otlp_grpc]", kinds=("logs",))) as leat:
                r = lib.send(leat.port("otlp", "http"), "logs", ["a"])
                self.assertEqual(r.status, 503)
                self.assertIn("HTTP status 503", otlp.status(r.body)[1])


class Listeners(lib.Case):
    def test_unix_sockets(self):
        folder = self.folder()
        receiver = (f"otlp: {{protocols: {{grpc: {{endpoint: {folder}/g.sock, transport: unix}}, "
                    f"http: {{endpoint: {folder}/h.sock, transport: unix}}}}}}")
        with lib.Leat(lib.config("debug: {}", "[debug]", receivers=receiver)) as leat:
            leat.wait_log("ready")
            for name in ("g.sock", "h.sock"):
                sock = socket.socket(socket.AF_UNIX)
                sock.connect(f"{folder}/{name}")
                with raw_h2.Client(None, sock=sock) as c:
                    self.assertEqual(c.status(c.request(otlp.request("logs", ["a"]))), 0)
        self.assertEqual(os.listdir(folder), [])

    def test_ipv6(self):
        with socket.socket(socket.AF_INET6) as s:
            try:
                s.bind(("::1", 0))
            except OSError:
                self.skipTest("no IPv6 here")
        receiver = "otlp: {protocols: {grpc: {endpoint: '[::1]:0'}}}"
        with lib.Leat(lib.config("debug: {}", "[debug]", receivers=receiver)) as leat:
            port = int(leat.wait_log(r"listening on \[::1\]:(\d+) \(grpc\)").group(1))
            exporter = (f"otlp_grpc: {{endpoint: '[::1]:{port}', tls: {{insecure: true}}, sending_queue: {{enabled: false}}}}")
            with lib.Leat(lib.config(exporter, "[otlp_grpc]")) as near:
                self.assertEqual(lib.send(near.port("otlp", "http"), "logs", ["a"]).status, 200)

    def test_connection_age(self):
        receiver = ("otlp: {protocols: {grpc: {endpoint: 127.0.0.1:0, keepalive: {server_parameters: "
                    "{max_connection_age: 200ms, max_connection_age_grace: 200ms}}}}}")
        with lib.Leat(lib.config("debug: {}", "[debug]", receivers=receiver)) as leat:
            with raw_h2.Client(leat.port("otlp", "grpc")) as c:
                self.assertEqual(c.status(c.request(otlp.request("logs", ["a"]))), 0)
                open_still = c.open()
                c.to_end()
                self.assertEqual((c.goaway, c.seen.get(open_still, {}).get("headers", {})), (0, {}))


class Proxy:
    """A proxy that knows CONNECT: `answer` decides what it says; None lets the tunnel through."""

    def __init__(self, answer=None):
        self.answer, self.asked = answer, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        with contextlib.suppress(OSError), sock:
            head = b""
            while b"\r\n\r\n" not in head:
                head += sock.recv(1)
            self.asked.append(head.decode())
            if self.answer is not None:
                sock.sendall(self.answer)
                sock.recv(1)
                return
            with socket.create_connection(("127.0.0.1", int(head.split()[1].rsplit(b":", 1)[1])), lib.LIMIT) as far:
                for part in (b"HTTP/1.1 200 Conn", b"ection established\r\nvia: x\r\n\r", b"\n"):
                    sock.sendall(part)
                other = threading.Thread(target=self.pump, args=(far, sock), daemon=True)
                other.start()
                self.pump(sock, far)
                other.join()

    @staticmethod
    def pump(one, two):
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                two.sendall(data)
        with contextlib.suppress(OSError):
            two.shutdown(socket.SHUT_WR)


class Tunnels(lib.Case):
    def test_https_through_a_proxy(self):
        files = lib.certificates(self.folder())
        receiver = (f"otlp: {{protocols: {{http: {{endpoint: 127.0.0.1:0, tls: {{cert_file: {files['server.pem']}, key_file: "
                    f"{files['server.key']}}}}}}}}}")
        proxy = Proxy()
        with lib.Leat(lib.config("debug: {verbosity: detailed, use_internal_logger: false}", "[debug]",
                                 receivers=receiver)) as far:
            port = far.port("otlp", "http")
            exporter = (f"otlp_http: {{endpoint: 'https://localhost:{port}', proxy_url: 'http://127.0.0.1:{proxy.port}', tls: "
                        f"{{ca_file: {files['ca.pem']}}}, sending_queue: {{enabled: false}}}}")
            with lib.Leat(lib.config(exporter, "[otlp_http]")) as near:
                for n in range(3):
                    r = lib.send(near.port("otlp", "http"), "logs", [f"tunnelled-{n}"])
                    self.assertEqual(r.status, 200, otlp.status(r.body) if r.body else "")
            lib.wait_until(lambda: far.log().count("tunnelled-") == 3, "the records arrive")
        self.assertTrue(all(a == f"CONNECT localhost:{port} HTTP/1.1\r\nhost: localhost:{port}\r\n\r\n" for a in proxy.asked),
                        proxy.asked)

    def test_what_a_proxy_may_say_instead(self):
        for answer, said in ((b"HTTP/1.1 407 Who are you\r\n\r\n", "HTTP status 407"), (b"220 smtp ready\r\n\r\n", "HTTP/1.1"),
                             (b"HTTP/1.1 200 OK\r\n\r\nand more", "nobody asked"), (b"x: y\r\n" * 2000, "too many headers"),
                             (b"HTTP/1.1 200 OK\r\n\r\n", "localhost:1"), (b"", "timed out")):
            proxy = Proxy(answer)
            exporter = (f"otlp_http: {{endpoint: 'https://localhost:1', proxy_url: 'http://127.0.0.1:{proxy.port}', timeout: 2s, "
                        "sending_queue: {enabled: false}, retry_on_failure: {enabled: false}}")
            with lib.Leat(lib.config(exporter, "[otlp_http]")) as leat:
                r = lib.send(leat.port("otlp", "http"), "logs", ["a"])
                self.assertEqual(r.status, 503, answer[:40])
                self.assertRegex(otlp.status(r.body)[1], said)


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
