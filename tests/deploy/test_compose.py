"""docker-compose.yml and Dockerfile say nothing that compose or the program would not know, and what they start works."""

import json
import re
import subprocess
import sys
from pathlib import Path

from compose_file import Compose
from conftest import ROOT
from installation import PATIENCE, Installation, eventually, get


def test_nothing_is_wrong(compose):
    assert compose.complaints() == []


def test_nothing_is_wrong_with_a_captioner_of_ones_own(program, tmp_path):
    compose = Compose(ROOT, program, tmp_path, ROOT / "compose/captioner.env")
    assert compose.complaints() == []
    assert {"ollama", "ollama-pull"} <= compose.services.keys()
    for name in ("worker-image", "worker-caption"):
        _, environment = compose.process(name)
        assert environment["DARKROOM_CAPTIONER__PROVIDER"] == "openai_chat"
        assert environment["DARKROOM_CAPTIONER__MODEL"] == compose.services["ollama-pull"]["entrypoint"][-1]


def test_what_watches_it_finds_it(program, tmp_path):
    env_file = tmp_path / "env"
    env_file.write_text("COMPOSE_PROFILES=monitoring\n")
    compose = Compose(ROOT, program, tmp_path, env_file)
    assert compose.complaints() == []
    targets = re.findall(r'"([\w-]+):(\d+)"', (ROOT / "monitoring/prometheus.yml").read_text())
    assert {name for name, _ in targets} == set(compose.ours)
    for name, port in targets:
        assert compose.program.port(*compose.process(name)) == int(port), name
        assert compose.services[name]["networks"].keys() & compose.services["prometheus"]["networks"].keys(), name
    source = (ROOT / "monitoring/grafana/datasource.yaml").read_text()
    assert "http://prometheus:9090" in source
    for name in ("prometheus", "grafana"):
        assert [port["host_ip"] for port in compose.services[name]["ports"]] == ["127.0.0.1"]


def test_everything_is_there(compose):
    assert set(compose.ours) == {"api", "worker-image", "worker-caption"}
    assert compose.services["worker-image"]["deploy"]["replicas"] == 2
    published = [name for name, service in compose.services.items() if service.get("ports")]
    assert published == ["api"]
    assert [port["host_ip"] for port in compose.services["api"]["ports"]] == ["127.0.0.1"]
    assert compose.file["networks"]["inside"]["internal"] is True


def test_a_restart_changes_no_password(compose, tmp_path, program):
    first = {path.name: path.read_text() for path in compose.secrets.iterdir()}
    compose.make_secrets()
    assert first == {path.name: path.read_text() for path in compose.secrets.iterdir()}
    another = Compose(ROOT, program, tmp_path)
    assert (another.secrets / "postgres-password").read_text() != first["postgres-password"]


def test_what_is_given_is_not_made(compose, tmp_path):
    given, secrets = tmp_path / "given", tmp_path / "secrets"
    given.mkdir()
    secrets.mkdir()
    (given / "postgres-password").write_text("mine\n")
    (given / "hf-api-key").write_text("hf_mine\n")
    subprocess.run(["sh", ROOT / "compose/make-secrets", given, secrets], check=True)
    assert (secrets / "hf-api-key").read_text().strip() == "hf_mine"
    assert (secrets / "database-url").read_text() == "postgres://darkroom:mine@postgres:5432/darkroom"


def test_what_it_starts_makes_pictures(installation):
    status, answer = installation.upload(ROOT / "fuzz/seeds/optimised_exif.jpg")
    assert status == 202, answer
    image = f"{installation.addresses['api']}/api/images/{answer['data']['image_id']}"

    def final():
        data = get(f"{image}?wait=10")[1]["data"]
        return data if data["status"] != "processing" else None

    data = eventually("the picture is ready", final)
    assert data["status"] == "success", data
    assert data["thumbnails"]["small"] and data["metadata"]["width"] > 0
    stages = {stage["name"]: stage["status"] for stage in data["stages"]}
    assert stages == {"metadata": "success", "thumbnails": "success", "caption": "skipped"}


def test_what_it_starts_ends_in_time(compose, tmp_path):
    """On an installation of its own, since it is gone afterwards."""
    with Installation(compose, tmp_path) as installation:
        for service in compose.ours:
            code, took = installation.stop(service)
            assert code == 0, (service, took, installation.log(service))


def test_the_image_is_what_the_manifests_say(compose, program):
    dockerfile = compose.dockerfile
    user = re.search(r"^USER (\d+):(\d+)$", dockerfile, re.MULTILINE)
    pod = (ROOT / "k8s/base/patches/pod.yaml").read_text()
    assert f"runAsUser: {user[1]}" in pod and f"fsGroup: {user[2]}" in pod
    settings = (ROOT / "k8s/base/settings.env").read_text()
    assert f"DARKROOM_FILES__DIR={compose.image_environment['DARKROOM_FILES__DIR']}" in settings
    assert all(program.knows(variable) for variable in compose.image_environment)
    listen = program.defaults["DARKROOM_HTTP__LISTEN"]
    assert f"EXPOSE {listen.rpartition(':')[2]}\n" in dockerfile
    health = json.loads(re.search(r"HEALTHCHECK .*CMD (\[.*\])", dockerfile)[1])
    assert health[0] == "darkroom" and program.unknown_options(health) == []


def test_what_the_image_is_built_from_reaches_the_builder():
    """Every folder that Cargo needs is let through by .dockerignore."""
    ignored = (ROOT / ".dockerignore").read_text().split("\n")
    for needed in ("Cargo.toml", "Cargo.lock", "build.rs", "crates", "migrations", "openapi", "src"):
        assert (ROOT / needed).exists() and f"!{needed}" in ignored


def test_the_dockerfile_is_in_order():
    hadolint = Path(sys.executable).parent / "hadolint"
    run = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, timeout=PATIENCE)
    assert run.returncode == 0, run.stdout
