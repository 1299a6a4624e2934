"""How near a thumbnail comes to the best one: SSIM against a Lanczos reduction of the whole picture.

The reference is decoded in full, turned upright, brought to sRGB by the embedded profile if there is one,
and reduced in one step by Lanczos (three lobes), in floating point and gamma space, colour weighted by alpha.

A thumbnail that is made of luminance and colour differences of half its size is held against such a reduction of
luminance and differences, each at its own size.
"""

import io
from math import ceil
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps

WINDOW, SIGMA = 11, 1.5
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

# ITU-T T.871, clause 7.
TO_Y = (0.299, 0.587, 0.114)
TO_CB = (-0.168736, -0.331264, 0.5)
TO_CR = (0.5, -0.418688, -0.081312)

Image.MAX_IMAGE_PIXELS = None


class Reference:
    """A picture in full, from which references of any size are made."""

    def __init__(self, file: str) -> None:
        picture = in_srgb(ImageOps.exif_transpose(Image.open(file)))
        self.planes = [Image.fromarray(plane) for plane in premultiplied(picture)]

    def at(self, size: tuple[int, int]) -> np.ndarray:
        """Red, green, blue, alpha; premultiplied; 0 to 255; rows, columns."""
        reduced = [plane.resize(size, Image.Resampling.LANCZOS) for plane in self.planes]
        return np.clip([np.asarray(plane, np.float64) for plane in reduced], 0, 255)


    def difference_at(self, weights: tuple[float, float, float], size: tuple[int, int]) -> np.ndarray:
        """A colour difference at half of the given size, rounded up. Of an odd side, the last sample reaches beyond."""
        plane = np.asarray(sum(w * np.asarray(p) for w, p in zip(weights, self.planes[:3], strict=True)), np.float32)
        half = tuple(-(-side // 2) for side in size)
        height, width = plane.shape
        box = (0.0, 0.0, width * 2 * half[0] / size[0], height * 2 * half[1] / size[1])
        beyond = ((0, ceil(box[3]) - height), (0, ceil(box[2]) - width))
        wide = Image.fromarray(np.pad(plane, beyond, "edge"))
        return np.clip(np.asarray(wide.resize(half, Image.Resampling.LANCZOS, box), np.float64) + 128, 0, 255)


def ssim_before_encoding(reference: Reference, folder: Path, size: str) -> float:
    """The SSIM of the thumbnail that a peer has put into this folder: mean of its colours, or of its planes."""
    if (folder / f"{size}.png").exists():
        return ssim_to(reference, folder / f"{size}.png")
    y, cb, cr = (np.asarray(Image.open(folder / f"{size}.{plane}.png"), np.float64) for plane in ("y", "cb", "cr"))
    of = y.shape[1], y.shape[0]
    best = [np.tensordot(TO_Y, reference.at(of)[:3], 1), *(reference.difference_at(to, of) for to in (TO_CB, TO_CR))]
    return float(np.mean([ssim(a, b) for a, b in zip((y, cb, cr), best, strict=True)]))


def ssim_to(reference: Reference, thumbnail: Path) -> float:
    """The SSIM of the thumbnail in this file: mean of red, green and blue; on white or on black, if worse."""
    picture = Image.open(thumbnail).convert("RGBA")
    ours, best = premultiplied(picture), reference.at(picture.size)
    shown = ((laid_on(paper, ours), laid_on(paper, best)) for paper in (0, 255))
    return min(float(np.mean([ssim(a, b) for a, b in zip(*pair, strict=True)])) for pair in shown)


def in_srgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):  # 16-bit grey, which `convert` would cut off at 255.
        return Image.fromarray((np.asarray(picture) / 257).astype(np.uint8))
    profile = picture.info.get("icc_profile")
    mode = "RGBA" if picture.has_transparency_data else "RGB"
    if profile and picture.mode in ("L", "RGB", "RGBA", "CMYK"):
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"), outputMode=mode)
    return picture.convert(mode)


def premultiplied(picture: Image.Image) -> np.ndarray:
    samples = np.array(picture.convert("RGBA"), np.float32)
    samples[..., :3] *= samples[..., 3:] / 255
    return np.ascontiguousarray(samples.transpose(2, 0, 1))


def laid_on(paper: int, planes: np.ndarray) -> np.ndarray:
    """Red, green and blue of the picture on paper of this grey."""
    return planes[:3].astype(np.float64) + (1 - planes[3] / 255) * paper


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Mean structural similarity (Wang, Bovik, Sheikh, Simoncelli 2004): window and constants as there."""
    mean_a, mean_b = blur(a), blur(b)
    variance_a, variance_b = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2
    covariance = blur(a * b) - mean_a * mean_b
    alike = (2 * mean_a * mean_b + C1) * (2 * covariance + C2)
    return float(np.mean(alike / ((mean_a**2 + mean_b**2 + C1) * (variance_a + variance_b + C2))))


def blur(plane: np.ndarray) -> np.ndarray:
    """Mirrored at the edges, so that the narrowest thumbnail can be compared too."""
    reach = np.arange(WINDOW) - WINDOW // 2
    weights = np.exp(-(reach**2) / (2 * SIGMA**2))
    weights /= weights.sum()
    for _ in range(2):
        padded = np.pad(plane, ((WINDOW // 2,), (0,)), "symmetric")
        plane = sum(weight * padded[i : i + len(plane)] for i, weight in enumerate(weights)).T
    return plane
