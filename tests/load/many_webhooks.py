#!/usr/bin/env python3
"""Measures a statement of docs/performance.md: apps whose webhooks hang do not delay the webhooks of another.

Starts the server with many apps, each with one webhook, all hanging but that of one app, and prints the time from a change
on a channel of that app until its receiver gets the event: before the other apps have events, and every five seconds from
then on. Asserts nothing.

    tests/load/many_webhooks.py [--apps 500] [--rounds 5]
"""

import argparse
import json
import subprocess
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from bad_neighbours import FANFARE, Application, connected, heard, say

CHANNELS_OF_OTHERS = 20
PAUSE = 0.02
ROUND = 5


class Receiver(BaseHTTPRequestHandler):
    """Records the age of each received event."""

    protocol_version = "HTTP/1.1"
    ages = []

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Receiver.ages.append(time.time() * 1000 - body["time_ms"])
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def occupy_channels(client, seconds, name):
    end, number = time.time() + seconds, 0
    while time.time() < end:
        say(client, "subscribe", f"{name}-{number}")
        heard(client, b"subscription_succeeded")
        say(client, "unsubscribe", f"{name}-{number}")
        number += 1
        time.sleep(PAUSE)


def report(title):
    ages, Receiver.ages = sorted(Receiver.ages), []
    if ages:
        middle, high = ages[len(ages) // 2], ages[len(ages) * 99 // 100]
        print(f"{title:28} {len(ages):6} told   median {middle:8.1f} ms   p99 {high:8.1f} ms   most {ages[-1]:8.1f} ms", flush=True)
    else:
        print(f"{title:28} none told", flush=True)


def app(number, url):
    return (f'[[apps.list]]\nid = "{number}"\nkey = "key-{number}"\nsecret = "secret-{number}"\n'
            f'[[apps.list.webhooks]]\nurl = "{url}"\nevents = ["channel_existence"]\n')


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--apps", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    hanging = Application(answers=False)
    receiver = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    config = app(0, f"http://127.0.0.1:{receiver.server_port}/")
    config += "".join(app(number, f"{hanging.url}/{number}") for number in range(1, asked.apps + 1))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "fanfare.toml").write_text(config)
        command = [FANFARE, "serve", "--config", f"{folder}/fanfare.toml", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            port = int(process.stdout.readline().split("http://127.0.0.1:")[1].split()[0])
            client = connected(port, "key-0")
            occupy_channels(client, ROUND, "before")
            report("nothing of others")
            others = [connected(port, f"key-{number}") for number in range(1, asked.apps + 1)]
            for number in range(CHANNELS_OF_OTHERS):
                for other in others:
                    say(other, "subscribe", f"c{number}")
            for number in range(1, asked.rounds + 1):
                occupy_channels(client, ROUND, f"round-{number}")
                report(f"{asked.apps} hang, {number * ROUND} s")
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
