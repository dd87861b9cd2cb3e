"""The manifests of packaging/kubernetes: what Kubernetes' own schemas say, and what the server says to the settings in them."""

import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import yaml

from binary import CLOSING, ROOT, number_in, serve

FOLDER = ROOT / "packaging/kubernetes"

# Kinds that Kubernetes does not bring itself.
FOREIGN = {"Kustomization", "ServiceMonitor"}

def documents():
    """All objects, by kind and name."""
    found = {}
    for file in sorted(FOLDER.glob("*.yaml")):
        for one in yaml.safe_load_all(file.read_text()):
            found[one["kind"], one.get("metadata", {}).get("name", "")] = one
    return found


class Kubernetes(unittest.TestCase):
    def setUp(self):
        self.objects = documents()
        self.pod = self.objects["Deployment", "fanfare"]["spec"]["template"]
        self.container = self.pod["spec"]["containers"][0]

    def validated(self, file):
        command = [sys.executable, "-m", "kubernetes_validate", "--strict", str(file)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def test_every_manifest_passes_the_strict_schemas(self):
        for file in sorted(FOLDER.glob("*.yaml")):
            kinds = {one["kind"] for one in yaml.safe_load_all(file.read_text())}
            if kinds & FOREIGN:
                self.assertEqual(len(kinds), 1, f"{file.name}: a foreign kind has a file of its own")
                continue
            done = self.validated(file)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn("passed", done.stdout + done.stderr)

    def test_a_faulty_manifest_does_not_pass(self):
        text = (FOLDER / "deployment.yaml").read_text()
        with tempfile.TemporaryDirectory() as folder:
            faulty = pathlib.Path(folder) / "deployment.yaml"
            faulty.write_text(text.replace("readinessProbe:", "readynessProbe:"))
            self.assertNotEqual(self.validated(faulty).returncode, 0)

    def test_the_kustomization_names_every_other_file(self):
        listed = set(self.objects["Kustomization", ""]["resources"])
        there = {file.name for file in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
        self.assertEqual(listed, there)

    def test_everything_selects_the_pods_and_names_ports_that_they_have(self):
        labels = self.pod["metadata"]["labels"]
        ports = {port["name"]: port["containerPort"] for port in self.container["ports"]}
        for kind, name in [("PodDisruptionBudget", "fanfare"), ("Deployment", "fanfare")]:
            self.assertEqual(self.objects[kind, name]["spec"]["selector"]["matchLabels"], labels)
        policy = self.objects["NetworkPolicy", "fanfare"]["spec"]
        self.assertEqual(policy["podSelector"]["matchLabels"], labels)
        open_ports = {port["port"] for rule in policy["ingress"] for port in rule["ports"]}
        self.assertEqual(open_ports, set(ports.values()))
        for name in ["fanfare", "fanfare-operators"]:
            service = self.objects["Service", name]["spec"]
            self.assertEqual(service["selector"], labels)
            for port in service["ports"]:
                self.assertEqual(ports[port["targetPort"]], port["port"])
        for probe in ["startupProbe", "readinessProbe", "livenessProbe"]:
            self.assertIn(self.container[probe]["httpGet"]["port"], ports)
        for probe in ["startupProbe", "livenessProbe"]:
            # Nothing that another machine can cause: Kubernetes kills the pod.
            self.assertEqual(self.container[probe]["httpGet"]["path"], "/live")
        monitor = self.objects["ServiceMonitor", "fanfare"]["spec"]
        operators = self.objects["Service", "fanfare-operators"]
        self.assertLessEqual(monitor["selector"]["matchLabels"].items(), operators["metadata"]["labels"].items())
        self.assertEqual(monitor["endpoints"][0]["port"], operators["spec"]["ports"][0]["name"])
        alerts = (ROOT / "packaging/prometheus/alerts.yml").read_text()
        jobs = set(re.findall(r'job="([^"]+)"', alerts))
        self.assertEqual(jobs, {operators["metadata"]["labels"][monitor["jobLabel"]]})

    def checked(self, *options):
        """`fanfare serve` on the configuration of the manifests, as a pod has it."""
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "fanfare.toml"
            file.write_text(self.objects["ConfigMap", "fanfare"]["data"]["fanfare.toml"])
            settings = {
                "FANFARE_CONFIG": str(file),
                "FANFARE__BUS__NODE_NAME": "fanfare-7c9f8d6b5-x2x4z",
                **self.objects["Secret", "fanfare"]["stringData"],
            }
            return serve(folder, settings, *options)

    def test_the_server_accepts_the_configuration(self):
        done = self.checked("--check")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_pod_may_take_as_long_to_end_as_the_drain_takes(self):
        drain = number_in(self.checked("--print").stdout, "drain")
        before = self.container["lifecycle"]["preStop"]["sleep"]["seconds"]
        self.assertGreaterEqual(self.pod["spec"]["terminationGracePeriodSeconds"], before + drain + CLOSING)

    def test_the_pods_hold_what_the_autoscaler_gives_them(self):
        connections = number_in(self.checked("--print").stdout, "connections")
        scaler = self.objects["HorizontalPodAutoscaler", "fanfare"]["spec"]
        metric = scaler["metrics"][0]["pods"]
        self.assertEqual(metric["metric"]["name"], "fanfare_connections")
        self.assertLess(int(metric["target"]["averageValue"]), connections)


if __name__ == "__main__":
    unittest.main()
