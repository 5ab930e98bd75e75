"""A configuration as its author writes it: every mistake said in one run, nothing untrue said, and what the collector
takes is taken.

Golden texts as in test_config_errors.py: golden/audit_*.txt, written anew with LEAT_UPDATE=1.
"""
import json
import os
import re

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

    def test_the_admin_socket_has_a_place(self):
        for wrong in ("''", "false", "true"):
            self.refused(f"leat.admin={wrong}", saying="'admin' must be the path of a socket, or none")
        self.refused(f"leat.admin=/tmp/{'a' * 103}", saying="'admin' must be a path of at most 107 bytes: sockets cannot have longer ones")
        for right in ("none", f"/tmp/{'a' * 102}", "relative.sock"):
            self.taken(f"leat.admin={right}")

    def test_memory_has_a_place(self):
        for wrong in ("0", "1MiB", "120%", "much", "0x10%", "1e1%"):
            self.refused(f"leat.memory={wrong}", saying=f"'{wrong}' is neither a size of at least 4MiB (like 200MiB) nor a "
                                                        "percentage (like 40%)")

    def test_words_in_any_case(self):
        for value in ("exporters.debug.verbosity=Detailed", "service.telemetry.metrics.level=NONE",
                      "service.telemetry.logs.level=DEBUG", "service.telemetry.logs.level=dpanic"):
            self.taken(value)
        self.refused("service.telemetry.metrics.level=some",
                     saying="'level' must be one of 'none', 'basic', 'normal', 'detailed', found 'some'")

    def test_headers_as_a_list(self):
        to, grpc = "service.pipelines.traces.exporters=[otlp_grpc]", "exporters.otlp_grpc={endpoint: 'h:1', headers: %s}"
        self.taken(to, grpc % "[{name: a, value: b}, {name: c, value: d}]")
        self.taken(to, grpc % "[]")
        self.refused(to, grpc % "[{name: a, value: b}, {name: a, value: c}]", saying="'a' stands twice in 'headers'")
        for item in ("a", "{a: b}", "{name: a}", "{name: a, value: b, more: c}", "{name: {}, value: b}"):
            self.refused(to, grpc % f"[{item}]", saying="an item of 'headers' must have 'name' and 'value', and nothing else")
        code, out, err = lib.run("print-config", "--mode", "unredacted", "--config", f"yaml:{ALL}", "--set", to, "--set",
                                 grpc % "[{name: a, value: b}]")
        self.assertEqual(code, 0, err)
        self.assertRegex(out, r"(?m)^    headers:\n      a: b$")

    def test_telemetry_as_the_collector_takes_it(self):
        t = "service.telemetry."
        for good in (t + "resource={service.name: null, a.b: 1}", t + "resource={attributes: just a text}",
                     t + "resource={schema_url: 'https://x', attributes: [{name: a, value: b, type: string}], "
                         "detection/development: {detectors: [{host: }]}}",
                     t + "logs={disable_zap_resource: true, initial_fields: {a: {b: [1, 2]}}}",
                     t + "metrics.readers=[{pull: {exporter: {prometheus: {without_units: true, without_scope_info: false}}}}]"):
            self.taken(good)
        self.refused(t + "resource={a: {b: c}}", saying="an attribute of the resource must be a text, a number or null")
        self.refused(t + "resource={attributes: [a]}", saying="an attribute of the resource is written {name: …, value: …}")
        self.refused(t + "resource=5", saying="'resource' must be a mapping")
        self.refused(t + "logs.initial_fields=[a]", saying="'initial_fields' must be a mapping")

    def test_the_log_goes_to_a_file_url(self):
        path = self.folder() + "/leat.log"
        code, _, err = lib.run("--config", f"yaml:{ALL}", "--seconds", "0.1", "--set", "service.telemetry.metrics.level=none", "--set",
                               f"service.telemetry.logs.output_paths=['file://{path}']")
        self.assertEqual((code, err), (0, ""))
        with open(path, encoding="utf-8") as f:
            self.assertIn("ready", f.read())

    def test_a_source_may_say_nothing(self):
        """A second file of comments, meant to be filled one day, changes nothing; alone it is no configuration."""
        for nothing in ("yaml:# mine", "yaml:", "yaml:---", "yaml:null"):
            for sources in ((f"yaml:{ALL}", nothing), (nothing, f"yaml:{ALL}")):
                code, _, err = lib.run("validate", *[a for s in sources for a in ("--config", s)])
                self.assertEqual((code, err), (0, ""))
            code, _, err = lib.run("validate", "--config", nothing)
            self.assertEqual(code, lib.EX_CONFIG)
            self.assertIn("the configuration is empty", err)

    def test_no_time_of_a_server_is_negative(self):
        http, keepalive = "receivers.otlp.protocols.http=", "receivers.otlp.protocols.grpc.keepalive="
        for key in ("read_timeout", "read_header_timeout", "write_timeout", "idle_timeout"):
            self.refused(http + f"{{{key}: -1s}}", saying=f"'{key}' must be at least 0s, found -1s")
        for key in ("max_connection_idle", "max_connection_age", "max_connection_age_grace", "time", "timeout"):
            self.refused(keepalive + f"{{server_parameters: {{{key}: -1s}}}}", saying=f"'{key}' must be at least 0s, found -1s")
        self.refused(keepalive + "{enforcement_policy: {min_time: -1s}}", saying="'min_time' must be at least 0s, found -1s")
        self.taken(http + "{dialer: {timeout: 1s}}", warning="'dialer' has no effect: a server calls nobody")

    def test_null_leaves_the_default(self):
        self.taken("receivers.otlp.protocols.grpc.endpoint=null")
        self.refused("receivers.otlp.protocols.grpc.endpoint=''", saying="'endpoint' is required and must not be empty")
        self.refused("exporters.otlp_grpc.endpoint=", "service.pipelines.traces.exporters=[otlp_grpc]",
                     saying="'endpoint' is required and must not be empty")

    def test_the_schema_asks_for_nothing_that_has_a_default(self):
        """An editor must not mark what the program takes: 'grpc: {}', 'level: INFO'."""
        code, out, err = lib.run("manual", "--schema")
        self.assertEqual(code, 0, err)
        schema = json.loads(out)

        def at(node, *keys):
            for key in keys:
                some = [a["properties"][key] for a in [node, *node.get("anyOf", [])] if key in a.get("properties", {})]
                self.assertEqual(len(some), 1, key)
                node = some[0]
            return node

        def instance(section, kind):
            patterns = schema["properties"][section]["patternProperties"]
            return next(v for k, v in patterns.items() if re.match(k, kind))
        for node in (at(instance("receivers", "otlp"), "protocols", "grpc"), at(instance("receivers", "otlp"), "protocols", "http"),
                     instance("extensions", "health_check"), instance("extensions", "zpages")):
            self.assertFalse('"endpoint"]' in json.dumps(node))
        self.assertIn('"required": ["endpoint"]', json.dumps(instance("exporters", "otlp_grpc")))
        patterns = [re.compile(a["pattern"]) for a in at(schema, "service", "telemetry", "logs", "level")["anyOf"] if "pattern" in a]
        for word, known in (("INFO", True), ("Info", True), ("info", True), ("inform", False)):
            self.assertEqual(any(p.search(word) for p in patterns), known, word)
        code, out, _ = lib.run("manual", "otlp")
        self.assertNotRegex(out.split("# exporter")[0], "Required")

    def test_names_that_upstream_retired(self):
        for section, of_pipeline, names in (("exporters", "exporters", ("jaeger", "jaeger_thrift", "loki", "opencensus", "sapm", "honeycomb")),
                                            ("receivers", "receivers", ("opencensus", "prometheus_exec")),
                                            ("processors", "processors", ("spanmetrics", "queued_retry", "routing", "k8s_tagger"))):
            for name in names:
                _, found = self.findings(f"{section}.{name}=", f"service.pipelines.traces.{of_pipeline}=[{name}]")
                self.assertEqual(len(found), 1, found)
                self.assertRegex(found[0][1], f"^{section[:-1]} '{name}' is gone: the collector retired ")
                self.assertRegex(found[0][1], r"\b(use|takes|replace[sd]|are keys of|run)\b")

    def test_keys_that_upstream_retired(self):
        self.taken("processors.memory_limiter={check_interval: 1s, limit_mib: 100, ballast_size_mib: 50}",
                   "service.pipelines.traces.processors=[memory_limiter]",
                   warning="'ballast_size_mib' has no effect: the collector retired it, and Leat has no garbage collector: remove it")
        _, found = self.findings("exporters.otlp_grpc={endpoint: 'h:1', insecure: true}",
                                 "service.pipelines.traces.exporters=[otlp_grpc]")
        self.assertEqual(found, [("error", "unknown key 'insecure' in exporters.otlp_grpc", "it belongs under 'tls'")])

    def test_no_warning_for_a_name_that_is_not_old(self):
        self.taken("extensions.healthcheckv2={use_v2: true, http: {endpoint: 'localhost:0'}}", "service.extensions=[healthcheckv2]")
        self.taken("exporters.logging=", "service.pipelines.traces.exporters=[logging]",
                   warning="'logging' is the old name of this exporter: write 'debug'")

    def test_hints_are_near(self):
        _, found = self.findings("receivers.foo=", "service.pipelines.traces.receivers=[foo]")
        self.assertEqual([h for _, _, h in found], [None])
        _, found = self.findings("receivers.otpl=", "service.pipelines.traces.receivers=[otpl]")
        self.assertEqual([h for _, _, h in found], ["did you mean 'otlp'?"])

    def test_a_file_in_utf_16(self):
        path = self.folder() + "/leat.yaml"
        for encoding in ("utf-16-le", "utf-16-be"):
            with open(path, "w", encoding=encoding) as f:
                f.write("\ufeff" + ALL)
            code, out, err = lib.run("validate", "--config", path)
            self.assertEqual(code, lib.EX_CONFIG, out + err)
            self.assertIn("leat.yaml:1:1: error: the text is UTF-16: save it as UTF-8", err)

    def test_the_command_comes_first(self):
        for argv in (("--config", "x", "validate"), ("--seconds", "1", "components")):
            code, _, err = lib.run(*argv)
            self.assertEqual((code, err), (lib.EX_USAGE, f"leat: '{argv[-1]}' is a command: it must be the first word; see 'leat --help'\n"))

    def test_a_file_in_folders_to_be_made(self):
        to = "service.pipelines.traces.exporters=[file]"
        octal = "'directory_permissions' must be permissions in octal, like 0755"
        for wrong in ("rwx", "01000", "-1", "0x1", "8"):
            self.refused(to, f"exporters.file={{path: x, create_directory: true, directory_permissions: '{wrong}'}}", saying=octal)
        self.refused(to, "exporters.file={path: x, directory_permissions: '0700'}",
                     saying="'directory_permissions' needs 'create_directory: true' beside it")
        self.refused(to, "exporters.file={path: x, encoding: otlp_json}",
                     saying="Leat has no encoding extensions: remove 'encoding' and set format to json or proto")
        self.refused(to, "exporters.file={path: x, compression: zstd, compression_params: {level: 99}}",
                     saying="'level' is no level of zstd")
        folder = self.folder()
        start = ["--config", f"yaml:{ALL}", "--seconds", "0.1", "--set", "service.telemetry.metrics.level=none", "--set", to, "--set"]
        file = "exporters.file={path: %s/a/b/c.json%s}"
        code, _, err = lib.run(*start, file % (folder, ""))
        self.assertEqual(code, 1, err)
        code, _, err = lib.run(*start, file % (folder, ", create_directory: true, directory_permissions: '0700'"))
        self.assertEqual(code, 0, err)
        self.assertTrue(os.path.isfile(folder + "/a/b/c.json"))
        self.assertEqual([os.stat(folder + d).st_mode & 0o777 for d in ("/a", "/a/b")], [0o700, 0o700])

    def test_a_file_per_group(self):
        to = "service.pipelines.traces.exporters=[file]"
        file = "exporters.file={path: '%s', group_by: {enabled: true%s}}"
        one = "'path' must have exactly one '*' with group_by: there the value of 'resource_attribute' goes in"
        for path in ("out.json", "out/*/*.json"):
            self.refused(to, file % (path, ""), saying=one)
        self.refused(to, file % ("*.json", ""),
                     saying="'path' must not begin with '*' with group_by: name a folder before it, like ./out/*.json")
        for path in ("..*", "out/..*"):
            self.refused(to, file % (path, ""), saying="'path' must not have '..' right before the '*'")
        self.refused(to, file % ("out/*", ", resource_attribute: ''"), saying="'resource_attribute' must name an attribute")
        code, found = self.findings(to, file % ("out/*", ", max_open_files: 0"))
        self.assertEqual((code, [s for s, _, _ in found]), (lib.EX_CONFIG, ["error"]), found)
        self.assertIn("max_open_files", found[0][1])
        self.taken(to, file % ("out/*", ""))
        self.taken(to, "exporters.file={path: 'out/*', rotation: {}, group_by: {enabled: true}}",
                   warning="'rotation' has no effect with group_by: its files are not rotated")
        self.taken(to, "exporters.file={path: 'out/*'}")

    def test_the_address_of_the_page_is_checked(self):
        for wrong in ("nonsense", "localhost:99999"):
            code, found = self.findings(f"service.telemetry.metrics.address={wrong}")
            self.assertEqual((code, [s for s, _, _ in found]), (lib.EX_CONFIG, ["warning", "error"]))
            self.assertIn(wrong, found[1][1])

    def page(self, reader="", resource="{}"):
        """The metrics page of a program that has just started, {name: [(labels, value)]}."""
        port = lib.free_port()
        metrics = f"{{readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {port}{reader}}}}}}}}}]}}"
        with lib.Leat(ALL, ["--set", f"service.telemetry.metrics={metrics}", "--set", f"service.telemetry.resource={resource}"]) as leat:
            leat.wait_log("ready")
            return lib.metrics(port), lib.get(port, "/metrics").body.decode()

    def test_who_speaks(self):
        found, _ = self.page(resource="{service.name: shop, service.version: null, deployment.environment: test, 1a: b}")
        labels = found["target_info"][0][0]
        self.assertRegex(labels.pop("service_instance_id"), r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
        self.assertEqual(labels, {"service_name": "shop", "deployment_environment": "test", "key_1a": "b"})
        found, _ = self.page(resource="{attributes: [{name: service.instance.id, value: one}]}")
        self.assertEqual(found["target_info"][0][0]["service_instance_id"], "one")
        self.assertEqual(len(found["target_info"]), 1)

    def test_names_of_own_metrics(self):
        plain, _ = self.page()
        for name in ("exporter_sent_spans", "process_uptime", "process_memory_rss", "process_runtime_total_sys_memory_bytes"):
            self.assertIn("otelcol_" + name, plain)
        long, text = self.page(", without_type_suffix: false, without_units: false")
        for name in ("exporter_sent_spans_total", "process_uptime_seconds_total", "process_cpu_seconds_total",
                     "process_memory_rss_bytes", "exporter_queue_size"):
            self.assertIn("otelcol_" + name, long)
        self.assertEqual({n for n in long if n.startswith("leat_")}, {n for n in plain if n.startswith("leat_")})
        self.assertEqual(len(long), len(plain))
        self.assertRegex(text, r"(?m)^# HELP otelcol_exporter_sent_spans_total .*\n# TYPE otelcol_exporter_sent_spans_total counter$")
        self.assertNotRegex(text, r"(?m)^(# \w+ )?otelcol_(exporter_sent_spans|process_uptime)[ {]")


if __name__ == "__main__":
    lib.main()
