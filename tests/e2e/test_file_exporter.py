"""The file exporter: JSON lines, protobuf with lengths, zstd, rotation, and what a stop leaves behind."""
import ctypes
import ctypes.util
import glob
import json
import os
import struct

import lib
import otlp


def unzstd(data, most=1 << 24):
    z = ctypes.CDLL("libzstd.so.1")
    z.ZSTD_decompress.restype = ctypes.c_size_t
    out = ctypes.create_string_buffer(most)
    n = z.ZSTD_decompress(out, ctypes.c_size_t(most), data, ctypes.c_size_t(len(data)))
    assert not z.ZSTD_isError(ctypes.c_size_t(n)), "no zstd frame"
    return out.raw[:n]


def framed(data):
    at = 0
    while at < len(data):
        size, = struct.unpack(">I", data[at:at + 4])
        assert at + 4 + size <= len(data), "the last message is cut off"
        yield data[at + 4:at + 4 + size]
        at += 4 + size


class File(lib.Case):
    def leat(self, path, more=""):
        return lib.Leat(lib.config(f"file: {{path: '{path}'{more}}}", "[file]"))

    def read(self, path):
        with open(path, "rb") as f:
            return f.read()

    def test_json_lines(self):
        path = os.path.join(self.folder(), "out.jsonl")
        with self.leat(path) as leat:
            port = leat.port("otlp", "http")
            for s in otlp.SIGNALS:
                self.assertEqual(lib.send(port, s, [f"{s}-{i}" for i in range(3)]).status, 200)
            self.assertEqual(lib.post(port, "logs", otlp.request_json("logs", ["ü \"quoted\" \\ \u0001 €"])).status, 200)
        lines = self.read(path).decode().splitlines()
        self.assertEqual(len(lines), 4)
        for s, line in zip(otlp.SIGNALS, lines):
            self.assertEqual(json.loads(line), otlp.request_json(s, [f"{s}-{i}" for i in range(3)]))
        self.assertEqual(otlp.names_json("logs", lines[3]), ["ü \"quoted\" \\ \u0001 €"])

    def test_what_is_answered_is_written_after_the_flush_interval(self):
        path = os.path.join(self.folder(), "out.jsonl")
        with self.leat(path, ", flush_interval: 50ms") as leat:
            lib.send(leat.port("otlp", "http"), "logs", ["soon"])
            lib.wait_until(lambda: os.path.exists(path) and b"soon" in self.read(path), "the record is in the file")

    def test_protobuf(self):
        path = os.path.join(self.folder(), "out.bin")
        with self.leat(path, ", format: proto") as leat:
            for n in range(3):
                lib.send(leat.port("otlp", "http"), "logs", [f"p{n}", f"q{n}"])
        messages = list(framed(self.read(path)))
        self.assertEqual([otlp.names("logs", m) for m in messages], [[f"p{n}", f"q{n}"] for n in range(3)])

    def test_zstd(self):
        for form in ("json", "proto"):
            path = os.path.join(self.folder(), "out.zst")
            with self.leat(path, f", format: {form}, compression: zstd") as leat:
                for n in range(3):
                    lib.send(leat.port("otlp", "http"), "logs", [f"z{n}"] * 50)
            bodies = [unzstd(m) for m in framed(self.read(path))]
            names = [otlp.names("logs", b) if form == "proto" else otlp.names_json("logs", b) for b in bodies]
            self.assertEqual(names, [[f"z{n}"] * 50 for n in range(3)])

    def test_append(self):
        path = os.path.join(self.folder(), "out.jsonl")
        for word, more, left in (("one", "", ["one"]), ("two", ", append: true", ["one", "two"]), ("three", "", ["three"])):
            with self.leat(path, more) as leat:
                lib.send(leat.port("otlp", "http"), "logs", [word])
            lines = self.read(path).decode().splitlines()
            self.assertEqual([otlp.names_json("logs", line) for line in lines], [[w] for w in left])

    def test_rotation(self):
        folder = self.folder()
        path = os.path.join(folder, "out.jsonl")
        pad = "x" * 100_000
        with self.leat(path, ", rotation: {max_megabytes: 1, max_backups: 2}") as leat:
            client = lib.Client(leat.port("otlp", "http"))
            for n in range(65):
                self.assertEqual(client.send("logs", [f"{n:03}{pad}"]), 200)
            client.close()
        files = sorted(glob.glob(os.path.join(folder, "out*")))
        self.assertEqual(len(files), 3, files)
        kept = []
        for f in files:
            self.assertLessEqual(os.path.getsize(f), 1 << 20)
            kept += [otlp.names_json("logs", line)[0][:3] for line in self.read(f).decode().splitlines()]
        self.assertEqual(sorted(kept), [f"{n:03}" for n in range(65 - len(kept), 65)], "the newest records are kept, all of them")

    def test_a_file_that_cannot_be_opened_fails_the_start(self):
        path = os.path.join(self.folder(), "c.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(lib.config("file: {path: /nonexistent/folder/out.jsonl}", "[file]"))
        code, out, err = lib.run("--config", path)
        self.assertIn(code, (1, lib.EX_CONFIG), out + err)
        self.assertIn("/nonexistent/folder/out.jsonl", out + err)


if __name__ == "__main__":
    lib.main()
