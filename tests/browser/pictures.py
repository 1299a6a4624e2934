"""Small pictures for the tests. Those for people to look at are in scenes.py."""

import io

from PIL import ExifTags, Image, ImageDraw


def picture(width=300, height=200, seed=0, form="JPEG", **exif_fields):
    """A gradient whose hue tells pictures apart; the fields go into its Exif data."""
    across = Image.linear_gradient("L").rotate(90).resize((width, height))
    down = Image.linear_gradient("L").resize((width, height))
    hue = Image.new("L", (width, height), seed * 37 % 256)
    image = Image.merge("HSV", (hue, across.point(lambda value: 120 + value // 2), down.point(lambda value: 255 - value // 2)))
    exif = Image.Exif()
    for name, value in exif_fields.items():
        exif[ExifTags.Base[name]] = value
    return encoded(image.convert("RGB"), form, exif)


def hills(width=600, height=400, form="JPEG"):
    """Can be told by its looks, also when it is smaller."""
    image = Image.linear_gradient("L").resize((600, 400))
    pen = ImageDraw.Draw(image)
    shapes = {(-80, 180, 340, 620): 70, (260, 240, 760, 700): 150, (420, 40, 500, 120): 250, (90, 60, 180, 100): 220}
    for box, tone in shapes.items():
        pen.ellipse(box, fill=tone)
    return encoded(image.resize((width, height), Image.Resampling.LANCZOS).convert("RGB"), form, None)


def transparent(width=200, height=200):
    image = Image.radial_gradient("L").resize((width, height))
    return encoded(Image.merge("RGBA", (image, image, image, image)), "PNG", None)


def broken():
    """Begins like a photograph, and ends in the middle."""
    whole = picture(900, 600)
    return whole[: len(whole) * 2 // 3]


def encoded(image, form, exif):
    out = io.BytesIO()
    image.save(out, form, **({"exif": exif} if exif else {}))
    return out.getvalue()


def file(name, content):
    """In the form in which Playwright hands files to a page."""
    return {"name": name, "mimeType": "application/octet-stream", "buffer": content}


def files(number, start=0):
    return [file(f"picture {start + at:03}.jpg", picture(seed=start + at)) for at in range(number)]
