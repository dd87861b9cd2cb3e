"""A server that is upgraded: its database, what an older version leaves in it, and whether a newer version has all of that."""

import collections
import glob
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import queue
import re
import shutil
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request

import websocket

from binary import free_port

# Seconds for all that must come; only a failing test waits so long.
DEADLINE = 60

CONFIG = """
[listen]
addr = "127.0.0.1:{port}"
admin_addr = "127.0.0.1:{admin}"

[apps]
{database}

[webhooks]
retry = 100
timeout = 1000
"""


def until(what, ask):
    """Asks until there is an answer; fails without one."""
    deadline = time.monotonic() + DEADLINE
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.05)
    return answer


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


class Sqlite:
    """The database in the data directory, kept and brought back as docs/backup.md says."""

    setting = 'data_dir = "data"'

    def __init__(self, folder):
        self.folder = folder
        self.file = folder / "data/fanfare.db"

    def back_up(self):
        run("sqlite3", str(self.file), ".backup 'fanfare-backup.db'", cwd=self.folder)
        assert run("sqlite3", "fanfare-backup.db", "PRAGMA integrity_check", cwd=self.folder) == "ok\n"

    def restore(self):
        for suffix in ["-wal", "-shm"]:
            self.file.with_name(self.file.name + suffix).unlink(missing_ok=True)
        run("install", "-m", "0600", "fanfare-backup.db", str(self.file), cwd=self.folder)

    def migrations(self):
        return int(run("sqlite3", str(self.file), "SELECT count(*) FROM _sqlx_migrations"))

    def stop(self):
        pass


class Postgres:
    """A Postgres of the test's own, kept and brought back as docs/backup.md says."""

    def __init__(self, folder):
        self.folder = folder / "postgres"
        self.folder.mkdir()
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb")) or [shutil.which("initdb")]
        self.programs = pathlib.Path(found[-1]).parent
        # Postgres refuses to run as root.
        self.user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        if self.user:
            shutil.chown(self.folder, "postgres", "postgres")
            folder.chmod(0o755)
        place = str(self.folder / "data")
        run(self.program("initdb"), "--username=fanfare", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", place, cwd=self.folder, **self.user)
        port = free_port()
        self.url = f"postgres://fanfare@127.0.0.1:{port}/postgres"
        command = [self.program("postgres"), "-D", place, "-k", str(self.folder), "-p", str(port), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
        self.server = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **self.user)
        ready = [self.program("pg_isready"), "--quiet", f"--dbname={self.url}"]
        until("Postgres accepts connections", lambda: subprocess.run(ready, check=False).returncode == 0)
        self.setting = f'database = "{self.url}"'

    def program(self, name):
        return str(self.programs / name)

    def back_up(self):
        run(self.program("pg_dump"), "--format=custom", "--file=fanfare.dump", self.url, cwd=self.folder)

    def restore(self):
        options = ["--clean", "--if-exists", "--single-transaction", "--no-owner"]
        run(self.program("pg_restore"), *options, f"--dbname={self.url}", "fanfare.dump", cwd=self.folder)

    def migrations(self):
        return int(run(self.program("psql"), "--no-psqlrc", "--tuples-only", self.url, "--command", "SELECT count(*) FROM _sqlx_migrations"))

    def stop(self):
        self.server.send_signal(signal.SIGINT)
        self.server.wait(timeout=DEADLINE)


class Server:
    """An installed server: a binary, a configuration and a database; a new version takes the place of the binary."""

    def __init__(self, folder, binary, database):
        self.folder, self.database, self.process = folder, database, None
        self.port, self.admin = free_port(), free_port()
        self.config = folder / "fanfare.toml"
        self.config.write_text(CONFIG.format(port=self.port, admin=self.admin, database=database.setting), encoding="utf-8")
        self.env = {"PATH": os.environ["PATH"]}
        self.install(binary)

    def install(self, binary):
        self.binary = self.folder / "fanfare"
        run("install", str(binary), str(self.binary))

    def command(self, *arguments, binary=None):
        """What a command of the binary prints, with the server's configuration."""
        return run(str(binary or self.binary), *arguments, "--config", str(self.config), cwd=self.folder, env=self.env)

    def start(self):
        """Starts the server; None once it is ready, or what it said if it ended."""
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen([self.binary, "serve", "--config", self.config], cwd=self.folder, env=self.env, stdout=log, stderr=log)
        until("ready", lambda: self.process.poll() is not None or self.is_ready())
        return None if self.process.poll() is None else self.said()

    def is_ready(self):
        try:
            return self.ask("GET", "/ready", None)[0] == 200
        except OSError:
            return False

    def said(self):
        return (self.folder / "log").read_text(encoding="utf-8")

    def stop(self):
        """Stops the server as a supervisor does; fails unless its status is 0."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=DEADLINE) == 0, self.said()
        self.process = None

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def ask(self, method, path, token, body=None):
        """A request to the operators' listener: the status and the answer."""
        data = None if body is None else json.dumps(body).encode()
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.admin}{path}", data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()

    def json(self, method, path, token, body=None):
        status, text = self.ask(method, path, token, body)
        assert status in (200, 201), f"{method} {path}: {status} {text}"
        return json.loads(text)

    def publish(self, app, channel, name):
        """A signed request, as a back end makes it."""
        key = valid_keys(app)[0]
        body = json.dumps({"name": name, "channel": channel, "data": "{}"}).encode()
        query = f"auth_key={key['key']}&auth_timestamp={int(time.time())}&auth_version=1.0&body_md5={hashlib.md5(body).hexdigest()}"
        path = f"/apps/{app['id']}/events"
        signature = signed(key, f"POST\n{path}\n{query}")
        url = f"http://127.0.0.1:{self.port}{path}?{query}&auth_signature={signature}"
        with urllib.request.urlopen(urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"}), timeout=DEADLINE) as answer:
            assert answer.status == 200


def app_on(server, token):
    """The app of the walk as the server describes it, with its secrets; without times, whose form is another in each version."""
    path = "/v1/apps/1001"
    app = server.json("GET", path, token)
    keys = server.json("GET", f"{path}/keys?secrets=true", token)["keys"]
    kept = [{"key": key["key"], "secret": key["secret"], "is_revoked": key["revoked_at"] is not None} for key in keys]
    return {**{name: app[name] for name in ["id", "name", "enabled", "settings"]}, "keys": kept}


def valid_keys(app):
    return [key for key in app["keys"] if not key["is_revoked"]]


def signed(key, text):
    data = text if isinstance(text, bytes) else text.encode()
    return hmac.new(key["secret"].encode(), data, hashlib.sha256).hexdigest()


class Client:
    """A client in a public channel and a presence channel, which comes back when it is told to."""

    def __init__(self, server, app, user):
        self.server, self.app, self.user = server, app, user
        self.connect()

    def connect(self):
        key = valid_keys(self.app)[0]
        self.socket = websocket.create_connection(f"ws://127.0.0.1:{self.server.port}/app/{key['key']}?protocol=7", timeout=DEADLINE)
        socket_id = json.loads(self.expect("pusher:connection_established")["data"])["socket_id"]
        self.subscribe({"channel": "news"})
        person = json.dumps({"user_id": self.user})
        auth = f"{key['key']}:{signed(key, f'{socket_id}:presence-room:{person}')}"
        self.subscribe({"channel": "presence-room", "auth": auth, "channel_data": person})

    def subscribe(self, data):
        self.socket.send(json.dumps({"event": "pusher:subscribe", "data": data}))
        self.expect("pusher_internal:subscription_succeeded")

    def expect(self, name):
        """The next event of this name; others before it are passed over."""
        while True:
            event = json.loads(self.socket.recv())
            if event["event"] == name:
                return event
            assert event["event"] != "pusher:error", event

    def close_code(self):
        """The code with which the server ends the connection."""
        while True:
            opcode, data = self.socket.recv_data()
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                self.socket.close()
                return int.from_bytes(data[:2], "big")


class Receiver(http.server.ThreadingHTTPServer):
    """A back end that refuses webhooks until it is told to accept them."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Webhook)
        self.accepts = False
        self.accepted = queue.Queue()
        self.url = f"http://127.0.0.1:{self.server_port}/hook"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self):
        self.shutdown()
        self.server_close()


Accepted = collections.namedtuple("Accepted", "key signature body")


class Webhook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.accepts:
            self.server.accepted.put(Accepted(self.headers["X-Pusher-Key"], self.headers["X-Pusher-Signature"], body))
        self.send_response(200 if self.server.accepts else 503)
        self.end_headers()

    def log_message(self, *_):
        pass


# Channels that clients join before the upgrade alone.
KEPT = "kept-"


def keep_a_request(server, client):
    """Joins channels until the server has kept a request about one: a slow database may miss the first."""
    kept = re.compile(r'^fanfare_webhook_requests_kept_total\{app="1001"\} [1-9]', re.MULTILINE)
    for number in range(12):
        client.subscribe({"channel": f"{KEPT}{number}"})
        deadline = time.monotonic() + DEADLINE / 12
        while time.monotonic() < deadline:
            if kept.search(server.ask("GET", "/metrics", None)[1]):
                return
            time.sleep(0.05)
    raise AssertionError("no request is kept")


class Before:
    """What operators, clients and back ends have left with the older version."""

    def __init__(self, app, token, audit, usage):
        self.app, self.token, self.audit, self.usage = app, token, audit, usage

    @classmethod
    def made(cls, server, receiver):
        """Has all of it made on a server that runs; also the clients, which stay connected."""
        token = json.loads(server.command("token", "create", "--name", "deploy", "--scope", "read,write,secrets", "--json"))["token"]
        app = json.loads(server.command("app", "create", "--id", "1001", "--name", "shop", "--set", "client_events=true", "--json"))
        path = f"/v1/apps/{app['id']}"
        server.json("POST", f"{path}/keys", token)
        assert server.ask("DELETE", f"{path}/keys/{app['keys'][0]['key']}", token)[0] in (200, 204)
        app = app_on(server, token)
        clients = [Client(server, app, user) for user in ["ada", "ben"]]
        server.publish(app, "news", "before")
        for client in clients:
            client.expect("before")
        hook = {"url": receiver.url, "events": ["channel_existence"], "durable": True}
        server.json("PATCH", path, token, {"settings": {"webhooks": [hook]}})
        app = app_on(server, token)
        keep_a_request(server, clients[0])
        audit = server.json("GET", "/v1/audit", token)["entries"]
        return cls(app, token, audit, None), clients

    def note_usage(self, server, older):
        """Of the stopped server, which has stored all of it; asked with the older binary."""
        self.usage = json.loads(server.command("app", "usage", self.app["id"], "--json", binary=older))["total"]

    def expect_all_on(self, server, receiver):
        """Fails unless a newer server has all of it, and lets the receiver have what was kept."""
        found = app_on(server, self.token)
        assert found == self.app, f"was {self.app}, is {found}"
        audit = {entry["id"]: entry for entry in server.json("GET", "/v1/audit?limit=200", self.token)["entries"]}
        for entry in self.audit:
            found = audit[entry["id"]]
            assert (found["action"], found["name"], found["app"]) == (entry["action"], entry["name"], entry["app"]), found
        total = json.loads(server.command("app", "usage", self.app["id"], "--hours", "720", "--json"))["total"]
        assert self.usage["backend_messages"] > 0
        for name in ["backend_messages", "client_messages", "deliveries", "delivered_bytes"]:
            assert total[name] >= self.usage[name], f"{name}: {total} after {self.usage}"
        receiver.accepts = True
        while True:
            accepted = receiver.accepted.get(timeout=DEADLINE)
            key = next(key for key in valid_keys(self.app) if key["key"] == accepted.key)
            assert hmac.compare_digest(accepted.signature, signed(key, accepted.body))
            # Others are of the shutdown, and of the clients that came back.
            if any(event["name"] == "channel_occupied" and event["channel"].startswith(KEPT) for event in json.loads(accepted.body)["events"]):
                return
