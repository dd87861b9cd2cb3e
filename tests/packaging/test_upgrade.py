"""A database of the version before (the folder `before`): the server migrates and serves it. The whole walk is `cargo xtask upgrade`."""

import pathlib
import tempfile
import unittest

from binary import BINARY
from stored import load
from upgrade import Client, Receiver, Server, Sqlite


class Upgrade(unittest.TestCase):
    def test_a_database_of_the_version_before_is_served_with_all_that_is_in_it(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        folder = pathlib.Path(folder.name)
        receiver = Receiver()
        self.addCleanup(receiver.stop)
        database = Sqlite(folder)
        before = load(database.file, receiver)
        server = Server(folder, BINARY, database)
        self.addCleanup(server.kill)
        self.assertIsNone(server.start())
        client = Client(server, before.app, "ada")
        server.publish(before.app, "news", "after")
        client.expect("after")
        before.expect_all_on(server, receiver)
        client.socket.close()
        server.stop()


if __name__ == "__main__":
    unittest.main()
