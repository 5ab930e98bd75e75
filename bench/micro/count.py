"""Counts the instructions of the micro benchmarks under callgrind and holds them against the stored budget.

python3 bench/micro/count.py BUILD [--store] [case…]: exit 1 when a case needs more than 1 % over its budget. Below it is
only said, so that a gain can be stored: --store writes what was counted. Counts depend on the compiler and the
libraries: the budget belongs to the versions it names; with others the comparison is shown, but nothing fails.
"""
import concurrent.futures
import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
BUDGET = os.path.join(HERE, "budget.json")
TOLERANCE = 0.01


def output(*command):
    out = subprocess.run(command, capture_output=True, text=True, check=False)
    return (out.stdout + out.stderr).strip()


def toolchain(build):
    """What the counts depend on: compiler and flags, valgrind, the libraries inside the counted path."""
    with open(os.path.join(build, "CMakeCache.txt"), encoding="utf-8") as f:
        cache = dict(re.findall(r"^(\w+):\w+=(.*)$", f.read(), re.M))
    libraries = [output("pkg-config", "--modversion", name)
                 for name in ("libnghttp2", "libuv", "zlib", "libisal", "libzstd", "snappy")]
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as f:
        avx2 = " avx2" if re.search(r"\bavx2\b", f.read()) else ""
    return {"compiler": output(cache["CMAKE_C_COMPILER"], "--version").split("\n")[0].split(" ", 1)[1],
            "build": cache.get("CMAKE_BUILD_TYPE", ""), "valgrind": output("valgrind", "--version"),
            "libc": output("getconf", "GNU_LIBC_VERSION"), "machine": os.uname().machine + avx2,
            "libraries": " ".join(libraries)}


def count(program, bodies, case):
    with tempfile.TemporaryDirectory() as folder:
        out = subprocess.run(
            ["valgrind", "--tool=callgrind", "--toggle-collect=work", f"--callgrind-out-file={folder}/out",
             program, case, bodies], capture_output=True, text=True, check=False, timeout=300)
        found = re.search(r"Collected : (\d+)", out.stderr)
        if out.returncode != 0 or found is None:
            raise RuntimeError(f"{case}: {out.stderr[-600:]}")
        return int(found.group(1))


def count_all(program, bodies, cases):
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(cases, pool.map(lambda c: count(program, bodies, c), cases)))


def compare(counted, budget, binding):
    """Prints a line per case; the number of cases over budget."""
    over = 0
    for case, n in counted.items():
        stored = budget.get(case)
        if stored is None:
            print(f"{case:20} {n:12,}  has no budget: store one with --store")
            over += binding
            continue
        change = n / stored - 1
        word = "" if abs(change) <= TOLERANCE else "  OVER BUDGET" if change > 0 else "  less: store it"
        over += change > TOLERANCE and binding
        print(f"{case:20} {n:12,}  {100 * change:+7.2f} %{word}")
    return over


def main():
    names = [a for a in sys.argv[1:] if not a.startswith("--")]
    if not names:
        print(__doc__, file=sys.stderr)
        return 64
    build = names[0]
    program = os.path.join(build, "bench", "micro", "count")
    bodies = os.path.join(build, "bench", "bodies")
    os.makedirs(bodies, exist_ok=True)
    subprocess.run([os.path.join(build, "bench", "payloads"), bodies], check=True, stdout=subprocess.DEVNULL)
    known = [line.split()[0] for line in output(program).split("\n")]
    counted = count_all(program, bodies, names[1:] or known)
    stored = {"toolchain": {}, "instructions": {}}
    if os.path.exists(BUDGET):
        with open(BUDGET, encoding="utf-8") as f:
            stored = json.load(f)
    here = toolchain(build)
    if "--store" in sys.argv:
        counts = {**stored["instructions"], **counted}
        with open(BUDGET, "w", encoding="utf-8") as f:
            json.dump({"toolchain": here, "instructions": {c: counts[c] for c in known if c in counts}}, f, indent=2)
            f.write("\n")
    binding = here == stored["toolchain"]
    over = compare(counted, stored["instructions"], binding)
    if not binding and "--store" not in sys.argv:
        print("the budget was stored with another toolchain, nothing can fail here:\n"
              f"  stored {stored['toolchain']}\n  here   {here}")
    print(f"{len(counted)} counted, {over} over budget")
    return 1 if over and "--store" not in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
