"""The bytes of attacks on a server, and what carries them out: for the tests and for bench/abuse.py.

A flood is a function of a counter: the bytes of its n-th step, which holds `frames` frames. A slow attack is a function
that keeps a connection as long as it is let.
"""
import contextlib
import os
import select
import socket
import struct
import time

import otlp
import raw_h2
from raw_h2 import CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PREFACE, RST, SETTINGS, WINDOW, frame

PRIORITY, UNKNOWN, PADDED = 2, 77, 8
FRAMES_MAX = 2000  # frames after which a flooded connection has to be closed
LOGS = raw_h2.block([(":method", "POST"), (":scheme", "http"), (":path", otlp.METHODS["logs"]), (":authority", "x"),
                     ("content-type", "application/grpc"), ("te", "trailers")])
BOMB = LOGS + b"\x40" + raw_h2._text("x") + raw_h2._text("v" * 3900)  # into the dynamic table, entry 62
NO_PATH = raw_h2.block([(":method", "POST"), (":scheme", "http"), ("X-Upper", "y")])


def u32(n):
    return struct.pack(">I", n)


def opened(stream, ends=False, block=LOGS):
    return frame(HEADERS, END_HEADERS | (END_STREAM if ends else 0), stream, block)


def _continuation(n):
    return frame(HEADERS, 0, 3, LOGS) if n == 0 else frame(CONTINUATION, 0, 3, b"")


def _full_continuation(n):
    junk = b"".join(b"\x00" + raw_h2._text(f"x-{n}-{i}") + raw_h2._text("v" * 100) for i in range(20))
    return frame(HEADERS, 0, 3, LOGS) if n == 0 else frame(CONTINUATION, 0, 3, junk)


def _hpack_bomb(n):
    return opened(2 * n + 3, True, (BOMB if n == 0 else LOGS) + b"\xbe" * 3000)


class Flood:
    """`step(n)` are the bytes of one step, `frames` how many frames are in it."""

    def __init__(self, step, frames=1, first=b"", reads=True, settings=b""):
        self.step, self.frames, self.first, self.reads, self.settings = step, frames, first, reads, settings


def _with_open_stream(step, frames=1, **kw):
    return Flood(step, frames, first=opened(1), **kw)


H2_FLOODS = {
    "rapid-reset": Flood(lambda n: opened(2 * n + 1) + frame(RST, 0, 2 * n + 1, u32(8)), 2),
    "reset-by-window-overflow": Flood(lambda n: opened(2 * n + 1) + frame(WINDOW, 0, 2 * n + 1, u32(0x7FFFFFFF)), 2),
    "reset-by-zero-increment": Flood(lambda n: opened(2 * n + 1) + frame(WINDOW, 0, 2 * n + 1, u32(0)), 2),
    "reset-by-priority-length": Flood(lambda n: opened(2 * n + 1) + frame(PRIORITY, 0, 2 * n + 1, u32(0)), 2),
    "reset-by-own-dependency": Flood(lambda n: opened(2 * n + 1) + frame(PRIORITY, 0, 2 * n + 1, u32(2 * n + 1) + b"\x10"), 2),
    "reset-by-data-after-end": Flood(lambda n: opened(2 * n + 1, True) + frame(DATA, 0, 2 * n + 1, b"12345"), 2),
    "reset-by-headers-after-end": Flood(lambda n: opened(2 * n + 1, True) + opened(2 * n + 1, True), 2),
    "reset-by-bad-headers": Flood(lambda n: opened(2 * n + 1, True, NO_PATH)),
    "reset-by-content-length": Flood(lambda n: opened(2 * n + 1, False, LOGS + raw_h2.block([("content-length", "3")]))
                                     + frame(DATA, END_STREAM, 2 * n + 1, b"12345"), 2),
    "refused-streams": Flood(lambda n: opened(2 * n + 1)),
    "oversized-frame": Flood(lambda n: opened(2 * n + 1) + frame(DATA, 0, 2 * n + 1, bytes((256 << 10) + 1)), 2),
    "oversized-priority": Flood(lambda n: frame(PRIORITY, 0, 2 * n + 1, bytes(300))),
    "continuation": Flood(_continuation),
    "continuation-full": Flood(_full_continuation),
    "ping": Flood(lambda n: frame(PING, 0, 0, bytes(8))),
    "ping-ack": Flood(lambda n: frame(PING, 1, 0, bytes(8))),
    "settings": Flood(lambda n: frame(SETTINGS)),
    "settings-many": Flood(lambda n: frame(SETTINGS, payload=struct.pack(">HI", 4, n + 1) * 30)),
    "settings-ack": Flood(lambda n: frame(SETTINGS, 1)),
    "priority": Flood(lambda n: frame(PRIORITY, 0, 2 * n + 3, u32(0) + b"\x10")),
    "window-update": Flood(lambda n: frame(WINDOW, 0, 0, u32(1))),
    "window-update-of-streams": _with_open_stream(lambda n: frame(WINDOW, 0, 1, u32(1))),
    "empty-data": _with_open_stream(lambda n: frame(DATA, 0, 1)),
    "padded-data": _with_open_stream(lambda n: frame(DATA, PADDED, 1, b"\x0a" + bytes(10))),
    "tiny-data": _with_open_stream(lambda n: frame(DATA, 0, 1, b"x")),
    "data-of-closed-streams": Flood(lambda n: opened(1) + frame(RST, 0, 1, u32(8)) if n == 0 else frame(DATA, 0, 1, b"x" * 100)),
    "goaway": Flood(lambda n: frame(GOAWAY, 0, 0, u32(0) + u32(0))),
    "unknown-frames": Flood(lambda n: frame(UNKNOWN, 0, 0, bytes(4))),
    "hpack-bomb": Flood(_hpack_bomb),
    "hpack-table-size": Flood(lambda n: opened(2 * n + 1, True, b"\x20\x3f\xe1\x1f" * 500 + LOGS)),
    "ping-unread": Flood(lambda n: frame(PING, 0, 0, bytes(8)), reads=False),
    "settings-unread": Flood(lambda n: frame(SETTINGS), reads=False),
    "rapid-reset-unread": Flood(lambda n: opened(2 * n + 1) + frame(RST, 0, 2 * n + 1, u32(8)), 2, reads=False),
}


def connect(port, rcvbuf=None):
    sock = socket.socket()
    if rcvbuf:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    sock.settimeout(60)
    try:
        sock.connect(("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError:
        sock.close()
        raise
    return sock


def drain(sock, wait=0.0):
    """Reads what is there: False when the peer has closed."""
    while select.select([sock], [], [], wait)[0]:
        try:
            if not sock.recv(1 << 16):
                return False
        except ConnectionError:
            return False
        wait = 0.0
    return True


def closed(sock, limit):
    """Waits until the peer has closed; False after `limit` seconds."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if not drain(sock, 0.05):
            return True
    return False


def flood(port, attack, frames=FRAMES_MAX, at_a_time=10, limit=30):
    """One connection's worth of an attack: (closed by the server, frames sent until that was noticed)."""
    sent = n = 0
    with contextlib.closing(connect(port)) as sock:
        try:
            sock.sendall(PREFACE + (attack.settings or frame(SETTINGS)) + frame(SETTINGS, 1) + attack.first)
            while sent + attack.frames <= frames:
                part = b""
                for _ in range(at_a_time):
                    if sent + attack.frames > frames:
                        break
                    part += attack.step(n)
                    n += 1
                    sent += attack.frames
                sock.sendall(part)
                if attack.reads and not drain(sock):
                    return True, sent
        except ConnectionError:
            return True, sent
        return closed(sock, limit), sent


# --- slow attacks over HTTP/2: (port) -> connection that does not come on by itself

def _h2(port, settings=b"", rcvbuf=None):
    sock = connect(port, rcvbuf)
    sock.sendall(PREFACE + (settings or frame(SETTINGS)) + frame(SETTINGS, 1))
    return sock


JSON_LOGS = raw_h2.block([(":method", "POST"), (":scheme", "http"), (":path", "/v1/logs"), (":authority", "x"),
                          ("content-type", "application/json")])
PROTO_LOGS = raw_h2.block([(":method", "POST"), (":scheme", "http"), (":path", "/v1/logs"), (":authority", "x"),
                           ("content-type", "application/x-protobuf")])
NOWHERE = raw_h2.block([(":method", "GET"), (":scheme", "http"), (":path", "/nowhere"), (":authority", "x")])


def h2_zero_window(port):
    """Answers that may not be sent: the stream window is 0."""
    sock = _h2(port, raw_h2.settings(window=0))
    sock.sendall(b"".join(opened(2 * n + 1, False, JSON_LOGS) + frame(DATA, END_STREAM, 2 * n + 1, b"{}") for n in range(500)))
    return sock


def h2_slow_read(port):
    """Answers that nobody takes from the socket. It may already be closed."""
    sock = _h2(port, rcvbuf=4096)
    sock.settimeout(1)
    with contextlib.suppress(OSError):
        for n in range(200_000):
            sock.sendall(b"".join(opened(2 * m + 1, True, NOWHERE) for m in range(50 * n, 50 * n + 50)))
    return sock


def h2_slow_headers(port):
    """The first bytes of a header block, and nothing more."""
    sock = _h2(port)
    sock.sendall(frame(HEADERS, 0, 1, LOGS))
    return sock


def h2_half_frame(port):
    """A header block, the frame of which does not end."""
    sock = _h2(port)
    sock.sendall(opened(1)[:-5])
    return sock


def h2_stalled_body(port):
    """A body that does not end."""
    sock = _h2(port)
    sock.sendall(opened(1, False, PROTO_LOGS) + frame(DATA, 0, 1, b"\x0a" * 20))
    return sock


def half_preface(port):
    sock = connect(port)
    sock.sendall(PREFACE[:10])
    return sock


H2_SLOW = {"zero-window": h2_zero_window, "slow-read": h2_slow_read, "slow-headers": h2_slow_headers,
           "half-frame": h2_half_frame, "stalled-body": h2_stalled_body, "half-preface": half_preface}

# --- HTTP/1

POST = b"POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
SMUGGLED = b"POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: %d\r\n\r\n%s"


def smuggling(inner):
    """Requests whose end two readers may see in different places; `inner` is the request that must not be served."""
    n = len(inner)
    chunk = b"0\r\n\r\n"
    return {
        "length and chunked": POST + b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n" % len(chunk) + chunk + inner,
        "chunked and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: %d\r\n\r\n" % (n + 5) + chunk + inner,
        "two lengths": POST + b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % n + inner,
        "two equal lengths": POST + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n" + inner,
        "list of lengths": POST + b"Content-Length: 0, %d\r\n\r\n" % n + inner,
        "length with a sign": POST + b"Content-Length: +0\r\n\r\n" + inner,
        "negative length": POST + b"Content-Length: -1\r\n\r\n" + inner,
        "length in hex": POST + b"Content-Length: 0x0\r\n\r\n" + inner,
        "length beyond 64 bits": POST + b"Content-Length: 18446744073709551616\r\n\r\n" + inner,
        "length with a blank inside": POST + b"Content-Length: 0 0\r\n\r\n" + inner,
        "empty length": POST + b"Content-Length:\r\n\r\n" + inner,
        "chunked twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk + inner,
        "chunked, then identity": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n" + chunk + inner,
        "unknown coding": POST + b"Transfer-Encoding: xchunked\r\n\r\n" + chunk + inner,
        "chunked behind a tab": POST + b"Transfer-Encoding:\x0bchunked\r\n\r\n" + chunk + inner,
        "blank before the colon": POST + b"Transfer-Encoding : chunked\r\n\r\n" + chunk + inner,
        "blank before the colon of a length": POST + b"Content-Length : 5\r\n\r\n" + chunk + inner,
        "folded header": POST + b"X-A: b\r\n Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n" + inner,
        "folded coding": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + chunk + inner,
        "bare line feeds": POST.replace(b"\r\n", b"\n") + b"Content-Length: 0\n\n" + inner,
        "bare carriage return": POST + b"X-A: b\rContent-Length: 0\r\n\r\n" + inner,
        "nul in a header": POST + b"X-A: b\0c\r\nContent-Length: 0\r\n\r\n" + inner,
        "chunk size with a sign": POST + b"Transfer-Encoding: chunked\r\n\r\n+0\r\n\r\n" + inner,
        "chunk size with a prefix": POST + b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n" + inner,
        "chunk size beyond 64 bits": POST + b"Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n" + inner,
        "chunk with a bare line feed": POST + b"Transfer-Encoding: chunked\r\n\r\n0\n\n" + inner,
        "chunk longer than its size": POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nabcde\r\n0\r\n\r\n" + inner,
        "extension with a line feed": POST + b"Transfer-Encoding: chunked\r\n\r\n2;\nxx\r\nab\r\n0\r\n\r\n" + inner,
        "chunked in HTTP/1.0": POST.replace(b"1.1", b"1.0", 1) + b"Transfer-Encoding: chunked\r\n\r\n" + chunk + inner,
        "two hosts": POST + b"Host: y\r\nContent-Length: 0\r\n\r\n" + inner,
        "version of the future": POST.replace(b"1.1", b"1.9", 1) + b"Content-Length: 0\r\n\r\n" + inner,
        "HTTP/0.9": b"POST /v1/logs\r\n\r\n" + inner,
    }


def _endless_headers(n):
    return POST if n == 0 else b"x-%d: %s\r\n" % (n, b"v" * 50)


def _endless_line(n):
    return b"POST /v1/logs?" if n == 0 else b"x" * 100


def _endless_value(n):
    return POST + b"x: " if n == 0 else b"v" * 100


def _tiny_chunks(n):
    return POST + b"Transfer-Encoding: chunked\r\n\r\n" if n == 0 else b"1;" + b"e" * 60 + b"\r\nx\r\n"


def _endless_extension(n):
    return POST + b"Transfer-Encoding: chunked\r\n\r\n1;" if n == 0 else b"e" * 200


def _endless_trailers(n):
    return POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" if n == 0 else b"x-%d: %s\r\n" % (n, b"v" * 50)


# What ends the connection by itself: bytes of the n-th step.
H1_ENDLESS = {
    "headers": _endless_headers, "request-line": _endless_line, "header-value": _endless_value, "chunks": _tiny_chunks,
    "chunk-extension": _endless_extension, "trailers": _endless_trailers,
    "blank-lines": lambda n: b"\r\n",
    "chunked-body": lambda n: POST + b"Transfer-Encoding: chunked\r\n\r\n" if n == 0 else b"4000\r\n" + bytes(0x4000) + b"\r\n",
}


def endless(port, step, limit_bytes=64 << 20, limit=30):
    """Sends until the server closes: (closed, bytes sent). What it says is read all the while."""
    sent = n = 0
    with contextlib.closing(connect(port)) as sock:
        try:
            while sent < limit_bytes:
                part = b"".join(step(m) for m in range(n, n + 20))
                n += 20
                sent += len(part)
                sock.sendall(part)
                if not drain(sock):
                    return True, sent
        except ConnectionError:
            return True, sent
        return closed(sock, limit), sent


def h1_slow_line(port):
    sock = connect(port)
    sock.sendall(b"POST /v1")
    return sock


def h1_slow_headers(port):
    sock = connect(port)
    sock.sendall(POST + b"X-A")
    return sock


def h1_silent(port):
    return connect(port)


def h1_stalled_body(port):
    sock = connect(port)
    sock.sendall(POST + b"Content-Length: 1000000\r\n\r\n" + b"\x0a" * 100)
    return sock


def h1_stalled_chunks(port):
    sock = connect(port)
    sock.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab")
    return sock


def h1_slow_read(port):
    """Pipelined requests whose answers nobody takes. It may already be closed."""
    sock = connect(port, rcvbuf=4096)
    sock.settimeout(1)
    with contextlib.suppress(OSError):
        for _ in range(200_000):
            sock.sendall(b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
    return sock


H1_SLOW = {"silent": h1_silent, "slow-line": h1_slow_line, "slow-headers": h1_slow_headers, "stalled-body": h1_stalled_body,
           "stalled-chunks": h1_stalled_chunks, "slow-read": h1_slow_read}


def cpu_seconds(pid):
    """What the scheduler counts for every thread of a process."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
            total += int(f.read().split()[0])
    return total / 1e9


def rss_bytes(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
