"""The overload rows as Markdown: every must with what was shown, per system, and the configurations."""
import os
import sys

import report

MARK = {True: "yes", False: "**no**", None: "invalid"}


def say(row, name, result):
    print(f"{row.name}, {name}:", file=sys.stderr)
    for claim, shown, ok in result["verdicts"]:
        print(f"  {MARK[ok]:8} {claim}: {shown}", file=sys.stderr)
    if result["failed"]:
        print(f"  failed: {result['failed']}", file=sys.stderr, flush=True)


def cpu_share(m):
    if "sink_cpu_ns" not in m:
        return ""
    return f"{m['own_cpu_ns'] / m['wall_ns']:.0%} + {m['sink_cpu_ns'] / m['span_ns']:.0%}"


def number_lines(result):
    """One line per phase: what was offered, what became of it, and the tools' own share of their core."""
    lines = []
    for phase in ("peak", "2x", "4x", "stop"):
        m = result["numbers"].get(phase)
        if m is None:
            continue
        seconds = m["wall_ns"] / 1e9
        lines.append(f"| {phase} | {(m['sent'] + m['unsent']) / seconds:.0f} | {m['unsent'] / seconds:.0f} | "
                     f"{m['acks'] / seconds:.0f} | {m['errors'] / seconds:.0f} | {m['p99_ns'] / 1e6:.1f} | "
                     f"{m['refusal_p50_ns'] / 1e6:.2f} / {m['refusal_p99_ns'] / 1e6:.2f} / {m['refusal_max_ns'] / 1e6:.2f} | "
                     f"{m.get('rss', 0):.1f} / {m.get('high') or 0:.1f} | {1e3 * m.get('longest', 0):.0f} | "
                     f"{m['cpu_ns'] / m['wall_ns']:.0%} | {cpu_share(m)} |")
    return lines


def text(results, rows, known, args):
    lines = ["# Overload", "", f"{report.machine()}. {args.seconds:g} s each, budget {args.budget} MiB. The system on core 0, "
             "load and sink on core 1.", "", "| row | system | must | shown | kept |", "|---|---|---|---|---|"]
    for name, by_system in results.items():
        for system, result in by_system.items():
            for claim, shown, ok in result["verdicts"]:
                lines.append(f"| {name} | {system} | {claim} | {shown} | {MARK[ok]} |")
            if result["failed"]:
                lines.append(f"| {name} | {system} | the run | {result['failed'].splitlines()[0]} | **no** |")
    for name, by_system in results.items():
        lines += ["", f"## {name}", "", f"{rows[name].what}. sending_queue {rows[name].queue}, retry {rows[name].retry}.", ""]
        for system, result in by_system.items():
            numbers = number_lines(result)
            if numbers:
                lines += [f"{system}:", "", "| phase | offered/s | not sent/s | acknowledged/s | refused/s | ack p99 ms, from due | "
                          "refusal p50 / p99 / max ms | RSS peak sampled / VmHWM MiB | longest gap between samples ms | "
                          "CPU of the system | CPU of load + sink |", "|---|---|---|---|---|---|---|---|---|---|---|", *numbers, ""]
            rates = result["numbers"].get("rates")
            if rates:
                for phase, words in (("well", "all well"), ("ill", "the third stopped")):
                    lines.append(f"{system}, {words}: " + ", ".join(f"{r:.0f}" for r in rates[phase]) + " requests/s arrive")
            lines += [f"{system}: {n}." for n in result["numbers"].get("notes", [])]
    lines += ["", "## Systems", "", "| system | version |", "|---|---|"]
    for system in {s: None for r in results.values() for s in r}:
        lines.append(f"| {system} | {known[system].version()} |")
    return "\n".join(lines) + "\n"


def write(results, rows, known, args):
    with open(os.path.join(args.out, "overload.md"), "w", encoding="utf-8") as f:
        f.write(text(results, rows, known, args))
