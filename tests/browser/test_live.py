"""The page follows the server's events, and is gentle with the server."""

import concurrent.futures
import re

from gallery import cards, expect_developed
from pictures import picture
from playwright.sync_api import expect


def test_many_events_cost_a_few_requests(open_page, server):
    page = open_page(server, "/docs")
    asked = []
    page.on("request", lambda request: asked.append(request.url) if re.search(r"/api/images(\?|/\d+$)", request.url) else None)
    with page.expect_response("**/api/events") as stream:
        page.goto(server.address)
    assert stream.value.status == 200
    expect(page.get_by_text("Nothing here yet")).to_be_visible()
    asked.clear()
    begun = page.evaluate("performance.now()")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: server.upload(f"{number}.jpg", picture(60, 40, seed=number)), range(40)))
    expect(page.locator("[data-filter=success] .number")).to_have_text("40")
    expect(cards(page).first).to_have_attribute("data-loaded", "")
    seconds = (page.evaluate("performance.now()") - begun) / 1000
    # Forty uploads are some hundred and sixty events.
    assert len(asked) <= 8 * seconds + 8, (len(asked), seconds)


def test_a_deletion_elsewhere_is_heard(open_page, server):
    first = server.upload("from elsewhere.jpg", picture())
    page = open_page(server)
    expect_developed(page, 1)
    server.call(f"/api/images/{first}", "DELETE")
    expect(page.get_by_text("Nothing here yet")).to_be_visible()
