"""The image of the Dockerfile, built without a base image, and containers of it."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

from binary import BINARY, ROOT

NAME = "localhost/fanfare:test"

# The storage of this run alone: what the machine has of images stays as it is.
STORAGE = '[storage]\ndriver = "vfs"\ngraphroot = "{0}/images"\nrunroot = "{0}/run"\n'


class Image:
    """Built once for all tests; `root` is its file system."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="fanfare-image-")
        storage = pathlib.Path(self.folder) / "storage.conf"
        storage.write_text(STORAGE.format(self.folder))
        self.env = {**os.environ, "CONTAINERS_STORAGE_CONF": str(storage)}
        # Without what only a debugger reads: each layer is a copy here.
        binary = pathlib.Path(self.folder) / "fanfare"
        subprocess.run(["strip", "-o", binary, BINARY], check=True)
        self.command([str(ROOT / "packaging/image/build.sh"), str(binary), NAME])
        self.container = self.command(["buildah", "from", "--pull-never", NAME]).strip()
        self.root = pathlib.Path(self.command(["buildah", "mount", self.container]).strip())

    def command(self, command):
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def settings(self):
        return json.loads(self.command(["buildah", "inspect", "--type", "image", NAME]))["Docker"]["config"]

    def remove(self):
        self.command(["buildah", "rm", "--all"])
        shutil.rmtree(self.folder)


# What a runtime does with the image: its file system read-only, a volume and /tmp to write to, the names of the machine, its user,
# its environment. The first argument is the file system, the second the volume; the rest is the command.
CONTAINER = """
set -e
root=$1 volume=$2
shift 2
mount --bind "$root" "$root"
mount --bind "$volume" "$root/var/lib/fanfare"
mount -t tmpfs none "$root/tmp"
mkdir -p "$root/proc"
mount -t proc none "$root/proc"
[ -z "$HOSTS" ] || { touch "$root/etc/hosts"; mount --bind "$HOSTS" "$root/etc/hosts"; }
mount -o remount,ro,bind "$root"
exec env -i "$@"
"""


class Container:
    """A process of the image in a mount namespace of its own, as the image's user."""

    def __init__(self, image, env, *arguments, hosts=""):
        self.image, self.env, self.hosts = image, env, hosts
        self.volume = tempfile.mkdtemp(prefix="fanfare-volume-")
        os.chown(self.volume, 10001, 10001)
        self.log = open(f"{self.volume}.log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(self.command(arguments), env={**os.environ, "HOSTS": hosts}, stdout=self.log, stderr=self.log)

    def command(self, arguments):
        """Of the same settings and mounts, with other arguments."""
        settings = self.image.settings()
        user, group = settings["User"].split(":")
        env = [*settings["Env"], *(f"{name}={value}" for name, value in self.env.items())]
        entered = ["/usr/bin/unshare", f"--root={self.image.root}", f"--wd={settings['WorkingDir']}", f"--setuid={user}", f"--setgid={group}"]
        # The path is the image's, and not this machine's.
        program = f"/usr/local/bin/{settings['Entrypoint'][0]}"
        unshared = ["unshare", "--mount", "sh", "-c", CONTAINER, "sh", str(self.image.root), self.volume]
        return [*unshared, *env, *entered, program, *(arguments or settings["Cmd"])]

    def run(self, *arguments):
        return subprocess.run(self.command(arguments), env={**os.environ, "HOSTS": self.hosts}, capture_output=True, text=True, check=False)

    def said(self):
        return pathlib.Path(self.log.name).read_text(encoding="utf-8")

    def stop(self):
        """Stops the server as a runtime does; fails unless its status is 0."""
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout=20)
        finally:
            self.process.kill()
            self.log.close()
        said = self.said()
        pathlib.Path(self.log.name).unlink()
        shutil.rmtree(self.volume)
        assert status == 0, f"ended with {status}: {said}"
