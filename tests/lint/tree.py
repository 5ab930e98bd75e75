"""The project's source files as every lint sees them."""
import os
import re
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CODE = ("agent/", "proto/", "receivers/", "processors/", "exporters/")

# Folder to room; the longest prefix wins.
ROOMS = {
    "agent/base/": "base",
    "agent/config/": "config",
    "agent/io/": "io",
    "agent/flow/": "flow",
    "agent/ext/": "ext",
    "agent/run/": "run",
    "agent/main.c": "run",
    "proto/": "proto",
    "receivers/": "receivers",
    "processors/": "processors",
    "exporters/": "exporters",
}
COMPONENTS = ("receivers", "processors", "exporters", "ext")


def room_of(path):
    for prefix in sorted(ROOMS, key=len, reverse=True):
        if path.startswith(prefix):
            return ROOMS[prefix]
    return None


def files(*endings, under=None):
    """Tracked and new (not ignored) files below the top, relative, sorted."""
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=TOP, check=True,
                         capture_output=True, text=True).stdout.split("\n")
    return sorted({f for f in out if f and f.endswith(endings)
                   and (under is None or f.startswith(tuple(under)))
                   and os.path.isfile(os.path.join(TOP, f))})


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8", errors="replace") as f:
        return f.read()


_TOKENS = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def without_text(source):
    """C source with comments, strings and characters blanked; lines and columns stay."""
    return _TOKENS.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), source)


def without_comments(source):
    return _TOKENS.sub(lambda m: re.sub(r"[^\n]", " ", m.group())
                       if m.group().startswith("/") else m.group(), source)


def finish(findings, what):
    """Prints the findings and ends the lint: 1 when there are any."""
    for path, line, text in sorted(set(findings)):
        print(f"{path}:{line}: {text}")
    print(f"{what}: {len(set(findings))} found")
    raise SystemExit(1 if findings else 0)
