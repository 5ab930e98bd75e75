"""Prometheus remote write read by hand, 1.0 and 2.0, and a receiver of it that keeps what arrives. Written from the message
definitions (field numbers of prompb/remote.proto, prompb/types.proto, io/prometheus/write/v2/types.proto) and from
snappy's format description, independent of the program under test."""
import collections
import struct
import threading

import lib
import otlp

V1, V2 = "application/x-protobuf", "application/x-protobuf;proto=io.prometheus.write.v2.Request"
TYPES = ("unknown", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset")
STALE = 0x7FF0000000000002  # the bits of a stale marker
MAX = 64 << 20

# A series has its labels as they came, in order. Samples are (milliseconds, bits of the value): a stale marker is a NaN.
Series = collections.namedtuple("Series", "labels samples histograms exemplars type help unit created")
Exemplar = collections.namedtuple("Exemplar", "labels value time")


def snappy_unblock(data):
    """The bytes of a raw snappy block; ValueError when it is none."""
    size = shift = at = 0
    while True:
        b = data[at]
        at += 1
        size |= (b & 0x7F) << shift
        shift += 7
        if b < 0x80:
            break
    if size > MAX:
        raise ValueError(f"a block of {size} bytes")
    out = bytearray()
    while at < len(data):
        tag = data[at]
        at += 1
        kind, length = tag & 3, tag >> 2
        if kind == 0:
            if length >= 60:
                wide = length - 59
                length = int.from_bytes(data[at:at + wide], "little")
                at += wide
            out += data[at:at + length + 1]
            at += length + 1
            continue
        if kind == 1:
            length, back = (length & 7) + 4, (tag >> 5) << 8 | data[at]
            at += 1
        else:
            wide = 2 if kind == 2 else 4
            length, back = length + 1, int.from_bytes(data[at:at + wide], "little")
            at += wide
        if back == 0 or back > len(out):
            raise ValueError(f"a copy from {back} back at {len(out)}")
        for _ in range(length):
            out.append(out[-back])
    if len(out) != size:
        raise ValueError(f"{len(out)} bytes where {size} were announced")
    return bytes(out)


def double(bits):
    return struct.unpack("<d", struct.pack("<Q", bits))[0]


def signed(n):
    return n - (1 << 64) if n >> 63 else n


def zigzag(n):
    return n >> 1 ^ -(n & 1)


def numbers(packed):
    """The varints of a packed field."""
    found, at = [], 0
    while at < len(packed):
        value = shift = 0
        while True:
            b = packed[at]
            at += 1
            value |= (b & 0x7F) << shift
            shift += 7
            if b < 0x80:
                break
        found.append(value)
    return found


def doubles(packed):
    return struct.unpack(f"<{len(packed) // 8}d", packed)


def _many(message, number):
    return [v for n, v in otlp.fields(message) if n == number]


def _one(message, number, default=0):
    """The last value of a field."""
    found = _many(message, number)
    return found[-1] if found else default


def sample(message):
    return signed(_one(message, 2)), _one(message, 1)


def histogram(message):
    """(milliseconds, a dictionary with counts of buckets by index; custom_values where it has them)."""
    made = {"count": _one(message, 1), "sum_bits": _one(message, 3), "schema": zigzag(_one(message, 4)),
            "zero_threshold": double(_one(message, 5)), "zero_count": _one(message, 6), "reset_hint": _one(message, 14)}
    for side, spans_at, deltas_at in (("negative", 8, 9), ("positive", 11, 12)):
        deltas = [zigzag(n) for packed in _many(message, deltas_at) for n in numbers(packed)]
        index, count, found = 0, 0, {}
        for span in _many(message, spans_at):
            index += zigzag(_one(span, 1))
            for _ in range(_one(span, 2)):
                count += deltas.pop(0)
                if count < 0:
                    raise ValueError(f"a bucket with {count}")
                found[index] = count
                index += 1
        if deltas:
            raise ValueError(f"{len(deltas)} buckets without a span")
        made[side] = {i: n for i, n in found.items() if n}
    custom = [v for packed in _many(message, 16) for v in doubles(packed)]
    if custom:
        made["custom_values"] = custom
    return signed(_one(message, 15)), made


def _labels(messages):
    return tuple((_one(m, 1, b"").decode(), _one(m, 2, b"").decode()) for m in messages)


def decode_v1(body):
    """([series], {family: (type, help, unit)})"""
    found = []
    for s in _many(body, 1):
        exemplars = [Exemplar(_labels(_many(e, 1)), double(_one(e, 2)), signed(_one(e, 3))) for e in _many(s, 3)]
        found.append(Series(_labels(_many(s, 1)), [sample(x) for x in _many(s, 2)], [histogram(h) for h in _many(s, 4)],
                            exemplars, None, None, None, None))
    metadata = {_one(m, 2, b"").decode(): (TYPES[_one(m, 1)], _one(m, 4, b"").decode(), _one(m, 5, b"").decode())
                for m in _many(body, 3)}
    return found, metadata


def decode_v2(body):
    """[series]; ValueError for a symbol that is not there."""
    symbols = [s.decode() for s in _many(body, 4)]
    if not symbols or symbols[0] != "":
        raise ValueError("the first symbol is not empty")

    def labels(message):
        refs = [symbols[n] for packed in _many(message, 1) for n in numbers(packed)]
        if len(refs) % 2:
            raise ValueError("a label without a value")
        return tuple(zip(refs[::2], refs[1::2]))

    found = []
    for s in _many(body, 5):
        meta = _one(s, 5, b"")
        exemplars = [Exemplar(labels(e), double(_one(e, 2)), signed(_one(e, 3))) for e in _many(s, 4)]
        found.append(Series(labels(s), [sample(x) for x in _many(s, 2)], [histogram(h) for h in _many(s, 3)], exemplars,
                            TYPES[_one(meta, 1)], symbols[_one(meta, 3)], symbols[_one(meta, 4)], signed(_one(s, 6))))
    return found


class Receiver:
    """Takes remote write on a port of its own. `answer(headers, series)` may return (status, headers, body) or None for 204;
    it is called under the lock. What was answered with 2xx is in `series` and `metadata`, every request in `requests`."""

    def __init__(self, answer=None, port=0):
        self.lock = threading.Lock()
        self.answer, self.requests, self.series, self.metadata = answer, [], [], {}
        receiver = self

        class Handler(lib.QuietHandler):
            def do_POST(self):
                receiver.serve(self)

        self.server = lib.QuietServer(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/api/v1/write"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def serve(self, h):
        raw = h.rfile.read(int(h.headers.get("Content-Length", 0)))
        metadata = {}
        try:
            if h.headers.get("Content-Encoding") != "snappy":
                raise ValueError(f"Content-Encoding {h.headers.get('Content-Encoding')}")
            body = snappy_unblock(raw)
            if h.headers.get("Content-Type") == V2:
                series = decode_v2(body)
            else:
                series, metadata = decode_v1(body)
        except (ValueError, IndexError) as e:
            return self.reply(h, 400, {}, str(e).encode())
        written = {f"X-Prometheus-Remote-Write-{word}-Written": str(sum(len(getattr(s, field)) for s in series))
                   for word, field in (("Samples", "samples"), ("Histograms", "histograms"), ("Exemplars", "exemplars"))}
        with self.lock:
            status, headers, text = (self.answer and self.answer(h.headers, series)) or (204, written, b"")
            self.requests.append((dict(h.headers), series, status))
            if status // 100 == 2:
                self.series += series
                self.metadata.update(metadata)
        return self.reply(h, status, headers, text)

    @staticmethod
    def reply(h, status, headers, text):
        h.send_response(status)
        for k, v in {**headers, **({} if status == 204 else {"Content-Length": str(len(text))})}.items():
            h.send_header(k, v)
        h.end_headers()
        h.wfile.write(text)

    def got(self, field="samples"):
        """{labels: what arrived in this field, in order}, the labels sorted by name."""
        found = {}
        with self.lock:
            for s in self.series:
                have = getattr(s, field)
                if have:
                    found.setdefault(tuple(sorted(s.labels)), []).extend(have)
        return found
