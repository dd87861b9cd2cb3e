#!/usr/bin/env python3
"""Measures what each transport costs: memory of an idle connection, and CPU of a delivery (of a poll, where each delivery is one).

Starts the server itself on loopback, one for each transport, and prints one line for each. All transports are measured in
the same run, so that their ratios count rather than the figures. Asserts nothing: the machine is shared.

    cargo build --release -p fanfare-server
    tests/load/transports.py [--connections 2000] [--events 60] [--only NAME]
"""

import argparse
import hashlib
import hmac
import http.client
import json
import os
import random
import resource
import selectors
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from started import free_port, until_ready

ROOT = Path(__file__).resolve().parents[2]
FANFARE = os.environ.get("FANFARE_BIN", str(ROOT / "target/release/fanfare"))
CONFIG = '[socketio]\nenabled = true\n[limits]\nhttp_connections_per_address = 100000\n[[apps.list]]\nid = "1"\nkey = "app-key"\nsecret = "app-secret"\n'
UPGRADE = ("GET {path} HTTP/1.1\r\nHost: fanfare\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
MARK = b"measured-event"
# What a browser sends beside the rest, 500 bytes.
BROWSER = "User-Agent: Mozilla/5.0\r\nAccept: */*\r\nX-Filler: " + "x" * 440 + "\r\n"


class Server:
    def __init__(self, folder, config):
        (folder / "fanfare.toml").write_text(config)
        self.port, admin = free_port(), free_port()
        command = [FANFARE, "serve", "--config", "fanfare.toml", "--listen", f"127.0.0.1:{self.port}",
                   "--admin-listen", f"127.0.0.1:{admin}"]
        with open(folder / "log", "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        until_ready(admin, folder / "log")
        self.back_end = http.client.HTTPConnection("127.0.0.1", self.port)

    def cpu(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self):
        for line in Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) * 1024

    def publish(self, size):
        body = json.dumps({"name": MARK.decode(), "channel": "crowd", "data": "x" * size})
        query = (f"auth_key=app-key&auth_timestamp={int(time.time())}&auth_version=1.0"
                 f"&body_md5={hashlib.md5(body.encode()).hexdigest()}")
        text = f"POST\n/apps/1/events\n{query}"
        signature = hmac.new(b"app-secret", text.encode(), hashlib.sha256).hexdigest()
        self.back_end.request("POST", f"/apps/1/events?{query}&auth_signature={signature}", body)
        answer = self.back_end.getresponse()
        assert answer.status == 200, answer.read()
        answer.read()

    def stop(self):
        self.process.kill()
        self.process.wait()


class Client:
    """One connection; `received` counts events in its bytes."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.port, self.unread, self.received = port, b"", 0

    def until(self, wanted):
        while wanted not in self.unread:
            more = self.socket.recv(65536)
            assert more, f"closed while waiting for {wanted}: {self.unread}"
            self.unread += more

    def take(self):
        """Reads what has arrived."""
        self.count(self.socket.recv(262144))

    def count(self, more):
        assert more, "closed"
        self.unread += more
        self.received += self.unread.count(MARK)
        self.unread = self.unread[-len(MARK) + 1:] if MARK not in self.unread[-len(MARK) + 1:] else b""


def frame(text):
    """A masked text frame whose mask is zero."""
    length = len(text)
    head = bytes([0x81, 0x80 | length]) if length < 126 else bytes([0x81, 0xFE]) + length.to_bytes(2, "big")
    return head + bytes(4) + text.encode()


class WebSocket(Client):
    def __init__(self, port):
        super().__init__(port)
        self.socket.sendall(UPGRADE.format(path="/app/app-key?protocol=7").encode())
        self.until(b"connection_established")
        self.socket.sendall(frame('{"event":"pusher:subscribe","data":{"channel":"crowd"}}'))
        self.until(b"subscription_succeeded")


class SocketIoWebSocket(Client):
    VERSION = 4

    def __init__(self, port):
        super().__init__(port)
        self.socket.sendall(UPGRADE.format(path=f"/socket.io/?EIO={self.VERSION}&transport=websocket").encode())
        self.until(b'"sid"')
        if self.VERSION == 4:
            self.unread = b""
            self.socket.sendall(frame("40"))
            self.until(b"40{")
        self.socket.sendall(frame('42["subscribe",{"channel":"crowd","auth":{"headers":{}}}]'))


class SocketIo3WebSocket(SocketIoWebSocket):
    VERSION = 3


def posted(path, body=""):
    return (f"POST {path} HTTP/1.1\r\nHost: fanfare\r\n{BROWSER}Content-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()


def asked(path):
    return f"GET {path} HTTP/1.1\r\nHost: fanfare\r\n{BROWSER}\r\n".encode()


class Sender:
    """The connection on which all sessions of a transport send."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port)

    def send(self, path, body):
        self.connection.request("POST", path, body, {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        answer.read()
        assert answer.status in (200, 204), answer.status


SUBSCRIBE = json.dumps(['{"event":"pusher:subscribe","data":{"channel":"crowd"}}'])


def session_path():
    return f"/pusher/app/app-key/{random.randrange(1000)}/{''.join(random.choices('0123456789abcdefghijklmnopqrstuv', k=8))}"


class XhrStreaming(Client):
    sender = None

    def __init__(self, port):
        super().__init__(port)
        path = session_path()
        self.socket.sendall(posted(f"{path}/xhr_streaming?protocol=7&client=js&version=8.4.0"))
        self.until(b"connection_established")
        XhrStreaming.sender = XhrStreaming.sender or Sender(port)
        XhrStreaming.sender.send(f"{path}/xhr_send", SUBSCRIBE)
        self.until(b"subscription_succeeded")


class Polling(Client):
    """Asks again as soon as an answer is whole; `poll` is the request."""

    poll = b""

    def take(self):
        more = self.socket.recv(262144)
        assert more, "closed"
        self.unread += more
        while True:
            head, found, rest = self.unread.partition(b"\r\n\r\n")
            if not found:
                return
            assert head.startswith(b"HTTP/1.1 200"), head
            head = head.lower()
            if b"content-length:" in head:
                end = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            else:
                end = rest.find(b"\r\n0\r\n\r\n") + 7 if b"\r\n0\r\n\r\n" in rest else len(rest) + 1
            if len(rest) < end:
                return
            self.received += rest[:end].count(MARK)
            self.last, self.unread = rest[:end], rest[end:]
            self.socket.sendall(self.poll)

    def until_answer_with(self, wanted):
        self.last = b""
        while wanted not in self.last:
            self.take()


class XhrPolling(Polling):
    sender = None

    def __init__(self, port):
        super().__init__(port)
        path = session_path()
        self.poll = posted(f"{path}/xhr?protocol=7&client=js&version=8.4.0")
        self.socket.sendall(self.poll)
        self.until_answer_with(b"connection_established")
        XhrPolling.sender = XhrPolling.sender or Sender(port)
        XhrPolling.sender.send(f"{path}/xhr_send", SUBSCRIBE)
        self.until_answer_with(b"subscription_succeeded")


class SocketIoPolling(Polling):
    sender = None

    def __init__(self, port):
        super().__init__(port)
        SocketIoPolling.sender = SocketIoPolling.sender or Sender(port)
        connection = SocketIoPolling.sender.connection
        connection.request("GET", "/socket.io/?EIO=4&transport=polling")
        sid = connection.getresponse().read().split(b'"sid":"')[1].split(b'"')[0].decode()
        path = f"/socket.io/?EIO=4&transport=polling&sid={sid}"
        self.poll = asked(path)
        SocketIoPolling.sender.send(path, "40")
        self.socket.sendall(self.poll)
        self.until_answer_with(b"40{")
        SocketIoPolling.sender.send(path, '42["subscribe",{"channel":"crowd","auth":{"headers":{}}}]')


TRANSPORTS = {
    "websocket": WebSocket,
    "xhr_streaming": XhrStreaming,
    "xhr_polling": XhrPolling,
    "Socket.IO 5, websocket": SocketIoWebSocket,
    "Socket.IO 2, websocket": SocketIo3WebSocket,
    "Socket.IO 5, polling": SocketIoPolling,
}


def deliver(server, clients, events):
    """CPU seconds of so many events to all clients, one at a time."""
    waiting = selectors.DefaultSelector()
    for client in clients:
        client.received = 0
        client.socket.setblocking(False)
        waiting.register(client.socket, selectors.EVENT_READ, client)
    begun = server.cpu()
    for event in range(1, events + 1):
        server.publish(128)
        left = sum(1 for client in clients if client.received < event)
        deadline = time.time() + 60
        while left:
            assert time.time() < deadline, f"{left} of {len(clients)} have not received event {event}"
            for key, _ in waiting.select(1):
                before = key.data.received
                key.data.take()
                left -= before < event <= key.data.received
    return server.cpu() - begun


def measure(name, transport, connections, events):
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder), CONFIG)
        try:
            clients = [transport(server.port) for _ in range(connections // 5)]
            few = server.memory()
            clients += [transport(server.port) for _ in range(connections - len(clients))]
            many = server.memory()
            each = (many - few) / (connections - connections // 5)
            cpu = deliver(server, clients, events)
            count = events * len(clients)
            print(f"{name:24} {each / 1000:6.1f} kB an idle connection   {cpu * 1e6 / count:6.1f} us of CPU a delivery", flush=True)
        finally:
            server.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--connections", type=int, default=2000)
    parser.add_argument("--events", type=int, default=60)
    parser.add_argument("--only", choices=TRANSPORTS)
    asked_for = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    for name, transport in TRANSPORTS.items():
        if asked_for.only in (None, name):
            measure(name, transport, asked_for.connections, asked_for.events)


if __name__ == "__main__":
    main()
