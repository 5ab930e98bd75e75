"""Commands and exit codes: 0, 64 for a wrong command line, 78 for a wrong configuration, 1 for a failed start."""
import json
import os
import re

import lib

GOOD = lib.config("nop: {}", "[nop]")


class Commands(lib.Case):
    def write(self, text, name="c.yaml"):
        path = os.path.join(self.folder(), name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def test_usage_errors_are_64(self):
        for args in (["--no-such-option"], ["nosuchcommand"], ["--config"], ["--seconds", "abc"], ["validate", "--output", "xml"]):
            code, out, err = lib.run(*args)
            self.assertEqual(code, lib.EX_USAGE, f"{args}: {out}{err}")
            self.assertTrue(err.strip(), f"{args}: nothing said on standard error")

    def test_help_and_version(self):
        code, out, _ = lib.run("--help")
        self.assertEqual(code, 0)
        for word in ("validate", "components", "print-config", "--config"):
            self.assertIn(word, out)
        code, out, _ = lib.run("--version")
        self.assertEqual(code, 0)
        self.assertRegex(out, r"^leat \d+\.\d+\.\d+")

    def test_validate(self):
        good, bad = self.write(GOOD), self.write(GOOD.replace("nop: {}", "nop: {what: 1}"))
        self.assertEqual(lib.run("validate", "--config", good)[0], 0)
        self.assertEqual(lib.run("validate", f"--config={good}")[0], 0)
        self.assertEqual(lib.run("validate", "--config", f"file:{good}")[0], 0)
        code, out, err = lib.run("validate", "--config", bad)
        self.assertEqual(code, lib.EX_CONFIG, out + err)

    def test_validate_in_json(self):
        bad = self.write(GOOD.replace("nop: {}", "nop: {what: 1}"))
        code, out, err = lib.run("validate", "--output", "json", "--config", bad)
        self.assertEqual(code, lib.EX_CONFIG, err)
        found = json.loads(out)
        self.assertEqual(len(found), 1, out)
        self.assertEqual(found[0]["severity"], "error")
        self.assertEqual((found[0]["line"], found[0]["path"]), (4, "exporters.nop.what"))
        self.assertEqual(found[0]["source"], bad)
        code, out, err = lib.run("validate", "--output", "json", "--config", self.write(GOOD))
        self.assertEqual((code, json.loads(out)), (0, []), err)

    def test_run_with_a_wrong_configuration_is_78(self):
        bad = self.write(GOOD.replace("[nop]", "[nopp]"))
        for args in (["--config", bad], ["run", "--config", bad]):
            code, out, err = lib.run(*args)
            self.assertEqual(code, lib.EX_CONFIG, f"{args}: {out}{err}")
            self.assertIn("nopp", err)

    def test_a_missing_file_is_78_and_named(self):
        code, out, err = lib.run("--config", "/nonexistent/leat.yaml")
        self.assertEqual(code, lib.EX_CONFIG, out + err)
        self.assertIn("/nonexistent/leat.yaml", err)

    def test_a_failed_start_is_1_and_says_why(self):
        with lib.Sink() as taken:  # its port is in use
            text = lib.config("nop: {}", "[nop]",
                              receivers=f"otlp: {{protocols: {{http: {{endpoint: '127.0.0.1:{taken.port}'}}}}}}")
            code, out, err = lib.run("--config", self.write(text))
        self.assertEqual(code, 1, out + err)
        self.assertIn(str(taken.port), err)

    def test_components(self):
        code, out, err = lib.run("components")
        self.assertEqual(code, 0, err)
        for word in ("otlp", "nop", "batch", "memory_limiter", "otlp_grpc", "otlp_http", "debug", "file", "forward",
                     "health_check", "basicauth", "bearertokenauth", "zpages", "pprof"):
            self.assertRegex(out, rf"(?m)\b{word}\b")

    def test_print_config_masks_secrets_and_fills_defaults(self):
        text = lib.config("otlp_http: {endpoint: 'http://127.0.0.1:1', headers: {x-api-key: hush-hush}, timeout: 7s}",
                          "[otlp_http]", extensions="bearertokenauth: {token: very-secret}", extended="[bearertokenauth]")
        path = self.write(text)
        code, out, err = lib.run("print-config", "--config", path)
        self.assertEqual(code, 0, err)
        self.assertIn("[REDACTED]", out)
        self.assertNotIn("very-secret", out)
        self.assertNotIn("hush-hush", out)
        self.assertIn("7s", out)
        code, out, err = lib.run("print-config", "--mode", "unredacted", "--config", path)
        self.assertEqual(code, 0, err)
        self.assertIn("very-secret", out)

    def test_print_config_is_a_configuration_again(self):
        """All but the comments, which say what is a default."""
        def values(text):
            return [line for line in (re.sub(r"(^|\s+)#.*", "", line) for line in text.splitlines()) if line.strip()]
        path = self.write(GOOD)
        code, first, err = lib.run("print-config", "--mode", "unredacted", "--config", path)
        self.assertEqual(code, 0, err)
        again = self.write(first, "again.yaml")
        code, second, err = lib.run("print-config", "--mode", "unredacted", "--config", again)
        self.assertEqual((code, values(second)), (0, values(first)), err)
        self.assertGreater(len(values(first)), 20)

    def test_sources_are_merged_and_set_comes_last(self):
        base = self.write(GOOD.replace("nop: {}", "otlp_http: {endpoint: 'http://127.0.0.1:1', timeout: 1s}")
                          .replace("[nop]", "[otlp_http]"))
        over = self.write("exporters: {otlp_http: {timeout: 2s, compression: zstd}}\n", "over.yaml")
        code, out, err = lib.run("print-config", "--config", base, "--config", over)
        self.assertEqual(code, 0, err)
        self.assertRegex(out, r"timeout: \"?2s")
        self.assertRegex(out, r"compression: \"?zstd")
        code, out, err = lib.run("print-config", "--config", base, "--config", over, "--set",
                                 "exporters.otlp_http.timeout=3s")
        self.assertRegex(out, r"timeout: \"?3s", err)

    def test_environment_and_yaml_sources(self):
        code, out, err = lib.run("validate", "--config", "env:LEAT_E2E", env={"LEAT_E2E": GOOD})
        self.assertEqual(code, 0, out + err)
        code, out, err = lib.run("validate", "--config", self.write(GOOD), "--config",
                                 "yaml:exporters::nop::what: 1")
        self.assertEqual(code, lib.EX_CONFIG, out + err)
        path = self.write(GOOD.replace("nop: {}", "otlp_http: {endpoint: 'http://${env:E2E_HOST:-fallback}:1'}")
                          .replace("[nop]", "[otlp_http]"))
        code, out, err = lib.run("print-config", "--config", path)
        self.assertIn("http://fallback:1", out, err)
        code, out, err = lib.run("print-config", "--config", path, env={"E2E_HOST": "given"})
        self.assertIn("http://given:1", out, err)


if __name__ == "__main__":
    lib.main()
