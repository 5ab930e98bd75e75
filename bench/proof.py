"""Proves that Leat loses, doubles and changes nothing: unique ids in every item, digests of every entry."""
import os
import sys

from scenarios import Scenario

# (scenario, requests, whether entries keep their bytes). A batch may be cut inside an entry, and JSON becomes
# protobuf: there the ids prove it.
CASES = [
    (Scenario("proof-grpc", "gRPC, plain"), 300, True),
    (Scenario("proof-http", "HTTP, plain", protocol="http"), 300, True),
    (Scenario("proof-grpc-20", "gRPC, small requests", payload="logs-varied-20"), 5000, True),
    (Scenario("proof-spans", "gRPC, spans", payload="spans-varied-1000"), 200, True),
    (Scenario("proof-points", "gRPC, data points", payload="points-varied-1000"), 300, True),
    (Scenario("proof-gzip", "gRPC, gzip in and out", encoding="gzip", out="gzip"), 150, True),
    (Scenario("proof-zstd", "HTTP, zstd in and out", protocol="http", encoding="zstd", out="zstd"), 150, True),
    (Scenario("proof-batch", "gRPC, 20 a request, batched", payload="logs-varied-20", processors="batch",
              streams=512), 20000, True),
    (Scenario("proof-json", "OTLP/JSON in, protobuf out", protocol="http", json=True), 150, False),
]


def one(case, leat, sink_of, load, folder):
    scenario, requests, same_bytes = case
    folder = os.path.join(folder, scenario.name)
    os.makedirs(folder, exist_ok=True)
    sink = sink_of(folder, "--proof")
    running = None
    try:
        running = leat.start(scenario, sink, folder)
        plain = f"{scenario.payload}.{'json' if scenario.json else 'pb'}"
        sent = load(scenario, running.address, unique=True, count=requests, seconds=60, file=plain)
    finally:
        if running is not None:
            running.stop()
        got = sink.stop()
    items = requests * scenario.items
    wrong = []
    if sent["all_acks"] != requests or sent["all_errors"] or sent["partial"]:
        wrong.append(f"{sent['all_acks']} of {requests} acknowledged, {sent['all_errors']} errors")
    if got["ids"] != items:
        wrong.append(f"{got['ids']} of {items} items came")
    if got["twice"] or got["malformed"]:
        wrong.append(f"{got['twice']} came twice, {got['malformed']} malformed")
    if same_bytes and (got["digest"], got["entries"]) != (sent["digest"], sent["entries"]):
        wrong.append("the bytes differ")
    result = {"name": scenario.name, "what": scenario.what, "items": items, "requests_out": got["requests"],
              "same_bytes": same_bytes, "wrong": wrong, "ok": not wrong}
    print(f"  {scenario.what}: " + ("; ".join(wrong) or f"{items} items, none lost, none twice"
                                   + (", same bytes" if same_bytes else "")), file=sys.stderr)
    return result


def run_all(leat, sink_of, load, folder):
    print("proof: nothing lost, doubled or changed", file=sys.stderr)
    return [one(case, leat, sink_of, load, folder) for case in CASES]
