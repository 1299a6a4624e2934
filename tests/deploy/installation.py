"""The commands of docker-compose.yml as plain processes, on a database and queues of their own."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pika
import psycopg

#: A slow machine is no failure.
PATIENCE = 60
DATABASE = os.environ.get("DARKROOM_TEST_DATABASE_URL", "postgres://postgres@127.0.0.1:5432/postgres")
BROKER = os.environ.get("DARKROOM_TEST_AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/%2f")


def eventually(what, look, patience=PATIENCE):
    """Waits for a condition; gives what it found."""
    end = time.monotonic() + patience
    while not (found := look()):
        assert time.monotonic() < end, f"not within {patience} s: {what}"
        time.sleep(0.1)
    return found


def free_port():
    """One that nobody listens on; health checks have to know it before it is taken, so 0 will not do."""
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        return chosen.getsockname()[1]


def get(url, data=None, headers=None):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers or {}), timeout=PATIENCE) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


class Installation:
    """Only what has to be different is: where the database, the broker and the volume are, and the ports."""

    def __init__(self, compose, folder):
        self.compose, self.program, self.folder = compose, compose.program, folder
        self.name = f"darkroom-deploy-{uuid.uuid4().hex[:12]}"
        self.secrets = Path(shutil.copytree(compose.secrets, folder / "secrets"))
        self.processes, self.addresses = {}, {}

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_):
        self.remove()

    def start(self):
        with psycopg.connect(DATABASE, autocommit=True) as connection:
            connection.execute(f'create database "{self.name}"')
        url = urlsplit(DATABASE)
        self.replace("database-url", urlunsplit(url._replace(path=f"/{self.name}")))
        self.replace("amqp-url", BROKER)
        # As compose does: all at once.
        for service in self.compose.ours:
            self.start_process(service)
        for service in self.compose.ours:
            eventually(f"{service} is healthy", lambda service=service: self.is_healthy(service))

    def replace(self, secret, value):
        path = self.secrets / secret
        path.unlink()
        path.write_text(value)

    def start_process(self, service):
        arguments, environment = self.compose.process(service)
        moved = {key: value.replace(str(self.compose.secrets), str(self.secrets)) for key, value in environment.items()}
        moved |= {"DARKROOM_AMQP__PREFIX": self.name, "DARKROOM_FILES__DIR": str(self.folder / "files")}
        variable = "DARKROOM_WORKER__LISTEN" if "--worker" in arguments else "DARKROOM_HTTP__LISTEN"
        port = free_port()
        moved[variable] = f"{moved[variable].rpartition(':')[0]}:{port}"
        self.addresses[service] = f"http://127.0.0.1:{port}"
        with (self.folder / f"{service}.log").open("w") as log:
            process = subprocess.Popen([self.program.path, *arguments], env=moved, stderr=log, cwd=self.folder)
        self.processes[service] = process, arguments, moved

    def is_healthy(self, service):
        """By the health check of the service, or of the image."""
        process, arguments, environment = self.processes[service]
        assert process.poll() is None, self.log(service)
        test = self.compose.services[service].get("healthcheck", {}).get("test", ["CMD", "darkroom", "--healthcheck"])
        asked = subprocess.run([self.program.path, *test[2:]], env=environment, capture_output=True, timeout=PATIENCE)
        return asked.returncode == 0

    def log(self, service):
        return (self.folder / f"{service}.log").read_text()

    def upload(self, picture):
        boundary = uuid.uuid4().hex
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{picture.name}"\r\n\r\n'
        body = head.encode() + picture.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        return get(f"{self.addresses['api']}/api/images", body, headers)

    def has_queue(self, queue):
        """Whether the program has declared a queue of this name on RabbitMQ; `queue` is named by the default prefix."""
        prefix, _, kind = str(queue).rpartition(".")
        if prefix != self.program.defaults["DARKROOM_AMQP__PREFIX"]:
            return False
        with pika.BlockingConnection(pika.URLParameters(BROKER)) as connection:
            try:
                connection.channel().queue_declare(f"{self.name}.{kind}", passive=True)
            except pika.exceptions.ChannelClosedByBroker:
                return False
        return True

    def stop(self, service):
        """As compose does; gives the exit code, and how long it took."""
        process = self.processes.pop(service)[0]
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(self.compose.grace(service))
        finally:
            process.kill()
        return code, time.monotonic() - begun

    def remove(self):
        for process, *_ in self.processes.values():
            process.kill()
            process.wait()
        with pika.BlockingConnection(pika.URLParameters(BROKER)) as connection:
            channel = connection.channel()
            for name in [*self.program.kinds, "dead"]:
                channel.queue_delete(f"{self.name}.{name}")
            for name in (self.name, f"{self.name}.dead"):
                channel.exchange_delete(name)
        with psycopg.connect(DATABASE, autocommit=True) as connection:
            connection.execute(f'drop database if exists "{self.name}" with (force)')
