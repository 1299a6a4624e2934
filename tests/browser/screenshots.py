"""Takes the pictures of the README: the gallery with scenes, on the machine that this runs on.

The captions come from a stand-in that knows the scenes; everything else is the program's own doing.

    tests/browser/run --screenshots [FOLDER]
"""

import base64
import io
import json
import os
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from gallery import add, card, expect_developed
from PIL import Image
from pictures import broken, file
from playwright.sync_api import expect, sync_playwright
from scenes import SCENES, save
from server import Server

QUALITY = 82


class Captioner(BaseHTTPRequestHandler):
    """Answers as a captioner does; which scene it was shown, it sees from a few pixels."""

    scenes = {}

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        parts = request["messages"][-1]["content"]
        url = next(part["image_url"]["url"] for part in parts if part["type"] == "image_url")
        shown = glance(io.BytesIO(base64.b64decode(url.partition(",")[2])))
        caption = min(self.scenes, key=lambda caption: sum(abs(a - b) for a, b in zip(self.scenes[caption], shown)))
        body = json.dumps({"choices": [{"message": {"content": caption}}]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def glance(source):
    return Image.open(source).convert("RGB").resize((6, 6), Image.Resampling.BOX).tobytes()


def captioner(folder):
    Captioner.scenes = {scene.caption: glance(folder / scene.name) for scene in SCENES}
    stand_in = ThreadingHTTPServer(("127.0.0.1", 0), Captioner)
    threading.Thread(target=stand_in.serve_forever, daemon=True).start()
    return {
        "DARKROOM_CAPTIONER__PROVIDER": "openai_chat",
        "DARKROOM_CAPTIONER__URL": f"http://127.0.0.1:{stand_in.server_port}/v1",
        "DARKROOM_CAPTIONER__API_KEY": "none",
    }


def shoot(page, to):
    """As a JPEG of a size that a README can carry."""
    page.wait_for_timeout(1200)
    Image.open(io.BytesIO(page.screenshot())).convert("RGB").save(to, quality=QUALITY, progressive=True, optimize=True)


def main(folder):
    with tempfile.TemporaryDirectory(prefix="darkroom-scenes.") as scratch:
        save(Path(scratch))
        take(folder, Path(scratch))


def take(folder, scratch):
    server = Server(**captioner(scratch))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=["--no-sandbox"])

        def open_page(width, height, **options):
            page = browser.new_context(viewport={"width": width, "height": height}, **options).new_page()
            page.goto(server.address)
            return page

        # All at once, so that the curves of each have the same to tell.
        page = open_page(1360, 900)
        dark = open_page(1360, 900, color_scheme="dark")
        narrow = open_page(390, 844, device_scale_factor=2, color_scheme="dark")
        # One after the other, as somebody comes home with them.
        for at, scene in enumerate(reversed(SCENES)):
            add(page, scratch / scene.name)
            page.wait_for_timeout(2500 + at % 4 * 2500)
        expect_developed(page, len(SCENES))
        expect(page.locator(".caption").first).to_have_text(SCENES[0].caption)
        page.wait_for_timeout(6000)
        shoot(page, folder / "gallery-wide.jpg")

        expect(dark.locator(".card[data-loaded]").nth(8)).to_be_visible()
        shoot(dark, folder / "gallery-dark.jpg")
        card(dark, SCENES[0].name).get_by_role("button").first.click()
        expect(dark.locator("#details-body h3").first).to_be_visible()
        shoot(dark, folder / "gallery-details.jpg")
        dark.close()

        expect(narrow.locator(".card[data-loaded]").nth(2)).to_be_visible()
        shoot(narrow, folder / "gallery-narrow.jpg")
        narrow.close()

        add(page, file("half a roll.jpg", broken()), file("shopping list.jpg", b"bread, fixer, stop bath"))
        expect(card(page, "half a roll.jpg")).to_have_attribute("data-status", "failed")
        server.stop()
        expect(page.locator("#banner")).to_be_visible()
        add(page, file("the next one.jpg", (scratch / SCENES[3].name).read_bytes()))
        expect(page.locator("#tray-lines")).to_contain_text("Waits for the server")
        shoot(page, folder / "gallery-error.jpg")
        browser.close()
    server.start()
    server.remove()


if __name__ == "__main__":
    begun = time.monotonic()
    main(Path(sys.argv[1]))
    print(f"taken in {time.monotonic() - begun:.0f} s", file=sys.stderr)
