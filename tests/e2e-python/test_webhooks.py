"""Webhooks as the stock Python SDK reads them."""

import http.server
import pathlib
import queue
import re
import socket
import subprocess
import sys
import threading
import unittest

import pusher

from running_fanfare import APP_ID, CONFIG, KEY, ROOT, SECRET, Fanfare
from subscriber import Subscriber


def documented(port):
    """The receiver of docs/webhooks.md, on another port."""
    page = (pathlib.Path(ROOT) / "docs/webhooks.md").read_text()
    code = re.search(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[1]
    assert "3000" in code, code
    return code.replace("3000", str(port))


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Receiver(http.server.ThreadingHTTPServer):
    """A back end that puts key, signature and body of each request into `requests`."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Request)
        self.requests = queue.Queue()
        threading.Thread(target=self.serve_forever).start()

    def next(self):
        return self.requests.get(timeout=10)

    def stop(self):
        self.shutdown()
        self.server_close()


class Request(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.requests.put((self.headers["X-Pusher-Key"], self.headers["X-Pusher-Signature"], body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


class Webhooks(unittest.TestCase):
    def test_hook_005_auth_050_validate_webhook_accepts_ours_and_refuses_what_was_changed(self):
        receiver = Receiver()
        self.addCleanup(receiver.stop)
        webhook = f"""
            [[apps.list.webhooks]]
            url = "http://127.0.0.1:{receiver.server_port}/hook"
            events = ["channel_existence", "presence"]
        """
        server = Fanfare(CONFIG + webhook)
        self.addCleanup(server.stop)
        sdk = pusher.Pusher(app_id=APP_ID, key=KEY, secret=SECRET, host=server.host, port=server.port, ssl=False)
        subscriber = Subscriber(server)
        self.addCleanup(subscriber.close)
        auth = sdk.authenticate("presence-room", subscriber.socket_id, {"user_id": "ann"})
        subscriber.subscribe("presence-room", **auth)
        told = []
        for _ in range(2):
            key, signature, body = receiver.next()
            webhook = sdk.validate_webhook(key, signature, body)
            self.assertIsNotNone(webhook)
            told.extend(webhook["events"])
            self.assertIsNone(sdk.validate_webhook(key, signature, body.replace("presence-room", "presence-hall")))
            self.assertIsNone(sdk.validate_webhook("another", signature, body))
        occupied = {"name": "channel_occupied", "channel": "presence-room"}
        added = {"name": "member_added", "channel": "presence-room", "user_id": "ann"}
        self.assertEqual(told, [occupied, added])

    def test_hook_003_the_documented_receiver_takes_ours(self):
        port = free_port()
        env = {"PUSHER_APP_ID": APP_ID, "PUSHER_APP_KEY": KEY, "PUSHER_APP_SECRET": SECRET}
        command = [sys.executable, "-c", documented(port)]
        receiver = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(receiver.stdout.close)
        self.addCleanup(receiver.wait)
        self.addCleanup(receiver.terminate)
        webhook = f"""
            [webhooks]
            retry = 10
            [[apps.list.webhooks]]
            url = "http://127.0.0.1:{port}/"
            events = ["channel_existence"]
        """
        config = webhook.split("[[")
        server = Fanfare(config[0] + CONFIG + "[[" + config[1])
        self.addCleanup(server.stop)
        subscriber = Subscriber(server)
        self.addCleanup(subscriber.close)
        subscriber.subscribe("news")
        # Fanfare retries until the port listens.
        deadline = threading.Timer(10, receiver.kill)
        deadline.start()
        self.addCleanup(deadline.cancel)
        self.assertEqual(receiver.stdout.readline(), "channel_occupied news\n")


if __name__ == "__main__":
    unittest.main(verbosity=2)
