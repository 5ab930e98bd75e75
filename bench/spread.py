"""How connections spread over workers: python3 bench/spread.py [--trials 50] [--workers 4] [--seconds 3] [--json FILE]

Opens 8, 16 and 64 gRPC connections and finds out which worker has each: it is asked for five PINGs, and the thread
that ran is the one. Then the load generator keeps 8 connections busy, and the CPU time of each worker is read from
the scheduler. "fullest" is the worker with the most: connections (or CPU time) there, divided by the mean.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

import idle

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("LEAT_BUILD", os.path.join(os.path.dirname(HERE), "build"))
CONNECTIONS = (8, 16, 64)
PINGS = 5
CONFIG = """
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:0"}}}}}}}}
exporters: {{otlp_grpc: {{endpoint: "127.0.0.1:{sink}", tls: {{insecure: true}}, compression: none, sending_queue: {{enabled: false}}}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{logs: {{receivers: [otlp], exporters: [otlp_grpc]}}}}
leat: {{workers: {workers}}}
"""


class Program:
    """The program under its own log, with its worker threads."""
    def __init__(self, folder, workers, sink):
        self.log = os.path.join(folder, "log")
        path = os.path.join(folder, "leat.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(CONFIG.format(workers=workers, sink=sink))
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen([os.environ.get("LEAT", os.path.join(BUILD, "leat")), "--config", path],
                                            stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        self.port = self.wait_port()
        self.tasks = worker_tasks(self.process.pid)

    def wait_port(self):
        end = time.monotonic() + 20
        while time.monotonic() < end and self.process.poll() is None:
            with open(self.log, encoding="utf-8", errors="replace") as f:
                m = re.search(r"listening on 127\.0\.0\.1:(\d+)", f.read())
            if m:
                return int(m.group(1))
            time.sleep(0.05)
        raise SystemExit(f"the program did not start; see {self.log}")

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


def worker_tasks(pid):
    """The threads that are workers, by name: leat-0, leat-1, …"""
    found = {}
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/comm", encoding="ascii") as f:
            m = re.fullmatch(r"leat-(\d+)\n", f.read())
        if m:
            found[int(m.group(1))] = f"/proc/{pid}/task/{task}/schedstat"
    return [found[i] for i in sorted(found)]


def run_times(tasks):
    times = []
    for path in tasks:
        with open(path, encoding="ascii") as f:
            times.append(int(f.read().split()[0]))
    return times


def worker_of(connection, tasks):
    """Which of the threads answers on this HTTP/2 connection."""
    before = run_times(tasks)
    for _ in range(PINGS):
        connection.ping()
    spent = [b - a for a, b in zip(before, run_times(tasks))]
    return spent.index(max(spent))


def spread(port, tasks, count):
    """Connections per worker, of `count` that are opened now and closed again."""
    connections = [idle.Grpc(idle.connect(port)) for _ in range(count)]
    found = [0] * len(tasks)
    for c in connections:
        c.ping()  # its first frames are done
    for c in connections:
        found[worker_of(c, tasks)] += 1
    for c in connections:
        c.sock.close()
    return found


def fullest(values):
    return max(values) * len(values) / sum(values)


def load(program, seconds):
    """CPU time per worker under 8 busy connections."""
    before = run_times(program.tasks)
    subprocess.run([os.path.join(BUILD, "bench", "load"), "--to", f"127.0.0.1:{program.port}", "--file",
                    os.path.join(BUILD, "bench", "bodies", "logs-varied-20.pb"), "--connections", "8", "--streams", "4",
                    "--rate", "4000", "--seconds", str(seconds)], check=True, stdout=subprocess.DEVNULL, timeout=60)
    return [b - a for a, b in zip(before, run_times(program.tasks))]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--loads", type=int, default=5)
    parser.add_argument("--json")
    args = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        sink = subprocess.Popen([os.path.join(BUILD, "bench", "sink")], stdout=subprocess.PIPE, text=True)
        program = Program(folder, args.workers, json.loads(sink.stdout.readline())["grpc"])
        try:
            print("| | fullest, median | worst | empty workers, mean |\n|---|---|---|---|")
            for count in CONNECTIONS:
                trials = [spread(program.port, program.tasks, count) for _ in range(args.trials)]
                results[count] = trials
                print(f"| {count} connections | {statistics.median(map(fullest, trials)):.2f} "
                      f"| {max(map(fullest, trials)):.2f} | {statistics.mean(t.count(0) for t in trials):.2f} |", flush=True)
            cpu = [load(program, args.seconds) for _ in range(args.loads)]
            results["cpu_ns"] = cpu
            print(f"| CPU under load | {statistics.median(map(fullest, cpu)):.2f} | {max(map(fullest, cpu)):.2f} | |")
        finally:
            program.stop()
            sink.terminate()
            sink.communicate(timeout=20)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as f:
            json.dump(results, f)
    return 0


if __name__ == "__main__":
    sys.exit(main())
