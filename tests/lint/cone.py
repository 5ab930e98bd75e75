"""A component sees at most 12 project headers, counted with all that those include in turn.

The headers of agent/base are not counted: they are the words everything is written in (bytes, errors, lists), as
libc's are. Their number is printed all the same."""
import os
import subprocess
import sys

import tree

CONE_MAX = 12


def cone(path, generated):
    """Project headers behind a source file, relative to the top."""
    out = subprocess.run(
        ["gcc", "-MM", "-D_GNU_SOURCE", '-DLEAT_VERSION="0"', "-Iagent", "-I.", "-I", generated,
         "-I", os.path.join(generated, "proto"), path],
        cwd=tree.TOP, capture_output=True, text=True)
    if out.returncode != 0:
        raise SystemExit(out.stderr)
    names = {os.path.relpath(os.path.join(tree.TOP, w), tree.TOP)
             for w in out.stdout.replace("\\\n", " ").split() if w.endswith(".h")}
    return sorted(n for n in names if tree.room_of(n))


def main():
    generated = os.path.join(os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build"),
                             "generated")
    findings, seen = [], 0
    for path in tree.files(".c", under=tree.CODE):
        if tree.room_of(path) not in tree.COMPONENTS:
            continue
        seen += 1
        headers = cone(path, generated)
        outside = [h for h in headers if tree.room_of(h) != "base"]
        print(f"{path}: {len(headers)} headers, {len(outside)} of them outside base")
        if len(outside) > CONE_MAX:
            findings.append((path, 1, f"sees {len(outside)} project headers, at most {CONE_MAX}"))
    tree.finish(findings, f"cone ({seen} components)")


main()
