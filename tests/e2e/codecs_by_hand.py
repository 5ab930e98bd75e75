"""Bodies in every encoding OTLP/HTTP knows here, made without its library: stored blocks, right checksums."""
import gzip
import struct
import zlib


def snappy_block(data):
    """Raw snappy: the length, then literals of up to 60 bytes."""
    out, n = bytearray(), len(data)
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    for i in range(0, len(data), 60):
        part = data[i:i + 60]
        out.append((len(part) - 1) << 2)
        out += part
    return bytes(out)


def crc32c(data):
    crc = 0xFFFFFFFF
    for b in data:
        crc ^= b
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def snappy_framed(data):
    """The stream identifier, then uncompressed chunks with their masked checksum."""
    out = b"\xff\x06\x00\x00sNaPpY"
    for i in range(0, len(data), 65536):
        part = data[i:i + 65536]
        crc = crc32c(part)
        masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
        out += b"\x01" + struct.pack("<I", len(part) + 4)[:3] + struct.pack("<I", masked) + part
    return out


def xxh32_short(data):
    """XXH32 with seed 0 of fewer than 16 bytes."""
    p1, p2, p3, p4, p5 = 2654435761, 2246822519, 3266489917, 668265263, 374761393
    mask = 0xFFFFFFFF

    def rotl(x, r):
        return (x << r | x >> (32 - r)) & mask
    h, at = (p5 + len(data)) & mask, 0
    while at + 4 <= len(data):
        h = rotl((h + int.from_bytes(data[at:at + 4], "little") * p3) & mask, 17) * p4 & mask
        at += 4
    for b in data[at:]:
        h = rotl((h + b * p5) & mask, 11) * p1 & mask
    h = (h ^ h >> 15) * p2 & mask
    h = (h ^ h >> 13) * p3 & mask
    return h ^ h >> 16


def lz4_frame(data):
    """Version 1, independent blocks of at most 64 KiB, no checksums but the header's; stored blocks."""
    descriptor = bytes([0x60, 0x40])
    out = b"\x04\x22\x4d\x18" + descriptor + bytes([xxh32_short(descriptor) >> 8 & 0xFF])
    for i in range(0, len(data), 65536):
        part = data[i:i + 65536]
        out += struct.pack("<I", len(part) | 0x80000000) + part
    return out + b"\0\0\0\0"


def zstd_frame(data):
    """A single segment with its size, raw blocks, no checksum."""
    out = b"\x28\xb5\x2f\xfd" + bytes([0xA0]) + struct.pack("<I", len(data))
    parts = [data[i:i + 65536] for i in range(0, len(data), 65536)] or [b""]
    for n, part in enumerate(parts):
        last = n == len(parts) - 1
        out += struct.pack("<I", len(part) << 3 | last)[:3] + part
    return out


CODECS = {
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "deflate": zlib.compress,
    "zstd": zstd_frame,
    "snappy": snappy_block,
    "x-snappy-framed": snappy_framed,
    "lz4": lz4_frame,
}
