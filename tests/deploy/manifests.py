"""An overlay of k8s, rendered, and what is wrong with it."""

import json
import re
import shutil
import subprocess
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

import jsonschema
import kubernetes_validate
import yaml

HERE = Path(__file__).parent
#: The oldest that docs/kubernetes.md promises, and the newest that there are schemas for.
VERSIONS = ("1.30", "1.37")
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
#: Connections of a process beside its pool, for notices and migrations; and those that PostgreSQL keeps for its superuser.
BESIDE_THE_POOL, RESERVED = 2, 3


def render(folder):
    command = ["kustomize", "build"] if shutil.which("kustomize") else ["kubectl", "kustomize"]
    run = subprocess.run([*command, folder], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return [document for document in yaml.safe_load_all(run.stdout) if document]


def matches(selector, labels):
    """By labels alone, as all selectors here."""
    assert set(selector) <= {"matchLabels"}, f"an unforeseen kind of selector: {selector}"
    return selector.get("matchLabels", {}).items() <= labels.items()


class Pod:
    """What an object makes pods of."""

    def __init__(self, owner, config_maps, secret):
        self.owner, self.kind, self.name = owner, owner["kind"], owner["metadata"]["name"]
        template = owner["spec"]["template"]
        self.labels, self.spec = template["metadata"]["labels"], template["spec"]
        [self.container] = self.spec["containers"]
        self.is_ours = self.container["name"] == "darkroom"
        self.arguments = self.container.get("args", [])
        self.ports = {port["name"]: port["containerPort"] for port in self.container.get("ports", [])}
        self.references, self.environment = [], {}
        for source in self.container.get("envFrom", []):
            self.environment |= config_maps.get(source["configMapRef"]["name"], {})
        for variable in self.container.get("env", []):
            if "value" in variable:
                self.environment[variable["name"]] = variable["value"]
            else:
                reference = variable["valueFrom"]["secretKeyRef"]
                self.references.append((variable["name"], reference))
                if value := secret.get(reference["key"]):
                    self.environment[variable["name"]] = value

    def port(self, port):
        """The number of a port that is named, or given by number; None if it is not one of the container's."""
        return self.ports.get(port) or (port if port in self.ports.values() else None)


class Overlay:
    def __init__(self, folder, program, queue_exists):
        self.folder, self.program, self.queue_exists = Path(folder), program, queue_exists
        self.objects = render(folder)
        example = (self.folder / "secret.example.yaml").read_text()
        self.example = yaml.safe_load(example)
        self.secret = self.example["stringData"]
        # The optional ones stand there as comments, at the latest in the other overlay.
        examples = "".join(path.read_text() for path in self.folder.parent.glob("*/secret.example.yaml"))
        self.optional_keys = set(re.findall(r"^  (?:# )?([a-z0-9-]+): ", examples, re.MULTILINE))
        config_maps = {one["metadata"]["name"]: one["data"] for one in self.kind("ConfigMap")}
        templates = [one for one in self.objects if "template" in one.get("spec", {})]
        self.pods = [Pod(one, config_maps, self.secret) for one in templates]
        self.ours = [pod for pod in self.pods if pod.is_ours]

    def kind(self, *kinds):
        return [one for one in self.objects if one["kind"] in kinds]

    def names(self, *kinds):
        return {one["metadata"]["name"] for one in self.kind(*kinds)}

    def deployment(self, name):
        return next((pod for pod in self.pods if pod.kind == "Deployment" and pod.name == name), None)

    def complaints(self):
        checks = (self.schemas, self.processes, self.probes, self.references, self.selectors, self.scaling, self.limits)
        return [f"{self.folder.name}: {complaint}" for check in checks for complaint in check()]

    def schemas(self):
        """Every object by its schema, in which no field is unknown."""
        ours = json.loads((HERE / "keda.json").read_text())
        for one in [*self.objects, self.example]:
            name = f"{one['kind']} {one['metadata']['name']}"
            if one["kind"] in ours:
                schema = {**ours[one["kind"]], "$defs": ours["$defs"]}
                for error in jsonschema.Draft202012Validator(schema).iter_errors(one):
                    yield f"{name}: {error.json_path}: {error.message}"
                continue
            for version in VERSIONS:
                try:
                    kubernetes_validate.validate(one, version, strict=True)
                except kubernetes_validate.ValidationError as error:
                    yield f"{name}: by Kubernetes {version}: {'.'.join(map(str, error.path))}: {error.message}"

    def processes(self):
        for pod in self.ours:
            paused = pod.container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
            grace = pod.spec.get("terminationGracePeriodSeconds", 30) - paused
            if pod.kind == "Job":
                grace = float("inf")
            yield from self.program.process_complaints(pod.name, pod.arguments, pod.environment, grace)
            mounts = [mount["mountPath"] for mount in pod.container["volumeMounts"] if mount["name"] == "files"]
            files = self.program.setting(pod.environment, "DARKROOM_FILES__DIR")
            if pod.kind == "Deployment" and not any(files.startswith(f"{mount}/") for mount in mounts):
                yield f"{pod.name}: files.dir {files} is not on the volume"

    def probes(self):
        for pod in self.pods:
            probes = [pod.container.get(probe) for probe in PROBES]
            for probe in filter(None, probes):
                asked = probe.get("httpGet") or probe.get("tcpSocket")
                if not asked:
                    continue
                port = pod.port(asked["port"])
                if port is None:
                    yield f"{pod.name}: a probe asks port {asked['port']}, which the container has not"
                if not pod.is_ours:
                    continue
                if port is not None and port != self.program.port(pod.arguments, pod.environment):
                    yield f"{pod.name}: a probe asks port {port}, where the program does not listen"
                if asked["path"] not in self.program.paths:
                    yield f"{pod.name}: a probe asks {asked['path']}, which the program has not"
            if pod.kind == "Deployment" and None in probes:
                yield f"{pod.name}: lacks one of {', '.join(PROBES)}"

    def references(self):
        for pod in self.pods:
            for variable, reference in pod.references:
                if complaint := self.secret_complaint(reference, reference.get("optional", False)):
                    yield f"{pod.name}: {variable}: {complaint}"
            claimed = {claim["metadata"]["name"] for claim in pod.owner["spec"].get("volumeClaimTemplates", [])}
            volumes = {volume["name"]: volume for volume in pod.spec.get("volumes", [])}
            for mount in pod.container.get("volumeMounts", []):
                if mount["name"] not in volumes.keys() | claimed:
                    yield f"{pod.name}: mounts {mount['name']}, which is no volume"
            for volume in volumes.values():
                claim = volume.get("persistentVolumeClaim", {}).get("claimName")
                if claim and claim not in self.names("PersistentVolumeClaim"):
                    yield f"{pod.name}: there is no claim {claim}"
            used = [source["configMapRef"]["name"] for source in pod.container.get("envFrom", [])]
            used += [volume["configMap"]["name"] for volume in volumes.values() if "configMap" in volume]
            for name in set(used) - self.names("ConfigMap"):
                yield f"{pod.name}: there is no ConfigMap {name}"
        for one in self.kind("TriggerAuthentication"):
            for reference in one["spec"]["secretTargetRef"]:
                if complaint := self.secret_complaint(reference, optional=False):
                    yield f"TriggerAuthentication {one['metadata']['name']}: {complaint}"
        # What the example of the Secret names inside the cluster must be there.
        for key, value in self.secret.items():
            host, port = (urlsplit(value).hostname or "", urlsplit(value).port) if "://" in value else ("", None)
            if host and not host.endswith("example.com"):
                services = {one["metadata"]["name"]: one for one in self.kind("Service")}
                service = services.get(host.split(".")[0], {"spec": {"ports": []}})
                if port not in [known["port"] for known in service["spec"]["ports"]]:
                    yield f"the Secret's {key} leads to {host}:{port}, which no Service has"

    def secret_complaint(self, reference, optional):
        keys = self.optional_keys if optional else self.secret.keys()
        if reference["name"] != self.example["metadata"]["name"]:
            return f"there is no Secret {reference['name']}"
        return None if reference["key"] in keys else f"the Secret has no key {reference['key']}"

    def selectors(self):
        for one in self.kind("Deployment", "StatefulSet"):
            if not matches(one["spec"]["selector"], one["spec"]["template"]["metadata"]["labels"]):
                yield f"{one['metadata']['name']}: does not select its own pods"
        for one in self.kind("Service", "PodDisruptionBudget", "NetworkPolicy"):
            name, spec = f"{one['kind']} {one['metadata']['name']}", one["spec"]
            selector = {"matchLabels": spec["selector"]} if one["kind"] == "Service" else spec.get("selector")
            selected = self.selected(spec["podSelector"] if selector is None else selector)
            if not selected:
                yield f"{name}: selects no pods"
            ports = [port["targetPort"] for port in spec.get("ports", [])]
            ports += [port["port"] for rule in spec.get("ingress", []) for port in rule.get("ports", [])]
            for port in ports:
                if not any(pod.port(port) for pod in selected):
                    yield f"{name}: no pod that it selects has port {port}"
            for rule in spec.get("egress", []):
                for peer in rule.get("to", []):
                    if "podSelector" in peer and not all(
                        any(pod.port(port["port"]) for pod in self.selected(peer["podSelector"]))
                        for port in rule["ports"]
                    ):
                        yield f"{name}: leads to pods that are not there, or to a port that they have not"

    def selected(self, selector):
        return [pod for pod in self.pods if matches(selector, pod.labels)]

    @cached_property
    def most_replicas(self):
        """Of each Deployment that is scaled."""
        scaled = {}
        for one in self.kind("HorizontalPodAutoscaler", "ScaledObject"):
            spec = one["spec"]
            scaled[spec["scaleTargetRef"]["name"]] = spec.get("maxReplicas") or spec.get("maxReplicaCount")
        return scaled

    def scaling(self):
        consumed = set().union(*(self.program.queues(pod.arguments, pod.environment) for pod in self.ours))
        prefix = self.program.defaults["DARKROOM_AMQP__PREFIX"]
        for queue in {f"{prefix}.{kind}" for kind in self.program.kinds} - consumed:
            yield f"nobody consumes {queue}"
        for name in self.most_replicas:
            pod = self.deployment(name)
            if pod is None:
                yield f"{name} is scaled, and there is no such Deployment"
            elif "replicas" in pod.owner["spec"]:
                yield f"{name} is scaled, and says how many replicas it has"
        authentications = self.names("TriggerAuthentication")
        for one in self.kind("ScaledObject"):
            name, triggers = f"ScaledObject {one['metadata']['name']}", one["spec"]["triggers"]
            watched = {trigger["metadata"].get("queueName") for trigger in triggers}
            for queue in watched:
                if not self.queue_exists(queue):
                    yield f"{name}: RabbitMQ has no queue {queue}"
            pod = self.deployment(one["spec"]["scaleTargetRef"]["name"])
            if pod and watched != self.program.queues(pod.arguments, pod.environment):
                yield f"{name}: watches {sorted(map(str, watched))}, and {pod.name} consumes others"
            for trigger in triggers:
                if trigger["authenticationRef"]["name"] not in authentications:
                    yield f"{name}: there is no TriggerAuthentication {trigger['authenticationRef']['name']}"

    def connections(self):
        """To PostgreSQL, when everything is scaled out and rolled out at once."""
        total = 0
        for pod in self.ours:
            replicas = self.most_replicas.get(pod.name, 1)
            surge = pod.owner["spec"].get("strategy", {}).get("rollingUpdate", {}).get("maxSurge", "25%")
            extra = surge if isinstance(surge, int) else -(-replicas * int(surge.rstrip("%")) // 100)
            pool = int(self.program.setting(pod.environment, "DARKROOM_DATABASE__MAX_CONNECTIONS"))
            total += (replicas + (extra if pod.kind == "Deployment" else 0)) * (pool + BESIDE_THE_POOL)
        return total

    def limits(self):
        for pod in self.pods:
            contexts = pod.spec["securityContext"], pod.container["securityContext"]
            hardened = (
                contexts[0].get("runAsNonRoot") is True
                and contexts[0].get("seccompProfile") == {"type": "RuntimeDefault"}
                and contexts[1].get("allowPrivilegeEscalation") is False
                and contexts[1].get("capabilities") == {"drop": ["ALL"]}
                and (contexts[1].get("readOnlyRootFilesystem") is True or not pod.is_ours)
            )
            if not hardened:
                yield f"{pod.name}: is not held by its security context"
            if not pod.container["resources"].get("limits", {}).get("memory"):
                yield f"{pod.name}: has no limit of memory"
        for pod in self.ours:
            memory = pod.container["resources"]["limits"]["memory"]
            budget = int(self.program.setting(pod.environment, "DARKROOM_WORKER__MEMORY_BUDGET_BYTES"))
            if any(queue.endswith(".image") for queue in self.program.queues(pod.arguments, pod.environment)):
                if binary(memory) < budget * 3 / 2:
                    yield f"{pod.name}: a limit of {memory} is too little for pictures of {budget} bytes"
        for pod in self.pods:
            found = re.search(r"max_connections=(\d+)", " ".join(pod.arguments))
            if found and int(found[1]) - RESERVED < self.connections():
                yield f"{pod.name}: up to {self.connections()} connections are wanted, and {found[1]} permitted"


def binary(quantity):
    number, unit = re.fullmatch(r"(\d+)([KMG]i)", quantity).groups()
    return int(number) * 1024 ** ("KMG".index(unit[0]) + 1)
