"""What the programs of this folder start: a free port, a server that is ready, one run of the load generator."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

LOADGEN = os.path.abspath(os.environ.get("LOADGEN_BIN", Path(__file__).resolve().parents[2] / "target/release/loadgen"))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until_ready(admin, log):
    """Waits until the server of this operators' port is ready; its log says why it never is."""
    deadline = time.time() + 30
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{admin}/ready", timeout=1):
                return
        except OSError:
            assert time.time() < deadline, log.read_text()
            time.sleep(0.05)


def loaded(scenario, name, cores, port, pid, *options):
    """Figures of a load on a server with so many cores; faults are printed under the server's name."""
    command = ["taskset", "-c", "1", LOADGEN, scenario, "--app-id", "1", "--port", str(port), "--pid", str(pid), *options]
    if "--spin" not in options:
        # A generator that shares its core with the server must not spin.
        command += ["--spin", "off" if cores == 2 else "auto"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not done.stdout:
        sys.exit(f"loadgen {scenario}: {done.stderr}")
    figures = json.loads(done.stdout)
    for fault in figures["faults"]:
        print(f"  {name} {scenario}: {fault}", file=sys.stderr)
    return figures
