"""What a person sees and does on the page, by the words that stand there."""

from playwright.sync_api import expect


def add(page, *files):
    page.locator("#picker").set_input_files(list(files))


def cards(page):
    return page.locator(".card")


def card(page, name):
    return page.locator(".card").filter(has=page.get_by_text(name, exact=True))


def expect_developed(page, number):
    """So many cards, each with its thumbnail."""
    expect(cards(page)).to_have_count(number)
    expect(page.locator(".card[data-status=success][data-loaded]")).to_have_count(number)


def choose(page, status):
    page.get_by_role("navigation").get_by_role("button", name=status).click()


def details(page):
    return page.get_by_role("dialog").filter(has=page.locator("#details-title"))


def fact(page, name):
    return details(page).get_by_role("row").filter(has=page.get_by_role("rowheader", name=name, exact=True)).get_by_role("cell")


def fits_the_width(page):
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
