"""docs/upgrading.md, walked from an older version (FANFARE_OLDER) to this one (FANFARE_BIN), and back: `cargo xtask upgrade`."""

import os
import pathlib
import tempfile
import unittest

from binary import BINARY
from stored import store
from upgrade import Before, Postgres, Receiver, Server, Sqlite, app_on

OLDER = os.environ["FANFARE_OLDER"]

# Where the older version's database is stored for the tests, if it is to be.
STORE = os.environ.get("FANFARE_STORE")

# Close codes that tell a client to come back: at once, or after a second.
COME_BACK = range(4100, 4300)


class Walk:
    """The steps of the page, for one database; `database` makes it in a folder."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        folder = pathlib.Path(folder.name)
        self.database = self.make_database(folder)
        self.addCleanup(self.database.stop)
        self.receiver = Receiver()
        self.addCleanup(self.receiver.stop)
        self.server = Server(folder, OLDER, self.database)
        self.addCleanup(self.server.kill)

    def started(self):
        self.assertIsNone(self.server.start())

    def test_everything_is_there_after_an_upgrade_and_as_in_the_backup_after_a_rollback(self):
        server = self.server
        self.started()
        before, clients = Before.made(server, self.receiver)

        # Step 2: the new binary accepts the configuration, while the old server runs.
        server.command("serve", "--check", binary=BINARY)
        # Step 3.
        self.database.back_up()
        migrations = self.database.migrations()

        # Step 4: the binary is replaced, the server restarted; clients are told to come back.
        server.install(BINARY)
        server.stop()
        before.note_usage(server, OLDER)
        if STORE and isinstance(self.database, Sqlite):
            store(pathlib.Path(STORE), self.database.file, before, self.receiver)
        codes = {client.close_code() for client in clients}
        self.assertTrue(codes <= set(COME_BACK), codes)
        self.started()
        for client in clients:
            client.connect()

        # Step 5, and what the page promises.
        server.command("health", "--ready")
        server.command("doctor", "--app-id", before.app["id"])
        before.expect_all_on(server, self.receiver)
        server.publish(before.app, "news", "after")
        for client in clients:
            client.expect("after")

        # The way back.
        server.command("app", "create", "--id", "2002", "--name", "later")
        server.stop()
        server.install(OLDER)
        if self.database.migrations() > migrations:
            self.assertIn("belongs to a newer version of Fanfare", server.start())
        self.database.restore()
        self.started()
        self.assertEqual(app_on(server, before.token), before.app)
        self.assertEqual(server.ask("GET", "/v1/apps/2002", before.token)[0], 404)
        clients[0].connect()
        server.publish(before.app, "news", "back")
        clients[0].expect("back")
        server.stop()


class WithSqlite(Walk, unittest.TestCase):
    make_database = Sqlite


class WithPostgres(Walk, unittest.TestCase):
    make_database = Postgres


if __name__ == "__main__":
    unittest.main()
