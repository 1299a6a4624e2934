"""Errors planted into copies of the files are found: the other tests see what they are there for."""

import pytest
from compose_file import Compose
from manifests import Overlay

#: The error, the file, what stands there, what is put in its place, and what is told of it.
IN_KUBERNETES = {
    "a wrong variable": (
        "base/settings.env", "DARKROOM_LOG__LEVEL=", "DARKROOM_LOG__LEVLE=", "DARKROOM_LOG__LEVLE is no setting"),
    "a variable of a pod": (
        "base/worker-image.yaml", "DARKROOM_WORKER__CONCURRENCY", "DARKROOM_WORKERS__CONCURRENCY", "is no setting"),
    "a wrong value": (
        "base/settings.env", "LOG__FORMAT=json", "LOG__FORMAT=xml", "the program refuses"),
    "settings that contradict each other": (
        "base/settings.env", "IMAGE_SECONDS=60", "IMAGE_SECONDS=86400", "the program refuses"),
    "an option": (
        "base/migrate.yaml", "--migrate", "--migrat", "--migrat is no option"),
    "a kind of job": (
        "base/worker-image.yaml", '"image"', '"images"', "the program refuses"),
    "a queue": (
        "components/keda/scaling.yaml", "darkroom.image", "darkroom.imgae", "RabbitMQ has no queue darkroom.imgae"),
    "a queue of another prefix": (
        "components/keda/scaling.yaml", "darkroom.image", "image", "RabbitMQ has no queue image"),
    "a queue of others": (
        "components/keda/scaling.yaml", "darkroom.image", "darkroom.caption", "and worker-image consumes others"),
    "a queue that is not watched": (
        "base/worker-caption.yaml", '"caption,webhook"', '"caption"', "nobody consumes darkroom.webhook"),
    "a misspelt field of Kubernetes": (
        "base/patches/pod.yaml", "readOnlyRootFilesystem", "readOnlyRootFileSystem", "readOnlyRootFileSystem"),
    "a misspelt field of KEDA": (
        "components/keda/patch.yaml", "cooldownPeriod", "coolDownPeriod", "coolDownPeriod"),
    "a misspelt field of a trigger": (
        "components/keda/scaling.yaml", "queueName", "queue", "'queueName' is a required property"),
    "a number that must be a text": (
        "components/keda/scaling.yaml", '"500"', "500", "500 is not of type 'string'"),
    "messages in hand that are not counted": (
        "components/keda/scaling.yaml", " protocol: http\n", " protocol: amqp\n", "'http' was expected"),
    "a port of a probe, by number": (
        "base/patches/process.yaml", "path: /readyz\n              port: http", "path: /readyz\n              port: 8088",
        "a probe asks port 8088"),
    "a port of a probe, by name": (
        "base/patches/process.yaml", "port: http", "port: health", "a probe asks port health"),
    "a port of a container": (
        "base/patches/worker.yaml", "containerPort: 8081", "containerPort: 8080", "where the program does not listen"),
    "a path of a probe": (
        "base/patches/process.yaml", "/livez", "/healthz", "a probe asks /healthz, which the program has not"),
    "a key of the Secret": (
        "base/patches/process.yaml", "key: amqp-url", "key: amqp_url", "the Secret has no key amqp_url"),
    "an optional key of the Secret": (
        "base/patches/worker.yaml", "key: hf-api-key", "key: hf-key", "the Secret has no key hf-key"),
    "a key for KEDA": (
        "components/keda/scaling.yaml", "key: rabbitmq-management-url", "key: management-url", "has no key management-url"),
    "a Secret": (
        "base/patches/pod.yaml", "secretKeyRef:\n                  name: darkroom",
        "secretKeyRef:\n                  name: dark", "there is no Secret dark"),
    "a host in the Secret": (
        "overlays/small/secret.example.yaml", "@postgres:5432", "@postgresql:5432", "leads to postgresql:5432"),
    "a port in the Secret": (
        "overlays/small/secret.example.yaml", ".svc:15672", ".svc:15671", "leads to rabbitmq.darkroom.svc:15671"),
    "a selector": (
        "base/api.yaml", "maxUnavailable: 1\n  selector:\n    matchLabels:\n      app.kubernetes.io/component: api",
        "maxUnavailable: 1\n  selector:\n    matchLabels:\n      app.kubernetes.io/component: apis",
        "PodDisruptionBudget api: selects no pods"),
    "a port of a policy": (
        "components/rabbitmq/rabbitmq.yaml", "port: amqp\n    # KEDA", "port: 5671\n    # KEDA", "has port 5671"),
    "a claim": (
        "base/patches/process.yaml", "claimName: files", "claimName: file", "there is no claim file"),
    "a mount beside the files": (
        "base/patches/process.yaml", "mountPath: /data", "mountPath: /files", "is not on the volume"),
    "a replica count beside a scaler": (
        "base/worker-image.yaml", "spec:\n  selector", "spec:\n  replicas: 3\n  selector", "says how many replicas it has"),
    "too little time to end": (
        "base/patches/worker.yaml", "terminationGracePeriodSeconds: 180", "terminationGracePeriodSeconds: 60", "to end"),
    "jobs longer than the time to end": (
        "base/settings.env", "IMAGE_SECONDS=60", "IMAGE_SECONDS=100", "longer than worker.grace_seconds"),
    "too little memory": (
        "base/worker-image.yaml", "memory: 1Gi", "memory: 512Mi", "is too little for pictures"),
    "too many connections": (
        "components/postgres/postgres.yaml", "max_connections=200", "max_connections=50", "and 50 permitted"),
    "privileges": (
        "base/patches/pod.yaml", "allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true", "security context"),
}

IN_COMPOSE = {
    "a wrong variable": (
        "docker-compose.yml", "DARKROOM_LOG__LEVEL:", "DARKROOM_LOG__LEVLE:", "DARKROOM_LOG__LEVLE is no setting"),
    "a wrong value": (
        "docker-compose.yml", "DARKROOM_AUTH__MODE: open", "DARKROOM_AUTH__MODE: local", "the program refuses"),
    "a misspelt field": (
        "docker-compose.yml", "stop_grace_period: 40s", "stop_grace_time: 40s", "compose refuses the file"),
    "an option": (
        "docker-compose.yml", "[--worker, --queues, image]", "[--worker, --queue, image]", "--queue is no option"),
    "a kind of job": (
        "docker-compose.yml", "--queues, image]", "--queues, images]", "the program refuses"),
    "a queue that nobody consumes": (
        "docker-compose.yml", '"caption,webhook"', "caption", "nobody consumes darkroom.webhook"),
    "a port": (
        "docker-compose.yml", ":-8080}:8080", ":-8080}:8081", "publishes port 8081"),
    "a health check that asks nobody": (
        "docker-compose.yml", "DARKROOM_WORKER__LISTEN: 0.0.0.0:8081", "DARKROOM_WORKER__LISTEN: ''", "refuses"),
    "a health check of another role": (
        "docker-compose.yml", "darkroom, --worker, --healthcheck", "darkroom, --healthcheck", "is not asked for its health"),
    "a secret": (
        "docker-compose.yml", "/run/secrets/amqp-url", "/run/secrets/amqp_url", "there is no secret amqp_url"),
    "a secret of others": (
        "docker-compose.yml", "/run/secrets/postgres-password", "/run/secrets/password", "there is no secret password"),
    "a captioner that nobody may ask": (
        "docker-compose.yml", "CAPTIONER__URL: ${CAPTIONER_URL:-}", "CAPTIONER__URL: http://olama:11434/v1", "refuses"),
    "a host": (
        "compose/make-secrets", "@postgres:5432", "@database:5432", "database is no service"),
    "too little time to end": (
        "docker-compose.yml", "stop_grace_period: 180s", "stop_grace_period: 20s", "to end"),
    "too many connections": (
        "docker-compose.yml", "max_connections=200", "max_connections=20", "and 20 permitted"),
}


def planted(copied, file, old, new):
    path = copied / file
    text = path.read_text()
    assert old in text, f"{file} has changed: there is no {old!r} any more"
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize("error", IN_KUBERNETES)
def test_it_is_found_in_kubernetes(error, copied, program, installation):
    file, old, new, told = IN_KUBERNETES[error]
    planted(copied, f"k8s/{file}", old, new)
    complaints = Overlay(copied / "k8s/overlays/small", program, installation.has_queue).complaints()
    assert any(told in complaint for complaint in complaints), complaints


@pytest.mark.parametrize("error", IN_COMPOSE)
def test_it_is_found_in_compose(error, copied, program, tmp_path_factory):
    file, old, new, told = IN_COMPOSE[error]
    planted(copied, file, old, new)
    complaints = Compose(copied, program, tmp_path_factory.mktemp("secrets")).complaints()
    assert any(told in complaint for complaint in complaints), complaints


def test_without_an_error_nothing_is_found(copied, program, installation, tmp_path_factory):
    assert Overlay(copied / "k8s/overlays/small", program, installation.has_queue).complaints() == []
    assert Compose(copied, program, tmp_path_factory.mktemp("secrets")).complaints() == []
