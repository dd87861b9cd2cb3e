"""A database of the version before, stored as text: written by `cargo xtask upgrade --store`, read by test_upgrade.py."""

import json
import pathlib
import socket
import sqlite3
import time

from upgrade import Before

FOLDER = pathlib.Path(__file__).parent / "before"

# In the place of the receiver's address, which is another in each run.
RECEIVER = "http://receiver.invalid/hook"

HOUR = 3600


def store(folder, database, before, receiver):
    """Writes a database, and what is known of it, into `folder`."""
    folder.mkdir(exist_ok=True)
    with sqlite3.connect(database) as connection:
        lines = "\n".join(connection.iterdump()) + "\n"
    known = json.dumps({"stored_at": int(time.time()), **vars(before)}, indent=1) + "\n"
    for name, text in [("fanfare.sql", lines), ("known.json", known)]:
        text = text.replace(receiver.url, RECEIVER).replace(socket.gethostname(), "node")
        (folder / name).write_text(text, encoding="utf-8")


def load(database, receiver):
    """Makes the stored database anew, as if it had been left within the hour; what is known of it."""
    known = json.loads((FOLDER / "known.json").read_text(encoding="utf-8").replace(RECEIVER, receiver.url))
    database.parent.mkdir(parents=True)
    connection = sqlite3.connect(database)
    connection.executescript((FOLDER / "fanfare.sql").read_text(encoding="utf-8").replace(RECEIVER, receiver.url))
    # What is old is deleted: usage, audit, requests of webhooks.
    hours = (int(time.time()) - known.pop("stored_at")) // HOUR
    milliseconds = hours * HOUR * 1000
    connection.execute("UPDATE app_usage SET hour = hour + ?", [hours])
    connection.execute("UPDATE admin_audit SET at = at + ?", [milliseconds])
    connection.execute("UPDATE webhook_requests SET happened_at = happened_at + ?, due_at = due_at + ?", [milliseconds, milliseconds])
    connection.commit()
    connection.close()
    return Before(**known)
