"""docker-compose.yml, as compose itself reads it, and what is wrong with it."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import compose as packaged

from manifests import BESIDE_THE_POOL, RESERVED

#: Where the containers have the volume `secrets`.
SECRETS = "/run/secrets"
#: Where images of others listen.
LISTENS = {"postgres": 5432, "rabbitmq": 5672, "ollama": 11434}


def command():
    """The plugin of docker, or the same program out of a package."""
    plugin = ["docker", "compose"]
    if shutil.which("docker") and subprocess.run([*plugin, "version"], capture_output=True).returncode == 0:
        return plugin
    return [str(Path(packaged.__file__).parent / "docker-compose")]


def seconds(duration):
    """Of a text such as 1m30s."""
    parts = re.findall(r"(\d+)([hms])", duration)
    return sum(int(number) * {"h": 3600, "m": 60, "s": 1}[unit] for number, unit in parts)


class Compose:
    """The file in `root`; its secrets are made in `secrets`, a folder."""

    def __init__(self, root, program, secrets, env_file=os.devnull):
        self.root, self.program, self.secrets = Path(root), program, Path(secrets)
        run = subprocess.run(
            [*command(), "--project-directory", root, "--env-file", env_file, "config", "--format", "json"],
            capture_output=True,
            text=True,
            # Neither the machine's variables nor an .env of the developer's.
            env={key: value for key, value in os.environ.items() if key in ("HOME", "PATH")},
            cwd=root,
        )
        self.error, self.file = run.stderr.strip(), json.loads(run.stdout) if run.returncode == 0 else {"services": {}}
        self.services = self.file["services"]
        self.ours = [name for name, service in self.services.items() if service["image"] == "darkroom:local"]
        self.dockerfile = (self.root / "Dockerfile").read_text()
        self.image_environment = dict(re.findall(r"^ENV (\w+)=(\S+)", self.dockerfile, re.MULTILINE))
        if self.file["services"]:
            self.make_secrets()

    def make_secrets(self):
        """By the command of the service that does so."""
        service = self.services["secrets"]
        folders = {volume["target"]: volume["source"] for volume in service["volumes"] if volume["type"] == "bind"}
        folders |= {config["target"]: self.file["configs"][config["source"]]["file"] for config in service["configs"]}
        folders[SECRETS] = str(self.secrets)
        subprocess.run([folders.get(word, word) for word in service["entrypoint"]], check=True)

    def process(self, name):
        """Arguments and environment of a service, with its secrets here."""
        service = self.services[name]
        environment = {**self.image_environment, **service["environment"]}
        moved = {key: value.replace(SECRETS, str(self.secrets)) for key, value in environment.items()}
        return service.get("command") or [], moved

    def grace(self, name):
        return seconds(self.services[name].get("stop_grace_period", "10s"))

    def complaints(self):
        if not self.services:
            return [f"compose refuses the file: {self.error}"]
        return [
            *(complaint for name in self.ours for complaint in self.our_complaints(name)),
            *(complaint for name in self.services for complaint in self.service_complaints(name)),
            *self.complaints_of_all(),
        ]

    def our_complaints(self, name):
        service, (arguments, environment) = self.services[name], self.process(name)
        yield from self.program.process_complaints(name, arguments, environment, self.grace(name))
        port = self.program.port(arguments, environment)
        for published in service.get("ports", []):
            if published["target"] != port:
                yield f"{name}: publishes port {published['target']}, where the program does not listen"
        *_, asking = re.search(r'HEALTHCHECK .*CMD (\[.*\])', self.dockerfile).groups()
        asking = service.get("healthcheck", {}).get("test", ["CMD", *json.loads(asking)])[2:]
        if "--healthcheck" not in asking or ("--worker" in asking) != ("--worker" in arguments) or port is None:
            yield f"{name}: is not asked for its health: {asking}"
        if not any(environment["DARKROOM_FILES__DIR"].startswith(f"{one['target']}/") for one in service["volumes"]):
            yield f"{name}: files.dir is on no volume"
        if not service.get("read_only"):
            yield f"{name}: its root file system can be written"
        for url in self.urls(arguments, environment):
            host = self.services.get(url.hostname)
            if url.hostname not in LISTENS or host is None:
                yield f"{name}: {url.hostname} is no service"
            elif url.port != LISTENS[url.hostname] or not host["networks"].keys() & service["networks"].keys():
                yield f"{name}: {url.hostname} is not reached on port {url.port}"

    def urls(self, arguments, environment):
        """Where a process connects to, inside this installation. Who makes no captions only has to know of the captioner."""
        captions = any(queue.endswith(".caption") for queue in self.program.queues(arguments, environment))
        for variable, value in environment.items():
            if variable.startswith("DARKROOM_CAPTIONER__") and not captions:
                continue
            if variable.endswith("_FILE"):
                value = Path(value).read_text() if Path(value).exists() else ""
            if "__URL" in variable and value and "host.docker.internal" not in value:
                yield urlsplit(value)

    def service_complaints(self, name):
        service = self.services[name]
        for variable, value in (service.get("environment") or {}).items():
            secret = re.fullmatch(rf"{SECRETS}/(.*)", value or "")
            if secret and not (self.secrets / secret[1]).exists():
                yield f"{name}: {variable}: there is no secret {secret[1]}"
            if secret and not any(volume["target"] == SECRETS for volume in service["volumes"]):
                yield f"{name}: does not mount the secrets"
        for config in service.get("configs", []):
            if not Path(self.file["configs"][config["source"]]["file"]).is_file():
                yield f"{name}: there is no file for {config['source']}"
        if not service["deploy"]["resources"]["limits"].get("memory"):
            yield f"{name}: has no limit of memory"
        if service.get("cap_drop") != ["ALL"] or "no-new-privileges:true" not in service.get("security_opt", []):
            yield f"{name}: keeps privileges"
        if "restart" not in service:
            yield f"{name}: does not say whether it is started again"

    def complaints_of_all(self):
        processes = {name: self.process(name) for name in self.ours}
        consumed = set().union(*(self.program.queues(*process) for process in processes.values()))
        prefix = self.program.defaults["DARKROOM_AMQP__PREFIX"]
        for queue in {f"{prefix}.{kind}" for kind in self.program.kinds} - consumed:
            yield f"nobody consumes {queue}"
        wanted = 0
        for name, (_, environment) in processes.items():
            pool = int(self.program.setting(environment, "DARKROOM_DATABASE__MAX_CONNECTIONS"))
            wanted += self.services[name]["deploy"].get("replicas", 1) * (pool + BESIDE_THE_POOL)
        permitted = int(re.search(r"max_connections=(\d+)", " ".join(self.services["postgres"]["command"]))[1])
        if permitted - RESERVED < wanted:
            yield f"{wanted} connections are wanted, and {permitted} permitted"
