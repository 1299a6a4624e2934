"""What was measured, as tables in Markdown."""

from collections.abc import Callable, Iterable
from math import prod
from statistics import mean, median

from measured import DARKROOM, FULL, PEERS, SHARP, SIZES, Measured, Seen

RATIOS = ["sharp ÷ Darkroom", "Pillow ÷ Darkroom"]
NOTHING = "–"


def markdown(pictures: list[Measured]) -> str:
    before = looks("before encoding", pictures, lambda picture: picture.ssim)
    encoded = looks("encoded", pictures, lambda picture: picture.ssim_encoded)
    return "\n\n".join([speed(pictures), memory(pictures), sizes(pictures), before, encoded])


def speed(pictures: list[Measured]) -> str:
    """All figures are medians of the rounds. Behind the ratios stand the lowest and the highest round."""
    rows = []
    for picture in pictures:
        times = [picture.cpu_ms[peer] for peer in PEERS]
        ratios = [spread(round_ratios(picture, peer)) for peer in (SHARP, FULL)]
        rows.append([picture.name, *(rate(median(ms)) if ms else NOTHING for ms in times), *ratios])
    done = [picture for picture in pictures if not picture.failures]
    if done:
        times = [geometric_mean(median(picture.cpu_ms[peer]) for picture in done) for peer in PEERS]
        ratios = [spread(overall_ratios(done, peer)) for peer in (SHARP, FULL)]
        rows.append(["**geometric mean**", *map(rate, times), *ratios])
    return table("CPU time of one picture in milliseconds (images per second)", [*PEERS, *RATIOS], rows)


def memory(pictures: list[Measured]) -> str:
    rows = []
    for picture in pictures:
        peaks = [median(picture.peak_kib[peer] or [0]) / 1024 for peer in PEERS]
        rows.append([picture.name, *map(one_digit, peaks), *(ratio(peak, peaks[0]) for peak in peaks[1:3])])
    idle = [[kib for picture in pictures for kib in picture.idle_kib[peer]] or [0] for peer in PEERS]
    idle = [median(kib) / 1024 for kib in idle]
    rows.append(["before the first picture", *map(one_digit, idle), "", ""])
    return table("Peak resident memory of the process in MiB", [*PEERS, *RATIOS], rows)


def sizes(pictures: list[Measured]) -> str:
    peers, rows = PEERS[:3], []
    for picture in pictures:
        row = [picture.name]
        for size in SIZES:
            of_peers = [picture.bytes.get(peer, {}).get(size, 0) for peer in peers]
            row += [*(str(count or NOTHING) for count in of_peers), ratio(of_peers[0], of_peers[1])]
        rows.append(row)
    columns = [f"{size}: {what}" for size in SIZES for what in (*peers, "Darkroom ÷ sharp")]
    return table("Bytes of the thumbnails", columns, rows)


def looks(when: str, pictures: list[Measured], seen_of: Callable[[Measured], Seen]) -> str:
    columns = [(size, peer) for size in SIZES for peer in (DARKROOM, SHARP)]
    seen = [[seen_of(picture).get(peer, {}).get(size) for size, peer in columns] for picture in pictures]
    rows = [
        [picture.name, *(f"{ssim:.4f}" if ssim is not None else NOTHING for ssim in row)]
        for picture, row in zip(pictures, seen, strict=True)
    ]
    complete = [row for row in seen if None not in row]
    if complete:
        for name, of in ("**mean**", mean), ("**worst**", min):
            rows.append([name, *(f"{of(column):.4f}" for column in zip(*complete, strict=True))])
    return table(f"Likeness to the best thumbnail, {when}: SSIM", [f"{size}: {peer}" for size, peer in columns], rows)


def round_ratios(picture: Measured, peer: str) -> list[float]:
    """How many times Darkroom's time the peer took, round by round."""
    rounds = zip(picture.cpu_ms[peer], picture.cpu_ms[DARKROOM], strict=False)
    return [theirs / ours for theirs, ours in rounds]


def overall_ratios(pictures: list[Measured], peer: str) -> list[float]:
    """The geometric mean over the pictures, round by round."""
    rounds = zip(*(round_ratios(picture, peer) for picture in pictures), strict=True)
    return [geometric_mean(ratios) for ratios in rounds]


def geometric_mean(values: Iterable[float]) -> float:
    values = list(values)
    return prod(values) ** (1 / len(values))


def rate(ms: float) -> str:
    return f"{ms:.1f} ({1000 / ms:.1f})"


def one_digit(value: float) -> str:
    return f"{value:.1f}" if value else NOTHING


def ratio(a: float, b: float) -> str:
    return f"{a / b:.2f}" if a and b else NOTHING


def spread(ratios: list[float]) -> str:
    return f"**{median(ratios):.2f}** ({min(ratios):.2f}–{max(ratios):.2f})" if ratios else NOTHING


def table(title: str, columns: list[str], rows: list[list[str]]) -> str:
    lines = [["picture", *columns], ["---", *["---:"] * len(columns)], *rows]
    return "\n".join([f"### {title}", "", *(f"| {' | '.join(line)} |" for line in lines)])
