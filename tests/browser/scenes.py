"""Pictures that look like photographs, made from noise: for the screenshots, since no photographer has to be asked for them.

    python scenes.py FOLDER
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageFilter
from PIL.TiffImagePlugin import IFDRational


def colour(text):
    return np.array([int(text[at : at + 2], 16) for at in (1, 3, 5)]) / 255


def gradient(height, stops):
    """A column of colours from top to bottom; stops are (place from 0 to 1, colour)."""
    places = [place for place, _ in stops]
    colours = np.array([colour(text) for _, text in stops])
    at = np.linspace(0, 1, height)
    return np.stack([np.interp(at, places, colours[:, channel]) for channel in range(3)], axis=1)


def noise_1d(rng, length, cells, octaves, roughness=0.5):
    total, weight = np.zeros(length), 1.0
    for octave in range(octaves):
        points = rng.uniform(-1, 1, cells * 2**octave + 2)
        at = np.linspace(0, len(points) - 1.001, length)
        low = at.astype(int)
        mix = (1 - np.cos((at - low) * np.pi)) / 2
        total += weight * (points[low] * (1 - mix) + points[low + 1] * mix)
        weight *= roughness
    return total


def noise_2d(rng, width, height, cells, octaves, roughness=0.5, stretch=1.0):
    total, weight, most = np.zeros((height, width)), 1.0, 0.0
    for octave in range(octaves):
        across = max(int(cells * 2**octave), 2)
        down = max(int(across * height / width * stretch), 2)
        small = Image.fromarray(rng.uniform(0, 1, (down, across)).astype(np.float32))
        total += weight * np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))
        most += weight
        weight *= roughness
    return np.clip(total / most, 0, 1)


def lit(picture, x, y, radius, text, strength):
    """Adds a glow around a place."""
    height, width = picture.shape[:2]
    down, across = np.mgrid[0:height, 0:width]
    distance = np.hypot(across - x * width, down - y * height) / width
    return picture + (strength * np.exp(-((distance / radius) ** 1.3)))[..., None] * colour(text)


def finished(rng, picture, grain=0.018, vignette=0.28):
    """What a lens and a film add."""
    height, width = picture.shape[:2]
    down, across = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    picture = picture * (1 - vignette * ((across**2 + down**2) / 2) ** 1.4)[..., None]
    picture = picture + rng.normal(0, grain, (height, width, 1))
    return Image.fromarray((np.clip(picture, 0, 1) * 255).astype(np.uint8))


def ridges(seed, size, sky, far, near, layers=6, sun=None, trees=False):
    """Range behind range, each darker than the one behind it."""
    rng = np.random.default_rng(seed)
    width, height = size
    picture = np.repeat(gradient(height, sky)[:, None, :], width, axis=1)
    clouds = noise_2d(rng, width, height, 3, 5, 0.55, stretch=5)
    down = np.arange(height)[:, None]
    picture += (0.16 * np.clip(clouds - 0.52, 0, 1) * (1 - down / height))[..., None] * 2
    if sun:
        picture = lit(picture, *sun)
    for layer in range(layers):
        depth = layer / (layers - 1)
        base = height * (0.46 + 0.46 * depth**1.15)
        line = base + height * (0.17 - 0.07 * depth) * noise_1d(rng, width, 3 + layer, 7, 0.47)
        if trees and depth > 0.55:
            line -= height * 0.035 * np.abs(noise_1d(rng, width, 90, 3, 0.8)) ** 0.7
        below = np.clip(down - line[None, :], 0, None)
        shade = colour(far) * (1 - depth) + colour(near) * depth
        haze = np.exp(-below / (height * 0.16)) * (1 - depth) * 0.45
        ground = shade * (1 - haze[..., None]) + colour(sky[-1][1]) * haze[..., None]
        texture = 0.9 + 0.2 * noise_2d(rng, width, height, 40, 3)
        edge = np.clip(below / 1.5, 0, 1)[..., None]
        picture = picture * (1 - edge) + ground * texture[..., None] * edge
    return finished(rng, picture)


def sea(seed, size, sky, water, sun):
    rng = np.random.default_rng(seed)
    width, height = size
    horizon = int(height * 0.48)
    picture = np.repeat(gradient(height, sky)[:, None, :], width, axis=1)
    clouds = noise_2d(rng, width, height, 3, 6, 0.55, stretch=4)
    picture += (np.clip(clouds - 0.5, 0, 1) * 0.9)[..., None] * colour(sun[3])
    picture = lit(picture, *sun)
    down, across = np.mgrid[0:height, 0:width]
    depth = np.clip((down - horizon) / (height - horizon), 0, 1)
    waves = np.zeros((height, width))
    for octave, cells in enumerate((14, 40, 110)):
        waves += noise_2d(rng, width, height, cells, 3, 0.6, stretch=4.5) / (octave + 1)
    waves = (waves - waves.mean()) / waves.std()
    colours = gradient(height, water)[:, None, :] + (0.035 * waves * (0.4 + depth))[..., None]
    path = np.exp(-(((across / width - sun[0]) / (0.05 + 0.2 * depth)) ** 2))
    glints = np.clip(waves - 0.2, 0, None) * path * (0.85 - 0.4 * depth)
    colours = colours + glints[..., None] * colour(sun[3]) * 0.5 + (0.12 * path)[..., None] * colour(sun[3])
    edge = np.clip((down - horizon) / 2, 0, 1)[..., None]
    return finished(rng, picture * (1 - edge) + colours * edge)


def aurora(seed, size):
    rng = np.random.default_rng(seed)
    width, height = size
    picture = np.repeat(gradient(height, [(0, "#040a1c"), (0.6, "#0b2036"), (1, "#17324a")])[:, None, :], width, axis=1)
    stars = rng.uniform(0, 1, (height, width)) > 0.9992
    shine = Image.fromarray((stars * rng.uniform(90, 255, (height, width))).astype(np.uint8))
    picture += (np.asarray(shine.filter(ImageFilter.GaussianBlur(0.8))) / 255 * 2.2)[..., None]
    down, across = np.mgrid[0:height, 0:width]
    for curtain in range(3):
        foot = height * (0.42 + 0.1 * curtain) + height * 0.12 * noise_1d(rng, width, 3, 3)
        rays = 0.35 + 0.65 * (noise_1d(rng, width, 60, 4, 0.7) * 0.3 + 0.5)
        up = (foot[None, :] - down) / height
        strength = np.where(up > 0, np.exp(-up / 0.16), np.exp(up / 0.02)) * rays[None, :]
        mix = np.clip(up / 0.34, 0, 1)[..., None]
        picture += 0.62 * strength[..., None] * (colour("#43f0a0") * (1 - mix) + colour("#7a5cd8") * mix)
    line = height * 0.84 + height * 0.05 * noise_1d(rng, width, 5, 6, 0.55)
    line -= height * 0.03 * np.abs(noise_1d(rng, width, 120, 2, 0.8))
    edge = np.clip((down - line[None, :]) / 2, 0, 1)[..., None]
    return finished(rng, picture * (1 - edge) + colour("#05080d") * edge, grain=0.02)


def lights(seed, size, ground, palette, number=150):
    """A street at night, out of focus."""
    rng = np.random.default_rng(seed)
    width, height = size
    picture = np.repeat(gradient(height, ground)[:, None, :], width, axis=1)
    down, across = np.mgrid[0:height, 0:width]
    for _ in range(number):
        y = np.clip(rng.normal(0.52, 0.2), 0.02, 0.98) * height
        x = rng.uniform(0, 1) * width
        radius = rng.uniform(0.012, 0.042) * max(width, height)
        distance = np.hypot(across - x, down - y)
        disc = 1 / (1 + np.exp(np.clip((distance - radius) / 2.2, -50, 50))) * (0.7 + 0.5 * (distance / radius) ** 3 * (distance < radius))
        picture += (disc * rng.uniform(0.05, 0.42))[..., None] * colour(palette[rng.integers(len(palette))])
    return finished(rng, picture, vignette=0.45)


def dunes(seed, size, sky, light, dark):
    rng = np.random.default_rng(seed)
    width, height = size
    picture = np.repeat(gradient(height, sky)[:, None, :], width, axis=1)
    down, across = np.mgrid[0:height, 0:width]
    for layer in range(5):
        depth = layer / 4
        line = height * (0.42 + 0.4 * depth) + height * 0.13 * noise_1d(rng, width, 2 + layer // 2, 2, 0.3)
        slope = np.gradient(line)[None, :] * 4
        below = np.clip(down - line[None, :], 0, None) / height
        bent = across + below * width * (0.5 + 0.3 * layer)
        ripples = np.sin((down * 1.6 + 14 * noise_2d(rng, width, height, 5, 3)) * (0.35 - 0.22 * depth)) * 0.012 * (0.4 + depth)
        face = 1 / (1 + np.exp(-(slope * 1.4 + 3 * np.sin(bent / width * 5 + layer * 1.7)) * 1.3))
        shade = colour(light) * face[..., None] + colour(dark) * (1 - face[..., None])
        shade = shade * (0.82 + 0.18 * depth) + ripples[..., None]
        edge = np.clip(below * height / 1.5, 0, 1)[..., None]
        picture = picture * (1 - edge) + shade * edge
    return finished(rng, picture)


def moon(seed, size):
    rng = np.random.default_rng(seed)
    width, height = size
    down, across = np.mgrid[0:height, 0:width]
    radius = 0.36 * min(width, height)
    x, y = (across - width * 0.5) / radius, (down - height * 0.5) / radius
    inside = x**2 + y**2
    z = np.sqrt(np.clip(1 - inside, 0, None))
    seas = noise_2d(rng, width, height, 5, 6, 0.6)
    light = np.clip(0.75 * x + 0.1 * y + 0.65 * z, 0, None) ** 0.7
    tone = (0.5 + 0.55 * (1 / (1 + np.exp((seas - 0.52) * 16)))) * light * (0.9 + 0.2 * noise_2d(rng, width, height, 90, 3))
    disc = 1 / (1 + np.exp((np.sqrt(inside) - 1) * radius / 1.5))
    picture = (tone * disc)[..., None] * colour("#f3ead8") + colour("#05060a")
    return finished(rng, lit(picture, 0.58, 0.5, 0.3, "#2a3550", 0.16), grain=0.014)


DAWN = [(0, "#2b3a62"), (0.3, "#8a6f95"), (0.5, "#e39b80"), (0.62, "#f8d3a0")]
GOLD = [(0, "#5d6c8c"), (0.35, "#c9a98a"), (0.6, "#f6dca8")]
BLUE = [(0, "#0e1c38"), (0.4, "#2c4d78"), (0.7, "#8fb0cb")]
EVENING = [(0, "#27345c"), (0.25, "#7d5f86"), (0.48, "#f2a26b")]
FOG = [(0, "#c5cdd0"), (0.4, "#dfe2df"), (0.7, "#eef0ec")]
NEON = ["#ffb35c", "#ff7a3c", "#ffe1a8", "#6fb7ff", "#ff5f6d"]
TRAFFIC = ["#ff4d4d", "#ffd27a", "#7affc2", "#ffffff", "#ff9a4d"]
CLEAR = [(0, "#2f6fb0"), (0.45, "#8fbfe0"), (0.7, "#e6f0f4")]

class Scene(NamedTuple):
    name: str
    caption: str
    camera: str
    #: Seconds, as a fraction.
    exposure: str
    make: Callable[[], Image.Image]


SCENES = [
    Scene("first light, upper valley.jpg", "The sun rises behind hazy ranges of mountains", "X-T5", "1/125",
          lambda: ridges(11, (1800, 1200), DAWN, "#8d6f8e", "#151728", sun=(0.68, 0.44, 0.13, "#ffd9a0", 0.75))),
    Scene("harbour lights.jpg", "Coloured lights at night, out of focus", "ILCE-7M4", "1/60",
          lambda: lights(5, (1200, 1600), [(0, "#0a0d1c"), (0.6, "#1d1a2b"), (1, "#0b0a10")], NEON)),
    Scene("evening at the point.jpg", "A low sun over a calm sea under violet clouds", "X-T5", "1/250",
          lambda: sea(21, (1800, 1200), EVENING, [(0, "#000000"), (0.48, "#a9705f"), (1, "#141b33")],
                      (0.6, 0.44, 0.12, "#ffb070", 0.8))),
    Scene("aurora over the ridge.jpg", "Green northern lights above a dark line of trees", "ILCE-7M4", "8",
          lambda: aurora(8, (1700, 1133))),
    Scene("blue hour, seven ranges.jpg", "Mountain ranges in blue haze, one behind the other", "X-T5", "1/15",
          lambda: ridges(34, (2600, 900), BLUE, "#6f93b4", "#070d1a", layers=7)),
    Scene("dunes before noon.jpg", "Sand dunes with sharp crests under a clear sky", "EOS R6", "1/800",
          lambda: dunes(13, (1600, 1200), [(0, "#4f86b8"), (0.5, "#cfdfe6")], "#e8b578", "#7d4526")),
    Scene("waning gibbous.jpg", "The moon, not quite full, in a black sky", "EOS R6", "1/320",
          lambda: moon(3, (1200, 1200))),
    Scene("fir and fog.jpg", "Fir trees on steep slopes disappear in fog", "X-T5", "1/200",
          lambda: ridges(52, (1200, 1700), FOG, "#a6b1af", "#16211d", trees=True)),
    Scene("larches in october.jpg", "Autumn forest below mountains in warm light", "EOS R6", "1/160",
          lambda: ridges(71, (1800, 1200), GOLD, "#b99c82", "#3a1f12", layers=5,
                         sun=(0.22, 0.36, 0.2, "#ffe7b0", 0.4), trees=True)),
    Scene("calm, no wind.jpg", "Sunlight glitters on open water", "ILCE-7M4", "1/1000",
          lambda: sea(44, (1800, 1013), [(0, "#6f9cc4"), (0.48, "#dfe6e4")],
                      [(0, "#000000"), (0.48, "#8fb2bd"), (1, "#1f4a5c")], (0.3, 0.2, 0.25, "#fff3d8", 0.3))),
    Scene("rain on the boulevard.jpg", "Blurred lights of traffic in the rain", "X-T5", "1/50",
          lambda: lights(17, (1600, 1067), [(0, "#10141c"), (0.5, "#22242c"), (1, "#15110f")], TRAFFIC, 110)),
    Scene("summer range.jpg", "Green forests below a rocky summit", "EOS R6", "1/500",
          lambda: ridges(90, (1800, 1200), CLEAR, "#86a6bd", "#16301f", trees=True)),
]


def save(folder):
    """Makes all of them, with what a camera would write into them."""
    folder.mkdir(parents=True, exist_ok=True)
    for day, scene in enumerate(SCENES, 1):
        exif = Image.Exif()
        exif[ExifTags.Base.Model] = scene.camera
        details = exif.get_ifd(ExifTags.IFD.Exif)
        over, _, under = scene.exposure.partition("/")
        details[ExifTags.Base.ExposureTime] = IFDRational(int(over), int(under or 1))
        details[ExifTags.Base.FNumber] = IFDRational(56, 10)
        details[ExifTags.Base.ISOSpeedRatings] = 200
        details[ExifTags.Base.FocalLength] = IFDRational(35)
        details[ExifTags.Base.DateTimeOriginal] = f"2026:10:{day:02} 06:{41 + day % 18}:07"
        scene.make().save(folder / scene.name, quality=90, exif=exif)


if __name__ == "__main__":
    save(Path(sys.argv[1]))
