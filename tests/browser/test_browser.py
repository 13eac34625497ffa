"The pages in a real browser, opened from the disk with the network cut off."

import pytest

from support import DOCS
from support.pages import visited

PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.html"))
PHONE = {
    "viewport": {"width": 375, "height": 740},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}


CUT_OFF = """() => {
  const isBox = (node) => ["auto", "scroll"].includes(getComputedStyle(node).overflowX);
  const scrolls = (node) =>
    node && node !== document.body && (isBox(node) || scrolls(node.parentElement));
  const beyond = (node) => node.getBoundingClientRect().right > 375.5;
  return [...document.querySelectorAll("main *")]
    .filter((node) => beyond(node) && !scrolls(node))
    .map((node) => node.outerHTML.slice(0, 120));
}"""


def is_dark(page):
    return page.evaluate("document.documentElement.classList.contains('quarto-dark')")


@pytest.mark.parametrize("path", PAGES)
def test_page_loads_quietly(browser, path):
    with visited(browser, path, color_scheme="light") as page:
        assert page.locator("main h1").count() == 1
        assert not is_dark(page)


@pytest.mark.parametrize("path", PAGES)
def test_page_in_the_dark_on_a_phone_is_quiet_and_has_no_sideways_scroll(browser, path):
    with visited(browser, path, color_scheme="dark", **PHONE) as page:
        assert is_dark(page)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 375, f"{width} pixels wide where a phone has 375"
        # the page hides what is too wide, so look for it; what scrolls in a box of its own is fine
        cut_off = page.evaluate(CUT_OFF)
        assert not cut_off, cut_off


def test_light_and_dark_can_be_chosen_and_are_remembered(browser):
    paper = "getComputedStyle(document.body).backgroundColor"
    with visited(browser, "index.html", color_scheme="light") as page:
        before = page.evaluate(paper)
        page.locator(".quarto-color-scheme-toggle:visible").first.click()
        page.wait_for_function(f"{paper} !== '{before}'")
        page.reload()
        page.wait_for_function(f"{paper} !== '{before}'")


def test_a_link_to_a_symbol_shows_it(browser):
    top = "document.querySelector('#canvas').getBoundingClientRect().top"
    with visited(browser, "pocket/brush.html#canvas") as page:
        assert page.locator("#canvas").is_visible()
        page.wait_for_function(f"Math.abs({top}) < innerHeight / 2")
