"""The overlays of k8s say nothing that Kubernetes, KEDA or the program would not understand."""

import re

import pytest
from conftest import ROOT
from installation import get
from manifests import PROBES, RESERVED, Overlay

OVERLAYS = sorted(folder.name for folder in (ROOT / "k8s/overlays").iterdir())


@pytest.fixture(params=OVERLAYS)
def overlay(request, program, installation):
    return Overlay(ROOT / "k8s/overlays" / request.param, program, installation.has_queue)


def test_nothing_is_wrong(overlay):
    assert overlay.complaints() == []


def test_everything_is_there(overlay):
    assert overlay.names("Deployment") == {"api", "worker-image", "worker-caption"}
    assert overlay.names("Job") == {"migrate"}
    assert overlay.names("HorizontalPodAutoscaler") == {"api"}
    assert overlay.names("ScaledObject") == {"worker-image", "worker-caption"}
    assert overlay.names("PodDisruptionBudget") == overlay.names("Deployment")
    assert overlay.names("StatefulSet") == ({"postgres", "rabbitmq"} if overlay.folder.name == "small" else set())


def test_every_pod_is_denied_what_is_not_permitted(overlay):
    for pod in overlay.pods:
        selecting = [one["spec"] for one in overlay.kind("NetworkPolicy")]
        policies = [spec for spec in selecting if pod in overlay.selected(spec["podSelector"])]
        held = {kind for policy in policies for kind in policy["policyTypes"]}
        assert held == {"Ingress", "Egress"}, pod.name


def test_what_the_probes_ask_is_answered(overlay, installation):
    """The program itself is asked, in each of its roles."""
    for name, address in installation.addresses.items():
        for probe in PROBES:
            path = overlay.deployment(name).container[probe]["httpGet"]["path"]
            assert get(address + path)[0] == 200, (name, path)


def test_the_connections_are_as_many_as_is_said(overlay):
    """docs/kubernetes.md tells what PostgreSQL must permit, for production."""
    said = re.search(r"`max_connections` of (\d+)", (ROOT / "docs/kubernetes.md").read_text())
    assert overlay.connections() <= int(said[1]) - RESERVED


def test_files_may_be_in_a_bucket(copied, program, installation):
    """As docs/kubernetes.md tells it: the component in, the claim out."""
    path = copied / "k8s/overlays/production/kustomization.yaml"
    text = path.read_text()
    for there, instead in (("  # - ../../components/s3\n", "  - ../../components/s3\n"), ("  - path: files.yaml\n", "")):
        assert there in text
        text = text.replace(there, instead)
    path.write_text(text)
    overlay = Overlay(path.parent, program, installation.has_queue)
    assert overlay.complaints() == []
    assert not overlay.names("PersistentVolumeClaim")
    for pod in (pod for pod in overlay.ours if pod.kind == "Deployment"):
        [files] = [volume for volume in pod.spec["volumes"] if volume["name"] == "files"]
        assert "emptyDir" in files and "persistentVolumeClaim" not in files, pod.name
        assert pod.environment["DARKROOM_FILES__URL"].startswith("s3://"), pod.name
