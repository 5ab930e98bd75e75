"""Words that mark something unfinished, and paths of one machine, stay out of the tree."""
import re

import tree

# Put together from pieces, so that this file does not find itself.
MARKS = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]) + r")\b")
MACHINE = re.compile(r"(?<![\w.~$}/-])/(" + "|".join(["wo" + "rk", "ro" + "ot", "fa" + "rm", "ho" + "me"])
                     + r")/\w")


def main():
    findings, count = [], 0
    for path in tree.files(""):
        try:
            with open(f"{tree.TOP}/{path}", encoding="utf-8") as f:
                text = f.read()
        except UnicodeDecodeError:
            continue
        count += 1
        for number, line in enumerate(text.split("\n"), 1):
            for m in MARKS.finditer(line):
                findings.append((path, number, f"{m.group()}: finish it or say it in words"))
            for m in MACHINE.finditer(line):
                findings.append((path, number, f"{m.group()}…: a path of one machine"))
            if line.endswith((" ", "\t")) and path.endswith((".c", ".h", ".py", ".sh", ".yaml")):
                findings.append((path, number, "blank at the end of the line"))
        if text and not text.endswith("\n"):
            findings.append((path, text.count("\n") + 1, "no newline at the end of the file"))
    tree.finish(findings, f"words ({count} files)")


main()
