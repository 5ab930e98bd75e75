"""leat top and leat status, and the admin socket they read."""
import fcntl
import json
import os
import pty
import re
import signal as signals
import socket
import stat
import struct
import subprocess
import tempfile
import termios
import threading

import lib
import otlp

ROWS, COLUMNS = 24, 120


class Terminal:
    """A program on a terminal of its own, and what is on its screen."""

    def __init__(self, args, env, rows=ROWS, columns=COLUMNS):
        self.master, self.slave = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.slave)
        self.lines, self.y, self.x, self.other, self.cursor, self.rest, self.raw = [""], 0, 0, False, True, "", ""
        self.changed = threading.Condition()
        self.process = subprocess.Popen([lib.LEAT, *args], stdin=self.slave, stdout=self.slave, stderr=self.slave,
                                        start_new_session=True, env={**os.environ, "TERM": "xterm", **env},
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        threading.Thread(target=self.read, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            print(f"--- the screen:\n{self.text()}\n--- all of it:\n{self.raw[-4000:]!r}", flush=True)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.slave)

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self):
        while True:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return
            if not data:
                return
            with self.changed:
                self.raw += data.decode("utf-8", "replace")
                self.rest += data.decode("utf-8", "replace")
                self.take()

    def take(self):
        """What a terminal does with these codes, as far as they are used; anything else fails the test."""
        token = re.compile(r"\x1b\[(\??[\d;]*)([A-Za-z])|\r|\n|[^\x1b\r\n]+")
        at = 0
        while m := token.match(self.rest, at):
            at = m.end()
            if m.group(2):
                self.control(m.group(1), m.group(2))
            elif m.group() == "\r":
                self.x = 0
            elif m.group() == "\n":
                self.y += 1
            else:
                self.put(m.group())
        self.rest = self.rest[at:]

    def line(self):
        while len(self.lines) <= self.y:
            self.lines.append("")
        return self.lines[self.y].ljust(self.x)

    def put(self, text):
        old = self.line()
        self.lines[self.y] = old[:self.x] + text + old[self.x + len(text):]
        self.x += len(text)

    def control(self, what, code):
        if (what, code) in (("?1049", "h"), ("?1049", "l")):
            self.other, self.lines, self.y, self.x = code == "h", [""], 0, 0
        elif (what, code) in (("?25", "h"), ("?25", "l")):
            self.cursor = code == "h"
        elif (what, code) == ("", "H"):
            self.y = self.x = 0
        elif (what, code) == ("", "K"):
            self.lines[self.y] = self.line()[:self.x]
        elif (what, code) == ("", "J"):
            self.line()
            del self.lines[self.y + 1:]
        elif (what, code) not in (("?7", "h"), ("?7", "l")) and code != "m":
            raise AssertionError(f"an unknown control sequence: {what!r} {code!r}")

    def text(self):
        with self.changed:
            return "\n".join(self.lines)

    def wait(self, pattern):
        return lib.wait_until(lambda: re.search(pattern, self.text(), re.M), lambda: f"{pattern!r} on the screen:\n{self.text()}")

    def type(self, keys):
        os.write(self.master, keys.encode())

    def end(self, limit=lib.LIMIT):
        """The exit code; the terminal must be as it was."""
        code = self.process.wait(limit)
        lib.wait_until(lambda: not self.other and self.cursor, "the terminal's own screen and cursor are back")
        assert termios.tcgetattr(self.slave) == self.before, "the terminal's modes are not as they were"
        return code


class Top(lib.Case):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="leat-top-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.env = {"XDG_RUNTIME_DIR": self.folder}

    def leat(self, text, **kw):
        return lib.Leat(text, env=self.env, **kw)

    def top(self, *args, env=None):
        return lib.run("top", *args, env={**self.env, **(env or {})})

    def status(self, *args):
        """The document of --once; totals only unless args say otherwise."""
        code, out, errors = self.top("--once", "--output", "json", *(args or ("--interval", "0")))
        self.assertEqual((code, errors), (0, ""))
        return json.loads(out)

    def row(self, doc, kind, signal, **more):
        found = [c for c in doc["components"] if c["kind"] == kind and c["signal"] == signal
                 and all(c[k] == v for k, v in more.items())]
        self.assertEqual(len(found), 1, doc["components"])
        return found[0]

    def sock(self, leat):
        return os.path.join(self.folder, "leat", f"{leat.process.pid}.sock")

    # --- what it says

    def test_numbers_are_those_that_were_sent_and_those_of_the_metrics_page(self):
        page = lib.free_port()
        with lib.Sink() as sink:
            text = lib.config(f"otlp_http/up: {{endpoint: 'http://127.0.0.1:{sink.port}', compression: none}}", "[otlp_http/up]",
                              processors="batch: {timeout: 10ms}", processing="[batch]", tail=lib.telemetry(page))
            with self.leat(text) as leat:
                port, sizes = leat.port("otlp", "http"), {}
                for s, n in zip(otlp.SIGNALS, (3, 5, 11)):
                    body = otlp.request(s, [f"{s}{i}" for i in range(n)])
                    sizes[s] = (n, len(body))
                    self.assertEqual(lib.post(port, s, body).status, 200)
                lib.wait_until(lambda: all(self.row(self.status(), "exporter", s)["items_out"] == n for s, (n, _) in sizes.items()),
                               "all is counted as delivered")
                doc, found = self.status(), lib.metrics(page)
                self.assertEqual((doc["schema"], doc["pid"], doc["state"]), (1, leat.process.pid, "ready"))
                self.assertEqual(doc["config"], [os.path.join(leat.folder, "leat.yaml")])
                self.assertEqual(doc["workers"], len(doc["budgets"]))
                self.assertEqual(sum(b["limit_bytes"] for b in doc["budgets"]), lib.total(found, "leat_memory_limit_bytes"))
                self.assertEqual(sum(b["used_bytes"] for b in doc["budgets"]), 0)
                self.assertGreater(sum(b["peak_bytes"] for b in doc["budgets"]), 0)
                self.assertGreater(doc["rss_bytes"], 1 << 20)
                self.assertGreater(doc["uptime_seconds"], 0)
                self.assertEqual(len(doc["components"]), 9)
                for s, (n, size) in sizes.items():
                    for kind, pipeline in (("receiver", ""), ("processor", s), ("exporter", "")):
                        c = self.row(doc, kind, s, pipeline=pipeline)
                        self.assertEqual((c["items_in"], c["items_out"], c["bytes_in"], c["bytes_out"]), (n, n, size, size), c)
                        self.assertEqual((c["refused"], c["errors"], c["dropped"], c["held"], c["held_bytes"]), (0, 0, 0, 0, 0), c)
                        for name, key in (("leat_items_total", "items_in"), ("leat_bytes_total", "bytes_in")):
                            self.assertEqual(lib.total(found, name, component=c["id"], kind=kind, signal=s, fate="in"), c[key])
                    c = self.row(doc, "exporter", s)
                    self.assertEqual((c["queue_size"], c["in_flight"]), (0, 0))
                    self.assertEqual(c["queue_capacity"], lib.total(found, "otelcol_exporter_queue_capacity", data_type=s))
                self.assertNotIn("queue_size", self.row(doc, "receiver", "logs"))
                self.assertNotIn("interval_seconds", doc)

    def test_one_table(self):
        with self.leat(lib.config("nop: {}", "[nop]", kinds=("logs",))) as leat:
            self.assertEqual(lib.send(leat.port("otlp", "http"), "logs", ["a", "b", "c"]).status, 200)
            for command in (("top", "--once"), ("status",)):
                code, out, errors = lib.run(*command, "--interval", "0", env=self.env)
                self.assertEqual((code, errors), (0, ""))
                self.assertNotIn("\x1b", out)
                self.assertRegex(out, rf"^Leat \S+  pid {leat.process.pid}  ready  up \S+  \d+ workers?  RSS \S+MiB\n"
                                 r"Budget \[-{20}\] 0B of \S+  peak \S+  refused 0\n"
                                 r"KIND↑ +COMPONENT +SIGNAL +IN +OUT +B IN +B OUT +REFUSED +ERRORS +HELD QUEUE\n"
                                 r"receiver +otlp +logs +3 +3 .*\nexporter +nop +logs +3 +3 .*\n$")
            code, out, _ = lib.run("status", "--interval", "100ms", "--sort", "component", env=self.env)
            self.assertEqual(code, 0)
            self.assertRegex(out, r"KIND +COMPONENT↑ .* IN/s .*\nexporter +nop .*\nreceiver ")

    def test_rates(self):
        stop = threading.Event()

        def send_on(port):
            client = lib.Client(port)
            while not stop.is_set():
                client.send("logs", ["a", "b"])
            client.close()

        def measured():
            doc = self.status("--interval", "200ms")
            c = self.row(doc, "receiver", "logs")
            return c["items_in_rate"] > 0 and (doc, c)
        with self.leat(lib.config("nop: {}", "[nop]", kinds=("logs",))) as leat:
            sender = threading.Thread(target=send_on, args=(leat.port("otlp", "http"),))
            sender.start()
            try:
                doc, c = lib.wait_until(measured, "a rate above 0")
            finally:
                stop.set()
                sender.join()
            seconds, items = doc["interval_seconds"], c["items_in_rate"] * doc["interval_seconds"]
            self.assertGreaterEqual(seconds, 0.15)
            self.assertAlmostEqual(items, round(items), places=3)
            self.assertEqual(round(items) % 2, 0)
            self.assertEqual(round(c["bytes_in_rate"] * seconds) % len(otlp.request("logs", ["a", "b"])), 0)  # read a moment before
            self.assertEqual((c["refused_rate"], c["errors_rate"]), (0, 0))

    def test_a_queue_that_fills(self):
        with lib.Sink(answer=lambda *_: (503, {}, b"")) as sink:
            text = lib.config(f"otlp_http/up: {{endpoint: 'http://127.0.0.1:{sink.port}', sending_queue: {{queue_size: 4, num_consumers: 1}}}}",
                              "[otlp_http/up]", kinds=("logs",)) + "leat: {workers: 1, shutdown_timeout: 1ms}\n"
            with self.leat(text) as leat:
                port = leat.port("otlp", "http")
                for i in range(3):
                    self.assertEqual(lib.send(port, "logs", [f"a{i}", f"b{i}"]).status, 200)
                c = self.row(self.status(), "exporter", "logs")
                self.assertEqual((c["held"], c["queue_capacity"], c["items_out"]), (6, 4, 0))
                self.assertGreater(c["queue_size"], 0)
                self.assertEqual(c["held_bytes"], sum(len(otlp.request("logs", [f"a{i}", f"b{i}"])) for i in range(3)))
                full = lib.wait_until(lambda: lib.send(port, "logs", ["c"]).status != 200, "the queue is full")
                self.assertTrue(full)
                c = self.row(self.status(), "exporter", "logs")
                self.assertEqual((c["queue_size"], c["refused"]), (4, 1))
                self.assertEqual(self.row(self.status(), "receiver", "logs")["refused"], 1)
                self.assertIn("[########] 100%", self.top("--once", "--interval", "0")[1])

    # --- which program

    def test_none(self):
        code, out, errors = self.top("--once")
        self.assertEqual((code, out), (1, ""))
        self.assertIn(f"found no running Leat; looked in {self.folder}/leat, /run/leat", errors)
        self.assertIn("admin: none", errors)

    def test_switched_off(self):
        with self.leat(lib.config("nop: {}", "[nop]") + "leat: {admin: none}\n") as leat:
            leat.wait_log("ready: ")
            self.assertFalse(os.path.exists(os.path.join(self.folder, "leat")))
            code, _, errors = self.top("--once", "--pid", str(leat.process.pid))
            self.assertEqual(code, 1)
            self.assertIn(f"found no running Leat with pid {leat.process.pid}; looked in", errors)

    def test_several(self):
        text = lib.config("nop: {}", "[nop]", kinds=("logs",))
        with self.leat(text) as one, self.leat(None, args=("--config", f"yaml:{text}")) as two:
            one.wait_log("ready: ")
            two.wait_log("ready: ")
            code, out, errors = self.top("--once")
            self.assertEqual((code, out), (lib.EX_USAGE, ""))
            self.assertRegex(errors, r"2 programs are running; choose one with --pid:\n")
            self.assertIn(f"{one.process.pid}  {one.folder}/leat.yaml\n", errors)
            self.assertIn(f"{two.process.pid}  yaml:…\n", errors)
            for leat in (one, two):
                self.assertEqual(self.status("--interval", "0", "--pid", str(leat.process.pid))["pid"], leat.process.pid)

    def test_one_that_was_killed_leaves_nothing_that_stays(self):
        with self.leat(lib.config("nop: {}", "[nop]", kinds=("logs",))) as leat:
            leat.wait_log("ready: ")
            other = lib.Leat(lib.config("nop: {}", "[nop]", kinds=("logs",)), env=self.env)
            other.wait_log("ready: ")
            other.process.kill()
            other.wait()
            self.assertTrue(os.path.exists(self.sock(other)))
            self.assertEqual(self.status()["pid"], leat.process.pid)
            self.assertFalse(os.path.exists(self.sock(other)))
            path = self.sock(leat)
        self.assertFalse(os.path.exists(path))

    def test_a_folder_that_is_a_link_is_not_used(self):
        elsewhere = os.path.join(self.folder, "elsewhere")
        os.mkdir(elsewhere, 0o700)
        os.symlink(elsewhere, os.path.join(self.folder, "leat"))
        with self.leat(lib.config("nop: {}", "[nop]", kinds=("logs",))) as leat:
            leat.wait_log("ready: ")
            self.assertEqual(os.listdir(elsewhere), [])
            _, _, errors = self.top("--once", "--pid", "1")
            self.assertIn(f"{self.folder}/leat ({self.folder}/leat is a symbolic link: nothing in it is trusted)", errors)

    # --- the socket

    def test_the_sockets_rights(self):
        with self.leat(lib.config("nop: {}", "[nop]", kinds=("logs",))) as leat:
            leat.wait_log("ready: ")
            self.assertEqual(stat.S_IMODE(os.lstat(self.sock(leat)).st_mode), 0o600)
            self.assertEqual(stat.S_IMODE(os.lstat(os.path.join(self.folder, "leat")).st_mode), 0o700)

    def test_a_configured_socket(self):
        path = os.path.join(self.folder, "own.sock")
        with self.leat(lib.config("nop: {}", "[nop]", kinds=("logs",)) + f"leat:\n  admin: {path}\n") as leat:
            leat.wait_log("ready: ")
            self.assertEqual(self.status("--interval", "0", "--socket", path)["pid"], leat.process.pid)
            self.assertEqual(self.top("--once")[0], 1)
            code, _, errors = lib.run("--config", os.path.join(leat.folder, "leat.yaml"), env=self.env)
            self.assertEqual(code, lib.EX_CONFIG)
            self.assertIn("address already in use", errors)
            self.assertEqual(lib.run("validate", "--config", os.path.join(leat.folder, "leat.yaml"), env=self.env)[0], 0)
        self.assertFalse(os.path.exists(path))

    def test_a_configured_socket_that_cannot_be_made(self):
        path = os.path.join(self.folder, "leat.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(lib.config("nop: {}", "[nop]", kinds=("logs",)) + "leat:\n  admin: /nonexistent/a.sock\n")
        code, _, errors = lib.run("--config", path, env=self.env)
        self.assertEqual(code, lib.EX_CONFIG)
        self.assertRegex(errors, r"leat\.yaml:\d+:10: error: cannot listen on /nonexistent/a\.sock: No such file or directory\n"
                         r" +\d+ \|   admin: /nonexistent/a\.sock\n +\| +\^~+\n")

    def test_a_default_socket_that_cannot_be_made_is_one_warning(self):
        self.env["XDG_RUNTIME_DIR"] = os.path.join(self.folder, "a" * 100)
        os.mkdir(self.env["XDG_RUNTIME_DIR"])
        with self.leat(lib.config("nop: {}", "[nop]", kinds=("logs",))) as leat:
            self.assertEqual(lib.send(leat.port("otlp", "http"), "logs", ["a"]).status, 200)
            self.assertEqual(self.top("--once", "--pid", str(leat.process.pid))[0], 1)
        warnings = [line for line in leat.text.splitlines() if "\twarn\t" in line and "metrics" not in line]
        self.assertEqual(len(warnings), 1, leat.text)
        self.assertRegex(warnings[0], r"no admin socket, so 'leat top' cannot see this program: cannot listen on .* longer than 107 bytes")

    def test_what_is_no_request_harms_nobody(self):
        with self.leat(lib.config("nop: {}", "[nop]", kinds=("logs",))) as leat:
            leat.wait_log("ready: ")
            for data, answer in ((b"\x00\xff\x16\x03\x01 nothing\r\n\r\n", None), (b"POST /status HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", b" 405 "),
                                 (b"GET /../etc HTTP/1.1\r\nHost: x\r\n\r\n", b" 404 "),
                                 (b"GET /status HTTP/1.1\r\nHost: x\r\nA: " + b"a" * (1 << 20) + b"\r\n\r\n", None)):
                with socket.socket(socket.AF_UNIX) as s:
                    s.settimeout(lib.LIMIT)
                    s.connect(self.sock(leat))
                    try:
                        s.sendall(data)
                        got = s.recv(1000)
                    except (BrokenPipeError, ConnectionResetError):
                        got = b""
                    self.assertNotIn(b" 200 ", got)
                    if answer:
                        self.assertIn(answer, got)
            self.assertEqual(self.status()["pid"], leat.process.pid)

    def test_a_socket_that_lies_is_not_believed(self):
        path = os.path.join(self.folder, "liar.sock")
        for body in (b"", b"{", b'{"schema":2}', b"[" * 100000, b'{"schema":1,"workers":-1}', b'{"schema":1,"pid":%d}' % (1 << 64),
                     json.dumps({"schema": 1, "version": "\x1b[2J", "components": [{"kind": "\x1b", "id": "a\nb\u202ec"}]}).encode()):
            with socket.socket(socket.AF_UNIX) as s:
                s.bind(path)
                s.listen()

                def answer(body=body, listener=s):
                    c, _ = listener.accept()
                    with c:
                        c.recv(10000)
                        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                thread = threading.Thread(target=answer)
                thread.start()
                code, out, errors = self.top("--once", "--interval", "0", "--socket", path)
                thread.join()
            os.unlink(path)
            if b"components" in body:
                self.assertEqual((code, errors), (0, ""))
                self.assertRegex(out, r"^Leat \\x1b\[2J  pid 0 ")
                self.assertNotRegex(out, "[\x1b\u202e]")
                self.assertEqual(out.count("\n"), 4)
                continue
            self.assertEqual((code, out), (1, ""), body[:100])
            self.assertRegex(errors, r"^leat top: .*(no status document|schema 2)")

    # --- live

    def test_not_a_terminal(self):
        code, out, errors = self.top()
        self.assertEqual((code, out), (lib.EX_USAGE, ""))
        self.assertIn("leat top --once --output json", errors)
        self.assertIn("--once", self.top("--output", "json")[2])
        self.assertEqual(self.top("--sort", "height", "--once")[0], lib.EX_USAGE)

    def test_live(self):
        with self.leat(lib.config("nop: {}", "[nop]", kinds=("logs",))) as leat:
            port = leat.port("otlp", "http")
            with Terminal(["top", "--interval", "100ms"], {**self.env, "NO_COLOR": ""}) as t:
                t.wait(r"^receiver +otlp +logs .*\nexporter +nop +logs")
                t.wait(r"^KIND↑ .* QUEUE$")
                self.assertTrue(t.other and not t.cursor)
                t.type("r")
                t.wait(r"^KIND↓ .*\nexporter .*\nreceiver ")
                t.type("\x1b[C")
                t.wait(r"^KIND +COMPONENT↓ .*\nreceiver .*\nexporter ")
                t.type("\x1b[D\x1b[Dr")
                t.wait(r" QUEUE↓$")
                t.type(">r")
                t.wait(r"^KIND↓")
                t.type(" ")
                t.wait(r"^paused")
                t.type(" ")
                t.wait(r"^q quits")
                t.resize(ROWS, 60)
                t.wait(r"^COMPONENT +SIGNAL +IN/s +OUT/s +REFUSED/s")
                self.assertLessEqual(max(map(len, t.text().split("\n"))), 60)
                t.resize(5, 60)
                t.wait(r"… and 2 more")
                t.resize(ROWS, COLUMNS)
                t.wait(r"^KIND↓ .* QUEUE$")
                before = t.wait(r"up (\S+)").group(1)
                lib.wait_until(lambda: t.wait(r"up (\S+)").group(1) != before, "time goes on")

                def seen():
                    self.assertEqual(lib.send(port, "logs", ["a"]).status, 200)
                    return re.search(r"^receiver +otlp +logs +[1-9]", t.text(), re.M)
                lib.wait_until(seen, lambda: f"a rate above 0:\n{t.text()}")
                self.assertIn("\x1b[1m", t.raw)
                t.type("q")
                self.assertEqual(t.end(), 0)

    def test_signals_give_the_terminal_back(self):
        with self.leat(lib.config("nop: {}", "[nop]", kinds=("logs",))) as leat:
            leat.wait_log("ready: ")
            for number in (signals.SIGTERM, signals.SIGINT, signals.SIGHUP, signals.SIGQUIT):
                with Terminal(["top", "--interval", "100ms"], {**self.env, "NO_COLOR": "1"}) as t:
                    t.wait("^receiver ")
                    if number == signals.SIGINT:
                        t.type("\x03")
                    else:
                        t.process.send_signal(number)
                    self.assertEqual(t.end(), 0)
                    self.assertNotIn("m", re.findall(r"\x1b\[[\d;?]*([A-Za-z])", t.raw))
            with Terminal(["top", "--interval", "100ms"], self.env) as t:
                t.wait("^receiver ")
                t.type("\x1a")
                lib.wait_until(lambda: not t.other and t.cursor, "the terminal is given back while it is stopped")
                os.waitid(os.P_PID, t.process.pid, os.WSTOPPED | os.WNOWAIT)
                self.assertEqual(termios.tcgetattr(t.slave), t.before)
                t.process.send_signal(signals.SIGCONT)
                t.wait("^receiver ")
                t.type("q")
                self.assertEqual(t.end(), 0)
            with Terminal(["top", "--interval", "100ms"], self.env) as t:
                t.wait("^receiver ")
                t.process.send_signal(signals.SIGABRT)
                self.assertEqual(t.end(), -signals.SIGABRT)

    def test_the_program_goes_away(self):
        path = os.path.join(self.folder, "own.sock")
        text = lib.config("nop: {}", "[nop]", kinds=("logs",)) + f"leat:\n  admin: {path}\n"
        first = self.leat(text)
        with first:
            first.wait_log("ready: ")
            t = Terminal(["top", "--interval", "100ms", "--socket", path], self.env)
            t.__enter__()
            t.wait(rf"pid {first.process.pid} ")
        try:
            t.wait(r"^receiver [\s\S]*\nno answer: .*; trying again")
            with self.leat(text) as second:
                second.wait_log("ready: ")
                t.wait(rf"pid {second.process.pid} [\s\S]*\nq quits")
            t.wait(r"no answer: ")
            self.assertEqual(t.end(), 1)
            lib.wait_until(lambda: f"{path} does not answer: " in t.text(), lambda: f"a last sentence: {t.text()}")
        finally:
            t.__exit__(None)


if __name__ == "__main__":
    lib.main()
