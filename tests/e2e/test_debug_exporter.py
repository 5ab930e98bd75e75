"""The debug exporter: what each verbosity shows, and where."""
import os

import lib
import otlp


class Debug(lib.Case):
    def leat(self, settings, signals=otlp.SIGNALS):
        return lib.Leat(lib.config(f"debug: {{{settings}}}", "[debug]", kinds=signals))

    def test_basic_counts(self):
        with self.leat("verbosity: basic") as leat:
            port = leat.port("otlp", "http")
            for s, n in zip(otlp.SIGNALS, (3, 4, 5)):
                lib.send(port, s, [f"hidden{i}" for i in range(n)])
            for pattern in (r"\tdebug\t.*traces.*3", r"\tdebug\t.*metrics.*4", r"\tdebug\t.*logs.*5"):
                leat.wait_log(r"(?i)" + pattern)
            self.assertNotIn("hidden", leat.log())

    def test_normal_is_one_line_per_record(self):
        with self.leat("verbosity: normal, use_internal_logger: false") as leat:
            port = leat.port("otlp", "http")
            for s in otlp.SIGNALS:
                lib.send(port, s, [f"{s}-a", f"{s}-b"])
            for s in otlp.SIGNALS:
                for word in (f"{s}-a", f"{s}-b"):
                    leat.wait_log(rf"^.*{word}")
            for s in otlp.SIGNALS:
                lines = [line for line in leat.log().splitlines() if f"{s}-a" in line]
                self.assertEqual(len(lines), 1)
                self.assertNotIn(f"{s}-b", lines[0])

    def test_detailed_shows_every_field(self):
        with self.leat("verbosity: detailed, use_internal_logger: false") as leat:
            port = leat.port("otlp", "http")
            for s in otlp.SIGNALS:
                lib.send(port, s, [f"{s}-name"])
            for s in otlp.SIGNALS:
                leat.wait_log(f"{s}-name")
            text = leat.log()
            for word in ("service.name", "e2e", "e2e.scope", otlp.trace_id("traces-name"), otlp.trace_id("traces-name")[:16],
                         "INFO", "1.5"):
                self.assertIn(word, text)

    def test_output_paths(self):
        path = os.path.join(self.folder(), "out.txt")
        with self.leat(f"verbosity: detailed, use_internal_logger: false, output_paths: ['{path}']") as leat:
            lib.send(leat.port("otlp", "http"), "logs", ["into-a-file"])
        with open(path, encoding="utf-8") as f:
            self.assertIn("into-a-file", f.read())
        self.assertNotIn("into-a-file", leat.text)

    def test_text_of_a_peer_cannot_forge_lines_or_steer_a_terminal(self):
        for settings in ("verbosity: detailed", "verbosity: normal", "verbosity: detailed, use_internal_logger: false"):
            with self.leat(settings) as leat:
                lib.send(leat.port("otlp", "http"), "logs", ["evil\n2026\x1b[31m\x07end"])
                leat.wait_log(r"end")
                self.assertNotIn("\x1b", leat.log())
                self.assertNotIn("\x07", leat.log())
                self.assertNotRegex(leat.log(), r"(?m)^2026\b(?!-)")


if __name__ == "__main__":
    lib.main()
