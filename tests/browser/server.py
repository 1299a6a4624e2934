"""The program, run as a person runs it who tries it out."""

import base64
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

#: A slow machine is no failure.
PATIENCE = 60


def eventually(what, look, patience=PATIENCE):
    """Waits for a condition; gives what it found."""
    end = time.monotonic() + patience
    while not (found := look()):
        assert time.monotonic() < end, f"not within {patience} s: {what}"
        time.sleep(0.1)
    return found


class Server:
    """One standalone process with a folder of its own."""

    def __init__(self, **settings):
        self.folder = Path(tempfile.mkdtemp(prefix="darkroom-browser."))
        # As root, the private PostgreSQL runs under another account.
        self.folder.chmod(0o755)
        self.settings = settings
        self.address = "127.0.0.1:0"
        self.key = None
        self.start()

    def start(self):
        """Starts it, the second time on the address of the first."""
        log = self.folder / f"log.{time.monotonic_ns()}"
        own = {
            "DARKROOM_HTTP__LISTEN": self.address.removeprefix("http://"),
            "DARKROOM_FILES__DIR": str(self.folder / "files"),
            "DARKROOM_EMBEDDED__DIR": str(self.folder / "postgres"),
            "DARKROOM_HTTP__GRACE_SECONDS": "1",
        }
        with log.open("w") as out:
            environment = {**os.environ, **own, **self.settings}
            self.process = subprocess.Popen([os.environ["DARKROOM"], "--standalone"], stderr=out, env=environment)

        def listening():
            assert self.process.poll() is None, log.read_text()
            return re.search(r"listening on (http://\S+)", log.read_text())

        self.address = eventually("it listens", listening)[1]
        eventually("it is ready", lambda: self._ready())

    def _ready(self):
        try:
            return self.call("/readyz") is not None
        except (urllib.error.URLError, ConnectionError):
            return False

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        self.process.wait(PATIENCE)

    def remove(self):
        self.stop()
        shutil.rmtree(self.folder)

    def call(self, path, method="GET", body=None, headers=()):
        """What the API answers, out of its envelope."""
        request = urllib.request.Request(self.address + path, method=method, data=body, headers=dict(headers))
        if self.key:
            request.add_header("Authorization", f"Bearer {self.key}")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"{}").get("data", {})

    def upload(self, name, content, **fields):
        """Uploads past the browser, with further fields of the form; gives the id."""
        boundary = uuid.uuid4().hex
        parts = [(f'"{field}"', text.encode()) for field, text in fields.items()]
        parts.append((f'"file"; filename="{name}"', content))
        body = b"".join(
            f"--{boundary}\r\nContent-Disposition: form-data; name={field}\r\n\r\n".encode() + value + b"\r\n"
            for field, value in parts
        )
        body += f"--{boundary}--\r\n".encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        return self.call("/api/images", "POST", body, headers)["image_id"]

    def images(self):
        return self.call("/api/images?limit=200")["images"]

    def clear(self):
        while images := self.images():
            for image in images:
                self.call(f"/api/images/{image['image_id']}", "DELETE")


#: Settings of a server that sends webhooks, to receivers on this machine too.
WITH_WEBHOOKS = {
    "DARKROOM_WEBHOOKS__SECRET": "whsec_" + base64.b64encode(bytes(32)).decode(),
    "DARKROOM_WEBHOOKS__ALLOW_PRIVATE": "true",
}


def with_keys(key):
    """Settings of a server that accepts this key alone."""
    digest = hashlib.sha256(key.encode()).hexdigest()
    return {"DARKROOM_AUTH__MODE": "keys", "DARKROOM_AUTH__KEY_HASHES": digest}
