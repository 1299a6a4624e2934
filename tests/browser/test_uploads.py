"""From a file to a card."""

import base64
import re

from gallery import add, card, cards, choose, expect_developed
from pictures import broken, file, files, picture, transparent
from playwright.sync_api import expect
from server import eventually


def test_many_files_become_cards_with_thumbnails(page, server):
    expect(page.get_by_text("Nothing here yet")).to_be_visible()
    add(page, *files(11), file("glass.png", transparent()))
    expect_developed(page, 12)
    expect(page.locator("#tray")).to_be_hidden()
    assert len(server.images()) == 12
    expect(card(page, "picture 003.jpg").locator("img")).to_have_attribute("alt", "picture 003.jpg")
    for number in (page.locator("[data-filter=''] .number"), page.locator("[data-filter=success] .number")):
        expect(number).to_have_text("12")
    expect(page.locator("#throughput-now")).not_to_have_text("–")
    expect(page.locator("#latency-now")).to_have_text(re.compile(r"\d\sm?s"))
    assert page.locator("#latency-curve polyline.main").get_attribute("points")


def test_a_file_that_is_no_picture_is_refused_in_the_servers_words(page, server):
    add(page, file("notes.jpg", b"these are notes"), file("fine.jpg", picture()))
    expect_developed(page, 1)
    line = page.locator("#tray-lines li")
    expect(line).to_contain_text(["notes.jpg"])
    expect(line).to_contain_text(["Unsupported file type"])
    page.get_by_role("button", name="Dismiss notes.jpg").click()
    expect(page.locator("#tray")).to_be_hidden()


def test_a_broken_picture_fails_with_a_reason_and_can_be_tried_again(page, server):
    add(page, file("broken.jpg", broken()), file("whole.jpg", picture()))
    failed = card(page, "broken.jpg")
    expect(failed).to_have_attribute("data-status", "failed")
    expect(failed).to_contain_text("The file is not whole")
    with page.expect_response(re.compile("/retry$")) as retried:
        failed.get_by_role("button", name="Try broken.jpg again").click()
    assert retried.value.status == 202
    choose(page, "Failed")
    expect(card(page, "broken.jpg")).to_have_attribute("data-status", "failed")
    with page.expect_response(re.compile("/retry$")) as retried:
        page.get_by_role("button", name="Try all again").click()
    assert retried.value.status == 202
    expect(page.get_by_text("1 picture will be tried again.")).to_be_visible()


def test_names_and_exif_texts_stay_text(page, server):
    name = "<img src=x onerror=window.struck=1>.jpg"
    text = "</td><script>window.struck=1</script><img src=x onerror=window.struck=1>"
    add(page, file(name, picture(ImageDescription=text, Model="<b>bold</b>")))
    expect_developed(page, 1)
    expect(cards(page).locator(".name")).to_have_text(name)
    cards(page).get_by_role("button").click()
    expect(page.locator("#details-title")).to_have_text(name)
    expect(page.get_by_role("row").filter(has_text=text)).to_be_visible()
    page.locator("#details-delete").click()
    expect(page.locator("#confirm-sentence")).to_contain_text(name)
    assert page.evaluate("window.struck") is None
    assert page.locator("img[src=x], td script, td b").count() == 0


def test_a_server_that_asks_to_wait_is_given_the_time(page, server):
    keys = []

    def busy(route):
        if route.request.method != "POST":
            route.continue_()
            return
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) > 2:
            route.continue_()
        else:
            sentence = '{"status": "error", "data": null, "error": "Too many uploads in hand", "code": "overloaded"}'
            route.fulfill(status=429, headers={"Retry-After": "1"}, content_type="application/json", body=sentence)

    page.route("**/api/images", busy)
    add(page, file("patient.jpg", picture()))
    expect(page.locator("#tray-lines")).to_contain_text("Too many uploads in hand. Waits 1 s")
    expect_developed(page, 1)
    assert len(keys) == 3 and len(set(keys)) == 1


def test_an_answer_that_is_lost_does_not_double_the_picture(page, server):
    keys = []

    def lose_first(route):
        if route.request.method == "POST":
            keys.append(route.request.headers["idempotency-key"])
            if len(keys) == 1:
                route.fetch()
                route.abort()
                return
        route.continue_()

    page.route("**/api/images", lose_first)
    add(page, file("once.jpg", picture()))
    expect_developed(page, 1)
    assert len(keys) == 2 and len(set(keys)) == 1
    assert len(server.images()) == 1


def test_files_are_dropped_and_pasted(page, server):
    carry = """([type, bytes, name]) => {
        const carried = new DataTransfer();
        carried.items.add(new File([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))], name));
        const options = { bubbles: true, cancelable: true };
        const event = type === "paste"
            ? new ClipboardEvent(type, { ...options, clipboardData: carried })
            : new DragEvent(type, { ...options, dataTransfer: carried });
        document.body.dispatchEvent(event);
    }"""
    for at, (kind, name) in enumerate([("dragover", "none.jpg"), ("drop", "dropped.jpg"), ("paste", "pasted.jpg")]):
        page.evaluate(carry, [kind, encode(picture(seed=at)), name])
        expect(page.locator("#veil")).to_be_visible(visible=kind == "dragover")
    expect_developed(page, 2)
    assert {image["original_name"] for image in server.images()} == {"dropped.jpg", "pasted.jpg"}


def test_what_cannot_be_read_in_a_dropped_folder_is_told_and_the_rest_taken(page, server):
    drop = """([bytes]) => {
        const whole = new File([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))], "whole.jpg");
        const gone = { isFile: true, name: "gone.jpg", file: (_, fail) => fail(new Error("not found")) };
        const there = { isFile: true, name: "whole.jpg", file: (give) => give(whole) };
        const parts = [[gone, there], []];
        const folder = { isDirectory: true, createReader: () => ({ readEntries: (give) => give(parts.shift()) }) };
        const event = new Event("drop", { bubbles: true, cancelable: true });
        event.dataTransfer = { types: ["Files"], files: [], items: [{ webkitGetAsEntry: () => folder }] };
        document.body.dispatchEvent(event);
    }"""
    page.evaluate(drop, [encode(picture())])
    expect(page.get_by_text("1 file could not be read.")).to_be_visible()
    expect_developed(page, 1)
    expect(card(page, "whole.jpg")).to_be_visible()


def test_what_others_upload_and_delete_is_seen(page, server):
    first = server.upload("from elsewhere.jpg", picture())
    expect_developed(page, 1)
    server.call(f"/api/images/{first}", "DELETE")
    expect(page.get_by_text("Nothing here yet")).to_be_visible()
    eventually("it is gone", lambda: not server.images())


def encode(content):
    return base64.b64encode(content).decode()
