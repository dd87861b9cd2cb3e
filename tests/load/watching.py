"""Who looks at a server while it is measured by console.py: readers of live lists, and a client that asks every route.

Each is a process of its own on the generator's core, and says on a pipe what it has seen.
"""

import collections
import hashlib
import hmac
import http.client
import json
import multiprocessing
import os
import selectors
import socket
import time

# Every GET route that the pages of crates/server/console ask for when they are opened, the lists with the size of a page.
OF_THE_APP = ["", "/stats", "/channels?order=subscribers&limit=10", "/channels?limit=50", "/channels?order=name&limit=50",
              "/channels/{channel}", "/channels/{channel}/members?limit=50", "/channels/{channel}/subscribers?limit=50",
              "/connections?limit=50", "/connections/{socket}", "/users?limit=50", "/refusals?limit=50", "/traces?limit=50",
              "/webhooks/deliveries", "/usage?hours=24", "/keys", "/connect"]
# What the pages ask for when somebody searches: the server looks at every row.
SEARCHES = ["/channels?prefix=c&limit=100", "/connections?address=127.0.0.1&limit=50",
            "/connections?channel={channel}&limit=50", "/users?prefix=u&limit=20"]
OF_THE_NODE = ["/v1/node", "/v1/nodes", "/v1/apps?limit=100", "/v1/apps?limit=1000", "/v1/refusals", "/v1/tokens",
               "/v1/audit?limit=50", "/v1/openapi.json"]


class Watcher:
    """A process that runs `work(pipe, ...)` until it is told to stop; then says what it has seen."""

    def __init__(self, core, work, *given):
        self.pipe, end = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=pinned, args=(core, work, end, *given), daemon=True)
        self.process.start()
        end.close()
        assert self.pipe.recv() == "ready"

    def ask(self, word):
        self.pipe.send(word)
        return self.pipe.recv()

    def stop(self):
        seen = self.ask("stop")
        self.process.join()
        return seen


def pinned(core, work, *given):
    os.sched_setaffinity(0, core)
    work(*given)


def open_list(port, token, query="", narrow=False):
    """A live list as a bare socket whose head is read; None while there are too many."""
    stream = socket.socket()
    if narrow:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stream.settimeout(30)
    stream.connect(("127.0.0.1", port))
    stream.sendall(f"GET /v1/apps/1/live{query} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    head = b""
    while b"\r\n\r\n" not in head:
        head += stream.recv(1 if narrow else 256)
    status = int(head[9:12])
    if status == 429:
        return None
    assert status == 200, head
    return stream, head.partition(b"\r\n\r\n")[2]


class LiveList:
    """What came on a live list: entries of each second, and how many were left out."""

    def __init__(self, stream, chunk):
        self.stream, self.unread, self.text = stream, chunk, b""
        self.entries = self.left_out = 0
        self.seconds = collections.Counter()
        self.is_open = True

    def take(self):
        more = self.stream.recv(262144)
        self.is_open = bool(more)
        self.unread += more
        while True:
            size, found, rest = self.unread.partition(b"\r\n")
            length = int(size, 16) if found else 0
            if not found or len(rest) < length + 2:
                break
            self.text += rest[:length]
            self.unread = rest[length + 2:]
            self.is_open &= length > 0
        *blocks, self.text = self.text.split(b"\n\n")
        for block in blocks:
            if b"\nevent: left_out\n" in block:
                self.left_out += json.loads(block.rpartition(b"data: ")[2])["count"] or 0
            elif block.startswith(b"id: "):
                self.entries += 1
                self.seconds[int(time.monotonic())] += 1

    def seen(self):
        return {"entries": self.entries, "left_out": self.left_out, "most_in_a_second": max(self.seconds.values(), default=0)}


def read_lists(pipe, port, tokens):
    """Reads a live list of every event for each token."""
    lists = [LiveList(*open_list(port, token, "?kinds=event")) for token in tokens]
    waiting = selectors.DefaultSelector()
    for one in lists:
        waiting.register(one.stream, selectors.EVENT_READ, one)
    waiting.register(pipe, selectors.EVENT_READ, None)
    pipe.send("ready")
    while True:
        for key, _ in waiting.select():
            if key.data:
                key.data.take()
                if not key.data.is_open:
                    waiting.unregister(key.fileobj)
                continue
            word = pipe.recv()
            pipe.send([one.seen() for one in lists])
            if word == "stop":
                return


class Asking:
    """A connection that is kept."""

    def __init__(self, port, token):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.headers = {"Authorization": f"Bearer {token}", "Host": "localhost"}

    def get(self, path):
        """Status, body, and seconds."""
        begun = time.monotonic()
        self.connection.request("GET", path, headers=self.headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read(), time.monotonic() - begun


def routes(asking, searches=True):
    """All routes, with a channel and a socket that are there; with or without searches."""
    row = json.loads(asking.get("/v1/apps/1/connections?limit=1")[1])["connections"]
    channel = json.loads(asking.get("/v1/apps/1/channels?limit=1")[1])["channels"]
    names = {"socket": row[0]["socket"], "channel": channel[0]["name"]}
    of_the_app = OF_THE_APP + (SEARCHES if searches else [])
    return [f"/v1/apps/1{path.format(**names)}" for path in of_the_app] + OF_THE_NODE


def ask_all(pipe, port, token, searches=True, odd_seconds_alone=False, silent=False):
    """Asks every route once a second, spread over the second, or over each odd second alone; says the slowest answers.

    One that is silent wakes whenever a route would be asked, and asks nothing: what the process that asks costs by itself.
    """
    # Who looks has a machine of their own: where they share one with the generator, the generator never waits for them.
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    asking = Asking(port, token)
    paths = routes(asking, searches)
    refused = {path: status for path in paths if (status := asking.get(path)[0]) != 200}
    slowest = dict.fromkeys(paths, 0.0)
    asked, every = 0, 2 if odd_seconds_alone else 1
    pipe.send("ready")
    second = next_second(every)
    while True:
        for at, path in enumerate(paths):
            # The last answer comes before the second ends.
            due = second + at * 0.95 / len(paths)
            if pipe.poll(max(due - time.time(), 0)):
                pipe.recv()
                slow = sorted(slowest.items(), key=lambda one: -one[1])[:3]
                pipe.send({"asked": asked, "routes": len(paths), "refused": refused, "slowest_ms": [(path, round(took * 1e3, 1)) for path, took in slow]})
                return
            if not silent:
                slowest[path] = max(slowest[path], asking.get(path)[2])
                asked += 1
        second += every
        if second < time.time():
            second = next_second(every)


def next_second(every):
    """The next whole second since 1970; of every two, the odd one."""
    second = int(time.time()) + 1
    return second if every == 1 or second % 2 else second + 1


UPGRADE = (b"GET /app/app-key?protocol=7 HTTP/1.1\r\nHost: fanfare\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")


def text_frame(text):
    """A masked text frame whose mask is zero."""
    return bytes([0x81, 0xFE]) + len(text).to_bytes(2, "big") + bytes(4) + text.encode()


def until(stream, wanted):
    """All that comes until the wanted is there."""
    unread = b""
    while wanted not in unread:
        more = stream.recv(65536)
        assert more, f"closed while waiting for {wanted}: {unread}"
        unread += more
    return unread


def sign_in(stream, established, user):
    """Signs in, each connection as a user of its own."""
    socket_id = established.rpartition(b'socket_id\\":\\"')[2].partition(b"\\")[0].decode()
    data = json.dumps({"id": user})
    signature = hmac.new(b"app-secret", f"{socket_id}::user::{data}".encode(), hashlib.sha256).hexdigest()
    signing_in = {"auth": f"app-key:{signature}", "user_data": data}
    stream.sendall(text_frame(json.dumps({"event": "pusher:signin", "data": signing_in})))


def idle_crowd(pipe, port, source, count, first, each):
    """Connections from one address, numbered from `first`, each signed in, with so many channels; ten connections a channel."""
    crowd = []
    for begin in range(0, count, 200):
        some = range(begin, min(begin + 200, count))
        for _ in some:
            stream = socket.create_connection(("127.0.0.1", port), timeout=60, source_address=(source, 0))
            stream.sendall(UPGRADE)
            crowd.append(stream)
        for number in some:
            sign_in(crowd[number], until(crowd[number], b"connection_established"), f"u{first + number:06}")
            for turn in range(each):
                name = f"c{(first + number) // 10 * each + turn}"
                crowd[number].sendall(text_frame(json.dumps({"event": "pusher:subscribe", "data": {"channel": name}})))
        for number in some:
            until(crowd[number], f'"c{(first + number) // 10 * each + each - 1}"'.encode())
    pipe.send("ready")
    pipe.recv()
    pipe.send(len(crowd))
