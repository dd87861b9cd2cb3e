#!/usr/bin/env python3
"""Measures what the console costs clients and back ends (CON-023, CON-030 … CON-032, CON-073), in one run.

Starts everything itself on loopback, the server on CPU 0 and all else on CPU 1 (with `--cores 2` the server has both). What
is compared takes turns within a round, in alternating order, and the median of the rounds' ratios is printed: noise of the
machine then cancels, as far as it lasts longer than a round. Asserts nothing. Prints the load of the machine beside each figure.

    cargo build --release -p fanfare-server -p loadgen
    tests/load/console.py [--before OLDER/fanfare] [--minutes 10] [--rounds 5] [--connections 100000] [--quick]
"""

import argparse
import atexit
import json
import os
import resource
import signal
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from started import LOADGEN, free_port, loaded, until_ready
from watching import Asking, Watcher, ask_all, idle_crowd, open_list, read_lists

ROOT = Path(__file__).resolve().parents[2]
FANFARE = os.path.abspath(os.environ.get("FANFARE_BIN", ROOT / "target/release/fanfare"))
# Idle connections of the crowd answer no ping: the server is to wait longer than the run takes.
CONFIG = '[apps]\ndatabase = "sqlite"\n[limits]\nconnections = {most}\n[timeouts]\nactivity = "2h"\n'
APP = '[[apps.list]]\nid = "1"\nkey = "app-key"\nsecret = "app-secret"\n'
# Descriptors that are left for all but the idle connections.
SPARE = 1200


class Server:
    """A server in a folder of its own; unless told otherwise, its app keeps traces, which the pages ask for."""

    def __init__(self, cores, binary=FANFARE, traces=True):
        self.folder = tempfile.TemporaryDirectory()
        folder = Path(self.folder.name)
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1] - SPARE // 2
        (folder / "fanfare.toml").write_text(CONFIG.format(most=most) + APP + ("trace = true\n" if traces else ""))
        self.binary, self.port, self.admin, self.cores = binary, free_port(), free_port(), cores
        command = ["taskset", "-c", "0,1" if cores == 2 else "0", binary, "serve", "--config", "fanfare.toml"]
        command += ["--listen", f"127.0.0.1:{self.port}", "--admin-listen", f"127.0.0.1:{self.admin}"]
        with open(folder / "log", "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        # Whatever ends the run, no server stays.
        atexit.register(self.process.kill)
        until_ready(self.admin, folder / "log")

    def token(self):
        command = [self.binary, "token", "create", "--name", "bars", "--scope", "read,payloads", "--json"]
        made = subprocess.run([*command, "--config", "fanfare.toml"], cwd=self.folder.name, capture_output=True, text=True, check=True)
        return json.loads(made.stdout)["token"]

    def cpu(self):
        """Seconds of CPU of all threads."""
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text(encoding="utf-8").split()[0]) for task in tasks) / 1e9

    def rss(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) * 1024

    def events(self, asking):
        return json.loads(asking.get("/v1/apps/1/stats")[1])["events"]

    def load(self, scenario, *options):
        """Figures of a load; faults are printed."""
        return loaded(scenario, "fanfare", self.cores, self.port, self.process.pid, *options)

    def stop(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.folder.cleanup()


def machine():
    return f"[load {os.getloadavg()[0]:.1f}]"


def compared(title, rounds, keys, plain, other):
    """Runs both in turns; prints, for each figure, both medians and the median of the rounds' ratios, with their spread."""
    found = []
    for turn in range(rounds):
        first, second = (plain, other) if turn % 2 == 0 else (other, plain)
        one, two = first(), second()
        found.append((one, two) if turn % 2 == 0 else (two, one))
    for key, unit in keys:
        pairs = [(one[key], two[key]) for one, two in found if one.get(key) and two.get(key)]
        ratios = sorted(two / one for one, two in pairs)
        if not ratios:
            print(f"{title}, {unit}: not measured")
            continue
        before, after = (statistics.median(values) for values in zip(*pairs))
        print(f"{title}, {unit}: {before:,.2f} and {after:,.2f}   ratio {statistics.median(ratios):.3f} "
              f"({ratios[0]:.3f} … {ratios[-1]:.3f}) {machine()}", flush=True)


RATE = [("events_per_second", "publishes a second"), ("server_cpu_us_per_request", "us of CPU a request")]
DELIVERED = [("deliveries_per_second", "deliveries a second"), ("server_cpu_us_per_delivery", "us of CPU a delivery")]


def publishing(server, seconds, *options):
    return lambda: server.load("http", "--publishers", "8", "--seconds", seconds, "--warmup", "0.5", *options)


def nobody_looks(asked):
    """CON-030: this build and an older one, of which nobody has a tap open."""
    if not asked.before:
        print("CON-030: no --before, not measured")
        return
    for traces, of in [(False, ""), (True, " of an app with traces")]:
        old, new = (Server(asked.cores, binary, traces) for binary in (os.path.abspath(asked.before), FANFARE))
        builds_compared(asked, old, new, of)
        old.stop()
        new.stop()


def builds_compared(asked, old, new, of):
    crowd = ["--n", "1000", "--bytes", "128", "--seconds", asked.seconds, "--warmup", "0.5"]
    compared(f"CON-030 nobody looks, older and this build{of}", asked.rounds, RATE,
             publishing(old, asked.seconds), publishing(new, asked.seconds))
    lone = [*crowd, "--rate", "20"]
    compared(f"CON-030 lone events to 1,000, older and this build{of}", asked.rounds, DELIVERED[1:],
             lambda: old.load("fanout", *lone), lambda: new.load("fanout", *lone))
    full = [*crowd, "--saturate", "--inflight", "4"]
    compared(f"CON-030 saturated to 1,000, older and this build{of}", asked.rounds, DELIVERED,
             lambda: old.load("fanout", *full), lambda: new.load("fanout", *full))


def one_tap(asked):
    """CON-032: one reader of everything, and none."""
    server = Server(asked.cores)
    token = server.token()

    def watched(*options):
        readers = Watcher({1}, read_lists, server.admin, [token])
        figures = publishing(server, asked.seconds, *options)()
        readers.stop()
        return figures

    publishing(server, "1")()
    for title, options in [("one event a request", []), ("ten events a request", ["--batch", "10"])]:
        compared(f"CON-032 {title}, no tap and one", asked.rounds, RATE,
                 publishing(server, asked.seconds, *options), lambda options=options: watched(*options))
    server.stop()


def eight_taps(asked):
    """CON-031, CON-073: eight taps, of which one is never read."""
    server = Server(asked.cores)
    tokens = [server.token() for _ in range(5)]
    asking = Asking(server.admin, tokens[4])
    publishing(server, "1")()
    before = server.rss()

    def watched():
        readers = Watcher({1}, read_lists, server.admin, [token for token in tokens[:4] for _ in range(2)][:7])
        stopped = open_list(server.admin, tokens[3], "?kinds=event", narrow=True)
        # A list begins once it is opened: what is counted comes after.
        begun = server.events(asking)
        figures = publishing(server, asked.seconds)()
        sent = server.events(asking) - begun
        deadline = time.time() + 20
        seen = readers.ask("seen")
        while time.time() < deadline and any(one["entries"] + one["left_out"] < sent for one in seen):
            time.sleep(0.2)
            seen = readers.ask("seen")
        most = max(one["most_in_a_second"] for one in seen)
        told = {one["entries"] + one["left_out"] for one in seen}
        print(f"  {sent:,} events; told to each of the seven: {sorted(told)}; most entries in a second {most}", flush=True)
        readers.stop()
        stopped[0].close()
        return figures

    compared("CON-031 no tap and eight, one of them not read", asked.rounds, RATE, publishing(server, asked.seconds), watched)
    print(f"CON-031 memory before and after: {before / 1e6:.1f} and {server.rss() / 1e6:.1f} MB {machine()}", flush=True)
    stopped_reader(server, tokens, asked)
    server.stop()


def stopped_reader(server, tokens, asked):
    """CON-032: how long the place of a reader who has stopped reading stays taken, under events that never end."""
    lists = []
    while len(lists) < 8:
        # The places of the readers before are free as soon as the server has seen that these have gone.
        opened = open_list(server.admin, tokens[len(lists) // 2], narrow=True)
        if opened:
            lists.append(opened)
        else:
            time.sleep(0.1)
    load = subprocess.Popen(["taskset", "-c", "1", LOADGEN, "http", "--app-id", "1", "--port", str(server.port), "--bytes", "4000",
                             "--publishers", "1", "--seconds", "55"], stdout=subprocess.DEVNULL)
    atexit.register(load.kill)
    begun, most = time.time(), server.rss()
    while time.time() < begun + 60:
        most = max(most, server.rss())
        opened = open_list(server.admin, tokens[4])
        if opened:
            print(f"CON-032 eight lists that are not read: a place is free after {time.time() - begun:.1f} s; memory at most "
                  f"{most / 1e6:.1f} MB {machine()}", flush=True)
            opened[0].close()
            break
        time.sleep(0.5)
    else:
        print(f"CON-032 eight lists that are not read: no place is free after {time.time() - begun:.0f} s")
    load.kill()
    load.wait()
    for one in lists:
        one[0].close()


def crowd_of(server, asked):
    """Idle connections, as many as asked for or as there are descriptors for, with 100,000 subscriptions in any case."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1] - SPARE
    count = min(asked.connections, limit)
    each = -(-asked.connections // count)
    # Addresses of this run alone: ports of a run before wait for a minute until they are free.
    part, crowd, made, net = 15_000, [], 0, 1 + os.getpid() % 250
    begun = time.time()
    while made < count:
        some = min(part, count - made)
        crowd.append(Watcher({1}, idle_crowd, server.port, f"127.0.{net}.{1 + len(crowd)}", some, made, each))
        made += some
    limited = "" if count == asked.connections else f" (of {asked.connections:,}: a process may open {limit + SPARE:,} files here)"
    print(f"CON-023 {count:,} connections{limited}, {each} channels each; {time.time() - begun:.0f} s; "
          f"memory {server.rss() / 1e6:.0f} MB", flush=True)
    return crowd


def pages_asked(asked):
    """CON-023 and CON-073: all pages asked at 1 Hz beside a crowd; then memory over minutes, with taps."""
    server = Server(asked.cores)
    token, other = server.token(), server.token()
    crowd = crowd_of(server, asked)
    open_now = json.loads(Asking(server.admin, other).get("/v1/apps/1/stats")[1])
    print("CON-023", {name: open_now[name] for name in ("connections", "channels", "subscriptions", "users")})
    stream = ["--n", "100", "--channels", "100", "--bytes", "128", "--warmup", "1"]
    slow_stream = [*stream, "--rate", "200", "--seconds", str(2 * float(asked.seconds))]

    def alone():
        begun, cpu = time.time(), server.cpu()
        figures = server.load("fanout", *slow_stream)
        figures["core"] = (server.cpu() - cpu) / (time.time() - begun) * 100
        return figures

    def looked_at(searches):
        asker = Watcher({1}, ask_all, server.admin, token, searches)
        figures = alone()
        said.append(asker.stop())
        return figures

    said = []
    alone()
    for searches, of in [(False, "every route of the pages"), (True, "searches as well")]:
        compared(f"CON-023 nobody asks, and {of} at 1 Hz", asked.rounds, [("core", "% of a core")], alone,
                 lambda searches=searches: looked_at(searches))
        print(f"CON-023 {said[-1]}", flush=True)
    flat(server, asked, token, other)
    for one in crowd:
        one.stop()
    server.stop()


def every_other_second(asked):
    """CON-023: routes are asked in every other second alone, so that noise of the machine strikes both alike.

    The same is measured beside a process that wakes as often and asks nothing. Its ratio would be 1 if the machine had no noise.
    """
    server = Server(asked.cores)
    token = server.token()
    crowd = crowd_of(server, asked)
    stream = ["--n", "100", "--channels", "100", "--bytes", "128", "--warmup", "1", "--rate", "200"]
    stream += ["--seconds", str(8 * float(asked.seconds))]
    askers = {"nobody asks": True, "every route is asked": False}
    found = {title: [] for title in askers}
    for turn in range(asked.rounds):
        for title, silent in askers.items() if turn % 2 == 0 else reversed(askers.items()):
            asker = Watcher({1}, ask_all, server.admin, token, False, True, silent)
            # Who asks shares a core with the generator. One that spins is interrupted by each question, and would measure that.
            found[title].append(server.load("fanout", *stream, "--spin", "off"))
            asker.stop()
    told(found)
    for one in crowd:
        one.stop()
    server.stop()


def told(found):
    """Prints what the even and the odd seconds of all rounds say."""
    for share in ["p50", "p99"]:
        for title, rounds in found.items():
            pairs = [tuple(one[f"latency_{share}_{second}_seconds_us"] for second in ("even", "odd")) for one in rounds]
            ratios = sorted(odd / even for even, odd in pairs)
            before, after = (statistics.median(values) for values in zip(*pairs))
            print(f"CON-023 {share} to the socket (median of the seconds), even seconds, and odd seconds in which {title}: "
                  f"{before:,.0f} and {after:,.0f} us   ratio {statistics.median(ratios):.3f}, mean "
                  f"{statistics.geometric_mean(ratios):.3f} ({ratios[0]:.3f} … {ratios[-1]:.3f}) {machine()}", flush=True)


def flat(server, asked, token, other):
    """Memory while taps are open and all pages are asked for."""
    readers = Watcher({1}, read_lists, server.admin, [other, other])
    asker = Watcher({1}, ask_all, server.admin, token)
    end, rows = time.time() + 60 * asked.minutes, []
    while time.time() < end:
        server.load("fanout", "--n", "100", "--channels", "100", "--rate", "1000", "--bytes", "500", "--warmup", "0",
                    "--seconds", str(min(20, max(end - time.time(), 1))))
        rows.append(server.rss() / 1e6)
    readers.stop()
    said = asker.stop()
    quarter = max(len(rows) // 4, 1)
    shown = ", ".join(f"{row:.0f}" for row in rows[:: max(len(rows) // 10, 1)])
    print(f"CON-073 memory over {asked.minutes:g} minutes, two taps, every route at 1 Hz, 1,000 events a second: MB {shown}; mean of "
          f"the last quarter to the second: {statistics.mean(rows[-quarter:]) / statistics.mean(rows[quarter:2 * quarter] or rows):.3f} "
          f"{machine()}", flush=True)
    print(f"CON-073 {said}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", help="an older binary to compare with, of before there were taps")
    parser.add_argument("--cores", type=int, choices=[1, 2], default=1, help="the server's; all else has CPU 1")
    parser.add_argument("--rounds", type=int, default=5, help="the median of so many")
    parser.add_argument("--connections", type=int, default=100_000, help="idle ones; fewer where descriptors end")
    parser.add_argument("--minutes", type=float, default=10, help="how long memory is looked at")
    parser.add_argument("--only", default="abcde", help="a: nobody looks, b: one tap, c: eight, d: all pages, and memory, "
                        "e: all pages in every other second")
    parser.add_argument("--quick", action="store_true", help="short runs, to see that all of it works")
    asked = parser.parse_args()
    asked.seconds = "1" if asked.quick else "4"
    if asked.quick:
        asked.rounds, asked.minutes, asked.connections = 1, min(asked.minutes, 0.1), min(asked.connections, 2000)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print(f"load averages {os.getloadavg()}, {os.cpu_count()} CPUs")
    for letter, measure in zip("abcde", [nobody_looks, one_tap, eight_taps, pages_asked, every_other_second]):
        if letter in asked.only:
            measure(asked)
    print(f"load averages {os.getloadavg()}")


if __name__ == "__main__":
    main()
