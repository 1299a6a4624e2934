"""What is said of a picture."""

from gallery import add, card, details, expect_developed
from pictures import file, picture
from playwright.sync_api import expect


def test_a_person_writes_a_caption_and_takes_it_back(page, server):
    add(page, file("other.jpg", picture(900, 600, seed=7)))
    expect_developed(page, 1)
    add(page, file("rex.jpg", picture(900, 600)))
    expect_developed(page, 2)
    card(page, "rex.jpg").get_by_role("button").click()
    title = page.locator("#details-title")
    expect(page.get_by_role("button", name="Take back")).to_be_hidden()
    page.get_by_role("button", name="Write a caption").click()
    text = page.get_by_label("Caption", exact=True)
    expect(text).to_be_focused()
    # Keys that turn the pages outside.
    text.press_sequentially("Rex! <b>asleep</b>")
    text.press("Home")
    for _ in range(4):
        text.press("ArrowRight")
    text.press("ArrowLeft")
    text.press("Delete")
    expect(text).to_have_value("Rex <b>asleep</b>")
    expect(title).to_have_text("rex.jpg")
    expect(page.get_by_role("dialog", name="Delete this picture?")).to_be_hidden()
    # What was begun is there when one comes back.
    page.get_by_role("button", name="Next picture").click()
    expect(title).to_have_text("other.jpg")
    expect(text).to_be_hidden()
    page.get_by_role("button", name="Picture before").click()
    expect(text).to_have_value("Rex <b>asleep</b>")
    text.press("Escape")
    expect(text).to_be_hidden()
    expect(details(page)).to_be_visible()
    expect(page.get_by_role("button", name="Write a caption")).to_be_focused()

    page.keyboard.press("Enter")
    text.fill("Rex <b>asleep</b>")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#details-caption")).to_have_text("Rex <b>asleep</b>")
    expect(page.get_by_text("Written by a person")).to_be_visible()
    expect(page.get_by_role("button", name="Edit caption")).to_be_focused()
    assert server.images()[0]["caption"] == "Rex <b>asleep</b>"
    expect(card(page, "rex.jpg").locator("img")).to_have_attribute("alt", "Rex <b>asleep</b>")

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
    expect(page.get_by_role("alert").filter(has_text="The caption is empty")).to_be_visible()
    expect(page.get_by_label("Caption", exact=True)).to_have_value("   ")
