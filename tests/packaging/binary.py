"""The built binary, and free ports."""

import os
import pathlib
import socket

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("FANFARE_BIN", str(ROOT / "target/debug/fanfare"))


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]
