"""The files for Docker Compose: the server accepts the settings in them, and nginx leads to every node."""

import re
import tempfile
import unittest

import yaml

from binary import CLOSING, ROOT, number_in, serve

def nodes(file):
    """The services that run Fanfare, by name."""
    services = yaml.safe_load((ROOT / file).read_text())["services"]
    return {name: one for name, one in services.items() if one.get("image") == "fanfare" or "build" in one}


class Compose(unittest.TestCase):
    def serve(self, node, *options):
        """`fanfare serve` with a service's settings."""
        settings = {name: re.sub(r"\$\{.*?\}", "", value) for name, value in node["environment"].items()}
        with tempfile.TemporaryDirectory() as folder:
            return serve(folder, settings, *options)

    def test_the_server_accepts_the_settings_of_each_node_and_has_the_time_to_drain(self):
        for file in ["docker-compose.yml", "docker-compose.single.yml"]:
            found = nodes(file)
            self.assertTrue(found)
            for name, node in found.items():
                done = self.serve(node, "--check")
                self.assertEqual(done.returncode, 0, f"{file}, {name}: {done.stdout}{done.stderr}")
                drain = number_in(self.serve(node, "--print").stdout, "drain")
                grace = int(node["stop_grace_period"].removesuffix("s"))
                self.assertGreaterEqual(grace, drain + CLOSING, file)

    def test_the_balancer_leads_to_every_node_and_no_other(self):
        services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
        found = nodes("docker-compose.yml")
        self.assertEqual(len(found), 2)
        mounted = services["balancer"]["volumes"][0].split(":")[0]
        servers = re.findall(r"^\s*server (\S+):6001", (ROOT / mounted).read_text(), re.MULTILINE)
        self.assertEqual(sorted(servers), sorted(found))
        names = {node["environment"]["FANFARE__BUS__NODE_NAME"] for node in found.values()}
        self.assertEqual(names, set(found))


if __name__ == "__main__":
    unittest.main()
