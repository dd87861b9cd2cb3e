"""The image: what is in it, and that a server in it serves, finds names, and trusts what it is told to trust."""

import http.server
import json
import os
import pathlib
import queue
import ssl
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.request

import websocket

from binary import free_port
from image import Container, Image

# What may be run: the server, and the two parts of glibc that are programs as well.
PROGRAMS = {"fanfare", "ld-linux-x86-64.so.2", "libc.so.6"}

APP = {"PUSHER_APP_ID": "3", "PUSHER_APP_KEY": "278d425bdf160c739803", "PUSHER_APP_SECRET": "7ad3773142a6692b25b8"}

CONFIG = """
[webhooks]
ca_file = "/tmp/ca.pem"

[[apps.list]]
id = "3"
key = "278d425bdf160c739803"
secret = "7ad3773142a6692b25b8"

[[apps.list.webhooks]]
url = "https://backend.fanfare.test:{port}/hook"
events = ["channel_existence"]
"""

# An authority, and a certificate for one name.
CERTIFICATES = """
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem
openssl req -newkey rsa:2048 -nodes -subj /CN=backend -keyout key.pem -out request.pem
echo subjectAltName=DNS:backend.fanfare.test > names
openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out cert.pem
"""

DEADLINE = 20


class Receiver(http.server.ThreadingHTTPServer):
    """A back end behind TLS, with a certificate for one name that a private authority has signed."""

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), Request)
        self.requests = queue.Queue()
        subprocess.run(["sh", "-ec", CERTIFICATES], cwd=folder, check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{folder}/cert.pem", f"{folder}/key.pem")
        self.socket = context.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self):
        self.shutdown()
        self.server_close()


class Request(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.requests.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


class InTheImage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.image = Image()
        cls.addClassCleanup(cls.image.remove)

    def started(self, env, hosts=""):
        """A container that serves on free ports, with the address of each."""
        port, admin = free_port(), free_port()
        addresses = {"FANFARE__LISTEN__ADDR": f"127.0.0.1:{port}", "FANFARE__LISTEN__ADMIN_ADDR": f"127.0.0.1:{admin}"}
        container = Container(self.image, {**env, **addresses}, hosts=hosts)
        self.addCleanup(container.stop)
        deadline = time.monotonic() + DEADLINE
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{admin}/ready", timeout=5) as answer:
                    self.assertEqual(answer.status, 200)
                return container, port, admin
            except OSError:
                self.assertLess(time.monotonic(), deadline, container.said())
                self.assertIsNone(container.process.poll(), container.said())
                time.sleep(0.05)

    def test_nothing_but_the_server_can_be_run(self):
        found = set()
        for folder, _, files in os.walk(self.image.root):
            paths = [pathlib.Path(folder) / name for name in files]
            found |= {path.name for path in paths if not path.is_symlink() and path.stat().st_mode & 0o111}
        self.assertEqual(found, PROGRAMS)
        for path in ["etc/ssl/certs/ca-certificates.crt", "usr/share/zoneinfo/Europe/Berlin", "etc/nsswitch.conf"]:
            self.assertTrue((self.image.root / path).exists(), path)

    def test_the_user_is_a_number_and_the_health_check_needs_no_shell(self):
        settings = self.image.settings()
        self.assertEqual(settings["User"], "10001:10001")
        self.assertEqual(settings["Healthcheck"]["Test"], ["CMD", "fanfare", "health"])
        self.assertEqual(settings["Entrypoint"], ["fanfare"])

    def test_a_server_on_a_read_only_file_system_is_healthy_and_keeps_its_data_in_the_volume(self):
        container, _, admin = self.started({"FANFARE__APPS__DATABASE": "sqlite"})
        check = self.image.settings()["Healthcheck"]["Test"]
        health = container.run(*check[2:])
        self.assertEqual((health.returncode, health.stderr), (0, ""), health.stdout)
        made = container.run("app", "create", "--name", "shop")
        self.assertEqual(made.returncode, 0, made.stderr)
        owners = {os.stat(path).st_uid for path in pathlib.Path(container.volume).rglob("*")}
        self.assertEqual(owners, {10001})
        status = pathlib.Path(f"/proc/{container.process.pid}/status").read_text(encoding="utf-8")
        self.assertIn("Uid:\t10001\t10001\t10001\t10001", status)
        # Probes come by the pod's address: the listener of the operators answers these without a setting.
        with urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics", timeout=5) as answer:
            self.assertIn(b"fanfare_connections", answer.read())

    def test_names_are_resolved_and_a_webhook_over_tls_is_delivered(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        receiver = Receiver(folder.name)
        self.addCleanup(receiver.stop)
        hosts = pathlib.Path(folder.name) / "hosts"
        hosts.write_text("127.0.0.1 localhost backend.fanfare.test\n", encoding="utf-8")
        # In the volume, as a mounted file would be.
        config = CONFIG.format(port=receiver.server_port)
        authority = pathlib.Path(folder.name, "ca.pem").read_text(encoding="utf-8")
        container, port, _ = self.started_with(config, authority, str(hosts))
        client = websocket.create_connection(f"ws://127.0.0.1:{port}/app/{APP['PUSHER_APP_KEY']}?protocol=7", timeout=DEADLINE)
        self.addCleanup(client.close)
        client.send(json.dumps({"event": "pusher:subscribe", "data": {"channel": "news"}}))
        try:
            told = receiver.requests.get(timeout=DEADLINE)
        except queue.Empty:
            self.fail(container.said())
        self.assertEqual(told["events"][0]["name"], "channel_occupied")

    def started_with(self, config, authority, hosts):
        """A container whose configuration and authority are files of the image's root, where a runtime would mount them."""
        (self.image.root / "etc/fanfare/mounted.toml").write_text(config.replace("/tmp/ca.pem", "/etc/fanfare/ca.pem"), encoding="utf-8")
        (self.image.root / "etc/fanfare/ca.pem").write_text(authority, encoding="utf-8")
        return self.started({"FANFARE_CONFIG": "/etc/fanfare/mounted.toml"}, hosts)


if __name__ == "__main__":
    unittest.main()
