"""The results as Markdown and JSON, with versions, configurations and what must be shown."""
import json
import os
import platform
import statistics

import scenarios

CODEC = "the codec calls alone"  # a row beside the systems

MARK = {True: "yes", False: "**no**"}


def machine():
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as f:
        for line in f:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return f"{os.cpu_count()} × {model}, Linux {platform.release().split('-')[0]}"


def ratio_text(r):
    return f"{r['median']:.2f} ({r['low']:.2f}–{r['high']:.2f}, {r['n']}{'' if r['clean'] else ', disturbed'})"


def verdicts(scenario, result):
    """(claim, shown, kept) for every must of this scenario."""
    found, rows = [], result["rows"]
    leat = rows.get(scenario.systems[0])
    if leat is None:
        return found
    for peer, most in scenario.musts:
        if peer in result["ratios"]:
            r = result["ratios"][peer]
            found.append((f"CPU ≤ {most:.3g} × {peer}", ratio_text(r), r["median"] <= most))
    if scenario.codec and CODEC in result["ratios"]:
        r = result["ratios"][CODEC]
        found.append((f"CPU ≤ {scenario.codec[1]} × {CODEC}", ratio_text(r), r["median"] <= scenario.codec[1]))
    if scenario.bytes_of:
        what, most = scenario.bytes_of
        base = result["codec"]["zlib1"] if what == "zlib1" else rows.get(what, {}).get("bytes_item")
        if base:
            r = leat["bytes_item"] / base
            found.append((f"bytes ≤ {most} × {'zlib -1' if what == 'zlib1' else what}", f"{r:.3f}", r <= most))
    if scenario.least:
        rate = 1e3 / leat["ns_item"]
        found.append((f"≥ {scenario.least} M items per CPU second", f"{rate:.2f}", rate >= scenario.least))
    if scenario.kind == "latency":
        if "relay" in result["ratios"]:
            r = result["ratios"]["relay"]
            found.append((f"p50 ≤ {scenario.extra['p50']} × relay", ratio_text(r),
                          r["median"] <= scenario.extra["p50"]))
        found.append((f"p99 ≤ {scenario.extra['p99_us']} µs", f"{leat['p99_us']:.0f}",
                      leat["p99_us"] <= scenario.extra["p99_us"]))
    if scenario.kind == "memory":
        for key, what in (("idle", "idle"), ("busy", "at 100,000 logs/s")):
            found.append((f"{what} ≤ {scenario.extra[key]} MiB", f"{leat[key]:.1f}", leat[key] <= scenario.extra[key]))
    return found


def cpu_table(scenario, result):
    first = scenario.systems[0]
    lines = [f"| system | CPU µs per 1000 items | M items per CPU second | {first} ÷ it | bytes out per item | "
             "errors | RSS MiB | clean rounds |", "|---|---|---|---|---|---|---|---|"]
    for name, row in result["rows"].items():
        r = result["ratios"].get(name)
        lines.append(f"| {name} | {row['ns_item']:.0f} | {1e3 / row['ns_item']:.2f} | {ratio_text(r) if r else ''} | "
                     f"{row['bytes_item']:.1f} | {row['errors']} | {row['rss']:.1f} | {row['clean']}/{row['rounds']} |")
    if CODEC in result["ratios"]:
        ns = statistics.median(m["ns_item"] for one in result["raw"] for m in one[CODEC])
        lines.append(f"| {CODEC} | {ns:.0f} | {1e3 / ns:.2f} | {ratio_text(result['ratios'][CODEC])} | "
                     f"{result['codec']['bytes_item']:.1f} | | | |")
    return lines


def latency_table(scenario, result):
    lines = [f"| system | p50 µs | p99 µs | p99.9 µs | p50: {scenario.systems[0]} ÷ it | clean rounds |",
             "|---|---|---|---|---|---|"]
    for name, row in result["rows"].items():
        r = result["ratios"].get(name)
        lines.append(f"| {name} | {row['p50_us']:.0f} | {row['p99_us']:.0f} | {row['p999_us']:.0f} | "
                     f"{ratio_text(r) if r else ''} | {row['clean']}/{row['rounds']} |")
    return lines


def memory_table(result):
    lines = ["| system | idle MiB | busy MiB | peak MiB | items/s | errors |", "|---|---|---|---|---|---|"]
    for name, row in result["rows"].items():
        lines.append(f"| {name} | {row['idle']:.1f} | {row['busy']:.1f} | {row['peak']:.1f} | {row['items_s']:.0f} | "
                     f"{row['errors']} |")
    return lines


def proof_table(result):
    lines = ["| way | items | requests out | result |", "|---|---|---|---|"]
    for p in result:
        good = "none lost, none twice" + (", same bytes" if p["same_bytes"] else "")
        lines.append(f"| {p['what']} | {p['items']} | {p['requests_out']} | {'; '.join(p['wrong']) or good} |")
    return lines


def summary(results):
    lines = ["| scenario | must | shown | kept |", "|---|---|---|---|"]
    for name, result in results.items():
        if name == "proof":
            bad = sum(not p["ok"] for p in result)
            lines.append(f"| proof | nothing lost, doubled or changed | {len(result) - bad} of {len(result)} ways | "
                         f"{MARK[bad == 0]} |")
            continue
        scenario = scenarios.BY_NAME[name]
        for claim, shown, ok in verdicts(scenario, result):
            lines.append(f"| {scenario.what} | {claim} | {shown} | {MARK[ok]} |")
    return lines


def text(results, known, args):
    lines = ["# Results", "", f"{machine()}. {args.rounds} rounds (ABBA), {args.seconds:g} s a measurement; ratios are "
             "the median over rounds (lowest–highest, rounds).", ""]
    lines += summary(results)
    for name, result in results.items():
        scenario = scenarios.BY_NAME.get(name)
        lines += ["", f"## {name}", ""]
        if scenario is None:
            lines += proof_table(result)
            continue
        lines += [f"{scenario.what}; {scenario.connections} connections"
                  + (f" × {scenario.streams} streams" if scenario.protocol == "grpc" else "")
                  + f"; payload {scenario.file}.", ""]
        lines += {"cpu": lambda: cpu_table(scenario, result), "latency": lambda: latency_table(scenario, result),
                  "memory": lambda: memory_table(result)}[scenario.kind]()
        why = sorted({f"{n}: {', '.join(r['why'])}" for n, r in result["rows"].items() if r.get("why")})
        if why:
            lines += ["", "Disturbed: " + "; ".join(why) + "."]
    lines += ["", "## Systems", "", "| system | version | configuration |", "|---|---|---|"]
    used = {n for name, r in results.items() if name != "proof" for n in r["rows"]} | {"leat"}
    for name, system in known.items():
        if name in used and system.available():
            config = f"[{system.config}](peers/{system.config})" if system.config else "command line"
            lines.append(f"| {name} | {system.version()} | {config}: {system.note} |")
    return "\n".join(lines) + "\n"


def write(results, known, args, folder):
    with open(os.path.join(folder, "results.md"), "w", encoding="utf-8") as f:
        f.write(text(results, known, args))
    with open(os.path.join(folder, "results.json"), "w", encoding="utf-8") as f:
        json.dump(results, f, indent=1)
