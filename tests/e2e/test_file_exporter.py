"""The file exporter: JSON lines, protobuf with lengths, zstd, rotation, a file per group, and what a stop
leaves behind."""
import concurrent.futures
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


class Groups(lib.Case):
    """group_by: a file per value of service.name."""

    def leat(self, path, more="", group="", args=()):
        group = f"group_by: {{enabled: true, resource_attribute: service.name{group}}}"
        retry = "retry_on_failure: {enabled: false}"
        return lib.Leat(lib.config(f"file: {{path: '{path}', {group}, {retry}{more}}}", "[file]"), args)

    def post(self, leat, *requests, signal="logs"):
        """One request of (service, names) each."""
        body = b"".join(otlp.request(signal, names, service=service) for service, names in requests)
        return lib.post(leat.port("otlp", "http"), signal, body)

    def files(self, folder, signal="logs"):
        """{path below the folder: the names of each line}; every line has one service only."""
        found = {}
        for base, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(base, name)
                with open(path, encoding="utf-8") as f:
                    found[os.path.relpath(path, folder)] = [otlp.names_json(signal, line) for line in f]
        return found

    def test_two_services_in_one_request(self):
        for s in otlp.SIGNALS:
            folder = self.folder()
            with self.leat(folder + "/*/" + s + ".jsonl") as leat:
                for n in range(2):
                    reply = self.post(leat, ("a", [f"a{n}"]), ("b", [f"b{n}"]), ("a", [f"a{n}+"]), signal=s)
                    self.assertEqual(reply.status, 200, reply.body)
            self.assertEqual(self.files(folder, s), {f"a/{s}.jsonl": [["a0", "a0+"], ["a1", "a1+"]],
                                                     f"b/{s}.jsonl": [["b0"], ["b1"]]})
            with open(f"{folder}/b/{s}.jsonl", encoding="utf-8") as f:
                self.assertEqual(json.loads(f.readline()), otlp.request_json(s, ["b0"], service="b"))

    def test_protobuf_and_zstd(self):
        folder = self.folder()
        with self.leat(folder + "/*", ", format: proto, compression: zstd", ", max_open_files: 1") as leat:
            for n in range(3):
                self.assertEqual(self.post(leat, ("a", [f"a{n}"]), ("b", [f"b{n}"])).status, 200)
        for service in "ab":
            with open(f"{folder}/{service}", "rb") as f:
                bodies = [unzstd(m) for m in framed(f.read())]
            self.assertEqual([otlp.names("logs", b) for b in bodies], [[f"{service}{n}"] for n in range(3)])
            self.assertEqual([otlp.services("logs", b) for b in bodies], [[service]] * 3)

    def test_hostile_values_stay_in_the_folder(self):
        top = self.folder()
        folder = top + "/in/here"
        values = {"../../x": "x.jsonl", "/etc/y": "etc/y.jsonl", "": ".jsonl", "a/../../../z": "z.jsonl", "..": "...jsonl",
                  "./w": "w.jsonl", "%s/*\n\t'\"": "%s/*\n\t'\".jsonl"}
        with self.leat(folder + "/*.jsonl") as leat:
            reply = self.post(leat, *((v, [v]) for v in values))
            self.assertEqual(reply.status, 200, reply.body)
        self.assertEqual(self.files(top), {"in/here/" + path: [[v]] for v, path in values.items()})
        self.assertFalse(os.path.exists("/etc/y.jsonl"))

    def test_what_no_file_can_be_named_after_is_rejected_the_others_written(self):
        folder = self.folder()
        impossible = (("n" * 300, "File name too long"), ("d/" * 40_000, "File name too long"), ("a\0b", "NUL byte"))
        with self.leat(folder + "/*.jsonl") as leat:
            for value, why in impossible:
                reply = self.post(leat, ("good", ["written"]), (value, ["lost", "too"]), ("good", ["also"]))
                self.assertEqual(reply.status, 200, reply.body)
                self.assertEqual(otlp.partial_success(reply.body)[0], 2)
                self.assertIn(why.encode(), reply.body)
                reply = self.post(leat, (value, ["lost"]))
                self.assertEqual(otlp.partial_success(reply.body)[0], 1)
        self.assertEqual(self.files(folder), {"good.jsonl": [["written", "also"]] * len(impossible)})

    def test_a_folder_in_the_place_of_a_file(self):
        folder = self.folder()
        os.makedirs(folder + "/b.jsonl")
        with self.leat(folder + "/*.jsonl") as leat:
            reply = self.post(leat, ("b", ["lost"]))
            self.assertEqual(reply.status, 503)
            self.assertIn(b"b.jsonl for writing: Is a directory", reply.body)
            os.rmdir(folder + "/b.jsonl")
            self.assertEqual(self.post(leat, ("b", ["written"])).status, 200)
        self.assertEqual(self.files(folder), {"b.jsonl": [["written"]]})

    def test_a_write_that_fails_in_one_of_two_files(self):
        with self.leat("/dev/*", ", append: true") as leat:
            reply = self.post(leat, ("full", ["lost"]), ("null", ["gone"]))
            self.assertEqual(reply.status, 503)
            self.assertIn(b"cannot write to /dev/full: No space left on device", reply.body)
            self.assertEqual(self.post(leat, ("null", ["gone"])).status, 200)

    def test_resources_without_the_attribute_are_rejected_the_others_written(self):
        folder = self.folder()
        request = otlp.request_json("logs", ["kept"], service="a")
        for value in ({"intValue": "1"}, {}, {"stringValue": "b"}):
            more = otlp.request_json("logs", ["lost", "lost too"] if "stringValue" not in value else ["kept too"])
            more["resourceLogs"][0]["resource"]["attributes"] = [{"key": "service.name", "value": value}]
            request["resourceLogs"] += more["resourceLogs"]
        bare = otlp.request_json("logs", ["lost as well"])
        del bare["resourceLogs"][0]["resource"]
        request["resourceLogs"] += bare["resourceLogs"]
        with self.leat(folder + "/*.jsonl") as leat:
            port = leat.port("otlp", "http")
            reply = lib.post(port, "logs", json.dumps(request).encode(), lib.JSON)
            self.assertEqual(reply.status, 200, reply.body)
            partial = json.loads(reply.body)["partialSuccess"]
            self.assertEqual(int(partial["rejectedLogRecords"]), 5)
            self.assertIn("no string attribute 'service.name'", partial["errorMessage"])
            reply = lib.post(port, "logs", json.dumps(bare).encode(), lib.JSON)
            self.assertEqual(int(json.loads(reply.body)["partialSuccess"]["rejectedLogRecords"]), 1)
        self.assertEqual(self.files(folder), {"a.jsonl": [["kept"]], "b.jsonl": [["kept too"]]})

    def open_files(self, leat, folder):
        at = f"/proc/{leat.process.pid}/fd"
        found = []
        for fd in os.listdir(at):
            try:
                found.append(os.readlink(f"{at}/{fd}"))
            except FileNotFoundError:
                pass
        return sorted(os.path.relpath(f, folder) for f in found if f.startswith(folder + "/"))

    def test_the_least_recently_used_file_is_closed(self):
        folder = self.folder()
        with self.leat(folder + "/*", group=", max_open_files: 2") as leat:
            for service in "abac":
                self.assertEqual(self.post(leat, (service, [service])).status, 200)
            self.assertEqual(self.open_files(leat, folder), ["a", "c"])
            self.assertEqual(self.post(leat, ("b", ["b"])).status, 200)
            self.assertEqual(self.open_files(leat, folder), ["b", "c"])
        self.assertEqual(self.files(folder), {"a": [["a"]] * 2, "b": [["b"]] * 2, "c": [["c"]]})

    def test_one_open_file_and_many_services_at_once(self):
        folder = self.folder()
        services = [f"s{n}" for n in range(40)]
        with self.leat(folder + "/*", group=", max_open_files: 1") as leat:
            port = leat.port("otlp", "http")

            def send(n):
                body = b"".join(otlp.request("logs", [f"{n}"], service=s) for s in services)
                self.assertEqual(lib.post(port, "logs", body).status, 200)
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                list(pool.map(send, range(12)))
            self.assertEqual(len(self.open_files(leat, folder)), 1)
        found = self.files(folder)
        self.assertEqual(sorted(found), sorted(services))
        for lines in found.values():
            self.assertEqual(sorted(lines), sorted([f"{n}"] for n in range(12)))

    def test_a_restart_empties_or_appends(self):
        folder = self.folder()
        for word, more, left in (("one", "", ["one"]), ("two", ", append: true", ["one", "two"]), ("three", "", ["three"])):
            with self.leat(folder + "/*", more, ", max_open_files: 1") as leat:
                self.assertEqual(self.post(leat, ("a", [word]), ("b", [word])).status, 200)
            lines = [[w] for w in left]
            self.assertEqual(self.files(folder), {"a": lines, "b": lines})

    def test_a_stop_with_requests_inside(self):
        folder = self.folder()
        with self.leat(folder + "/*", ", sending_queue: {enabled: true, queue_size: 1000}", ", max_open_files: 1") as leat:
            for n in range(50):
                self.assertEqual(self.post(leat, *((f"s{k}", [f"{n}"]) for k in range(5))).status, 200)
        self.assertEqual({k: sorted(v) for k, v in self.files(folder).items()},
                         {f"s{k}": sorted([f"{n}"] for n in range(50)) for k in range(5)})


if __name__ == "__main__":
    lib.main()
