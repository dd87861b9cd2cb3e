#!/usr/bin/env python3
"""Measures the tables of docs/performance.md: Fanfare beside the yardstick `loadgen rawlimit`, in the same run.

Starts both servers itself, pinned, on loopback; prints one line for each budget. Asserts nothing: figures
depend on the machine, ratios less so. Figures that do not depend on time are checked by the tests in
crates/server/tests/cost.

    cargo build --release -p fanfare-server -p loadgen
    tests/load/measure.py [--cores 1|2] [--rounds N] [--quick]
    tests/load/measure.py --other BINARY    another binary of the server beside the first, in turns
"""

import argparse
import os
import resource
import signal
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from started import LOADGEN, loaded

ROOT = Path(__file__).resolve().parents[2]
FANFARE = os.environ.get("FANFARE_BIN", str(ROOT / "target/release/fanfare"))
# The same server, with an app whose clients resume.
RESUMING = "fanfare with resume"
APP = '[[apps.list]]\nid = "1"\nkey = "app-key"\nsecret = "app-secret"\n'
# Another binary of the same server.
OTHER = "the other binary"
RAW_PORT, FANFARE_PORT, ADMIN_PORT = 17001, 17002, 17003


class Server:
    """A server that runs for one measurement."""

    other = None

    def __init__(self, name, cores, folder):
        self.name = name
        if name == "rawlimit":
            self.port = RAW_PORT
            command = [LOADGEN, "rawlimit", "--port", str(RAW_PORT)]
        else:
            self.port = FANFARE_PORT
            (folder / "fanfare.toml").write_text(APP + ("resume_seconds = 60\n" if name == RESUMING else ""))
            command = [Server.other if name == OTHER else FANFARE, "serve", "--config", str(folder / "fanfare.toml")]
            command += ["--listen", f"127.0.0.1:{FANFARE_PORT}", "--admin-listen", f"127.0.0.1:{ADMIN_PORT}"]
        # rawlimit has one thread in any case.
        cpus = "0,1" if cores == 2 and name != "rawlimit" else "0"
        log = open(folder / f"{name}.log", "w", encoding="utf-8")
        self.process = subprocess.Popen(["taskset", "-c", cpus, *command], stdout=log, stderr=log)
        loadgen("ready", self, cores, "--timeout", "30")

    def rss(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) * 1024

    def stop(self):
        # Killed at once: a drain would only cost time.
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def loadgen(scenario, server, cores, *options):
    return loaded(scenario, server.name, cores, server.port, server.process.pid, *options)


def medians(names, cores, rounds, measure):
    """The median of each server's figure; the servers take turns and are started afresh."""
    found = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            with tempfile.TemporaryDirectory() as folder:
                server = Server(name, cores, Path(folder))
                try:
                    found[name].append(measure(server))
                finally:
                    server.stop()
    return [statistics.median(found[name]) for name in names]


def beside(title, unit, cores, rounds, measure):
    raw, ours = medians(["rawlimit", "fanfare"], cores, rounds, measure)
    print(f"{title:58} {ours:12,.2f} {unit:12} rawlimit {raw:12,.2f}   ratio {ours / raw:5.2f}", flush=True)


def with_resume(title, unit, cores, rounds, measure):
    """An app whose clients resume, beside the same app without."""
    without, ours = medians(["fanfare", RESUMING], cores, rounds, measure)
    print(f"{title + ', with resume':58} {ours:12,.2f} {unit:12} without  {without:12,.2f}   ratio {ours / without:5.2f}",
          flush=True)


def figure(key, cores, scenario, *options):
    return lambda server: loadgen(scenario, server, cores, *options)[key]


def memory(cores, n):
    """RSS of each idle connection, and the part that remains when all have closed."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server("fanfare", cores, Path(folder))
        try:
            options = ["--n", str(n), "--channels", "100", "--settle", "2"]
            before = server.rss()
            first = loadgen("idle", server, cores, *options)["rss_bytes_per_connection"]
            time.sleep(2)
            left = server.rss()
            loadgen("idle", server, cores, *options)
            time.sleep(2)
            again = server.rss()
        finally:
            server.stop()
    print(f"{f'RSS of an idle subscribed connection, at {n:,}':58} {first:12,.0f} bytes")
    print(f"{'  left when all have gone, for each that was there':58} {(left - before) / n:12,.0f} bytes")
    print(f"{'  after a second crowd of as many':58} {(again - before) / n:12,.0f} bytes", flush=True)


def two_binaries(cores, rounds, seconds):
    """What the other binary costs, as a ratio to the first."""
    lone = ["fanout", "--n", "1000", "--rate", "20", "--bytes", "128", "--seconds", seconds, "--warmup", "2"]
    busy = ["fanout", "--n", "1000", "--saturate", "--inflight", "4", "--bytes", "128", "--seconds", seconds, "--warmup", "2"]
    one = ["fanout", "--n", "100", "--channels", "100", "--saturate", "--inflight", "16", "--bytes", "128", "--seconds", seconds]
    for title, key, scenario in [
        ("RSS of an idle subscribed connection", "rss_bytes_per_connection",
         ["idle", "--n", "10000", "--channels", "100", "--settle", "2"]),
        ("CPU of a lone delivery", "server_cpu_us_per_delivery", lone),
        ("CPU of a delivery, saturated", "server_cpu_us_per_delivery", busy),
        ("deliveries a second, saturated", "deliveries_per_second", busy),
        ("CPU of a publish over HTTP", "server_cpu_us_per_request",
         ["http", "--publishers", "8", "--bytes", "128", "--seconds", seconds]),
        ("CPU of a publish to one subscriber", "server_cpu_us_per_delivery", one),
    ]:
        first, other = medians(["fanfare", OTHER], cores, rounds, figure(key, cores, *scenario))
        print(f"{title:40} first {first:12,.2f}   other {other:12,.2f}   ratio {other / first:5.3f}", flush=True)


def stalled(cores, rounds, seconds):
    options = ["--n", "1000", "--rate", "20", "--bytes", "4000", "--seconds", seconds]
    with_slow = medians(["fanfare"], cores, rounds,
                        figure("latency_p99_us", cores, "fanout", "--slow", "100", *options))[0]
    without = medians(["fanfare"], cores, rounds,
                      figure("latency_p99_us", cores, "fanout", "--slow", "0", *options))[0]
    title = "p99 of 900 with 100 stalled readers beside them"
    print(f"{title:58} {with_slow:12,.0f} us           of 1,000 healthy {without:9,.0f}   "
          f"ratio {with_slow / without:5.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cores", type=int, choices=[1, 2], default=1, help="the server's; the generator has CPU 1")
    parser.add_argument("--rounds", type=int, default=3, help="the median of so many")
    parser.add_argument("--quick", action="store_true", help="short runs, to see that all of it works")
    parser.add_argument("--other", metavar="BINARY", help="compare this binary with the first, and nothing else")
    asked = parser.parse_args()
    cores, rounds, seconds = asked.cores, asked.rounds, "2" if asked.quick else "8"
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    many = 1000 if asked.quick else 10_000

    if asked.other:
        Server.other = asked.other
        two_binaries(cores, rounds, seconds)
        return
    memory(cores, many)
    for n, rate in [(1000, 20), (many, 2)]:
        lone = figure("server_cpu_us_per_delivery", cores, "fanout", "--n", str(n), "--rate", str(rate),
                      "--bytes", "128", "--seconds", seconds, "--warmup", "2")
        beside(f"CPU of a lone delivery, {n:,} subscribers", "us", cores, rounds, lone)
        if n == 1000:
            with_resume(f"CPU of a lone delivery, {n:,} subscribers", "us", cores, rounds, lone)
    saturated = figure("deliveries_per_second", cores, "fanout", "--n", "1000", "--saturate", "--inflight", "4",
                       "--bytes", "128", "--seconds", seconds, "--warmup", "2")
    beside("deliveries a second, saturated, 1,000 subscribers", "/s", cores, rounds, saturated)
    with_resume("deliveries a second, saturated, 1,000 subscribers", "/s", cores, rounds, saturated)
    beside("HTTP publishes a second, kept-alive", "/s", cores, rounds,
           figure("requests_per_second", cores, "http", "--publishers", "8", "--bytes", "128", "--seconds", seconds))
    one_each = figure("server_cpu_us_per_delivery", cores, "fanout", "--n", "100", "--channels", "100", "--saturate",
                      "--inflight", "16", "--bytes", "128", "--seconds", seconds)
    beside("CPU of a publish to one subscriber, delivery included", "us", cores, rounds, one_each)
    with_resume("CPU of a publish to one subscriber, delivery included", "us", cores, rounds, one_each)
    beside("CPU of connect, subscribe and close", "us", cores, rounds,
           figure("server_cpu_us_per_cycle", cores, "churn", "--n", "32", "--seconds", seconds,
                  "--warmup", "2"))
    stalled(cores, rounds, seconds)


if __name__ == "__main__":
    main()
