"The pages in a real browser, opened from the disk with the network cut off."

from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = sorted(p.relative_to(DOCS).as_posix() for p in DOCS.rglob("*.html"))


class Visit:
    "One open page, with what it complained of and what it asked for outside the site's folder"

    def __init__(self, browser, path, **options):
        self.context = browser.new_context(offline=True, **options)
        self.page, self.complaints, self.outside = self.context.new_page(), [], []
        self.page.on(
            "console",
            lambda message: (
                self.complaints.append(message.text)
                if message.type in ("error", "warning")
                else None
            ),
        )
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "requestfailed", lambda request: self.complaints.append(f"failed: {request.url}")
        )
        self.page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((DOCS.as_uri(), "data:", "blob:"))
                else self.outside.append(request.url)
            ),
        )
        self.page.goto(f"{DOCS.as_uri()}/{path}", wait_until="load")
        self.page.wait_for_timeout(300)  # what scripts do after loading

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_loads_quietly(browser, path, scheme):
    with Visit(browser, path, color_scheme=scheme) as visit:
        assert not visit.complaints and not visit.outside, (visit.complaints, visit.outside)
        assert visit.page.locator("main h1").count() == 1
        assert visit.page.evaluate(
            "document.documentElement.classList.contains('quarto-dark')"
        ) == (scheme == "dark")


CUT_OFF = """() => {
  const scrolls = node => node && node !== document.body && (["auto", "scroll"].includes(getComputedStyle(node).overflowX) || scrolls(node.parentElement));
  return [...document.querySelectorAll("main *")].filter(node => node.getBoundingClientRect().right > 375.5 && !scrolls(node)).map(node => node.outerHTML.slice(0, 120));
}"""


@pytest.mark.parametrize("path", PAGES)
def test_phone_has_no_sideways_scroll(browser, path):
    with Visit(
        browser,
        path,
        viewport={"width": 375, "height": 740},
        device_scale_factor=2,
        is_mobile=True,
        has_touch=True,
    ) as visit:
        width = visit.page.evaluate("document.documentElement.scrollWidth")
        assert width <= 375, f"{width} pixels wide where a phone has 375"
        # the page hides what is too wide, so look for it; what scrolls in a box of its own is fine
        cut_off = visit.page.evaluate(CUT_OFF)
        assert not cut_off, cut_off


def test_search_finds_a_page_and_goes_there(browser):
    with Visit(browser, "index.html") as visit:
        visit.page.keyboard.press("/")
        visit.page.keyboard.type("canvas in unit coordinates")
        hit = visit.page.locator(".search-result").first
        hit.wait_for(timeout=5000)
        hit.click()
        visit.page.wait_for_url("**/pocket/brush.html*")
        assert not visit.complaints and not visit.outside, (visit.complaints, visit.outside)


def test_light_and_dark_can_be_chosen_and_are_remembered(browser):
    with Visit(browser, "index.html", color_scheme="light") as visit:
        paper = "getComputedStyle(document.body).backgroundColor"
        before = visit.page.evaluate(paper)
        visit.page.locator(".quarto-color-scheme-toggle:visible").first.click()
        visit.page.wait_for_function(f"{paper} !== '{before}'")
        visit.page.reload()
        visit.page.wait_for_function(f"{paper} !== '{before}'")


def test_a_link_to_a_symbol_shows_it(browser):
    with Visit(browser, "pocket/brush.html#canvas") as visit:
        assert visit.page.locator("#canvas").is_visible()
        visit.page.wait_for_function(
            "Math.abs(document.querySelector('#canvas').getBoundingClientRect().top) <"
            " innerHeight / 2"
        )
