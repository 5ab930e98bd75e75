"""Destinations that mean harm: what they answer, over HTTP/1 and gRPC. For each how the request must end: "retry" (a sender
may try again), "drop" (it must not), "ok"."""
import base64
import contextlib
import socket
import struct
import threading
import zlib

import attacks
import otlp
import raw_h2
from raw_h2 import CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, RST, SETTINGS, WINDOW, block, frame, message

MESSAGE_BYTES = 1_000_000
RESET = struct.pack("ii", 1, 0)


class HttpServer:
    """Reads whole requests; `answer(sock)` says what follows each, True to go on with the connection."""

    def __init__(self, answer=None):
        self.answer, self.requests, self.sent = answer, 0, 0
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
        with contextlib.suppress(OSError, ValueError), sock, sock.makefile("rb") as f:
            while True:
                length = None
                while (line := f.readline()) not in (b"\r\n", b""):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                if length is None:
                    return
                f.read(length)
                self.requests += 1
                if not self.answer(sock):
                    return

    def close(self):
        self.listener.close()


def forever(sock, first, more, limit=1 << 30):
    """Sends without end: the other side has to make one. Reads nothing."""
    sock.sendall(first)
    sent = 0
    while sent < limit:
        sock.sendall(more)
        sent += len(more)


def hang(sock, data=b""):
    """Says that much and waits until the other side goes."""
    sock.sendall(data)
    while sock.recv(65536):
        pass


def say(data):
    return lambda sock: sock.sendall(data)


def stream(first, more):
    return lambda sock: forever(sock, first, more)


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\n"
BLOCK = b"x" * 65536
GZIP_BOMB = zlib.compressobj(9, zlib.DEFLATED, 31)
GZIP_BOMB = GZIP_BOMB.compress(bytes(64 << 20)) + GZIP_BOMB.flush()


def whole(body, more=b""):
    return OK + more + b"Content-Length: %d\r\n\r\n" % len(body) + body


HTTP = {
    "endless headers": (stream(OK, b"x-header: " + b"v" * 1000 + b"\r\n"), "drop"),
    "an endless header": (stream(OK + b"x: ", BLOCK), "drop"),
    "an endless status line": (stream(b"HTTP/1.1 200 ", BLOCK), "drop"),
    "headers of nothing but line ends": (stream(b"", b"\r\n" * 1000), "drop"),
    "an endless body": (stream(OK + b"Connection: close\r\n\r\n", BLOCK), "drop"),
    "an endless body in chunks": (stream(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + BLOCK + b"\r\n"), "drop"),
    "tiny chunks": (stream(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1;" + b"e" * 100 + b"\r\nx\r\n"), "drop"),
    "an endless chunk extension": (stream(OK + b"Transfer-Encoding: chunked\r\n\r\n1;", BLOCK), "drop"),
    "endless trailers": (stream(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"x-t: " + b"v" * 1000 + b"\r\n"), "drop"),
    "a length of 10^18": (stream(OK + b"Content-Length: 1000000000000000000\r\n\r\n", BLOCK), "drop"),
    "a length beyond 64 bits": (say(OK + b"Content-Length: 99999999999999999999999\r\n\r\n"), "retry"),
    "a negative length": (say(OK + b"Content-Length: -1\r\n\r\n"), "retry"),
    "two lengths": (say(OK + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n"), "retry"),
    "a length that is not kept": (say(OK + b"Content-Length: 100\r\n\r\nabc"), "retry"),
    "a chunk that is not kept": (say(OK + b"Transfer-Encoding: chunked\r\n\r\nffffff\r\nabc"), "retry"),
    "a chunk size beyond 64 bits": (say(OK + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc"), "retry"),
    "interim answers forever": (stream(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100), "drop"),
    "interim answers with headers": (stream(b"", b"HTTP/1.1 103 Early Hints\r\nlink: " + b"l" * 500 + b"\r\n\r\n"), "drop"),
    "another protocol": (say(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), "retry"),
    "no answer": (hang, "retry"),
    "half a status line": (lambda s: hang(s, b"HTTP/1."), "retry"),
    "headers and no body": (lambda s: hang(s, OK + b"Content-Length: 10\r\n\r\n"), "retry"),
    "a reset": (reset, "retry"),
    "the end": (lambda s: None, "retry"),
    "garbage": (say(bytes(range(256)) * 10), "retry"),
    "a redirect": (say(b"HTTP/1.1 307 Elsewhere\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"), "drop"),
    "a page": (say(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>"), "drop"),
    "a bomb": (say(whole(GZIP_BOMB, b"Content-Encoding: gzip\r\n")), "drop"),
    "a bomb with an error": (say(whole(GZIP_BOMB, b"Content-Encoding: gzip\r\n").replace(b"200 OK", b"400 No")), "drop"),
    "a broken partial success": (say(whole(b"\x0a\xff\xff\xff\xff\x0f")), "drop"),
    "a delay of ages": (say(b"HTTP/1.1 503 Later\r\nRetry-After: 99999999999999999999999\r\nContent-Length: 0\r\n\r\n"), "retry"),
    "too many requests": (say(b"HTTP/1.1 429 Later\r\nContent-Length: 0\r\n\r\n"), "retry"),
    "an error of 3 MiB": (say(b"HTTP/1.1 400 No\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 3_000_000), "drop"),
}

# --- gRPC: each gets the connection when a whole request has come, and its stream

HEAD = [(":status", "200"), ("content-type", "application/grpc")]


def split(stream_id, headers, ends=True):
    """A header block in frames of 16 KiB."""
    raw = block(headers)
    parts = [raw[i:i + 16384] for i in range(0, len(raw), 16384)]
    out = b""
    for n, part in enumerate(parts):
        flags = (END_HEADERS if n == len(parts) - 1 else 0) | (END_STREAM if ends and n == 0 else 0)
        out += frame(HEADERS if n == 0 else CONTINUATION, flags, stream_id, part)
    return out


def head(s, ends=False, more=()):
    return split(s, HEAD + list(more), ends)


def status(s, code, more=()):
    return split(s, HEAD + [("grpc-status", str(code))] + list(more))


def endless(first, more):
    return lambda c, s: forever(c.sock, first(s), more(s))


def send(*frames):
    def serve(c, s):
        c.send(*(f(s) if callable(f) else f for f in frames))
        hang(c.sock)
    return serve


def quiet(c, _):
    hang(c.sock)


def b64(data):
    return base64.b64encode(data).decode().rstrip("=")


def lying_details(lie):
    return b64(otlp.number(1, 8) + otlp.field(2, "x") + b"\x1a" + lie + b"type.googleapis.com/google.rpc.RetryInfo")


def bomb_headers(s):
    return frame(HEADERS, END_HEADERS, s, block(HEAD) + b"\x40" + raw_h2._text("x") + raw_h2._text("v" * 3900) + b"\xbe" * 3000)


def numbers(*pairs):
    return frame(SETTINGS, payload=b"".join(struct.pack(">HI", k, v) for k, v in pairs))


def trailers(s, code=0):
    return split(s, [("grpc-status", str(code))])


def then_end(serve):
    """And closes."""
    def both(c, s):
        serve(c, s)
        c.sock.shutdown(socket.SHUT_RDWR)
    return both


def data(payload, ends=False):
    return lambda s: b"".join(frame(DATA, END_STREAM if ends and at + 16384 >= len(payload) else 0, s, payload[at:at + 16384])
                              for at in range(0, max(len(payload), 1), 16384))


def ok_after(*frames):
    """Odd frames, then a good answer."""
    def serve(c, s):
        c.send(*frames)
        c.ok(s, [])
        hang(c.sock)
    return serve


GRPC = {
    "endless headers": (endless(lambda s: frame(HEADERS, 0, s, block(HEAD)),
                                lambda s: frame(CONTINUATION, 0, s, block([("x", "v" * 1000)] * 10))), "drop"),
    "endless empty continuations": (endless(lambda s: frame(HEADERS, 0, s, block(HEAD)), lambda s: frame(CONTINUATION, 0, s)), "drop"),
    "interim answers forever": (endless(lambda s: b"", lambda s: frame(HEADERS, END_HEADERS, s, block([(":status", "103"), ("l", "x" * 500)]))), "drop"),
    "an HPACK bomb": (send(bomb_headers), "drop"),
    "a message of 4 GiB": (endless(lambda s: head(s) + frame(DATA, 0, s, message(b"", length=0xFFFFFFFF)), lambda s: frame(DATA, 0, s, b"x" * 16384)), "drop"),
    "a message over the limit": (endless(lambda s: head(s) + frame(DATA, 0, s, message(b"", length=65537)), lambda s: frame(DATA, 0, s, b"x" * 16384)), "drop"),
    "a message that is cut off": (send(head, lambda s: frame(DATA, 0, s, message(b"abc", length=100)), trailers), "retry"),
    "two messages": (send(head, data(message(b"") + message(b"")), trailers), "retry"),
    "a message without an end": (lambda c, s: hang(c.sock, head(s) + frame(DATA, 0, s, message(b"", length=100))), "retry"),
    "a bomb": (send(lambda s: head(s, more=[("grpc-encoding", "gzip")]), data(message(GZIP_BOMB, flag=1)), trailers), "drop"),
    "a compressed message without its encoding": (send(head, data(message(GZIP_BOMB, flag=1)), trailers), "retry"),
    "a prefix that is none": (send(head, data(message(b"abc", flag=77)), trailers), "retry"),
    "endless empty DATA": (endless(head, lambda s: frame(DATA, 0, s) * 100), "retry"),
    "an error page without end": (endless(lambda s: frame(HEADERS, END_HEADERS, s, block([(":status", "502"), ("content-type", "text/html")])),
                                          lambda s: frame(DATA, 0, s, b"x" * 16384)), "drop"),
    "endless trailers": (endless(lambda s: head(s) + frame(DATA, 0, s, message(b"")) + frame(HEADERS, END_STREAM, s, block([("grpc-status", "0")])),
                                 lambda s: frame(CONTINUATION, 0, s, block([("x", "v" * 1000)] * 10))), "drop"),
    "a grpc-message of a million bytes": (send(lambda s: status(s, 3, [("grpc-message", "m" * MESSAGE_BYTES)])), "drop"),
    "a grpc-message of 60,000 bytes": (send(lambda s: status(s, 3, [("grpc-message", "%41" * 20_000)])), "drop"),
    "the same, to be tried again": (send(lambda s: status(s, 14, [("grpc-message", "%" * 60_000)])), "retry"),
    "details of 48,000 bytes": (send(lambda s: status(s, 14, [("grpc-status-details-bin", b64(bytes(48_000)))])), "retry"),
    "details that are no base64": (send(lambda s: status(s, 3, [("grpc-status-details-bin", "!" * 5000)])), "drop"),
    "details with a length of 2^63": (send(lambda s: status(s, 8, [("grpc-status-details-bin", lying_details(b"\xff" * 9 + b"\x7f"))])), "drop"),
    "details with a length of 2^31": (send(lambda s: status(s, 8, [("grpc-status-details-bin", lying_details(b"\xff\xff\xff\xff\x07"))])), "drop"),
    "a status that is none": (send(lambda s: split(s, HEAD + [("grpc-status", "9" * 100)])), "drop"),
    "no status": (send(lambda s: head(s, ends=True)), "drop"),
    "another content type": (send(lambda s: split(s, [(":status", "200"), ("content-type", "text/html")], True)), "drop"),
    "a redirect": (send(lambda s: split(s, [(":status", "307"), ("location", "/x")], True)), "drop"),
    "unavailable": (send(lambda s: status(s, 14)), "retry"),
    "no answer": (quiet, "retry"),
    "headers and nothing more": (lambda c, s: hang(c.sock, head(s)), "retry"),
    "half a frame": (lambda c, s: hang(c.sock, head(s)[:-3]), "retry"),
    "a reset stream": (send(lambda s: frame(RST, 0, s, attacks.u32(2))), "retry"),
    "a reset connection": (lambda c, s: reset(c.sock), "retry"),
    "the end": (then_end(lambda c, s: None), "retry"),
    "garbage": (lambda c, s: hang(c.sock, bytes(range(256)) * 100), "retry"),
    "a frame of 16 MiB": (lambda c, s: forever(c.sock, head(s) + b"\xff\xff\xff\0\0" + attacks.u32(s), BLOCK, 32 << 20), "retry"),
    "a promise": (send(lambda s: frame(5, END_HEADERS, s, attacks.u32(2) + block([(":method", "GET")]))), "retry"),
    "GOAWAY without end": (endless(lambda s: b"", lambda s: frame(GOAWAY, 0, 0, attacks.u32(0) + attacks.u32(0)) * 100), "retry"),
    "an empty SETTINGS flood": (endless(lambda s: b"", lambda s: frame(SETTINGS) * 100), "retry"),
    "a ping flood": (endless(lambda s: b"", lambda s: frame(PING, 0, 0, bytes(8)) * 100), "retry"),
    "a window that overflows": (send(frame(WINDOW, 0, 0, attacks.u32(0x7FFFFFFF)), frame(WINDOW, 0, 0, attacks.u32(0x7FFFFFFF))), "retry"),
    "a window beyond 31 bits": (send(numbers((4, 0xFFFFFFFF))), "retry"),
    "a frame size of 5": (send(numbers((5, 5))), "retry"),
    "settings out of bounds": (ok_after(numbers((1, 0xFFFFFFFF), (3, 0xFFFFFFFF), (5, 0xFFFFFF), (6, 0), (99, 7))), "ok"),
    "trailers before headers": (send(lambda s: split(s, [("grpc-status", "0")])), "retry"),
}
# Frames that follow a good answer, again and again, while all that the other side says is read: bytes of a hundred or so.
GRPC_FLOODS = {
    "ping": lambda s: frame(PING, 0, 0, bytes(8)) * 100,
    "settings": lambda s: frame(SETTINGS) * 100,
    "window updates": lambda s: frame(WINDOW, 0, 0, attacks.u32(1)) * 100,
    "priority": lambda s: frame(attacks.PRIORITY, 0, s, attacks.u32(0) + b"\x10") * 100,
    "unknown frames": lambda s: frame(attacks.UNKNOWN, 0, 0, b"x") * 100,
    "DATA of a stream that is over": lambda s: frame(DATA, 0, s, b"x" * 1000) * 100,
    "empty DATA of a stream that is over": lambda s: frame(DATA, 0, s) * 100,
    "headers of a stream that is over": lambda s: frame(HEADERS, END_HEADERS | END_STREAM, s, block([("grpc-status", "0")])) * 100,
    "resets of a stream that is over": lambda s: frame(RST, 0, s, attacks.u32(8)) * 100,
}
FLOOD_FRAMES = 5000  # after these the connection has to be cut

# What the SETTINGS at the beginning of a connection say: with these it must go on, or time out.
GRPC_SETTINGS = {
    "no window": ({"window": 0}, "retry"),
    "the smallest of everything": ({"table": 0, "max_streams": 1, "window": 25, "frame": 16384, "header_list": 0}, "ok"),
    "the largest of everything": ({"table": 0xFFFFFFFF, "max_streams": 0xFFFFFFFF, "window": 0x7FFFFFFF, "frame": 0xFFFFFF,
                                   "header_list": 0xFFFFFFFF}, "ok"),
    # Counts as a failed attempt to connect, and the next one waits: so this is the last.
    "no streams": ({"max_streams": 0}, "retry"),
}
