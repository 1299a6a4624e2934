"""The server is gone, and comes back."""

import signal

import pytest
from gallery import add, cards, expect_developed
from pictures import files, picture
from playwright.sync_api import expect
from server import Server, eventually


@pytest.fixture(scope="module")
def own_server():
    server = Server()
    yield server
    server.remove()


@pytest.fixture
def server(own_server):
    own_server.clear()
    return own_server


def test_uploads_wait_for_a_server_that_was_stopped(page, server):
    add(page, *files(1))
    expect_developed(page, 1)
    server.stop()
    expect(page.locator("#banner")).to_contain_text("The server cannot be reached.")
    expect(cards(page)).to_have_count(1)
    add(page, *files(3, start=1))
    expect(page.locator("#tray-lines")).to_contain_text("Waits for the server")
    page.get_by_role("button", name="Try now").click()
    server.start()
    expect(page.locator("#banner")).to_be_hidden()
    expect_developed(page, 4)
    expect(page.locator("#tray")).to_be_hidden()
    assert len(server.images()) == 4


def test_a_server_that_hangs_is_noticed_and_so_is_its_return(page, server):
    server.upload("before.jpg", picture())
    expect_developed(page, 1)
    server.signal(signal.SIGSTOP)
    try:
        expect(page.locator("#banner")).to_be_visible()
    finally:
        server.signal(signal.SIGCONT)
    expect(page.locator("#banner")).to_be_hidden()
    server.upload("after.jpg", picture(seed=1))
    expect_developed(page, 2)


def test_a_list_that_cannot_be_loaded_says_why_and_is_tried_again(open_page, server):
    server.upload("patient.jpg", picture())
    page = open_page(server, "/docs")
    refused = '{"status": "error", "data": null, "error": "The database is away; try again", "code": "overloaded"}'
    page.route("**/api/images?*", lambda route: route.fulfill(status=503, content_type="application/json", body=refused))
    page.goto(server.address)
    expect(page.get_by_role("alert")).to_contain_text("The database is away; try again")
    page.unroute("**/api/images?*")
    expect_developed(page, 1)


def test_thumbnails_that_did_not_come_are_fetched_again(open_page, server):
    server.upload("patient.jpg", picture())
    page = open_page(server, "/docs")
    refused = []

    def refuse(route):
        refused.append(route.request.url)
        route.fulfill(status=503)

    page.route("**/thumbnails/*", refuse)
    page.goto(server.address)
    expect(cards(page)).to_have_count(1)
    eventually("a thumbnail is tried twice", lambda: page.wait_for_timeout(100) or len(refused) > 1)
    page.unroute("**/thumbnails/*")
    expect_developed(page, 1)
