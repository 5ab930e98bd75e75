"""Functions and headers that have one place in the program, or none."""
import re

import tree

ALLOC = {"agent/base/mem.c", "agent/base/mem.h"}
CLOCK = {"agent/base/clock.c"}
ATOMICS = {"agent/base/buf", "agent/base/budget", "agent/base/meter", "agent/base/log",
           "agent/base/clock", "agent/io/mailbox"}


def nowhere(_path):
    return False


def stem(path):
    return path.rsplit(".", 1)[0]


# (pattern, who may, why not)
RULES = [
    (r"\b(strcpy|strcat|stpcpy|sprintf|vsprintf|gets|strtok)\s*\(", nowhere,
     "writes without a bound or keeps hidden state"),
    (r"\b(atoi|atol|atoll|atof)\s*\(", nowhere, "hides what is no number"),
    (r"\balloca\s*\(", nowhere, "takes stack without a bound"),
    (r"\b(malloc|calloc|realloc|reallocarray|free|strdup|strndup|asprintf|vasprintf|"
     r"posix_memalign|aligned_alloc)\s*\(", lambda p: p in ALLOC,
     "memory comes from base/mem.h"),
    (r"(?<![\w.>])(time|gettimeofday|clock_gettime|clock|ftime)\s*\(", lambda p: p in CLOCK,
     "time comes from base/clock.h"),
    (r"\buv_\w+", lambda p: tree.room_of(p) in ("io", "run"), "libuv is for io and run"),
    (r"<stdatomic\.h>|\b_Atomic\b|\batomic_\w+\s*\(|__(sync|atomic)_\w+", lambda p: stem(p) in ATOMICS,
     "atomics only in base/buf, budget, meter, log, clock and io/mailbox"),
    (r"\b(gmtime|localtime|asctime|ctime|strerror_r|rand|srand|random|drand48|setenv|putenv|"
     r"inet_ntoa|gethostbyname|system|popen|tmpnam|mktemp)\s*\(", nowhere,
     "not safe beside other threads, or worse"),
    (r"\b(abort|_exit|quick_exit)\s*\(", lambda p: tree.room_of(p) in ("base", "run"),
     "the program ends in base/check.c or in run"),
]
GOTO = re.compile(r"\bgoto\s+(\w+)\s*;")


def backward_gotos(path, source):
    found = []
    for m in GOTO.finditer(source):
        label = re.compile(r"^[ \t]*" + m.group(1) + r":(?!:)", re.M)
        if not label.search(source, m.end()):
            found.append((path, source.count("\n", 0, m.start()) + 1,
                          f"goto {m.group(1)} jumps backward"))
    return found


def main():
    findings, sources = [], tree.files(".c", ".h", under=tree.CODE)
    for path in sources:
        source = tree.without_text(tree.read(path))
        for pattern, may, why in RULES:
            if may(path):
                continue
            for m in re.finditer(pattern, source):
                line = source.count("\n", 0, m.start()) + 1
                findings.append((path, line, f"{m.group().rstrip('( ')}: {why}"))
        findings += backward_gotos(path, source)
    flags = tree.read("CMakeLists.txt")
    for flag in ("-Wvla", "-Wall", "-Wextra", "-Werror"):
        if flag not in flags:
            findings.append(("CMakeLists.txt", 1, f"{flag} is gone"))
    tree.finish(findings, f"banned ({len(sources)} files)")


main()
