#!/usr/bin/env python3
"""Measures a statement of docs/performance.md: faults of one app delay no other.

Starts the server, a hanging application and one that answers at once, and a Redis, all on loopback, and prints the times
of a publish, of its event to the last of some subscribers, and of another app's authorization: without other load, with a
thousand authorizations that wait for the hanging application, while Redis is flooded with messages that are no events, and
while a third app has ten failing webhooks for the changes of busy clients. Asserts nothing. Needs redis-server and
redis-benchmark.

    tests/load/bad_neighbours.py [--waiting 1000] [--subscribers 200] [--events 500]
"""

import argparse
import hashlib
import hmac
import http.client
import json
import multiprocessing
import os
import resource
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FANFARE = os.environ.get("FANFARE_BIN", str(ROOT / "target/release/fanfare"))
HANDSHAKE = ("GET /app/key-1?protocol=7 HTTP/1.1\r\nHost: fanfare\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
FORM = "socket_id=1.2&channel_name=private-a"
POST = (f"POST /app/key-1/auth HTTP/1.1\r\nHost: fanfare\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(FORM)}\r\n\r\n{FORM}")


class Application:
    """Says yes to every request, or does not answer."""

    def __init__(self, answers):
        self.answers, self.asked = answers, []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/auth"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            self.asked.append(client)
            if self.answers:
                threading.Thread(target=self.answer, args=[client], daemon=True).start()

    @staticmethod
    def answer(client):
        while client.recv(65536):
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntrue")


class Churn:
    """Four clients of app 3 that occupy and vacate one channel after another, as fast as they are answered."""

    def __init__(self, port):
        self.process = multiprocessing.Process(target=self.run, args=[port], daemon=True)
        self.process.start()

    @staticmethod
    def run(port):
        clients = [connected(port, "key-3") for _ in range(4)]
        for number in range(10**9):
            for at, client in enumerate(clients):
                say(client, "subscribe", f"c{at}-{number}")
            for at, client in enumerate(clients):
                heard(client, b"subscription_succeeded")
                say(client, "unsubscribe", f"c{at}-{number}")

    def end(self):
        self.process.kill()
        self.process.join()


class Flood:
    """Two clients that publish to Redis as fast as they are answered, under the prefix of app 1."""

    def __init__(self, port):
        self.port = port
        say = ["PUBLISH", "laravel_database_private-x", '{"job":"not an event"}']
        self.process = subprocess.Popen(["redis-benchmark", "-q", "-p", str(port), "-c", "2", "-n", "100000000", *say],
                                        stdout=subprocess.DEVNULL)
        self.begun, self.before = time.perf_counter(), self.published()

    def published(self):
        """The number of commands that Redis has executed so far."""
        asked = subprocess.run(["redis-cli", "-p", str(self.port), "INFO", "stats"], capture_output=True, text=True, check=True)
        return int(asked.stdout.split("total_commands_processed:")[1].split()[0])

    def end(self):
        """Stops the flood; returns the rate a second."""
        rate = (self.published() - self.before) / (time.perf_counter() - self.begun)
        self.process.kill()
        self.process.wait()
        return rate


def start_redis(folder):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder],
                               stdout=subprocess.DEVNULL)
    while subprocess.run(["redis-cli", "-p", str(port), "PING"], capture_output=True, check=False).stdout != b"PONG\n":
        time.sleep(0.01)
    return process, port


def metric(admin, name):
    connection = http.client.HTTPConnection("127.0.0.1", admin)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name))


def connected(port, key):
    client = socket.create_connection(("127.0.0.1", port))
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.sendall(HANDSHAKE.replace("key-1", key).encode())
    heard(client, b"connection_established")
    return client


def say(client, what, channel):
    said = json.dumps({"event": f"pusher:{what}", "data": {"channel": channel}}).encode()
    client.sendall(bytes([0x81, 0x80 | len(said), 0, 0, 0, 0]) + said)


def subscriber(port):
    client = connected(port, "key-1")
    say(client, "subscribe", "news")
    heard(client, b"subscription_succeeded")
    return client


def heard(client, text):
    came = b""
    while text not in came:
        came += client.recv(65536)


def publish(connection):
    body = json.dumps({"name": "e", "channel": "news", "data": "x" * 128})
    query = (f"auth_key=key-1&auth_timestamp={int(time.time())}&auth_version=1.0"
             f"&body_md5={hashlib.md5(body.encode()).hexdigest()}")
    signature = hmac.new(b"secret-1", f"POST\n/apps/1/events\n{query}".encode(), hashlib.sha256).hexdigest()
    connection.request("POST", f"/apps/1/events?{query}&auth_signature={signature}", body)
    connection.getresponse().read()


def authorize_elsewhere(connection):
    connection.request("POST", "/app/key-2/auth", FORM, {"Content-Type": "application/x-www-form-urlencoded"})
    connection.getresponse().read()


def measure(title, port, asked):
    subscribers = [subscriber(port) for _ in range(asked.subscribers)]
    connection = http.client.HTTPConnection("127.0.0.1", port)
    times = {"publish": [], "event to the last subscriber": [], "another app's authorization": []}
    for _ in range(asked.events):
        begun = time.perf_counter()
        publish(connection)
        times["publish"].append(time.perf_counter() - begun)
        for client in subscribers:
            heard(client, b'"event":"e"')
        times["event to the last subscriber"].append(time.perf_counter() - begun)
        begun = time.perf_counter()
        authorize_elsewhere(connection)
        times["another app's authorization"].append(time.perf_counter() - begun)
    for name, each in times.items():
        each.sort()
        middle, high = each[len(each) // 2], each[len(each) * 99 // 100]
        print(f"{title:24} {name:32} median {middle * 1e3:8.2f} ms   p99 {high * 1e3:8.2f} ms", flush=True)
    for client in subscribers:
        client.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--waiting", type=int, default=1000)
    parser.add_argument("--subscribers", type=int, default=200)
    parser.add_argument("--events", type=int, default=500)
    asked = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    hanging, quick = Application(answers=False), Application(answers=True)
    config = f"[limits]\nauthorizations_node = {2 * asked.waiting + 1}\n[timeouts]\napplication = 60\n"
    for number, application in [(1, hanging), (2, quick)]:
        config += (f'[[apps.list]]\nid = "{number}"\nkey = "key-{number}"\nsecret = "secret-{number}"\n'
                   f'authorization.url = "{application.url}"\n')
    config += '[[apps.list]]\nid = "3"\nkey = "key-3"\nsecret = "secret-3"\n'
    for number in range(5):
        for url in [f"{hanging.url}/{number}", f"http://127.0.0.1:1/{number}"]:
            config += f'[[apps.list.webhooks]]\nurl = "{url}"\nevents = ["channel_existence"]\n'
    with tempfile.TemporaryDirectory() as folder:
        redis, redis_port = start_redis(folder)
        config += f'[redis_feed]\nurl = "redis://127.0.0.1:{redis_port}"\nprefix = "laravel_database_"\napp = "1"\n'
        (Path(folder) / "fanfare.toml").write_text(config)
        process = subprocess.Popen([FANFARE, "serve", "--config", f"{folder}/fanfare.toml", "--listen", "127.0.0.1:0",
                                    "--admin-listen", "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                   text=True)
        try:
            port, admin = (int(part.split()[0].rstrip(")")) for part in process.stdout.readline().split("http://127.0.0.1:")[1:])
            measure("nobody", port, asked)
            waiting = [socket.create_connection(("127.0.0.1", port)) for _ in range(asked.waiting)]
            for client in waiting:
                client.sendall(POST.encode())
            while len(hanging.asked) < min(64, asked.waiting):
                time.sleep(0.01)
            measure(f"{asked.waiting:,} wait", port, asked)
            print(f"the application was asked {len(hanging.asked)} times meanwhile")
            for client in waiting:
                client.close()
            measure("nobody any more", port, asked)
            flood = Flood(redis_port)
            measure("Redis is flooded", port, asked)
            print(f"Redis had {flood.end():,.0f} messages a second, of which Fanfare has dropped "
                  f"{metric(admin, 'fanfare_redis_feed_dropped_total'):,.0f}")
            measure("nobody any more", port, asked)
            churn = Churn(port)
            while not metric(admin, "fanfare_webhook_events_dropped_total"):
                time.sleep(0.1)
            measure("webhooks are full", port, asked)
            churn.end()
            print("Of webhooks " + ", ".join(f"{metric(admin, f'fanfare_webhook_{name}_total'):,.0f} {text}" for name, text in [
                ("deliveries", "requests were answered"), ("failures", "attempts failed"), ("events_dropped", "events were dropped")]))
            measure("nobody any more", port, asked)
        finally:
            for each in [process, redis]:
                each.kill()
                each.wait()


if __name__ == "__main__":
    main()
