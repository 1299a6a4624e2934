"""Makes typical pictures for where no photographs are at hand, the same ones each time: `pictures.py FOLDER`.

A scene has clouds of all sizes, things with edges, and the grain of a sensor. So it is about as hard to
compress as a photograph: two bits a pixel at quality 88. Random pixels are far harder, gradients far easier.
"""

import sys
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

GRAIN = 5.0
"""Standard deviation of the sensor's noise, in steps of 8 bits."""


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in PICTURES.items():
        print(f"making {name}", file=sys.stderr)
        make(folder / name)


def jpeg(width: int, height: int, orientation: int, progressive: bool, file: Path) -> None:
    exif = Image.Exif()
    exif[0x0110], exif[0x0112] = "Painted camera", orientation
    scene(width, height).save(file, quality=88, subsampling="4:2:0", progressive=progressive, exif=exif)


def cmyk_jpeg(width: int, height: int, file: Path) -> None:
    """Ready for a press: the grey part of the inks is printed in black."""
    inks = 255 - np.asarray(scene(width, height), np.int16)
    black = inks.min(2, keepdims=True) * 3 // 4
    inks = np.concatenate([inks - black, black], 2).astype(np.uint8)
    Image.fromarray(inks, "CMYK").save(file, quality=88)


def photo_png(width: int, height: int, file: Path) -> None:
    scene(width, height).save(file)


def screenshot_png(width: int, height: int, file: Path) -> None:
    """A window with panels, text and a small photo; round corners and a shadow let the background through."""
    random = np.random.default_rng(height)
    window = Image.new("RGB", (width, height), "#f6f7f9")
    draw, font = ImageDraw.Draw(window), ImageFont.load_default(15)
    draw.rectangle((0, 0, width, 56), "#24405c")
    draw.rectangle((0, 56, width // 5, height), "#e4e8ee")
    words = ["light", "lens", "paper", "grain", "focus", "silver", "tray", "print", "negative", "shutter"]
    for line in range(76, height - 40, 24):
        draw.text((24, line), str(random.choice(words)), "#33475b", font)
        draw.text((width // 5 + 32, line), " ".join(random.choice(words, 9)), "#1c1c1c", font)
    window.paste(scene(width // 3, height // 2), (width * 5 // 8, height // 4))
    shape = Image.new("L", (width, height))
    ImageDraw.Draw(shape).rounded_rectangle((24, 24, width - 24, height - 24), 20, 255)
    shadow = shape.filter(ImageFilter.GaussianBlur(12)).point(lambda alpha: alpha // 3)
    window.putalpha(Image.composite(shape, shadow, shape))
    window.save(file)


def scene(width: int, height: int) -> Image.Image:
    random = np.random.default_rng(width)
    light = 45 * clouds(random, width, height, octaves=11) + 120
    colours = [18 * clouds(random, width, height, octaves=5) + 128 for _ in range(2)]
    picture = Image.merge("YCbCr", [rounded(plane) for plane in (light, *colours)]).convert("RGB")
    picture = Image.blend(picture, things(random, picture), 0.5).filter(ImageFilter.GaussianBlur(0.7))
    grain = GRAIN * random.standard_normal((height, width, 1), np.float32)
    return rounded(np.asarray(picture) + grain)


def clouds(random: np.random.Generator, width: int, height: int, octaves: int) -> np.ndarray:
    """Noise whose octaves, each twice as fine as the one before, grow weaker: so is light in nature."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        across = min(3 << octave, width)
        down = max(2, across * height // width)
        grid = random.standard_normal((down, across), np.float32) * 0.66**octave
        total += np.asarray(Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC))
    return total


def things(random: np.random.Generator, picture: Image.Image) -> Image.Image:
    """The picture with triangles, discs and lines upon it."""
    covered = picture.copy()
    draw, extent = ImageDraw.Draw(covered), np.array(picture.size)
    for _ in range(150):
        middle, reach = random.uniform(0, 1, 2) * extent, random.exponential(0.05) * extent.max()
        colour = tuple(int(level) for level in random.integers(20, 236, 3))
        points = [tuple(middle + random.uniform(-reach, reach, 2)) for _ in range(3)]
        match random.integers(3):
            case 0:
                draw.polygon(points, colour)
            case 1:
                draw.ellipse((*(middle - reach / 2), *(middle + reach / 2)), colour)
            case _:
                draw.line(points, colour, width=max(1, int(reach / 40)))
    return covered


def rounded(samples: np.ndarray) -> Image.Image:
    return Image.fromarray(np.clip(np.rint(samples), 0, 255).astype(np.uint8))


PICTURES = {
    "camera-24mp.jpg": partial(jpeg, 6000, 4000, 1, False),
    "phone-12mp.jpg": partial(jpeg, 4032, 3024, 6, False),
    "progressive-12mp.jpg": partial(jpeg, 4000, 3000, 1, True),
    "web-2mp.jpg": partial(jpeg, 1920, 1080, 1, False),
    "small-0.3mp.jpg": partial(jpeg, 640, 480, 1, False),
    "press-3mp-cmyk.jpg": partial(cmyk_jpeg, 2000, 1500),
    "photo-2mp.png": partial(photo_png, 1600, 1200),
    "screenshot-1mp-alpha.png": partial(screenshot_png, 1280, 800),
}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
