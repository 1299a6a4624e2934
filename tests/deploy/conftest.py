"""What the tests share: the program, and its processes as docker-compose.yml starts them."""

import shutil
from pathlib import Path

import pytest

from compose_file import Compose
from installation import Installation
from program import Program

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def program():
    return Program()


@pytest.fixture(scope="session")
def compose(program, tmp_path_factory):
    return Compose(ROOT, program, tmp_path_factory.mktemp("secrets"))


@pytest.fixture(scope="session")
def installation(compose, tmp_path_factory):
    """Running: the API and a worker of each kind."""
    with Installation(compose, tmp_path_factory.mktemp("installation")) as installation:
        yield installation


@pytest.fixture
def copied(tmp_path):
    """A copy of all that is looked at, to plant errors in."""
    for name in ("k8s", "compose"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("secret.yaml"))
    for name in ("docker-compose.yml", "Dockerfile"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path
