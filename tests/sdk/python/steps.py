"""The steps of a round, run in order; how each of them went is told on standard output, for tests/sdk/run to gather."""

import os
import sys
import traceback
from collections.abc import Callable

URL = os.environ["SDK_URL"]
KEY = os.environ["SDK_KEY"]
READ_KEY = os.environ["SDK_READ_KEY"]
PICTURE = os.environ["SDK_PICTURE"]
with open(PICTURE, "rb") as file:
    BYTES = file.read()
# Too large, no picture, and one that does not go on as it begins.
TOO_LARGE = BYTES + bytes(int(os.environ["SDK_MAX_UPLOAD_BYTES"]))
NO_PICTURE = b"GIF89a, and so on"
BROKEN = BYTES[:12]

_steps: list[tuple[str, Callable[[], None]]] = []


def step(name: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    def add(run: Callable[[], None]) -> Callable[[], None]:
        _steps.append((name, run))
        return run

    return add


def run_all() -> None:
    for name, run in _steps:
        try:
            run()
            print(f"{name} ok")
        except Exception:
            traceback.print_exc(file=sys.stderr)
            print(f"{name} FAILED")
