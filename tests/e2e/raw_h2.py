"""HTTP/2 frame by frame, both sides, for what no library would let a test do. Header blocks go out as plain literals
and are read by nghttp2's decoder."""
import contextlib
import ctypes
import ctypes.util
import socket
import struct
import threading

import lib
import otlp

DATA, HEADERS, RST, SETTINGS, PING, GOAWAY, WINDOW, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM = ACK = 1
END_HEADERS = 4
MAX_STREAMS, INITIAL_WINDOW = 3, 4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class _Nv(ctypes.Structure):
    _fields_ = [("name", ctypes.c_void_p), ("value", ctypes.c_void_p), ("namelen", ctypes.c_size_t),
                ("valuelen", ctypes.c_size_t), ("flags", ctypes.c_uint8)]


class Inflater:
    def __init__(self):
        name = ctypes.util.find_library("nghttp2")
        if name is None:
            raise lib.unittest.SkipTest("libnghttp2 is not here as a shared library")
        self.so = ctypes.CDLL(name)
        self.so.nghttp2_hd_inflate_hd2.restype = ctypes.c_ssize_t
        self.p = ctypes.c_void_p()
        assert self.so.nghttp2_hd_inflate_new(ctypes.byref(self.p)) == 0

    def __del__(self):
        if getattr(self, "p", None):
            self.so.nghttp2_hd_inflate_del(self.p)

    def read(self, block):
        found, at, data = {}, 0, ctypes.create_string_buffer(block, len(block))
        while True:
            nv, flags = _Nv(), ctypes.c_int()
            n = self.so.nghttp2_hd_inflate_hd2(self.p, ctypes.byref(nv), ctypes.byref(flags),
                                               ctypes.c_void_p(ctypes.addressof(data) + at), ctypes.c_size_t(len(block) - at), 1)
            assert n >= 0, f"bad header block: {n}"
            at += n
            if flags.value & 2:
                name = ctypes.string_at(nv.name, nv.namelen).decode()
                found[name] = ctypes.string_at(nv.value, nv.valuelen).decode()
            if flags.value & 1:
                self.so.nghttp2_hd_inflate_end_headers(self.p)
                return found


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def _text(s):
    raw = s.encode()
    out = bytearray([min(len(raw), 127)])
    if len(raw) >= 127:
        out += otlp.varint(len(raw) - 127)
    return bytes(out) + raw


def block(headers):
    return b"".join(b"\x00" + _text(k) + _text(v) for k, v in headers)


def settings(**values):
    numbers = {"table": 1, "max_streams": MAX_STREAMS, "window": INITIAL_WINDOW, "frame": 5, "header_list": 6}
    return frame(SETTINGS, payload=b"".join(struct.pack(">HI", numbers[k], v) for k, v in values.items()))


def message(data, flag=0, length=None):
    return bytes([flag]) + struct.pack(">I", len(data) if length is None else length) + data


class Frames:
    """The frames of one direction of a socket."""

    def __init__(self, sock):
        self.sock, self.inflater = sock, Inflater()

    def _exactly(self, n):
        data = b""
        while len(data) < n:
            part = self.sock.recv(n - len(data))
            if not part:
                return None
            data += part
        return data

    def next(self):
        """(kind, flags, stream, payload, headers or None); None at the end of the connection."""
        try:
            head = self._exactly(9)
            if head is None:
                return None
            payload = self._exactly(int.from_bytes(head[:3], "big"))
        except ConnectionError:
            return None
        if payload is None:
            return None
        kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big") & 0x7FFFFFFF
        headers = None
        if kind == HEADERS:
            body = payload
            if flags & 8:
                body = body[1:len(body) - body[0]]
            if flags & 32:
                body = body[5:]
            assert flags & END_HEADERS
            headers = self.inflater.read(body)
        return kind, flags, stream, payload, headers


class Client:
    """A connection to the program. Acknowledges SETTINGS; nothing else happens by itself."""

    def __init__(self, port, tls=None, sock=None, **own_settings):
        self.sock = sock or socket.create_connection(("127.0.0.1", port), lib.LIMIT)
        self.sock.settimeout(lib.LIMIT)
        if tls is not None:
            self.sock = tls.wrap_socket(self.sock, server_hostname="localhost")
        self.frames = Frames(self.sock)
        try:
            self.sock.sendall(PREFACE + settings(**own_settings))
        except OSError:
            self.close()
            raise
        self.stream = -1
        self.seen = {}  # stream: {"headers": {}, "data": b"", "reset": code, "ended": bool}
        self.goaway = None
        self.window, self.credit = 65535, {0: 65535}  # of a new stream; what each stream and (0) the connection may send

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        with contextlib.suppress(OSError):
            self.sock.close()

    def send(self, *frames):
        self.sock.sendall(b"".join(frames))

    def open(self, signal="logs", headers=(), ends=False, method=None, grpc=True, path=None):
        """Sends the headers of a request; its stream."""
        self.stream += 2
        self.credit[self.stream] = self.window
        if grpc:
            first = [(":method", "POST"), (":scheme", "http"), (":path", method or otlp.METHODS[signal]), (":authority", "x"),
                     ("content-type", "application/grpc"), ("te", "trailers")]
        else:
            first = [(":method", "POST"), (":scheme", "http"), (":path", path or otlp.PATHS[signal]), (":authority", "x"),
                     ("content-type", "application/x-protobuf")]
        self.send(frame(HEADERS, END_HEADERS | (END_STREAM if ends else 0), self.stream, block(first + list(headers))))
        return self.stream

    def data(self, stream, data, ends=True):
        """As the windows allow; stops when the stream is answered or the connection ends."""
        for at in range(0, max(len(data), 1), 16384):
            part = data[at:at + 16384]
            while min(self.credit[0], self.credit[stream]) < len(part):
                if self.step() is None or self.seen.get(stream, {}).get("ended"):
                    return
            self.credit[0] -= len(part)
            self.credit[stream] -= len(part)
            self.send(frame(DATA, END_STREAM if at + 16384 >= len(data) and ends else 0, stream, part))

    def request(self, body, signal="logs", headers=()):
        s = self.open(signal, headers)
        self.data(s, message(body))
        return s

    def step(self):
        """Reads one frame; None at the end."""
        f = self.frames.next()
        if f is None:
            return None
        kind, flags, stream, payload, headers = f
        if stream and kind != WINDOW:
            known = self.seen.setdefault(stream, {"headers": {}, "data": b"", "reset": None, "ended": False})
        if kind == SETTINGS and not flags & ACK:
            self.take_settings(payload)
        elif kind == WINDOW:
            self.credit[stream] = self.credit.get(stream, 0) + int.from_bytes(payload, "big")
        elif kind == GOAWAY:
            self.goaway = int.from_bytes(payload[4:8], "big")
        elif kind == RST:
            known["reset"] = int.from_bytes(payload, "big")
            known["ended"] = True
        elif kind == HEADERS:
            known["headers"].update(headers)
            known["ended"] = known["ended"] or bool(flags & END_STREAM)
        elif kind == DATA:
            known["data"] += payload
            known["ended"] = known["ended"] or bool(flags & END_STREAM)
        return f

    def take_settings(self, payload):
        for number, value in struct.iter_unpack(">HI", payload):
            if number == INITIAL_WINDOW:
                for stream in self.credit.keys() - {0}:
                    self.credit[stream] += value - self.window
                self.window = value
        with contextlib.suppress(OSError):
            self.send(frame(SETTINGS, ACK))

    def answer(self, stream):
        """Reads until the stream has ended: what was seen of it."""
        while not self.seen.get(stream, {}).get("ended"):
            if self.step() is None:
                raise AssertionError(f"the connection ended (GOAWAY {self.goaway}) before the answer: {self.seen}")
        return self.seen[stream]

    def status(self, stream):
        return int(self.answer(stream)["headers"].get("grpc-status", -1))

    def to_end(self):
        while self.step() is not None:
            pass


class Server:
    """A gRPC destination: `serve(connection)` runs in a thread for each connection."""

    def __init__(self, serve, family=socket.AF_INET, address=("127.0.0.1", 0), **own_settings):
        self.serve, self.own_settings = serve, own_settings
        self.listener = socket.socket(family)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(address)
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1] if family != socket.AF_UNIX else None
        self.lock = threading.Lock()
        self.connections, self.names, self.closed = 0, [], False
        self.open = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closed = True
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for s in self.open:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)

    def _accept(self):
        while not self.closed:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            if self.port is not None:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.connections += 1
                number = self.connections
                self.open.append(sock)
            threading.Thread(target=self._run, args=(sock, number), daemon=True).start()

    def _run(self, sock, number):
        with contextlib.suppress(OSError, AssertionError), sock:
            self.serve(ServerConnection(self, sock, number, self.own_settings))

    def got(self):
        with self.lock:
            return list(self.names)


class ServerConnection:
    def __init__(self, server, sock, number, own_settings):
        self.server, self.sock, self.number = server, sock, number
        self.frames = Frames(sock)
        self.bodies = {}
        got = b""
        while len(got) < len(PREFACE):
            part = sock.recv(len(PREFACE) - len(got))
            if not part:
                raise OSError
            got += part
        sock.sendall(settings(**own_settings))

    def send(self, *frames):
        self.sock.sendall(b"".join(frames))

    def next(self):
        """The next frame; SETTINGS and PING are answered, windows given back."""
        f = self.frames.next()
        if f is None:
            raise OSError
        kind, flags, stream, payload, _ = f
        if kind == SETTINGS and not flags & ACK:
            self.send(frame(SETTINGS, ACK))
        elif kind == PING and not flags & ACK:
            self.send(frame(PING, ACK, 0, payload))
        elif kind == HEADERS:
            self.bodies.setdefault(stream, b"")
        elif kind == DATA:
            self.bodies[stream] = self.bodies.get(stream, b"") + payload
            if payload:
                self.send(frame(WINDOW, 0, 0, struct.pack(">I", len(payload))))
                if not flags & END_STREAM:
                    self.send(frame(WINDOW, 0, stream, struct.pack(">I", len(payload))))
        return f

    def request(self):
        """Reads to the end of a request: (stream, names of its log records)."""
        while True:
            kind, flags, stream, _, _ = self.next()
            if kind in (HEADERS, DATA) and flags & END_STREAM:
                body = self.bodies.pop(stream)
                return stream, otlp.names("logs", body[5:])

    def ok(self, stream, names):
        with self.server.lock:
            self.server.names += names
        self.send(frame(HEADERS, END_HEADERS, stream, block([(":status", "200"), ("content-type", "application/grpc")])),
                  frame(DATA, 0, stream, message(b"")),
                  frame(HEADERS, END_HEADERS | END_STREAM, stream, block([("grpc-status", "0")])))

    def fail(self, stream, code, text="no", details=None):
        headers = [(":status", "200"), ("content-type", "application/grpc"), ("grpc-status", str(code)), ("grpc-message", text)]
        if details:
            headers.append(("grpc-status-details-bin", details))
        self.send(frame(HEADERS, END_HEADERS | END_STREAM, stream, block(headers)))
