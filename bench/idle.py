"""Many connections from one process: opened, used once or often, then left idle; and those that misbehave.

Requests are made by hand, so that thousands of connections cost the client next to nothing. HTTP/2 header blocks go
out as a gRPC client of Go sends them: literals that enter the dynamic table, and a grpc-timeout that is never twice
the same.
"""
import select
import socket
import ssl
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, PING = 0, 1, 4, 6
END_STREAM = ACK = 1
END_HEADERS = 4
HEADER_TABLE_SIZE = 1  # of SETTINGS
PER_ADDRESS = 4000  # connections from one source address
METHOD = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
LIMIT = 60  # seconds for any one answer
AGENT = "OTel OTLP Exporter Go/1.30.0 grpc-go/1.66.0"


def connect(port, number=0, receive=0, tls=None):
    s = socket.socket()
    s.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
    if receive:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    s.bind((f"127.0.0.{2 + number // PER_ADDRESS}", 0))
    s.settimeout(LIMIT)
    s.connect(("127.0.0.1", port))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return tls.wrap_socket(s, server_hostname="localhost") if tls else s


def client_tls(alpn=None):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols([alpn])
    return context


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes(out + bytes([n]))


def text(value):
    raw = value.encode()
    assert len(raw) < 127
    return bytes([len(raw)]) + raw


def head(number):
    """The header block of the request with this number on its connection."""
    fields = [(":method", "POST"), (":scheme", "http"), (":path", METHOD), (":authority", "127.0.0.1:4317"),
              ("content-type", "application/grpc"), ("user-agent", AGENT), ("te", "trailers")]
    timeout = b"\x40" + text("grpc-timeout") + text(f"{9000000 + number * 7919 % 900000}u")
    if number == 0:
        return b"".join(b"\x40" + text(k) + text(v) for k, v in fields) + timeout
    return b"".join(b"\x00" + text(k) + text(v) for k, v in fields) + timeout


class Grpc:
    """One HTTP/2 connection that asks one thing after the other."""
    def __init__(self, sock):
        self.sock, self.stream, self.left, self.update = sock, -1, b"", b""
        sock.sendall(PREFACE + frame(SETTINGS))

    def ask(self, body):
        self.stream += 2
        self.sock.sendall(frame(HEADERS, END_HEADERS, self.stream, self.update + head(self.stream // 2)) +
                          frame(DATA, END_STREAM, self.stream, b"\0" + struct.pack(">I", len(body)) + body))
        self.update = b""

    def settings(self, payload):
        """Acknowledges; a smaller header table is said at the start of the next block (RFC 7541 section 4.2)."""
        for at in range(0, len(payload), 6):
            name, value = struct.unpack(">HI", payload[at:at + 6])
            if name == HEADER_TABLE_SIZE and value < 4096:
                self.update = b"\x3f" + varint(value - 31)
        self.sock.sendall(frame(SETTINGS, ACK))

    def ping(self):
        """Asks for a PING and reads up to its acknowledgement."""
        self.sock.sendall(frame(PING, payload=b"leat-png"))
        self.read_until(lambda kind, flags, stream: kind == PING and flags & ACK)

    def answered(self):
        """Reads up to the end of the stream."""
        self.read_until(lambda kind, flags, stream: kind in (DATA, HEADERS) and flags & END_STREAM and stream == self.stream)

    def read_until(self, found):
        while True:
            while len(self.left) >= 9:
                size = 9 + int.from_bytes(self.left[:3], "big")
                if len(self.left) < size:
                    break
                kind, flags, stream = self.left[3], self.left[4], int.from_bytes(self.left[5:9], "big")
                payload, self.left = self.left[9:size], self.left[size:]
                if kind == SETTINGS and not flags:
                    self.settings(payload)
                if found(kind, flags, stream):
                    return
            part = self.sock.recv(65536)
            if not part:
                raise ConnectionError("closed by the server")
            self.left += part


class Http:
    """One HTTP/1.1 connection that asks one thing after the other."""
    def __init__(self, sock):
        self.sock = sock

    def ask(self, body):
        self.sock.sendall(f"POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\n"
                          f"User-Agent: {AGENT}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    def answered(self):
        got = b""
        while b"\r\n\r\n" not in got:
            part = self.sock.recv(65536)
            if not part:
                raise ConnectionError("closed by the server")
            got += part
        heads, rest = got.split(b"\r\n\r\n", 1)
        for line in heads.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                size = int(line.split(b":")[1])
                while len(rest) < size:
                    rest += self.sock.recv(65536)


KINDS = {"grpc": Grpc, "http": Http}


def open_many(kind, port, count, body, requests=1, tls=None):
    """`count` connections, each of which has had its answers."""
    found = []
    for at in range(0, count, 64):
        group = [KINDS[kind](connect(port, at + i, tls=tls)) for i in range(min(64, count - at))]
        for _ in range(requests):
            for c in group:
                c.ask(body)
            for c in group:
                c.answered()
        found += group
    return found


def alive(connections):
    """Those the server has not ended."""
    poll = select.poll()
    by_fd = {c.sock.fileno(): c for c in connections}
    for fd in by_fd:
        poll.register(fd, select.POLLRDHUP)
    gone = {fd for fd, _ in poll.poll(0)}
    return [c for fd, c in by_fd.items() if fd not in gone]
