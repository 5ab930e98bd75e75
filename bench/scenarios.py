"""What is measured: for each scenario the load, who takes part, and what must be shown."""
from dataclasses import dataclass, field


@dataclass
class Scenario:
    name: str
    what: str
    protocol: str = "grpc"          # in and out
    payload: str = "logs-varied-1000"
    encoding: str = ""              # in: "", gzip, zstd
    out: str = "none"               # out: none, gzip, zstd
    json: bool = False
    processors: str = ""
    connections: int = 4
    streams: int = 16
    systems: tuple = ("leat", "nginx", "relay", "otelcol")
    musts: tuple = ()               # (peer, highest ratio of leat's CPU to the peer's)
    codec: tuple = ()               # (codec, highest ratio to the codec calls alone)
    least: float = 0                # million items per CPU second
    bytes_of: tuple = ()            # ("zlib1" or a peer, highest ratio of bytes out)
    kind: str = "cpu"               # cpu, latency, memory
    rate: float = 0
    extra: dict = field(default_factory=dict)

    @property
    def items(self):
        return int(self.payload.rsplit("-", 1)[1])

    @property
    def signal(self):
        return {"logs": "logs", "spans": "traces", "points": "metrics"}[self.payload.split("-")[0]]

    @property
    def file(self):
        ending = "json" if self.json else {"": "pb", "gzip": "gz", "zstd": "zst"}[self.encoding]
        return f"{self.payload}.{ending}"


HTTP = ("leat", "nginx", "haproxy", "relay", "otelcol")
PACKED = ("leat", "otelcol", "rotel")

ALL = [
    Scenario("grpc-logs-1000", "gRPC logs, 1000 a request", musts=(("nginx", 1.2),),
             systems=("leat", "nginx", "haproxy", "relay", "otelcol", "otelcol-default", "rotel")),
    Scenario("http-logs-1000", "HTTP logs, 1000 a request", protocol="http", connections=16,
             systems=HTTP, musts=(("nginx", 1.2),)),
    Scenario("grpc-spans-1000", "gRPC spans, 1000 a request", payload="spans-varied-1000",
             musts=(("nginx", 1.2),)),
    Scenario("grpc-points-1000", "gRPC data points, 1000 a request", payload="points-varied-1000",
             musts=(("nginx", 1.0),)),
    Scenario("grpc-logs-100", "gRPC logs, 100 a request", payload="logs-varied-100",
             musts=(("nginx", 0.6),)),
    Scenario("grpc-logs-20", "gRPC logs, 20 a request", payload="logs-varied-20", streams=64,
             musts=(("nginx", 0.35),)),
    Scenario("http-logs-20", "HTTP logs, 20 a request", payload="logs-varied-20", protocol="http",
             connections=64, systems=HTTP, musts=(("nginx", 1.1),)),
    Scenario("gzip-out", "gRPC logs, plain in, gzip out", out="gzip", systems=PACKED, streams=4,
             musts=(("otelcol", 1 / 12),), bytes_of=("zlib1", 1.1)),
    Scenario("zstd-out", "gRPC logs, plain in, zstd out", out="zstd", systems=PACKED, streams=4,
             musts=(("otelcol", 1 / 6.5),), bytes_of=("otelcol", 1.0)),
    Scenario("gzip-both-varied", "gRPC logs, gzip in and out, varied", encoding="gzip", out="gzip",
             systems=PACKED, streams=4, codec=("gzip", 1.6), bytes_of=("zlib1", 1.1)),
    Scenario("gzip-both-repetitive", "gRPC logs, gzip in and out, repetitive", encoding="gzip",
             out="gzip", payload="logs-repetitive-1000", systems=PACKED, streams=4, codec=("gzip", 2.0),
             bytes_of=("zlib1", 1.1)),
    Scenario("zstd-both-varied", "gRPC logs, zstd in and out, varied", encoding="zstd", out="zstd",
             systems=PACKED[:2], streams=4, codec=("zstd", 1.6)),
    Scenario("zstd-both-repetitive", "gRPC logs, zstd in and out, repetitive", encoding="zstd",
             out="zstd", payload="logs-repetitive-1000", systems=PACKED[:2], streams=4, codec=("zstd", 2.0)),
    Scenario("batch", "gRPC logs, 20 a request, batched to 8192", payload="logs-varied-20",
             processors="batch", streams=512, systems=("leat", "otelcol"),
             musts=(("otelcol", 1 / 6),)),
    Scenario("json", "OTLP/JSON logs in, protobuf out, HTTP", protocol="http", json=True,
             connections=16, systems=("leat", "otelcol"), least=1.5),
    Scenario("workers", "gRPC logs, two workers against one", connections=8,
             systems=("leat-2", "leat"), musts=(("leat", 1.08),)),
    Scenario("latency", "gRPC logs, 20 a request, one at a time, 200 a second",
             payload="logs-varied-20", kind="latency", rate=200, connections=1,
             systems=("leat", "relay", "nginx", "otelcol"), extra={"p50": 1.25, "p99_us": 250}),
    Scenario("memory", "resident memory: idle, and at 100,000 logs a second", kind="memory",
             rate=100, systems=("leat", "nginx", "otelcol"), extra={"idle": 8, "busy": 16}),
]
BY_NAME = {s.name: s for s in ALL}
