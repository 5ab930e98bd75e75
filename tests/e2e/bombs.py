"""2,000 request bodies that are small or legal in form and cost a careless server much: from a fixed seed, for the tests and
for bench/abuse.py. Made without the program's libraries."""
import contextlib
import functools
import random
import struct
import zlib

import attacks
import codecs_by_hand
import lib
import otlp
import raw_h2

COUNT = 2000
SEED = 20_250_801
LIMIT = 4 << 20  # what the server must be set to take at most, over HTTP and gRPC
BIG = (5 << 20, 32 << 20, 256 << 20, 1 << 30)


class Bomb:
    """`lawful`: it may be taken as well as refused. `raw`: the bytes of a whole gRPC body, or of a whole HTTP request."""

    def __init__(self, kind, body, encoding=None, grpc=False, json=False, signal="logs", lawful=False, raw=None):
        self.kind, self.body, self.encoding, self.grpc, self.json = kind, body, encoding, grpc, json
        self.signal, self.lawful, self.raw = signal, lawful, raw


# --- compressed

@functools.cache
def deflated(size, wbits, pattern=b"\0"):
    """`size` bytes of a pattern; deflate gets to a ratio of 1,030."""
    c = zlib.compressobj(9, zlib.DEFLATED, wbits)
    block = pattern * ((1 << 20) // len(pattern))
    out = b"".join(c.compress(block) for _ in range(size >> 20))
    return out + c.flush()


def zstd_rle(size, known=False, window=None, claim=None, byte=b"\0"):
    """Blocks of one repeated byte, 4 bytes for 128 KiB each: a ratio of 32,000."""
    if known or claim is not None:
        out = b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", size if claim is None else claim)
    else:
        out = b"\x28\xb5\x2f\xfd\x00" + bytes([(window or 17) - 10 << 3])
    n = max(1, size >> 17)
    block = struct.pack("<I", 1 << 20 | 1 << 1)[:3] + byte
    return out + block * (n - 1) + struct.pack("<I", 1 << 20 | 1 << 1 | 1)[:3] + byte


def snappy_copies(size, claim=None):
    """A literal byte, then copies of 64 bytes in 3."""
    return otlp.varint(size if claim is None else claim) + b"\x00\x00" + b"\xfe\x01\x00" * (size // 64)


def lz4_run(size, claim=None):
    """Blocks of 4 MiB, each one long match: a ratio of 255."""
    descriptor = b"\x68\x70" + struct.pack("<Q", claim) if claim is not None else b"\x60\x70"
    header = b"\x04\x22\x4d\x18" + descriptor + bytes([codecs_by_hand.xxh32_short(descriptor) >> 8 & 0xFF])
    left = (4 << 20) - 1 - 4 - 15 - 5
    block = b"\x1f\x00\x01\x00" + b"\xff" * (left // 255) + bytes([left % 255]) + b"\x50" + bytes(5)
    return header + (struct.pack("<I", len(block)) + block) * max(1, size >> 22) + bytes(4)


def _gzip(r, n):
    size, wbits = r.choice(BIG[:3]), r.choice((31, 31, 15))
    body = deflated(size, wbits, r.choice((b"\0", b"\x0a\x00", b" ")))
    shape = n % 4
    if shape == 1 and wbits == 31:
        body = deflated(1 << 20, 31) * r.randint(6, 200)
    elif shape == 2:
        body = body[:r.randint(1000, len(body))]
    elif shape == 3 and wbits == 31:
        body = body[:-8] + struct.pack("<II", r.getrandbits(32), r.randint(0, 100))
    return Bomb("gzip" if wbits == 31 else "zlib", body, "gzip" if wbits == 31 else "zlib", grpc=wbits == 31 and r.random() < .5)


def _zstd(r, n):
    size = r.choice(BIG)
    body = (lambda: zstd_rle(size), lambda: zstd_rle(size, known=True), lambda: zstd_rle(size, window=r.randint(24, 41)),
            lambda: zstd_rle(1 << 17, claim=r.choice((1 << 62, (1 << 64) - 1, 1 << 40, LIMIT, LIMIT - 1))),
            lambda: zstd_rle(1 << 18) * r.randint(18, 500), lambda: zstd_rle(size)[:r.randint(20, 4000)],
            lambda: b"\x50\x2a\x4d\x18\xff\xff\xff\xff" + zstd_rle(size),
            lambda: b"".join(b"\x50\x2a\x4d\x18" + bytes(4) for _ in range(50_000)) + zstd_rle(size))[n % 8]()
    return Bomb("zstd", body, "zstd", grpc=r.random() < .5)


def _snappy_lz4(r, n):
    size = r.choice(BIG[:2])
    if n % 2:
        body = r.choice((lambda: lz4_run(size), lambda: lz4_run(size, claim=r.choice((1 << 60, (1 << 64) - 1, 0, 77))),
                         lambda: lz4_run(4 << 20)[:-4] * 3, lambda: lz4_run(4 << 20) * 4))()
        return Bomb("lz4", body, "lz4")
    if n % 4:
        chunk = snappy_copies(65536)
        body = b"\xff\x06\x00\x00sNaPpY" + (b"\x00" + struct.pack("<I", len(chunk) + 4)[:3] + bytes(4) + chunk) * 100
        return Bomb("snappy-framed", body, "x-snappy-framed")
    claim = r.choice((0xFFFFFFFF, 1 << 31, LIMIT, 1, 0, LIMIT + 1, None))
    return Bomb("snappy", snappy_copies(size if claim is None else r.randint(1, 1 << 16), claim), "snappy", grpc=r.random() < .5)


# --- nested

@functools.cache
def nested_value(depth, kvlist):
    """An AnyValue so many arrays or maps deep, from the inside out."""
    parts, size = [b"\x0a\x01x"], 3

    def wrap(number):
        nonlocal size
        head = bytes([number << 3 | 2]) + otlp.varint(size)
        parts.append(head)
        size += len(head)
    for _ in range(depth):
        if kvlist:
            wrap(2)  # KeyValue.value
            wrap(1)  # KeyValueList.values
            wrap(6)  # AnyValue.kvlist_value
        else:
            wrap(1)
            wrap(5)
    return b"".join(reversed(parts))


def in_log(value):
    return otlp.field(1, otlp.field(2, otlp.field(2, otlp.field(5, value))))


def in_attribute(value):
    return otlp.field(1, otlp.field(1, otlp.field(1, otlp.field(1, "k") + otlp.field(2, value))))


DEPTHS = (65, 100, 1000, 10_000, 100_000, 300_000)


def _nested(r, n):
    value = nested_value(DEPTHS[n % len(DEPTHS)], n % 4 == 1)
    body = r.choice((in_log, in_attribute))(value)
    if r.random() < .3:
        body = body[:len(body) // 2]
    if r.random() < .5:
        return Bomb("nested", zlib.compress(body), "zlib")
    return Bomb("nested", body, grpc=r.random() < .5)


def _nested_json(r, n):
    depth = (65, 1000, 100_000, 1_000_000)[n % 4]
    shape = r.choice(("[", '{"a":', '[{"a":', '{"arrayValue":{"values":['))
    depth = min(depth, LIMIT // len(shape) - 100)
    inner = shape * depth
    where = r.choice(('{"resourceLogs":', '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":', '{"unknown":'))
    return Bomb("nested-json", (where + inner).encode(), json=True)


# --- dense

def repeated(path, count, leaf=b""):
    """`count` times an empty message at the end of a path of field numbers."""
    body = otlp.field(path[-1], leaf) * count
    for number in reversed(path[:-1]):
        body = otlp.field(number, body)
    return body


DENSE = {"resources": ("traces", (1,)), "scopes": ("traces", (1, 2)), "spans": ("traces", (1, 2, 2)),
         "span attributes": ("traces", (1, 2, 2, 9)), "events": ("traces", (1, 2, 2, 11)), "links": ("traces", (1, 2, 2, 13)),
         "log records": ("logs", (1, 2, 2)), "log attributes": ("logs", (1, 2, 2, 6)), "values": ("logs", (1, 2, 2, 5, 5, 1)),
         "resource attributes": ("logs", (1, 1, 1)), "metrics": ("metrics", (1, 2, 2)), "points": ("metrics", (1, 2, 2, 5, 1)),
         "exemplars": ("metrics", (1, 2, 2, 5, 1, 5)), "unknown fields": ("logs", (1, 2, 2, 500))}


@functools.cache
def dense(name, count):
    signal, path = DENSE[name]
    return repeated(path, count)


def _dense(r, n):
    name = list(DENSE)[n % len(DENSE)]
    body = dense(name, r.choice((100_000, 500_000, 1_040_000, 2_000_000)))
    packed = r.random()
    lawful = True
    if packed < .3:
        return Bomb("dense", zlib.compress(body, 1), "zlib", signal=DENSE[name][0], lawful=lawful)
    if packed < .6:
        c = zlib.compressobj(1, zlib.DEFLATED, 31)
        return Bomb("dense", c.compress(body) + c.flush(), "gzip", grpc=True, signal=DENSE[name][0], lawful=lawful)
    return Bomb("dense", body, grpc=r.random() < .5, signal=DENSE[name][0], lawful=lawful)


# --- lies

LIES = [otlp.varint(v) for v in (1 << 20, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 35, (1 << 63) - 1, (1 << 64) - 1)] + [
    b"\xff" * 9 + b"\x7f", b"\x80" * 20, b"\xff" * 11 + b"\x01"]


def lie_at(level, lie, signal):
    """A request whose `level`-th length, from outside, is a lie."""
    inner = otlp.fixed64(1, 1) if signal == "logs" else b""
    path = ([1, 2, 2, 5, 1] if signal == "logs" else [1, 2, 2, 9, 2, 1] if signal == "traces" else [1, 2, 2, 5, 1, 5])[:level + 1]
    body = bytes([path[-1] << 3 | 2]) + lie + inner
    for number in reversed(path[:-1]):
        body = otlp.field(number, body)
    return body


def _lie(r, n):
    signal = otlp.SIGNALS[n % 3]
    body = lie_at(r.randint(0, 4), r.choice(LIES), signal)
    return Bomb("lying-length", body, grpc=r.random() < .5, signal=signal)


def _lying_frames(r, n):
    good = otlp.request("logs", ["lies"])
    if n % 2:
        raw = (lambda: raw_h2.message(good, length=0xFFFFFFFF), lambda: raw_h2.message(good, length=LIMIT + 1),
               lambda: raw_h2.message(good, length=len(good) + 1), lambda: raw_h2.message(good, length=len(good) - 1),
               lambda: raw_h2.message(good, flag=1), lambda: raw_h2.message(good, flag=r.randint(2, 255)),
               lambda: raw_h2.message(good) * 2, lambda: raw_h2.message(good)[:r.randint(1, 4)],
               lambda: b"")[r.randrange(9)]()
        return Bomb("lying-prefix", good, grpc=True, raw=raw)
    size = r.choice((1 << 63, 1 << 62, (1 << 64) - 1, 1 << 64, LIMIT + 1, len(good) + 1, 10 ** 30, 99_999_999_999))
    return Bomb("lying-content-length", good, raw=attacks.POST + b"Content-Length: %d\r\n\r\n" % size + good)


# --- JSON

def _json(r, n):
    big = r.randint(1100, 200_000)

    def log(value):
        return '{"resourceLogs":[{"scopeLogs":[{"logRecords":[' + value + "]}]}]}"
    text, lawful = (
        lambda: (log('{"timeUnixNano":' + "9" * big + "}"), False),
        lambda: (log('{"body":{"intValue":"' + "9" * big + '"}}'), False),
        lambda: (log('{"body":{"doubleValue":1e' + "9" * r.randint(10, 1000) + "}}"), True),
        lambda: (log('{"body":{"doubleValue":' + "1" * big + "}}"), True),
        lambda: (log('{"body":{"doubleValue":0.' + "0" * big + "1}}"), True),
        lambda: (log('{"body":{"stringValue":"' + "\\u0041" * big + '"}}'), True),
        lambda: (log('{"body":{"stringValue":"' + "\\ud800" * big + '"}}'), True),
        lambda: (log('{"body":{"stringValue":"' + "\\u00" * big + '"}}'), False),
        lambda: (log('{"body":{"stringValue":"' + "\\" * (2 * big + 1) + '"}}'), False),
        lambda: (log('{"body":{"stringValue":"' + "x" * big), False),
        lambda: (log("{" + ",".join('"severityNumber":1' for _ in range(big)) + "}"), True),
        lambda: (log("{" + ",".join(f'"k{i}":{{}}' for i in range(big // 4)) + "}"), True),
        lambda: (log('{"' + "k" * big + '":1}'), True),
        lambda: (log(",".join("{}" for _ in range(big * 4))), True),
        lambda: (log('{"attributes":[' + ",".join('{"key":""}' for _ in range(big)) + "]}"), True),
        lambda: (log('{"body":{"bytesValue":"' + "=" * big + '"}}'), False),
        lambda: (log('{"traceId":"' + "0" * big + '"}'), False),
        lambda: (" " * (LIMIT - 10) + "{", False),
        lambda: (log("{}" + "," * big), False),
        lambda: ("{" + "}" * big, False),
    )[n % 20]()
    return Bomb("json", text.encode(), json=True, lawful=lawful)


FAMILIES = (_gzip, _zstd, _snappy_lz4, _nested, _nested_json, _dense, _lie, _lying_frames, _json, _zstd)


def bomb(n):
    """The n-th of COUNT; always the same."""
    return FAMILIES[n % len(FAMILIES)](random.Random(SEED + n), n // len(FAMILIES))


def some(count):
    """Numbers of that many bombs of all kinds; always the same."""
    return range(COUNT) if count >= COUNT else sorted(random.Random(SEED).sample(range(COUNT), count))


class Sender:
    """Throws bombs one after the other. The answer of each: ("http", status), ("grpc", status), or ("closed", None)."""

    def __init__(self, http, grpc):
        self.http, self.grpc, self.h2 = http, grpc, None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.h2 is not None:
            self.h2.close()
        self.h2 = None

    def throw(self, b):
        if b.grpc:
            return self.by_grpc(b)
        if b.raw is not None:
            return self.by_socket(b.raw)
        r = lib.post(self.http, b.signal, b.body, lib.JSON if b.json else lib.PROTOBUF,
                     {"Content-Encoding": b.encoding} if b.encoding else {})
        return "http", r.status

    def by_grpc(self, b):
        for _ in range(2):
            try:
                if self.h2 is None:
                    self.h2 = raw_h2.Client(self.grpc)
                s = self.h2.open(b.signal, [("grpc-encoding", b.encoding)] if b.encoding else [])
                self.h2.data(s, b.raw if b.raw is not None else raw_h2.message(b.body, flag=1 if b.encoding else 0))
                return "grpc", self.h2.status(s)
            except (OSError, AssertionError):
                self.close()
        return "closed", None

    def by_socket(self, raw):
        answer = b""
        with contextlib.closing(attacks.connect(self.http)) as sock, contextlib.suppress(ConnectionError):
            sock.sendall(raw)
            sock.shutdown(attacks.socket.SHUT_WR)
            while part := sock.recv(65536):
                answer += part
        return ("http", int(answer[9:12])) if answer else ("closed", None)
