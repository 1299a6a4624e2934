"""What the tests share: a server, a browser, and a page that must not complain."""

import os

import pytest
from playwright.sync_api import expect, sync_playwright
from server import PATIENCE, WITH_WEBHOOKS, Server

expect.set_options(timeout=PATIENCE * 1000)


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        # The sandbox of Chromium does not work for root, and the page is ours.
        yield playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=["--no-sandbox"])


@pytest.fixture(scope="session")
def shared_server():
    server = Server(**WITH_WEBHOOKS)
    yield server
    server.remove()


@pytest.fixture
def server(shared_server):
    """Without images."""
    shared_server.clear()
    return shared_server


@pytest.fixture
def open_page(browser):
    """Opens the gallery of a server. At the end, the console must hold no error: no violated policy, no exception."""
    contexts, complaints = [], []

    def open_gallery(server, path="/", width=1280, height=860, **options):
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complain(message))
        page.goto(server.address + path)
        return page

    def complain(message):
        # Chromium itself reports each refused or failed request; the page shows them in its own way.
        if message.type in ("error", "warning") and not message.text.startswith("Failed to load resource"):
            complaints.append(message.text)

    yield open_gallery
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def page(open_page, server):
    return open_page(server)
