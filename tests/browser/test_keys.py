"""A server that asks for keys."""

import re

import pytest
from gallery import add, card, cards, expect_developed
from pictures import files, picture
from playwright.sync_api import expect
from server import Server, with_keys

KEY = "dk_a-key-for-the-browser-test"


@pytest.fixture(scope="module")
def own_server():
    server = Server(**with_keys(KEY))
    server.key = KEY
    yield server
    server.remove()


@pytest.fixture
def server(own_server):
    own_server.clear()
    return own_server


def give(page, key):
    page.get_by_label("Key", exact=True).fill(key)
    page.keyboard.press("Enter")


def test_a_key_is_asked_for_until_it_fits_and_then_carried(page, server):
    server.upload("locked.jpg", picture())
    dialog = page.get_by_role("dialog", name="API key")
    expect(dialog).to_contain_text("This server asks for a key.")
    give(page, "wrong")
    expect(dialog).to_be_visible()
    expect(cards(page)).to_have_count(0)
    give(page, KEY)
    expect(dialog).to_be_hidden()
    expect_developed(page, 1)
    expect(cards(page).locator("img")).to_have_attribute("src", re.compile("^blob:"))
    add(page, *files(2))
    expect_developed(page, 3)
    card(page, "locked.jpg").get_by_role("button").click()
    expect(page.locator("#details-picture")).to_have_js_property("naturalWidth", 300)
    with page.expect_download() as download:
        page.get_by_role("link", name="Original").click()
    assert download.value.suggested_filename == "locked.jpg"
    assert page.evaluate("[sessionStorage.getItem('darkroom.key'), localStorage.getItem('darkroom.key')]") == [KEY, None]
    page.reload()
    expect_developed(page, 3)


def test_a_key_can_be_kept_and_forgotten(page, server):
    page.get_by_label("Keep it in this browser").check()
    give(page, KEY)
    expect(page.get_by_text("Nothing here yet")).to_be_visible()
    assert page.evaluate("[sessionStorage.getItem('darkroom.key'), localStorage.getItem('darkroom.key')]") == [None, KEY]
    page.get_by_role("button", name="API key").click()
    page.get_by_role("button", name="Forget the key").click()
    # A dialog tells of its closing a moment after it is closed.
    page.wait_for_function("sessionStorage.length + localStorage.length === 0")
    expect(page.get_by_role("dialog", name="API key")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("alert")).to_be_visible()
    # Who said no is not asked again, whatever is refused, until they want to.
    for _ in range(2):
        page.wait_for_event("response", lambda answer: answer.status == 401)
    expect(page.get_by_role("dialog", name="API key")).to_be_hidden()
    page.get_by_role("button", name="API key").click()
    give(page, KEY)
    expect(page.get_by_text("Nothing here yet")).to_be_visible()
