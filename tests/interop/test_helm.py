"""The Helm chart's default configuration: exactly the receivers that are not there yet are named, the rest runs."""
import json
import os
import re

import peers
from peers import lib

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "helm_default.yaml")
ENV = {"MY_POD_IP": "127.0.0.1", "OTEL_K8S_NODE_NAME": "node-1", "OTEL_K8S_NAMESPACE": "default", "OTEL_K8S_NODE_IP": "10.0.0.1",
       "OTEL_K8S_POD_NAME": "pod-1", "OTEL_K8S_POD_IP": "127.0.0.1"}
ABSENT = ("jaeger", "prometheus", "zipkin")


def without_absent(text):
    """The file without those receivers: their blocks and their places in the lists."""
    for name in ABSENT:
        text = re.sub(rf"^  {name}:\n(?:   .*\n)+", "", text, flags=re.M)
        text = re.sub(rf"^ +- {name}\n", "", text, flags=re.M)
    return text


class Helm(lib.Case):
    def test_validate_names_exactly_what_is_missing(self):
        code, out, err = lib.run("validate", "--output", "json", "--config", PATH, env=ENV)
        self.assertEqual(code, lib.EX_CONFIG, err)
        with open(PATH, encoding="utf-8") as f:
            lines = f.read().splitlines()
        wanted = {(lines.index(f"  {name}:") + 1, name) for name in ABSENT}
        errors = [d for d in json.loads(out) if d["severity"] == "error"]
        found = {(d["line"], name) for d in errors for name in ABSENT if name in d["path"] or name in d["message"]}
        self.assertEqual(found, wanted, out)
        self.assertEqual(len(errors), len(ABSENT), out)

    def test_the_rest_runs(self):
        with open(PATH, encoding="utf-8") as f:
            text = without_absent(f.read())
        with lib.Leat(text, env=ENV) as leat:
            leat.port("otlp", "grpc"), leat.port("otlp", "http")
            lib.wait_until(lambda: lib.get(13133).status == 200, "the probe answers")
            for s in ("traces", "metrics", "logs"):
                self.assertEqual(lib.send(4318, s, ["a"]).status, 200)
                self.assertEqual(lib.grpc(4317, s, lib.otlp.request(s, ["b"])).status, 0)
            found = lib.metrics(8888)
            self.assertEqual(lib.total(found, "otelcol_receiver_accepted_spans", receiver="otlp"), 2)


if __name__ == "__main__":
    lib.main()
