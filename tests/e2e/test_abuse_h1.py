"""HTTP/1 attacks on the whole program, while others send: smuggling, what does not end, what does not move."""
import contextlib
import re

import attacks
import lib
import otlp
import under_attack


class Smuggling(under_attack.Attacked):
    def served(self, data):
        """What a connection is answered until the server closes it, or until it waits for more."""
        answer = b""
        with contextlib.closing(attacks.connect(self.http)) as sock, contextlib.suppress(ConnectionError):
            sock.settimeout(lib.LIMIT)
            sock.sendall(data)
            sock.shutdown(attacks.socket.SHUT_WR)
            while part := sock.recv(65536):
                answer += part
        return answer

    def test_no_two_readers_can_disagree(self):
        for name, data in attacks.smuggling(b"%s").items():
            with self.subTest(name):
                hidden = f"hidden {name}"
                body = otlp.request("logs", [hidden])
                answer = self.served(attacks.smuggling(attacks.SMUGGLED % (len(body), body))[name])
                self.assertRegex(answer, rb"^HTTP/1.1 (4\d\d|505) ")
                self.assertEqual(len(re.findall(rb"HTTP/1\.1 \d", answer)), 1, answer)
                self.assertNotIn(hidden, self.sink.got("logs"))
        self.assertGreaterEqual(self.refused("malformed"), 20)
        self.clients_are_well()
        self.memory_is_back()

    def test_the_request_that_is_not_hidden_is_served(self):
        """So that the test above can fail."""
        body = otlp.request("logs", ["behind another"])
        answer = self.served(attacks.POST + b"Content-Length: 0\r\n\r\n" + attacks.SMUGGLED % (len(body), body))
        self.assertEqual(answer.count(b"HTTP/1.1 200 "), 2, answer)
        self.assertIn("behind another", self.sink.got("logs"))


class Endless(under_attack.Attacked):
    # A body within its limit may stay resident when it is freed: with 20 MiB the process would grow by as much.
    receiver = ("otlp: {protocols: {grpc: {endpoint: 127.0.0.1:0}, http: {endpoint: 127.0.0.1:0, "
                "max_request_body_size: 1000000}}}")

    def test_what_does_not_end_is_cut_off(self):
        for name, step in attacks.H1_ENDLESS.items():
            with self.subTest(name):
                cpu, lines = attacks.cpu_seconds(self.pid), len(self.leat.log().splitlines())
                closed, sent = attacks.endless(self.http, step)
                print(f"{name}: closed {closed}, {sent} bytes, {attacks.cpu_seconds(self.pid) - cpu:.3f} s", flush=True)
                self.assertTrue(closed, f"open after {sent} bytes")
                self.assertLess(attacks.cpu_seconds(self.pid) - cpu, under_attack.cpu_max())
                self.assertLessEqual(len(self.complaints(lines)), 1)
        self.assertGreaterEqual(self.refused("malformed"), 6)
        self.assertEqual(self.refused("too_large"), 1)
        self.clients_are_well()
        self.memory_is_back()

    def test_a_pipelining_flood_is_answered_in_order_and_disturbs_nobody(self):
        with contextlib.closing(attacks.connect(self.http)) as sock:
            sock.settimeout(lib.LIMIT)
            asked, answered, rest = 0, 0, b""
            while asked < 20_000:
                sock.sendall(b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n" * 200)
                asked += 200
                while answered < asked:
                    rest += sock.recv(1 << 20)
                    answered += rest.count(b"HTTP/1.1 404 ")
                    rest = rest[-12:] if b"HTTP/1.1 404 " not in rest[-12:] else b""
        self.clients_are_well()
        self.memory_is_back()


class Slow(under_attack.Attacked):
    receiver = ("otlp: {protocols: {grpc: {endpoint: 127.0.0.1:0}, http: {endpoint: 127.0.0.1:0, read_timeout: 1500ms, "
                "read_header_timeout: 1500ms, write_timeout: 1500ms}}}")

    def test_who_is_slow_is_let_go(self):
        for name, attack in attacks.H1_SLOW.items():
            with self.subTest(name), contextlib.closing(attack(self.http)) as sock:
                if name != "slow-read":
                    self.assertTrue(attacks.closed(sock, lib.LIMIT))
                lib.wait_until(lambda: self.connections() <= self.open, "the connection is gone")
        self.assertEqual(self.refused("timeout"), 4)
        self.assertEqual(self.ended("stalled"), 1)
        self.clients_are_well()
        self.memory_is_back()

    def test_hundreds_at_once(self):
        with contextlib.ExitStack() as held:
            for name in ("slow-headers", "stalled-body", "stalled-chunks", "silent"):
                for _ in range(120):
                    held.enter_context(contextlib.closing(attacks.H1_SLOW[name](self.http)))
            self.healthy.wait_for_more(20)
            lib.wait_until(lambda: self.connections() <= self.open, "all of them are gone")
        self.assertEqual(self.refused("timeout"), 360)
        self.clients_are_well()
        self.memory_is_back()


if __name__ == "__main__":
    lib.main()
