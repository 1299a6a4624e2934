"""Small pictures for the tests. Those for people to look at are in scenes.py."""

import io

from PIL import ExifTags, Image


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
