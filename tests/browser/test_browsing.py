"""Looking at what is there."""

import concurrent.futures
import re

from gallery import add, card, cards, choose, details, expect_developed, fact
from pictures import broken, file, files, hills, picture
from playwright.sync_api import expect


def test_pictures_are_found_by_status_and_by_name(page, server):
    add(page, *files(3), file("broken.jpg", broken()))
    expect(page.locator(".card[data-loaded]")).to_have_count(3)
    expect(card(page, "broken.jpg")).to_have_attribute("data-status", "failed")
    choose(page, "Failed")
    expect(cards(page)).to_have_count(1)
    choose(page, "Ready")
    expect(cards(page)).to_have_count(3)
    page.get_by_role("searchbox").fill("PICTURE 001")
    expect(cards(page)).to_have_count(1)
    expect(card(page, "picture 001.jpg")).to_be_visible()
    page.get_by_role("searchbox").fill("nowhere")
    expect(page.get_by_text("No picture fits")).to_be_visible()
    page.get_by_role("button", name="Show all").click()
    expect(cards(page)).to_have_count(4)
    expect(page.get_by_role("searchbox")).to_have_value("")


def test_the_details_show_what_was_read_and_how_long_it_took(page, server):
    add(page, file("lake.jpg", picture(900, 600, Make="Fujifilm", Model="X-T5", DateTime="2026:10:04 06:41:07")))
    expect_developed(page, 1)
    cards(page).get_by_role("button").click()
    shown = page.locator("#details-picture")
    expect(shown).to_have_js_property("naturalWidth", 512)
    expect(fact(page, "Dimensions")).to_have_text("900 × 600, 0.5 MP")
    expect(fact(page, "File")).to_contain_text("JPG, ")
    expect(fact(page, "Model")).to_have_text("X-T5")
    expect(fact(page, "SHA-256")).to_have_text(server.images()[0]["sha256"])
    for stage in ("metadata", "thumbnails"):
        bar = page.locator(f"[data-stage={stage}]")
        expect(bar).to_contain_text(re.compile(r"\d\sm?s, waited \d"))
        assert bar.locator(".run").evaluate("(part) => part.getBoundingClientRect().width") >= 2
    expect(page.locator("[data-stage=caption]")).to_contain_text("skipped")
    with page.expect_download() as download:
        page.get_by_role("link", name="Original").click()
    assert download.value.suggested_filename == "lake.jpg"


def test_what_is_odd_about_a_file_and_what_looks_like_it_is_shown(page, server):
    add(page, file("hills.jpg", hills()), file("small copy.png", hills(300, 200, "PNG")))
    expect_developed(page, 2)
    card(page, "hills.jpg").get_by_role("button").click()
    similar = page.locator("#details-similar").get_by_role("button")
    expect(similar).to_have_count(1)
    similar.click()
    expect(page.locator("#details-title")).to_have_text("small copy.png")
    expect(similar).to_have_attribute("title", "hills.jpg")
    page.keyboard.press("Escape")
    add(page, file("edited.jpg", picture(900, 600, seed=5, Software="Adobe Photoshop 25.0")))
    expect_developed(page, 3)
    card(page, "edited.jpg").get_by_role("button").click()
    finding = page.locator("[data-code=edited_with]")
    expect(finding).to_contain_text("Adobe Photoshop 25.0")
    expect(finding.get_by_role("row")).not_to_have_count(0)


def test_webhooks_are_shown_with_what_became_of_them(open_page, server):
    image = server.upload("told.jpg", picture(), callback_url="http://127.0.0.1:9/hook?token=secret")
    page = open_page(server, f"/#image-{image}")
    expect(details(page)).to_contain_text("image.success")
    expect(details(page)).to_contain_text("http://127.0.0.1:9/hook")
    expect(details(page)).not_to_contain_text("secret")


def test_a_link_leads_to_a_picture_and_back_leads_to_the_list(open_page, server):
    image = server.upload("linked.jpg", picture())
    page = open_page(server, f"/#image-{image}")
    expect(details(page)).to_be_visible()
    expect(page.locator("#details-title")).to_have_text("linked.jpg")
    page.keyboard.press("Escape")
    expect(details(page)).to_be_hidden()
    assert page.url == server.address + "/"
    cards(page).get_by_role("button").click()
    expect(details(page)).to_be_visible()
    page.go_back()
    expect(details(page)).to_be_hidden()
    expect(cards(page)).to_have_count(1)


def test_a_picture_is_deleted_when_that_is_confirmed(page, server):
    add(page, *files(2))
    expect_developed(page, 2)
    card(page, "picture 000.jpg").get_by_role("button").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Cancel").click()
    assert len(server.images()) == 2
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog", name="Delete this picture?").get_by_role("button", name="Delete").click()
    expect(details(page)).to_be_hidden()
    expect(cards(page)).to_have_count(1)
    expect(page.get_by_text("picture 000.jpg was deleted.")).to_be_visible()
    assert [image["original_name"] for image in server.images()] == ["picture 001.jpg"]


def test_the_keys_work_from_the_first_picture_on(page, server):
    add(page, *files(2))
    expect_developed(page, 2)
    cards(page).first.get_by_role("button").click()
    newest = page.locator("#details-title").inner_text()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#details-title")).not_to_have_text(newest)
    # The button that has the focus is disabled at the end of the list.
    page.get_by_role("button", name="Picture before").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#details-title")).to_have_text(newest)
    page.keyboard.press("Delete")
    expect(page.get_by_role("dialog", name="Delete this picture?")).to_be_visible()


def test_a_refused_deletion_is_told_above_the_picture(page, server):
    add(page, *files(1))
    expect_developed(page, 1)
    refused = '{"status": "error", "data": null, "error": "The database is away; try again", "code": "overloaded"}'

    def refuse_deletion(route):
        if route.request.method == "DELETE":
            route.fulfill(status=503, content_type="application/json", body=refused)
        else:
            route.continue_()

    page.route("**/api/images/*", refuse_deletion)
    cards(page).get_by_role("button").click()
    page.keyboard.press("Delete")
    page.get_by_role("dialog", name="Delete this picture?").get_by_role("button", name="Delete").click()
    told = page.locator(".note").filter(has_text="The database is away")
    # A click reaches only what is neither covered nor inert.
    told.click()
    page.keyboard.press("Escape")
    expect(details(page)).to_be_hidden()
    told.click()


def test_a_long_list_comes_as_one_scrolls_and_leaves_the_document_small(open_page, server):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        small = picture(48, 32)
        list(pool.map(lambda number: server.upload(f"{number}.jpg", small), range(150)))
    page = open_page(server)
    expect(cards(page).first).to_be_visible()
    most, seen = 0, set()
    for _ in range(200):
        shown = page.evaluate("[...document.querySelectorAll('.card')].map((card) => card.dataset.id)")
        most, seen = max(most, len(shown)), seen | set(shown)
        if len(seen) == 150:
            break
        page.mouse.wheel(0, 700)
        page.wait_for_timeout(100)
    assert len(seen) == 150
    assert most < 60
    # What is looked at stays where it is while others arrive on top.
    name, place, before = page.evaluate("""() => {
        const card = [...document.querySelectorAll(".card")].find((card) => card.getBoundingClientRect().top > 100);
        const { top } = card.getBoundingClientRect();
        return [card.querySelector(".open").ariaLabel, Number(card.ariaPosInSet), top];
    }""")
    server.upload("newest.jpg", picture(seed=3))
    expect(page.locator("[data-filter=''] .number")).to_have_text("151")
    kept = page.locator(f".card[aria-posinset='{place + 1}']").get_by_role("button")
    expect(kept).to_have_attribute("aria-label", name)
    after = kept.bounding_box()["y"]
    assert abs(after - before) < 2
    # And so it is with many, whose rows fill up one by one.
    for number in range(8):
        server.upload(f"newer {number}.jpg", picture(100 + 40 * number, 160, seed=number))
    expect(page.locator("[data-filter=''] .number")).to_have_text("159")
    kept = page.locator(f".card[aria-posinset='{place + 9}']").get_by_role("button")
    expect(kept).to_have_attribute("aria-label", name)
    assert abs(kept.bounding_box()["y"] - before) < 2
