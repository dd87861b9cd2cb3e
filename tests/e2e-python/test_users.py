"""Signing users in, sending to them and ending their connections with the stock Python SDK."""

import json
import unittest
from unittest import mock

import pusher
from pusher.errors import PusherBadStatus
from pusher.http import POST, Request

from running_fanfare import APP_ID, KEY, SECRET, Fanfare
from subscriber import Subscriber


class Users(unittest.TestCase):
    def setUp(self):
        self.server = Fanfare()
        self.addCleanup(self.server.stop)
        where = {"host": self.server.host, "port": self.server.port, "ssl": False}
        self.sdk = pusher.Pusher(app_id=APP_ID, key=KEY, secret=SECRET, **where)

    def signed_in(self, user):
        subscriber = Subscriber(self.server)
        self.addCleanup(subscriber.close)
        found = subscriber.sign_in(**self.sdk.authenticate_user(subscriber.socket_id, user))
        self.assertEqual(found, user)
        return subscriber

    def test_auth_030_a_user_is_signed_with_the_spaces_that_python_writes(self):
        self.signed_in({"id": "ann", "user_info": {"name": "Ann ☃"}, "watchlist": ["bob"]})

    def test_ws_192_send_to_user_reaches_every_connection_of_the_user(self):
        tabs = [self.signed_in({"id": "ann"}), self.signed_in({"id": "ann"})]
        bob = self.signed_in({"id": "bob"})
        self.assertEqual(self.sdk.send_to_user("ann", "hello", {"text": "grüße"}), {})
        for tab in tabs:
            frame = tab.next("hello")
            self.assertEqual(frame["channel"], "#server-to-user-ann")
            self.assertEqual(json.loads(frame["data"]), {"text": "grüße"})
        self.sdk.trigger("#server-to-user-bob", "to bob", "x")
        bob.next("to bob")

    def test_api_063_the_sdk_asks_at_a_wrong_path_and_is_told_so(self):
        ann = self.signed_in({"id": "ann"})
        # The SDK leaves out /apps/ID, which no server can repair: the key names no app in a path.
        with self.assertRaisesRegex(PusherBadStatus, "404: There is nothing at this path"):
            self.sdk.terminate_user_connections("ann")
        self.sdk.send_to_user("ann", "still here", {})
        ann.next("still here")

    def test_api_060_api_062_the_right_path_signed_by_the_sdk_ends_the_users_connections(self):
        tabs = [self.signed_in({"id": "ann"}), self.signed_in({"id": "ann"})]
        bob = self.signed_in({"id": "bob"})
        client = self.sdk._pusher_client
        request = Request(client, POST, f"/apps/{APP_ID}/users/ann/terminate_connections", {})
        self.assertEqual(client.http.send_request(request), {})
        for tab in tabs:
            self.assertEqual(tab.closed(), (4009, "You got disconnected by the app."))
        self.sdk.send_to_user("bob", "still here", {})
        bob.next("still here")


class Cache(unittest.TestCase):
    def test_ws_171_an_event_waits_for_its_first_subscriber(self):
        server = Fanfare()
        self.addCleanup(server.stop)
        sdk = pusher.Pusher(app_id=APP_ID, key=KEY, secret=SECRET, host=server.host, port=server.port, ssl=False)
        sdk.trigger("cache-news", "price", {"euro": "ü"})
        info = sdk.channel_info("cache-news", attributes=["cache", "subscription_count"])
        self.assertEqual((info["occupied"], info["subscription_count"]), (False, 0))
        self.assertEqual(json.loads(info["cache"]["data"]), {"euro": "ü"})
        subscriber = Subscriber(server)
        self.addCleanup(subscriber.close)
        subscriber.subscribe("cache-news")
        self.assertEqual(json.loads(subscriber.next("price")["data"]), {"euro": "ü"})
        subscriber.subscribe("cache-other")
        self.assertEqual(subscriber.next("pusher:cache_miss")["data"], "{}")


class Signatures(unittest.TestCase):
    """Uses no server: the worked examples of the server's own tests."""

    SOCKET = "1234.1234"
    MASTER_KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

    def setUp(self):
        key = {"encryption_master_key_base64": self.MASTER_KEY}
        self.sdk = pusher.Pusher(app_id=APP_ID, key=KEY, secret=SECRET, **key)

    def test_auth_020_authenticate(self):
        found = self.sdk.authenticate("private-foobar", self.SOCKET)
        signature = "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4"
        self.assertEqual(found, {"auth": f"{KEY}:{signature}"})
        user = {"user_id": 10, "user_info": {"name": "Mr. Channels"}}
        found = self.sdk.authenticate("presence-foobar", self.SOCKET, user)
        signature = "5b8808f3035fec2e4157c6b430a06d5b0de16d174e1a779e0e2b64d9983bde27"
        self.assertEqual(found["auth"], f"{KEY}:{signature}")

    def test_auth_040_authenticate_an_encrypted_channel(self):
        found = self.sdk.authenticate("private-encrypted-foobar", self.SOCKET)
        self.assertEqual(found["shared_secret"], b"/fXNISfW5oYPsxk0w2Unhmf4ryxyOUewExp5ih8r70k=")

    def test_auth_030_authenticate_user(self):
        found = self.sdk.authenticate_user(self.SOCKET, {"id": "12345"})
        signature = "d06dc389319077f890321aeac54e04868921e1601686928f61fc9bf702e92830"
        self.assertEqual(found, {"auth": f"{KEY}:{signature}", "user_data": '{"id": "12345"}'})

    def test_auth_050_validate_webhook(self):
        occupied = '{"name":"channel_occupied","channel":"private-foobar"}'
        body = f'{{"time_ms":1700000000000,"events":[{occupied}]}}'
        signature = "c9e4a34dfe004d6c993f44d9adcbdc04819c201203a4043bb5bc3120ab5321ea"
        with mock.patch("time.time", return_value=1_700_000_000):
            self.assertEqual(self.sdk.validate_webhook(KEY, signature, body), json.loads(body))
            self.assertIsNone(self.sdk.validate_webhook(KEY, signature, body.replace("foobar", "other")))
            self.assertIsNone(self.sdk.validate_webhook("other", signature, body))
        # The SDK refuses webhooks older than five minutes.
        with mock.patch("time.time", return_value=1_700_000_301):
            self.assertIsNone(self.sdk.validate_webhook(KEY, signature, body))


if __name__ == "__main__":
    unittest.main(verbosity=2)
