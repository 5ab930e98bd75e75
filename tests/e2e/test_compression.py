"""Compressed OTLP/HTTP requests: each encoding, broken streams, bombs, and the list that allows them."""
import gzip

import codecs_by_hand
import lib
import otlp


class Compression(lib.Case):
    def leat(self, sink, extra=""):
        exporter = (f"otlp_http: {{endpoint: 'http://127.0.0.1:{sink.port}', compression: none, "
                    "sending_queue: {enabled: false}}")
        receiver = f"otlp: {{protocols: {{http: {{endpoint: 127.0.0.1:0{extra}}}}}}}"
        return lib.Leat(lib.config(exporter, "[otlp_http]", receivers=receiver))

    def test_each_encoding_arrives(self):
        with lib.Sink() as sink, self.leat(sink) as leat:
            port = leat.port("otlp", "http")
            for name, compress in codecs_by_hand.CODECS.items():
                for size in (1, 5000):
                    ids = [f"{name}-{size}-{i}" for i in range(size)]
                    r = lib.post(port, "logs", compress(otlp.request("logs", ids)), headers={"Content-Encoding": name})
                    self.assertEqual(r.status, 200, f"{name}: {r.body}")
                    self.assertLessEqual(set(ids), sink.got("logs").keys(), name)
            framed = codecs_by_hand.snappy_framed(otlp.request("logs", ["framed-as-snappy"]))
            r = lib.post(port, "logs", framed, headers={"Content-Encoding": "snappy"})
            self.assertEqual(r.status, 200, r.body)
            body = gzip.compress(otlp.request("logs", ["m1"])) + gzip.compress(otlp.request("logs", ["m2"]))
            self.assertEqual(lib.post(port, "logs", body, headers={"Content-Encoding": "gzip"}).status, 200)
            self.assertLessEqual({"framed-as-snappy", "m1", "m2"}, sink.got("logs").keys())

    def test_broken_streams_are_400(self):
        with lib.Sink() as sink, self.leat(sink) as leat:
            port = leat.port("otlp", "http")
            plain = otlp.request("logs", [f"broken-{i}" for i in range(50)])
            for name, compress in codecs_by_hand.CODECS.items():
                whole = compress(plain)
                for body in (whole[:-5], b"\x00" + whole, b"no such stream"):
                    r = lib.post(port, "logs", body, headers={"Content-Encoding": name})
                    self.assertEqual(r.status, 400, f"{name} {body[:8]}")
            self.assertEqual(sink.got("logs"), {})

    def test_bombs_are_413(self):
        with lib.Sink() as sink, self.leat(sink, ", max_request_body_size: 100000") as leat:
            port = leat.port("otlp", "http")
            r = lib.post(port, "logs", gzip.compress(bytes(50_000_000)), headers={"Content-Encoding": "gzip"})
            self.assertEqual(r.status, 413)
            for name in ("zstd", "lz4", "x-snappy-framed", "zlib"):
                body = codecs_by_hand.CODECS[name](bytes(99_000) + bytes(60_000))
                r = lib.post(port, "logs", body, headers={"Content-Encoding": name})
                self.assertEqual(r.status, 413, name)
            claims = b"\xff\xff\xff\xff\x0f" + b"\x00" * 10  # a raw snappy block that says 4 GiB
            r = lib.post(port, "logs", claims, headers={"Content-Encoding": "snappy"})
            self.assertIn(r.status, (400, 413))

    def test_the_list_of_algorithms(self):
        with lib.Sink() as sink, self.leat(sink, ", compression_algorithms: ['', gzip]") as leat:
            port = leat.port("otlp", "http")
            body = otlp.request("logs", ["listed"])
            self.assertEqual(lib.post(port, "logs", gzip.compress(body), headers={"Content-Encoding": "gzip"}).status, 200)
            r = lib.post(port, "logs", codecs_by_hand.zstd_frame(body), headers={"Content-Encoding": "zstd"})
            self.assertEqual(r.status, 400)
            r = lib.post(port, "logs", body, headers={"Content-Encoding": "br"})
            self.assertEqual(r.status, 400)
            self.assertEqual(lib.post(port, "logs", body).status, 200)


if __name__ == "__main__":
    lib.main()
