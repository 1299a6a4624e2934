"""The same work with Pillow, in one of two ways.

`full` decodes in full and makes both thumbnails from that, the way Pillow is mostly used. `draft` is the best
that it offers: a JPEG is decoded at reduced size, and the small thumbnail is made from the medium one.

full|draft FILE WARMUP ITERATIONS jpg|png    measures, and prints a line of JSON
"""

import io
import json
import sys
import time
from pathlib import Path

from PIL import Image, ImageOps
from PIL.ExifTags import TAGS

MEDIUM, SMALL = (512, 512), (128, 128)


def work(way: str, file: str, file_format: str) -> dict[str, int]:
    """Makes both thumbnails and returns their sizes in bytes."""
    picture = Image.open(io.BytesIO(Path(file).read_bytes()))
    _metadata = {TAGS.get(tag, tag): str(value) for tag, value in picture.getexif().items()}
    medium, small = full(picture) if way == "full" else draft(picture)
    return {"512": encode(medium, file_format), "128": encode(small, file_format)}


def full(picture: Image.Image) -> tuple[Image.Image, Image.Image]:
    upright = ImageOps.exif_transpose(picture)
    medium, small = upright.copy(), upright.copy()
    medium.thumbnail(MEDIUM)
    small.thumbnail(SMALL)
    return medium, small


def draft(picture: Image.Image) -> tuple[Image.Image, Image.Image]:
    picture.thumbnail(MEDIUM)
    small = picture.copy()
    small.thumbnail(SMALL)
    return ImageOps.exif_transpose(picture), ImageOps.exif_transpose(small)


def encode(picture: Image.Image, file_format: str) -> int:
    encoded = io.BytesIO()
    if file_format == "png":
        picture.save(encoded, "PNG")
    else:
        picture.convert("RGB").save(encoded, "JPEG", quality=80)
    return encoded.tell()


def measure(way: str, file: str, warmup: int, iterations: int, file_format: str) -> None:
    idle_kib = peak_kib()
    for _ in range(warmup):
        work(way, file, file_format)
    cpu_ms = []
    for _ in range(iterations):
        begun = time.process_time()
        sizes = work(way, file, file_format)
        cpu_ms.append((time.process_time() - begun) * 1e3)
    print(json.dumps({"cpu_ms": cpu_ms, "bytes": sizes, "idle_kib": idle_kib, "peak_kib": peak_kib()}))


def peak_kib() -> int:
    """The most resident memory that this process has had, in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    measure(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
