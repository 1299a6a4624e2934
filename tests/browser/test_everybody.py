"""For those who use keys, who listen, who sit in the dark, or who have a small screen."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from gallery import add, card, cards, details, expect_developed, fits_the_width
from pictures import broken, file, files, picture
from playwright.sync_api import expect

LONG = "a-very-long-name-without-any-place-to-break-it-" * 4 + ".jpg"


def focused(page):
    return page.evaluate("document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent")


def test_everything_is_reached_by_keyboard_alone(page, server):
    add(page, *files(4))
    expect_developed(page, 4)
    names = page.locator(".card .name").all_text_contents()
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    for _ in range(12):
        page.keyboard.press("Tab")
        if focused(page) in names:
            break
    assert focused(page) == names[0]
    for key, place in [("ArrowRight", 1), ("End", 3), ("ArrowLeft", 2), ("Home", 0), ("ArrowRight", 1)]:
        page.keyboard.press(key)
        assert focused(page) == names[place], key
    page.keyboard.press("Enter")
    title = page.locator("#details-title")
    expect(title).to_have_text(names[1])
    for key, place in [("ArrowRight", 2), ("ArrowLeft", 1), ("ArrowLeft", 0)]:
        page.keyboard.press(key)
        expect(title).to_have_text(names[place])
    page.keyboard.press("Escape")
    expect(details(page)).to_be_hidden()
    assert focused(page) == names[0]
    page.keyboard.press("Enter")
    page.keyboard.press("Delete")
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(cards(page)).to_have_count(3)
    assert focused(page) == names[1]


def test_uploads_are_told_to_those_who_listen(page, server):
    add(page, *files(3))
    expect(page.locator("#announcer")).to_have_text("3 files uploaded")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_no_state_of_the_page_bars_anybody(open_page, server, scheme, width):
    page = open_page(server, width=width, height=740, color_scheme=scheme, reduced_motion="reduce")

    def look(state):
        found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
        serious = [one for one in found if one["impact"] in ("serious", "critical")]
        assert serious == [], f"{state}: {[(one['id'], [node['html'] for node in one['nodes']]) for one in serious]}"
        assert fits_the_width(page), state

    expect(page.get_by_text("Nothing here yet")).to_be_visible()
    look("empty")
    add(page, *files(3), file(LONG, picture(1200, 240)), file("tall.jpg", picture(150, 600)), file("broken.jpg", broken()))
    add(page, file("no-picture-" + LONG, b"nothing"))
    expect(page.locator(".card[data-loaded]")).to_have_count(5)
    expect(card(page, "broken.jpg")).to_have_attribute("data-status", "failed")
    expect(page.locator("#tray-lines")).to_contain_text("Unsupported file type")
    look("cards and a refused upload")
    page.get_by_role("button", name="Dismiss", exact=True).click()
    card(page, LONG).get_by_role("button").click()
    expect(page.locator("#details-body h3").first).to_be_visible()
    look("details")
    page.get_by_role("button", name="Delete").click()
    look("a question")


def test_dark_or_light_is_as_the_system_says_until_one_chooses(open_page, server):
    page = open_page(server, color_scheme="dark")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    dark = page.evaluate(ground)
    page.get_by_role("button", name="Dark mode").click()
    light = page.evaluate(ground)
    assert light != dark
    page.reload()
    assert page.evaluate(ground) == light
    expect(page.get_by_role("button", name="Dark mode")).to_have_attribute("aria-pressed", "false")
