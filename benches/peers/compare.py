"""Runs the same pictures through Darkroom, sharp and Pillow in turns, and prints what they took and made.

`run` starts this with everything in place.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import PIL
from PIL import Image

import looks
import report
from measured import DARKROOM, DRAFT, FULL, PEERS, SHARP, SIZES, Measured, Seen

HERE = Path(__file__).parent


def main() -> None:
    arguments = parse_arguments()
    commands = {
        DARKROOM: [arguments.darkroom],
        SHARP: ["node", str(arguments.tools / "sharp.mjs")],
        FULL: [sys.executable, str(HERE / "pillow.py"), "full"],
        DRAFT: [sys.executable, str(HERE / "pillow.py"), "draft"],
    }
    measured = {
        file: Measured(file.name, megapixels(file), output_format(commands[DARKROOM], file))
        for file in files_of(arguments.pictures)
    }
    for turn in range(arguments.rounds):
        for file, picture in measured.items():
            tell(f"round {turn + 1} of {arguments.rounds}: {file.name}")
            one_round(picture, file, commands, turn)
    for file, picture in measured.items():
        tell(f"looks: {file.name}")
        if not picture.failures:
            picture.ssim, picture.ssim_encoded = look(file, commands, picture.file_format)
    tell("")
    print(report.markdown(list(measured.values())))
    print(f"\n{arguments.rounds} rounds on core {arguments.core}: {conditions(arguments.tools)}.")
    for picture in measured.values():
        for peer, why in picture.failures.items():
            print(f"- {peer} failed on {picture.name}: {why}")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--darkroom", required=True, help="the program of darkroom.rs")
    parser.add_argument("--tools", required=True, type=Path, help="the folder with sharp.mjs and its modules")
    parser.add_argument("--core", required=True, help="the core that all of this runs on")
    parser.add_argument("--rounds", required=True, type=int)
    parser.add_argument("pictures", nargs="+", type=Path, help="files, or folders of them")
    return parser.parse_args()


def files_of(named: list[Path]) -> list[Path]:
    files = []
    for path in named:
        found = sorted(path.iterdir()) if path.is_dir() else [path]
        files += [file for file in found if file.suffix.lower() in (".jpg", ".jpeg", ".png")]
    return files or sys.exit("there is no JPEG or PNG to compare with")


def megapixels(file: Path) -> float:
    with Image.open(file) as picture:
        return picture.width * picture.height / 1e6


def output_format(darkroom: list[str], file: Path) -> str:
    """What Darkroom encodes this picture as. The others do the same, so that all have the same work."""
    process = subprocess.run([*darkroom, str(file), "0", "1"], capture_output=True, text=True)
    return json.loads(process.stdout)["format"] if process.returncode == 0 else "jpg"


def one_round(picture: Measured, file: Path, commands: dict[str, list[str]], turn: int) -> None:
    """Each peer once, in a process of its own; who begins, changes from round to round."""
    iterations = max(5, min(40, round(30 / picture.megapixels)))
    counts = [str(iterations // 4), str(iterations)]
    first = turn % len(PEERS)
    for peer in PEERS[first:] + PEERS[:first]:
        file_format = [] if peer == DARKROOM else [picture.file_format]
        process = subprocess.run(
            [*commands[peer], str(file), *counts, *file_format], capture_output=True, text=True
        )
        if process.returncode != 0:
            picture.failures[peer] = last_words(process.stderr)
            continue
        result = json.loads(process.stdout)
        picture.cpu_ms[peer].append(median(result["cpu_ms"]))
        picture.peak_kib[peer].append(result["peak_kib"])
        picture.idle_kib[peer].append(result["idle_kib"])
        picture.bytes[peer] = result["bytes"]


def look(file: Path, commands: dict[str, list[str]], file_format: str) -> tuple[Seen, Seen]:
    """The SSIM of Darkroom's and sharp's thumbnails, before encoding and encoded, by size."""
    before, encoded = {}, {}
    reference = looks.Reference(str(file))
    for peer in [DARKROOM, SHARP]:
        with tempfile.TemporaryDirectory() as folder:
            format_of_peer = [] if peer == DARKROOM else [file_format]
            subprocess.run([*commands[peer], str(file), "--looks", folder, *format_of_peer], check=True)
            made = Path(folder)
            before[peer] = {size: looks.ssim_before_encoding(reference, made, size) for size in SIZES}
            encoded[peer] = {
                size: looks.ssim_to(reference, made / f"{size}.encoded.{file_format}") for size in SIZES
            }
    return before, encoded


def conditions(tools: Path) -> str:
    """What was compared, and where."""
    script = "const { versions: v } = require('sharp'); console.log(`sharp ${v.sharp} (libvips ${v.vips})`)"
    node = subprocess.run(["node", "--eval", script], cwd=tools, capture_output=True, text=True)
    processors = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return ", ".join([node.stdout.strip(), f"Pillow {PIL.__version__}", *processors[:1]])


def last_words(text: str) -> str:
    """The error within what a process wrote before it ended."""
    error = re.search(r"\w*Error: .*", text)
    return error[0] if error else text.strip() or "it ended without a word"


def tell(text: str) -> None:
    print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
