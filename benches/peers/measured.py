"""What is known of a picture once it has been through every peer."""

from dataclasses import dataclass, field

DARKROOM, SHARP, FULL, DRAFT = PEERS = ["Darkroom", "sharp", "Pillow", "Pillow, draft"]
SIZES = ["512", "128"]

Seen = dict[str, dict[str, float]]
"""SSIM by peer and size."""


@dataclass
class Measured:
    """One picture. Where there is a list, it has an entry for each round."""

    name: str
    megapixels: float
    file_format: str
    """What the thumbnails are encoded as: `jpg` or `png`."""
    cpu_ms: dict[str, list[float]] = field(default_factory=lambda: {peer: [] for peer in PEERS})
    peak_kib: dict[str, list[int]] = field(default_factory=lambda: {peer: [] for peer in PEERS})
    idle_kib: dict[str, list[int]] = field(default_factory=lambda: {peer: [] for peer in PEERS})
    bytes: dict[str, dict[str, int]] = field(default_factory=dict)
    """Of the encoded thumbnails, by peer and size."""
    ssim: Seen = field(default_factory=dict)
    """Of the thumbnails before encoding."""
    ssim_encoded: Seen = field(default_factory=dict)
    """Of the encoded thumbnails."""
    failures: dict[str, str] = field(default_factory=dict)
    """The last words of the peers that could not do it."""
