"""Includes run one way: each room sees only the rooms and the libraries the table allows."""
import os
import re

import tree

# Who may include what: rooms, or single headers of a room that is otherwise closed.
PROJECT = {
    "base": {"base"},
    "config": {"base", "config"},
    "io": {"base", "io", "config/schema.h"},
    "proto": {"base", "proto"},
    "flow": {"base", "proto", "flow", "config/schema.h", "io/loop.h", "io/file.h", "io/mailbox.h"},
    "receivers": {"base", "proto", "flow", "receivers", "io", "config/schema.h"},
    "processors": {"base", "proto", "flow", "processors", "config/schema.h", "io/loop.h",
                   "io/mailbox.h", "io/kube.h", "io/client.h", "io/file.h"},
    "exporters": {"base", "proto", "flow", "exporters", "io", "config/schema.h"},
    "ext": {"base", "proto", "flow", "ext", "io", "config/schema.h"},
    "run": {"base", "config", "io", "proto", "flow", "receivers", "processors", "exporters", "ext",
            "run"},
}
# Headers with libuv's types in them are for io itself and for run.
UV_HEADERS = {"io/loop_uv.h"}

SYSTEM = {
    "base": set(),
    "config": {"libfyaml"},
    "io": {"uv", "nghttp2", "llhttp", "openssl", "isal", "zlib", "zstd", "snappy", "lz4",
           "crypt"},
    "proto": set(),
    "flow": set(),
    "receivers": set(),
    "processors": set(),
    "exporters": set(),
    "ext": set(),
    "run": {"uv"},
}
LIBRARIES = [
    ("uv", r"uv\.h|uv/.*"), ("nghttp2", r"nghttp2/.*"), ("llhttp", r"llhttp\.h"),
    ("openssl", r"openssl/.*"), ("isal", r"isa-l\.h|isa-l/.*"), ("zlib", r"zlib\.h|zconf\.h"),
    ("zstd", r"zstd.*\.h"), ("snappy", r"snappy.*\.h"), ("lz4", r"lz4.*\.h"),
    ("libfyaml", r"libfyaml\.h"), ("yajl", r"yajl/.*"), ("protobuf-c", r"protobuf-c/.*"),
    ("kafka", r"librdkafka/.*"), ("crypt", r"crypt\.h"),
    ("libc", r"""(?x) (arpa|net|netinet|sys|linux)/.* | (assert|ctype|dirent|dlfcn|endian|errno|
     execinfo|fcntl|float|fnmatch|getopt|glob|grp|ifaddrs|inttypes|iso646|langinfo|libgen|limits|
     locale|malloc|math|memory|netdb|poll|pthread|pwd|regex|sched|semaphore|setjmp|signal|spawn|
     stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|stdnoreturn|string|strings|
     sysexits|syslog|termios|threads|time|uchar|unistd|utime|wchar|wctype|emmintrin|immintrin|x86intrin|
     arm_neon|cpuid)\.h"""),
]
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def library_of(header):
    for name, pattern in LIBRARIES:
        if re.fullmatch(pattern, header):
            return name
    return None


def locate(path, header):
    """The file a quoted header names, relative to the top; None: it is generated or missing."""
    for base in (os.path.dirname(path), "agent", ""):
        candidate = os.path.normpath(os.path.join(base, header))
        if os.path.isfile(os.path.join(tree.TOP, candidate)):
            return candidate
    return None


def check(path, bracket, header):
    """A sentence when `path` may not include this header, else None."""
    room = tree.room_of(path)
    if bracket == '"' and header.endswith(".pb-c.h"):
        return None if room == "proto" else "generated protobuf-c code is for proto only"
    if bracket == "<":
        library = library_of(header)
        if library is None:
            return f"<{header}>: no library of the table in tests/lint/includes.py has this header"
        if library != "libc" and library not in SYSTEM[room]:
            return f"<{header}>: {room} may not use {library}"
        return None
    target = locate(path, header)
    if target is None:
        return f'"{header}" is no file of the project: a library is included with <>'
    other = tree.room_of(target)
    short = target[len("agent/"):] if target.startswith("agent/") else target
    if short in UV_HEADERS and room not in ("io", "run"):
        return f'"{header}" has libuv types: only io and run may see it'
    if other not in PROJECT[room] and short not in PROJECT[room]:
        return f'"{header}": {room} may not include {other or "a file outside the rooms"}'
    return None


def main():
    findings, seen = [], 0
    for path in tree.files(".c", ".h", under=tree.CODE):
        if tree.room_of(path) is None:
            findings.append((path, 1, "belongs to no room"))
            continue
        source = tree.without_comments(tree.read(path))
        for m in INCLUDE.finditer(source):
            seen += 1
            text = check(path, m.group(1), m.group(2))
            if text:
                findings.append((path, source.count("\n", 0, m.start(1)) + 1, text))
    if seen == 0:
        findings.append((".", 0, "no #include found at all: this lint looks at nothing"))
    tree.finish(findings, f"includes ({seen} checked)")


main()
