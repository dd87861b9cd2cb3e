"""A minimal client: enough for a test to see events arrive."""

import json

import websocket

from running_fanfare import KEY


class Subscriber:
    """A WebSocket that speaks the protocol by hand; every wait has a timeout of 10 s."""

    def __init__(self, server):
        url = f"ws://{server.host}:{server.port}/app/{KEY}?protocol=7&client=test&version=1"
        self._socket = websocket.create_connection(url, timeout=10)
        established = self.next("pusher:connection_established")
        self.socket_id = json.loads(established["data"])["socket_id"]

    def closed(self):
        """Code and reason of the close frame, which must be the next frame."""
        opcode, content = self._socket.recv_data()
        assert opcode == websocket.ABNF.OPCODE_CLOSE, content
        self._socket.shutdown()
        return int.from_bytes(content[:2], "big"), content[2:].decode()

    def next(self, event):
        """The next frame, which must be of this event."""
        frame = json.loads(self._socket.recv())
        assert frame["event"] == event, frame
        return frame

    def send(self, event, data):
        self._socket.send(json.dumps({"event": event, "data": data}))

    def sign_in(self, **credentials):
        """Signs in, and subscribes to the user's messages; returns the user in the server's answer."""
        self.send("pusher:signin", credentials)
        user = json.loads(json.loads(self.next("pusher:signin_success")["data"])["user_data"])
        self.subscribe(f"#server-to-user-{user['id']}")
        return user

    def subscribe(self, channel, **credentials):
        self.send("pusher:subscribe", {"channel": channel, **credentials})
        return self.next("pusher_internal:subscription_succeeded")

    def close(self):
        self._socket.close()
