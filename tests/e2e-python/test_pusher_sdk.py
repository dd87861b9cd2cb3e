"""The stock Python SDK, and its signatures, against the built binary."""

import json
import unittest

import pusher
from pusher.errors import PusherBadAuth, PusherBadStatus

from running_fanfare import APP_ID, KEY, SECRET, Fanfare
from subscriber import Subscriber


class PusherSdk(unittest.TestCase):
    def setUp(self):
        self.server = Fanfare()
        self.addCleanup(self.server.stop)
        self.sdk = self.sdk_with(SECRET)

    def sdk_with(self, secret):
        where = {"host": self.server.host, "port": self.server.port, "ssl": False}
        return pusher.Pusher(app_id=APP_ID, key=KEY, secret=secret, **where)

    def subscriber(self):
        subscriber = Subscriber(self.server)
        self.addCleanup(subscriber.close)
        return subscriber

    def member(self, user):
        """Joins presence-room, authorized by the SDK."""
        subscriber = self.subscriber()
        auth = self.sdk.authenticate("presence-room", subscriber.socket_id, user)
        succeeded = subscriber.subscribe("presence-room", **auth)
        return subscriber, json.loads(succeeded["data"])["presence"]

    def test_trigger_reaches_a_subscriber(self):
        subscriber = self.subscriber()
        subscriber.subscribe("news")
        self.assertEqual(self.sdk.trigger("news", "hello", {"text": "grüße"}), {})
        self.assertEqual(json.loads(subscriber.next("hello")["data"]), {"text": "grüße"})

    def test_trigger_leaves_out_the_sender(self):
        sender, other = self.subscriber(), self.subscriber()
        for one in (sender, other):
            one.subscribe("news")
        self.sdk.trigger(["news"], "others", "x", sender.socket_id)
        self.sdk.trigger(["news"], "all", "x")
        other.next("others")
        other.next("all")
        sender.next("all")

    def test_trigger_batch_arrives_in_order(self):
        subscriber = self.subscriber()
        subscriber.subscribe("news")
        batch = [{"channel": "news", "name": f"event-{i}", "data": {"i": i}} for i in range(10)]
        self.assertEqual(self.sdk.trigger_batch(batch), {})
        for i in range(10):
            self.assertEqual(json.loads(subscriber.next(f"event-{i}")["data"]), {"i": i})

    def test_auth_021_presence_is_signed_with_the_spaces_that_python_writes(self):
        _, presence = self.member({"user_id": "ann", "user_info": {"name": "Ann"}})
        self.assertEqual(presence, {"count": 1, "ids": ["ann"], "hash": {"ann": {"name": "Ann"}}})

    def test_auth_022_a_private_channel_may_have_signed_data_too(self):
        subscriber = self.subscriber()
        auth = self.sdk.authenticate("private-orders", subscriber.socket_id, {"anything": 1})
        subscriber.subscribe("private-orders", **auth)

    def test_auth_008_get_requests_carry_the_digest_of_an_empty_body(self):
        for user_id in ("ann", "ann", "bob"):
            self.member({"user_id": user_id})
        rooms = self.sdk.channels_info(prefix_filter="presence-", attributes=["user_count"])
        self.assertEqual(rooms, {"channels": {"presence-room": {"user_count": 2}}})
        room = self.sdk.channel_info("presence-room", attributes=["user_count"])
        self.assertEqual(room, {"occupied": True, "user_count": 2})
        users = self.sdk.users_info("presence-room")["users"]
        self.assertEqual(sorted(user["id"] for user in users), ["ann", "bob"])

    def test_a_wrong_secret_is_bad_auth(self):
        with self.assertRaisesRegex(PusherBadAuth, "Invalid signature: you should have sent HmacSHA256Hex"):
            self.sdk_with("not-the-secret").trigger("news", "hello", {})

    def test_lim_010_too_much_data_raises_with_hosted_words(self):
        words = r"The data content of this event exceeds the allowed maximum \(10240 bytes\)"
        with self.assertRaisesRegex(PusherBadStatus, words):
            self.sdk.trigger("news", "big", "x" * 10241)


if __name__ == "__main__":
    unittest.main(verbosity=2)
