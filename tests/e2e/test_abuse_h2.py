"""HTTP/2 attacks on the whole program, while others send: the attacker is cut off, the others do not notice."""
import contextlib

import attacks
import lib
import under_attack


class Floods(under_attack.Attacked):
    def test_each_flood_is_cut_off(self):
        for name, attack in attacks.H2_FLOODS.items():
            with self.subTest(name):
                cpu, lines = attacks.cpu_seconds(self.pid), len(self.leat.log().splitlines())
                closed, sent = attacks.flood(self.grpc, attack, limit=lib.LIMIT)
                print(f"{name}: closed {closed}, {sent} frames, {attacks.cpu_seconds(self.pid) - cpu:.3f} s", flush=True)
                self.assertTrue(closed, f"open after {sent} frames")
                self.assertLess(attacks.cpu_seconds(self.pid) - cpu, under_attack.cpu_max())
                self.assertLessEqual(len(self.complaints(lines)), 1)
        self.clients_are_well()
        self.memory_is_back()
        self.assertGreaterEqual(self.ended("flood"), 15)
        self.assertGreaterEqual(self.ended("headers"), 1)
        self.assertGreaterEqual(self.ended("protocol"), 5)
        self.assertGreaterEqual(self.ended("flood") + self.ended("headers") + self.ended("protocol"), len(attacks.H2_FLOODS) - 1)  # who says GOAWAY may go

    def test_who_comes_back_is_cut_off_each_time_and_the_log_stays_short(self):
        for name in ("ping", "rapid-reset", "reset-by-window-overflow", "hpack-bomb"):
            for _ in range(15):
                closed, sent = attacks.flood(self.grpc, attacks.H2_FLOODS[name], limit=lib.LIMIT)
                self.assertTrue(closed, f"{name}: open after {sent} frames")
        self.assertEqual(self.ended("flood") + self.ended("headers"), 60)
        self.assertLessEqual(len(self.complaints(self.lines)), 60)
        self.clients_are_well()
        self.memory_is_back()


class Slow(under_attack.Attacked):
    """With the times short. The port of HTTP speaks HTTP/2 too, and has a setting for each."""
    receiver = ("otlp: {protocols: {grpc: {endpoint: 127.0.0.1:0}, http: {endpoint: 127.0.0.1:0, read_timeout: 1500ms, "
                "read_header_timeout: 1500ms, write_timeout: 1500ms}}}")

    def test_who_is_slow_is_let_go(self):
        for name, attack in attacks.H2_SLOW.items():
            with self.subTest(name), contextlib.closing(attack(self.http)) as sock:
                if name == "stalled-body":  # the request is answered, the connection may stay
                    lib.wait_until(lambda: self.refused("timeout") == 1, "the request is given up")
                elif name == "slow-read":
                    lib.wait_until(lambda: self.connections() <= self.open, "the connection is gone")
                else:
                    self.assertTrue(attacks.closed(sock, lib.LIMIT))
        self.clients_are_well()
        self.memory_is_back()

    def many_at_once(self):
        held = [attack(self.http) for name, attack in attacks.H2_SLOW.items() if name != "slow-read" for _ in range(20)]
        lib.wait_until(lambda: self.refused("timeout") >= 20, "the bodies are given up")
        for sock in held:
            sock.close()
        lib.wait_until(lambda: self.connections() <= self.open, "all of them are gone")

    def test_many_at_once(self):
        self.many_at_once()
        self.rss = attacks.rss_bytes(self.pid)  # a second wave finds what the first has left
        self.many_at_once()
        self.clients_are_well()
        self.memory_is_back()


if __name__ == "__main__":
    lib.main()
