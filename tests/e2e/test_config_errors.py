"""Mistakes in a configuration: all of them in one run, each at its line and column with the line and a caret.

The expected texts are golden/*.txt; LEAT_UPDATE=1 writes them anew (read the difference before you keep it). What a text
must hold whatever its wording is checked apart: the place is right, the caret stands under the word, nothing is missing.
"""
import json
import os
import re
import unicodedata

import lib

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden")


def columns(text):
    """How many terminal cells a text takes."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def from_column(text, cells):
    """What stands from that many terminal cells on."""
    at = 0
    while at < len(text) and columns(text[:at]) < cells:
        at += 1
    return text[at:].strip()


class ConfigErrors(lib.Case):
    def validate(self, name, *args):
        return lib.run("validate", *args, "--config", f"{name}.yaml", cwd=GOLDEN)

    def golden(self, name, code):
        found, out, err = self.validate(name)
        self.assertEqual(found, code, out + err)
        path = os.path.join(GOLDEN, f"{name}.txt")
        if os.environ.get("LEAT_UPDATE"):
            with open(path, "w", encoding="utf-8") as f:
                f.write(out + err)
        with open(path, encoding="utf-8") as f:
            self.assertEqual(out + err, f.read())
        self.carets(name, out + err)
        return out + err

    def carets(self, name, text):
        """Under each place its own line, under that a caret in the column that was said."""
        with open(os.path.join(GOLDEN, f"{name}.yaml"), encoding="utf-8") as f:
            source = f.read().splitlines()
        lines = text.splitlines()
        places = 0
        for i, line in enumerate(lines):
            m = re.match(rf"{name}\.yaml:(\d+):(\d+): (error|warning): ", line)
            if not m:
                continue
            places += 1
            number, column = int(m[1]), int(m[2])
            excerpt, caret = lines[i + 1], lines[i + 2]
            self.assertRegex(caret, r"^[\s|]*\^~*$", line)
            place = source[number - 1][column - 1:].expandtabs(4)
            self.assertEqual(from_column(excerpt, caret.index("^"))[:12].strip("…"), place.strip()[:12], f"{excerpt}\n{caret}")
        self.assertGreater(places, 0, text)

    def test_all_mistakes_in_one_run(self):
        text = self.golden("mistakes", lib.EX_CONFIG)
        for where in ("5:9", "6:32", "11:14", "12:22", "15:15", "16:18", "17:82", "18:22", "24:30", "26:53", "26:84", "27:15", "28:5", "29:3"):
            self.assertIn(f"mistakes.yaml:{where}: error:", text)
        self.assertEqual(text.count(": error:"), 14)
        for hint in ("endpoint", "health_check", "logs", "telemetry"):
            self.assertRegex(text, rf"did you mean '{hint}'")

    def test_json_says_the_same(self):
        code, out, err = self.validate("mistakes", "--output", "json")
        self.assertEqual(code, lib.EX_CONFIG)
        found = json.loads(out)
        _, text_out, text_err = self.validate("mistakes")
        places = re.findall(r"mistakes\.yaml:(\d+):(\d+): (error|warning): ", text_out + text_err)
        self.assertEqual([(str(d["line"]), str(d["column"]), d["severity"]) for d in found], places)
        for d in found:
            self.assertEqual(set(d), {"severity", "source", "line", "column", "path", "message", "hint"})

    def test_syntax(self):
        self.golden("syntax", lib.EX_CONFIG)

    def test_a_tab(self):
        text = self.golden("tab", lib.EX_CONFIG)
        self.assertIn("tab.yaml:4:", text)
        self.assertRegex(text, r"(?i)\btab")

    def test_wide_characters(self):
        self.golden("wide", lib.EX_CONFIG)

    def test_warnings_do_not_stop_it(self):
        text = self.golden("warnings", 0)
        for word in ("otlp_http", "otlp_grpc", "garbage collector"):
            self.assertIn(word, text)

    def test_run_says_the_same_and_starts_nothing(self):
        _, out, err = self.validate("mistakes")
        code, run_out, run_err = lib.run("--config", "mistakes.yaml", cwd=GOLDEN)
        self.assertEqual(code, lib.EX_CONFIG)
        self.assertEqual(run_err, err)
        self.assertEqual(run_out, "")

    def test_hostile_files_end_in_a_sentence(self):
        d = self.folder()
        texts = {"empty": "", "nul": "a: \0b\n", "binary": "\udc80\udcff" * 20, "deep": "[" * 100_000, "alias": "a: &a [*a, *a]\n",
                 "laughs": "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
                     f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 10)}]\n" for i in range(9)),
                 "list": "- a\n- b\n", "long": "a: " + "x" * 1_000_000 + "\n", "twice": "receivers: {}\nreceivers: {}\n"}
        for name, text in texts.items():
            path = os.path.join(d, name + ".yaml")
            with open(path, "wb") as f:
                f.write(text.encode("utf-8", "surrogateescape"))
            code, out, err = lib.run("validate", "--config", path)
            self.assertEqual(code, lib.EX_CONFIG, f"{name}: {out[:500]}{err[:500]}")
            self.assertTrue((out + err).strip(), name)
            self.assertLess(len(out + err), 100_000, name)


if __name__ == "__main__":
    lib.main()
