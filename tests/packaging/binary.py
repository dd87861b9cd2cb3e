"""The built binary, what it makes of settings, and free ports."""

import os
import pathlib
import re
import socket
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("FANFARE_BIN", str(ROOT / "target/debug/fanfare"))


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


# What follows the drain: connections that are left are closed within that many seconds.
CLOSING = 3


def serve(folder, settings, *options):
    """`fanfare serve` with these variables, as in the image."""
    env = {"PATH": os.environ["PATH"], "FANFARE_DEFAULTS": str(ROOT / "config/docker/defaults.toml"), **settings}
    return subprocess.run([BINARY, "serve", *options], cwd=folder, env=env, capture_output=True, text=True, check=False)


def number_in(printed, setting):
    """The number of a setting in what `--print` says; of a time, its seconds."""
    return int(re.search(rf'^{setting} = "?(\d+)', printed, re.MULTILINE)[1])
