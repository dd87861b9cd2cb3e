#!/usr/bin/env python3
"""Measures a statement of docs/performance.md on many tenants: 10,000 apps in a database, 1,000 of them in use.

Makes a SQLite database of its own, starts the server on it, on loopback, and prints one line for each figure:
the start, memory for each app, the first look-up of an app and every later one. Asserts nothing.

    tests/load/many_apps.py [--apps 10000] [--active 1000]
"""

import argparse
import hashlib
import hmac
import http.client
import os
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FANFARE = os.environ.get("FANFARE_BIN", str(ROOT / "target/release/fanfare"))
HANDSHAKE = ("GET /app/key-{app}?protocol=7 HTTP/1.1\r\nHost: fanfare\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")


def fill(file, count):
    database = sqlite3.connect(file)
    with database:
        now = int(time.time() * 1000)
        database.executemany("INSERT INTO apps (id, name, created_at) VALUES (?, ?, ?)",
                             ((str(n), f"tenant {n}", now) for n in range(1, count + 1)))
        database.executemany("INSERT INTO app_keys (key, app_id, secret, created_at) VALUES (?, ?, ?, ?)",
                             ((f"key-{n}", str(n), f"secret-{n}", now) for n in range(1, count + 1)))
    database.close()


def signed(app, method, path):
    query = f"auth_key=key-{app}&auth_timestamp={int(time.time())}&auth_version=1.0"
    text = f"{method}\n/apps/{app}{path}\n{query}"
    signature = hmac.new(f"secret-{app}".encode(), text.encode(), hashlib.sha256).hexdigest()
    return f"/apps/{app}{path}?{query}&auth_signature={signature}"


def ask_each(port, apps):
    """Microseconds of a signed request of each app."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    times = []
    for app in apps:
        target = signed(app, "GET", "/channels")
        begun = time.perf_counter()
        connection.request("GET", target)
        answer = connection.getresponse()
        answer.read()
        times.append((time.perf_counter() - begun) * 1e6)
        if answer.status != 200:
            sys.exit(f"app {app}: {answer.status}")
    return times


def connect(port, app):
    client = socket.create_connection(("127.0.0.1", port))
    client.sendall(HANDSHAKE.format(app=app).encode())
    heard = b""
    while b"connection_established" not in heard:
        heard += client.recv(4096)
    return client


def rss(process):
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) * 1024


def tell(title, value, unit):
    print(f"{title:62} {value:12,.1f} {unit}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--apps", type=int, default=10_000)
    parser.add_argument("--active", type=int, default=1000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "apps.db"
        named = {**os.environ, "DATABASE_URL": f"sqlite://{file}", "FANFARE__LOG__FILTER": "warn"}
        subprocess.run([FANFARE, "migrate", "--create-database"], env=named, check=True, stdout=subprocess.DEVNULL)
        fill(file, asked.apps)
        begun = time.perf_counter()
        process = subprocess.Popen([FANFARE, "serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"],
                                   env=named, stdout=subprocess.PIPE, text=True)
        try:
            ready = process.stdout.readline()
            tell(f"start with {asked.apps:,} apps in the database", (time.perf_counter() - begun) * 1e3, "ms")
            port = int(ready.split("http://127.0.0.1:")[1].split()[0])
            apps = range(1, asked.active + 1)
            at_rest = rss(process)
            tell("memory at rest", at_rest / 2**20, "MiB")
            tell("first request of an app, median", statistics.median(ask_each(port, apps)), "us")
            known = rss(process)
            tell(f"memory of each of {asked.active:,} apps that are known", (known - at_rest) / asked.active, "bytes")
            tell("later requests of an app, median", statistics.median(ask_each(port, apps)), "us")
            clients = [connect(port, app) for app in apps]
            tell("memory of each that has a connection, which it includes", (rss(process) - known) / asked.active,
                 "bytes")
            tell("requests of an app with connections, median", statistics.median(ask_each(port, apps)), "us")
            for client in clients:
                client.close()
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
