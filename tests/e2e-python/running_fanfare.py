"""Starts the built binary for a test, and stops it again."""

import os
import pathlib
import re
import subprocess
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("FANFARE_BIN", str(ROOT / "target/debug/fanfare"))

APP_ID = "3"
KEY = "278d425bdf160c739803"
SECRET = "7ad3773142a6692b25b8"

CONFIG = f"""
[timeouts]
drain = 1

[[apps.list]]
id = "{APP_ID}"
key = "{KEY}"
secret = "{SECRET}"
"""


class Fanfare:
    """A server on free ports: `host` and `port` are for clients."""

    def __init__(self, config=CONFIG):
        self._directory = tempfile.TemporaryDirectory(prefix="fanfare-e2e-")
        directory = pathlib.Path(self._directory.name)
        (directory / "fanfare.toml").write_text(config)
        self._log = open(directory / "stderr", "w+")
        ports = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]
        self._process = subprocess.Popen(
            [BINARY, "serve", "--config", "fanfare.toml", "--data-dir", "data", *ports],
            cwd=directory,
            env={"PATH": os.environ["PATH"], "RUST_BACKTRACE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self.host, self.port = self._ready()

    def _ready(self):
        deadline = threading.Timer(10, self._process.kill)
        deadline.start()
        line = self._process.stdout.readline()
        deadline.cancel()
        found = re.match(r"Fanfare is ready: http://(.+):(\d+) \(admin ", line)
        if not found:
            self._process.kill()
            self._process.wait()
            self._log.seek(0)
            raise AssertionError(f"no ready line within 10 s, but {line!r}; stderr:\n{self._log.read()}")
        # Further output must not fill the pipe.
        self._rest = threading.Thread(target=self._process.stdout.read, daemon=True)
        self._rest.start()
        return found[1], int(found[2])

    def stop(self):
        """Stops the server with SIGTERM; fails unless the exit status is 0."""
        self._process.terminate()
        try:
            status = self._process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = "nothing within 15 s"
        self._rest.join()
        self._process.stdout.close()
        self._log.seek(0)
        log = self._log.read()
        self._log.close()
        self._directory.cleanup()
        assert status == 0, f"ended with {status} after SIGTERM; stderr:\n{log}"
