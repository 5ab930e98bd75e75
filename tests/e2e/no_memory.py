"""The program with tests/preload/fail_alloc.c before its malloc: which allocation fails is said from here, while it runs."""
import mmap
import os
import re
import struct
import subprocess

import lib

BUILD = os.path.dirname(os.path.abspath(lib.LEAT))
PRELOAD = os.path.join(BUILD, "tests", "libleat_fail_alloc.so")
REPORTS = re.compile(r"ERROR: (?:Address|Leak)Sanitizer.*|runtime error: .*|leat: (?:out of memory|.* check failed).*|"
                     r"terminate called.*|.*Assertion .* failed.*")


class Control:
    """The file that program and test share: see struct control in fail_alloc.c."""
    FIELDS = ("armed", "first", "times", "every", "count", "failed")

    def __init__(self, folder):
        self.path = os.path.join(folder, "fail_alloc")
        with open(self.path, "wb") as f:
            f.write(bytes(8 * len(self.FIELDS)))
        with open(self.path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 8 * len(self.FIELDS))

    def get(self, name):
        return struct.unpack_from("<Q", self.map, 8 * self.FIELDS.index(name))[0]

    def set(self, **values):
        for name, value in values.items():
            struct.pack_into("<Q", self.map, 8 * self.FIELDS.index(name), value)

    def arm(self, first=0, times=1, every=0):
        """From now on allocation `first` fails, and `times` - 1 after it, and each `every`-th."""
        self.set(armed=0, first=first, times=times, every=every, count=0, failed=0)
        with open(self.path + ".trace", "wb"):
            pass
        self.set(armed=1)

    def disarm(self):
        """How many allocations there were."""
        self.set(armed=0)
        return self.get("count")

    def where(self):
        """The call stacks of what failed, the program's own frames by function and line."""
        try:
            with open(self.path + ".trace", encoding="utf-8", errors="replace") as f:
                lines = f.read().splitlines()
        except FileNotFoundError:
            return ""
        lines = lines[-60:]
        at = [m.group(1) for line in lines if (m := re.search(rf"^{re.escape(lib.LEAT)}\(\+(0x[0-9a-f]+)\)", line))]
        if not at:
            return "\n".join(lines)
        found = subprocess.run(["addr2line", "-f", "-e", lib.LEAT, *at], capture_output=True, text=True, check=False).stdout.splitlines()
        names = iter([f"  {name} {os.path.relpath(place, lib.TOP) if place[0] == '/' else place}"
                      for name, place in zip(found[::2], found[1::2])])
        return "\n".join(next(names, line) if line.startswith(lib.LEAT) else f"  {line}" for line in lines)


class Program(lib.Leat):
    """The program with its allocations under control. Ended by end(), which says what is wrong instead of raising."""

    def __init__(self, config, folder, control, args=()):
        self.control = control
        asan = ":".join(filter(None, [os.environ.get("ASAN_OPTIONS", "detect_leaks=1:allocator_may_return_null=1"),
                                      "verify_asan_link_order=0"]))
        lsan = f"suppressions={os.path.join(lib.TOP, 'tests', 'preload', 'lsan.supp')}:print_suppressions=0"
        super().__init__(config, args, {"LD_PRELOAD": PRELOAD, "LEAT_FAIL_ALLOC": control.path, "ASAN_OPTIONS": asan,
                                        "LSAN_OPTIONS": lsan}, folder)

    def reports(self):
        """What a sanitizer or the program's own checks have said."""
        found = REPORTS.search(self.log())
        return found and self.log()[found.start():][:6000]

    def end(self, number=lib.signals.SIGTERM):
        """Stops it; None, or what was wrong: its exit code, a crash, a leak."""
        if self.running() and number:
            self.signal(number)
        try:
            code = self.wait()
        except AssertionError as e:
            return f"{e}\n{self.log()[-3000:]}"
        said = self.reports()
        if code != 0 or said:
            return f"ended with {code}:\n{said or self.log()[-3000:]}"
        return None
