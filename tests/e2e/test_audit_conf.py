"""A configuration as its author writes it: every mistake said in one run, nothing untrue said, and what the collector
takes is taken.

Golden texts as in test_config_errors.py: golden/audit_*.txt, written anew with LEAT_UPDATE=1.
"""
import json

import lib
import test_config_errors

ALL = "{receivers: {otlp: {protocols: {grpc: {endpoint: '127.0.0.1:0'}}}}, exporters: {debug: , nop: }, processors: {batch: }, " \
      "service: {pipelines: {traces: {receivers: [otlp], processors: [batch], exporters: [debug]}}}}"


class AuditConf(lib.Case):
    validate = test_config_errors.ConfigErrors.validate
    golden = test_config_errors.ConfigErrors.golden
    carets = test_config_errors.ConfigErrors.carets

    def findings(self, *sets, config=ALL, env=None):
        """The exit code and [(severity, message, hint)] of a good configuration with some values set."""
        argv = [a for s in sets for a in ("--set", s)]
        code, out, err = lib.run("validate", "--output", "json", "--config", f"yaml:{config}", *argv, env=env)
        self.assertIn(code, (0, lib.EX_CONFIG), err)
        found = [(d["severity"], d["message"], d["hint"]) for d in json.loads(out)]
        self.assertEqual(code == 0, not any(s == "error" for s, _, _ in found), found)
        return code, found

    def refused(self, *sets, saying, hint=None):
        code, found = self.findings(*sets)
        self.assertEqual(code, lib.EX_CONFIG, found)
        self.assertEqual([(s, m) for s, m, _ in found], [("error", saying)])
        if hint is not None:
            self.assertEqual(found[0][2], hint)

    def taken(self, *sets, warning=None):
        code, found = self.findings(*sets)
        self.assertEqual(code, 0, found)
        self.assertEqual([(s, m) for s, m, _ in found], [] if warning is None else [("warning", warning)])

    def test_what_is_checked_late_is_said_with_the_rest(self):
        text = self.golden("audit_all", lib.EX_CONFIG)
        for late in ("6:31", "11:3", "16:3", "17:3", "17:35", "27:26", "31:16"):
            self.assertIn(f"audit_all.yaml:{late}: error:", text)
        self.assertEqual(text.count(": error:"), 17)

    def test_what_hangs_on_a_wrong_reference_is_not_guessed(self):
        """The pipeline that receives from the connector has a wrong name: one mistake, not two."""
        _, found = self.findings("connectors.forward=", "service.pipelines.traces.exporters=[forward]",
                                 "service.pipelines.trace/2={receivers: [forward], exporters: [debug]}")
        self.assertEqual(len(found), 1, found)

    def test_an_exporter_needs_somewhere_to_send(self):
        to = "service.pipelines.traces.exporters=[otlp_http]"
        nowhere = "'endpoint' is required, or an endpoint of each signal"
        self.refused(to, "exporters.otlp_http=", saying=nowhere)
        self.refused(to, "exporters.otlp_http.endpoint=", saying=nowhere)
        self.refused(to, "exporters.otlp_http.logs_endpoint=http://localhost:1",
                     saying="traces are sent here: set 'endpoint' or 'traces_endpoint'")
        self.taken(to, "exporters.otlp_http.traces_endpoint=http://localhost:1/x")

    def test_memory_has_a_place(self):
        for wrong in ("0", "1MiB", "120%", "much"):
            self.refused(f"leat.memory={wrong}", saying=f"'{wrong}' is neither a size of at least 4MiB (like 200MiB) nor a "
                                                        "percentage (like 40%)")


if __name__ == "__main__":
    lib.main()
