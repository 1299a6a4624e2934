"""What is said of a picture."""

from gallery import add, card, details, expect_developed
from pictures import file, picture
from playwright.sync_api import expect


def test_a_person_writes_a_caption_and_takes_it_back(page, server):
    add(page, file("rex.jpg", picture(900, 600)))
    expect_developed(page, 1)
    card(page, "rex.jpg").get_by_role("button").click()
    expect(page.get_by_role("button", name="Take back")).to_be_hidden()
    page.get_by_role("button", name="Write a caption").click()
    text = page.get_by_label("Caption", exact=True)
    expect(text).to_be_focused()
    # Keys that turn the pages outside.
    text.press_sequentially("Rex <b>asleep</b>")
    text.press("ArrowLeft")
    text.press("Delete")
    expect(details(page)).to_be_visible()
    text.press("Escape")
    expect(text).to_be_hidden()
    expect(details(page)).to_be_visible()
    expect(page.get_by_role("button", name="Write a caption")).to_be_focused()

    page.keyboard.press("Enter")
    text.fill("Rex <b>asleep</b>")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#details-caption")).to_have_text("Rex <b>asleep</b>")
    expect(page.get_by_text("Written by a person")).to_be_visible()
    image = server.images()[0]
    assert image["caption"] == "Rex <b>asleep</b>"

    page.get_by_role("button", name="Edit caption").click()
    expect(text).to_have_value("Rex <b>asleep</b>")
    page.get_by_role("button", name="Take back").click()
    expect(page.locator("#details-caption")).to_be_hidden()
    expect(page.get_by_role("button", name="Write a caption")).to_be_visible()
    assert server.images()[0]["caption"] is None


def test_a_caption_that_says_nothing_is_not_taken(page, server):
    add(page, file("rex.jpg", picture(900, 600)))
    expect_developed(page, 1)
    card(page, "rex.jpg").get_by_role("button").click()
    page.get_by_role("button", name="Write a caption").click()
    page.get_by_label("Caption", exact=True).fill("   ")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The caption is empty")).to_be_visible()
    expect(page.get_by_label("Caption", exact=True)).to_be_visible()
