"""Functions and files stay small: no function over 120 lines, 99 % under 80, no file over 600."""
import json
import subprocess

import tree

FUNCTION_MAX = 120
FUNCTION_P99 = 80
FILE_MAX = 600
# Pure tables: long because the subject is long.
TABLES = {}


def functions():
    """(lines, path, line, name) of every function of the program, shortest first."""
    sources = tree.files(".c", ".h", under=tree.CODE)
    out = subprocess.run(
        ["ctags", "--c-kinds=f", "--kinds-C=f", "--fields=+ne", "--output-format=json",
         "--language-force=C", "-L", "-"], cwd=tree.TOP, input="\n".join(sources),
        capture_output=True, text=True, check=True).stdout
    tags = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    return sorted((t["end"] - t["line"] + 1, t["path"], t["line"], t["name"])
                  for t in tags if t.get("_type") == "tag" and "end" in t)


def main():
    findings = []
    sizes = functions()
    if not sizes:
        findings.append((".", 0, "ctags found no function at all"))
        tree.finish(findings, "sizes")
    for lines, path, at, name in sizes:
        if lines > FUNCTION_MAX:
            findings.append((path, at, f"{name} has {lines} lines, at most {FUNCTION_MAX}"))
    p99 = sizes[int(len(sizes) * 0.99) - 1 if len(sizes) > 99 else -1]
    if p99[0] >= FUNCTION_P99:
        over = [s for s in sizes if s[0] >= FUNCTION_P99]
        findings += [(p, at, f"{name} has {n} lines: more than 1 % of all functions have "
                      f"{FUNCTION_P99} or more") for n, p, at, name in over]
    for path in tree.files(".c", ".h", under=tree.CODE + ("tests/",)):
        lines = tree.read(path).count("\n")
        if lines > TABLES.get(path, FILE_MAX):
            findings.append((path, lines, f"{lines} lines, at most {FILE_MAX}: split it by noun"))
    print(f"{len(sizes)} functions: median {sizes[len(sizes) // 2][0]} lines, "
          f"99th percentile {p99[0]}, longest {sizes[-1][0]} ({sizes[-1][3]})")
    tree.finish(findings, "sizes")


main()
