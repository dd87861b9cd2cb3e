#!/usr/bin/env python3
"""Measures what a second node costs: one node alone, then two with a Redis between them, in the same run.

Starts everything itself on loopback. Prints, for each, the CPU of a publish on the node that accepts the event, of the
event on the node that only delivers, and of Redis (`INFO cpu`, not wall time); and how long a delivery through the other
node takes. Asserts nothing: the machine is shared.

    cargo build --release -p fanfare-server -p loadgen
    tests/load/two_nodes.py [--rounds N] [--quick]
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from started import LOADGEN, free_port, until_ready

ROOT = Path(__file__).resolve().parents[2]
FANFARE = os.environ.get("FANFARE_BIN", str(ROOT / "target/release/fanfare"))
APP = '[[apps.list]]\nid = "1"\nkey = "app-key"\nsecret = "app-secret"\n'


class Redis:
    def __init__(self, folder):
        self.port = free_port()
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while "PONG" not in self.asked("PING"):
            time.sleep(0.05)

    def asked(self, *command):
        asked = ["redis-cli", "-p", str(self.port), *command]
        return subprocess.run(asked, capture_output=True, text=True, check=False).stdout

    def cpu(self):
        """Seconds of the main thread."""
        lines = dict(line.split(":") for line in self.asked("INFO", "cpu").split() if ":" in line)
        return float(lines["used_cpu_user_main_thread"]) + float(lines["used_cpu_sys_main_thread"])

    def stop(self):
        self.process.kill()
        self.process.wait()


class Node:
    def __init__(self, folder, redis):
        folder.mkdir()
        bus = f'[bus]\nurls = ["redis://127.0.0.1:{redis.port}"]\n' if redis else ""
        (folder / "fanfare.toml").write_text(bus + APP)
        self.port, self.admin = free_port(), free_port()
        command = [FANFARE, "serve", "--config", "fanfare.toml"]
        command += ["--listen", f"127.0.0.1:{self.port}", "--admin-listen", f"127.0.0.1:{self.admin}"]
        with open(folder / "log", "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        until_ready(self.admin, folder / "log")

    def cpu(self):
        """Seconds of the process, to a hundredth: /proc counts ticks, so what is measured takes seconds."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def loadgen(scenario, here, there, *options):
    command = [LOADGEN, scenario, "--app-id", "1", "--spin", "off", "--port", str(here.port)]
    command += ["--publish-port", str(there.port), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def measured(here, there, redis, *options):
    """Figures of a fan-out; CPU for each event of the node that accepts, of the node that delivers, and of Redis."""
    parts = {"accepting": there, "delivering": here, **({"Redis": redis} if redis else {})}
    before = {name: part.cpu() for name, part in parts.items()}
    figures = loadgen("fanout", here, there, *options)
    for name, part in parts.items():
        figures[name] = (part.cpu() - before[name]) * 1e6 / max(figures["events"], 1)
    return figures


def one_and_two(title, rounds, *options):
    alone, pair = [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            node = Node(Path(folder) / "one", None)
            alone.append(measured(node, node, None, *options))
            node.stop()
        with tempfile.TemporaryDirectory() as folder:
            redis = Redis(folder)
            here, there = (Node(Path(folder) / name, redis) for name in ("here", "there"))
            # The topics of the channels are subscribed to once and stay so.
            loadgen("ready", here, there)
            pair.append(measured(here, there, redis, *options))
            for part in (here, there, redis):
                part.stop()
    of = lambda runs, name: statistics.median(run[name] for run in runs)
    print(title)
    print(f"  one node: {of(alone, 'accepting'):8.1f} us of CPU an event, all in all; delivery p50 "
          f"{of(alone, 'latency_p50_us'):,.0f} us, p99 {of(alone, 'latency_p99_us'):,.0f} us")
    print(f"  two:      {of(pair, 'accepting'):8.1f} us on the node that accepts, {of(pair, 'delivering'):.1f} on the one "
          f"that delivers, {of(pair, 'Redis'):.1f} of Redis; delivery p50 {of(pair, 'latency_p50_us'):,.0f} us, p99 "
          f"{of(pair, 'latency_p99_us'):,.0f} us; events lost {sum(len(run['faults']) for run in pair)}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="the median of so many")
    parser.add_argument("--quick", action="store_true", help="short runs, to see that all of it works")
    asked = parser.parse_args()
    seconds = "3" if asked.quick else "10"
    common = ["--bytes", "128", "--seconds", seconds, "--warmup", "1"]
    for rate in ("100", "1000", "5000"):
        one_and_two(f"{rate} events a second, a subscriber each", asked.rounds,
                    "--n", "100", "--channels", "100", "--rate", rate, *common)
    one_and_two("as many events as arrive, a subscriber each", asked.rounds,
                "--n", "100", "--channels", "100", "--saturate", "--inflight", "64", *common)
    one_and_two("20 events a second to 1,000 subscribers", asked.rounds, "--n", "1000", "--rate", "20", *common)


if __name__ == "__main__":
    main()
