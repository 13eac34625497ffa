"""What stands round the text of a page: a way past the navigation, the contents on a phone, buttons
for fingers, and the page on paper.
"""

import pytest

from support import DOCS
from support.pages import visited

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
LESSON = "lessons/text_prompts.html"


def style(locator, name):
    return locator.evaluate(f"node => getComputedStyle(node).{name}")


def test_the_first_key_leads_past_the_navigation(browser):
    with visited(browser, LESSON) as page:
        link = page.get_by_role("link", name="Skip to the text")
        assert link.bounding_box()["width"] <= 2
        page.keyboard.press("Tab")
        assert link.evaluate("node => node === document.activeElement")
        assert link.bounding_box()["width"] > 80
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.tagName") == "MAIN"


def test_a_phone_has_the_contents_under_the_title(browser):
    with visited(browser, LESSON, **PHONE) as page:
        contents = page.locator("details.contents")
        link = contents.get_by_role("link", name="Check yourself")
        assert not page.locator("#TOC").is_visible()
        assert not link.is_visible()
        contents.locator("summary").tap()
        link.tap()
        page.wait_for_url("**#check-yourself")
        assert 0 <= page.locator("section#check-yourself").bounding_box()["y"] < 300


def test_a_wide_screen_has_them_beside_the_text(browser):
    with visited(browser, LESSON, viewport={"width": 1280, "height": 800}) as page:
        assert page.locator("#TOC").is_visible()
        assert not page.locator("details.contents").is_visible()
        beside = page.locator("#TOC a").all_inner_texts()
        assert page.locator("details.contents a").all_text_contents() == beside


@pytest.mark.parametrize("hand", ["finger", "mouse"])
def test_a_finger_sees_the_copy_button(browser, hand):
    with visited(browser, LESSON, **(PHONE if hand == "finger" else {})) as page:
        button = page.locator(".code-copy-button:visible").first
        assert style(button, "opacity") == ("1" if hand == "finger" else "0")
        if hand == "finger":
            box = button.bounding_box()
            assert min(box["width"], box["height"]) >= 24


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_paper_has_the_pictures_and_what_was_folded(browser, scheme):
    folded = "main details:not(.contents):not([open])"
    with visited(browser, LESSON, color_scheme=scheme) as page:
        before = page.locator(folded).count()
        assert before > 3
        page.emulate_media(media="print", color_scheme=scheme)
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.locator(folded).count() == 0
        for hidden in ("#quarto-header", "#quarto-sidebar", "#TOC", ".page-navigation"):
            assert not page.locator(hidden).is_visible(), hidden
        assert page.locator("main .cell-output img:visible").count() > 1
        assert page.get_by_text("The image encoder is frozen and no learned vector").is_visible()
        assert style(page.locator("body"), "backgroundColor") == "rgb(255, 255, 255)"
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert page.locator(folded).count() == before
        dark = page.evaluate("document.documentElement.classList.contains('quarto-dark')")
        assert dark == (scheme == "dark")


CARD = """node => {
  const { backgroundColor, filter } = getComputedStyle(node);
  return [backgroundColor, filter];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["lessons/zero_shot.html", "pocket/flowers.html"])
def test_stored_pictures_stand_on_a_light_card_in_the_dark(browser, path, scheme):
    "As they were drawn: neither photographs nor figures are inverted"
    with visited(browser, path, color_scheme=scheme) as page:
        pictures = page.locator("main .cell-output img:not(.plab img)").all()
        assert len(pictures) > 2
        dark = ["rgb(255, 255, 255)", "brightness(0.9)"]
        light = ["rgba(0, 0, 0, 0)", "none"]
        expected = dark if scheme == "dark" else light
        assert [one.evaluate(CARD) for one in pictures] == [expected] * len(pictures)


def test_pictures_that_move_are_left_to_their_figure(browser):
    with visited(browser, "index.html", color_scheme="dark") as page:
        widget = page.locator(".cell-output .plab").first
        widget.evaluate("node => node.append(new Image(), Object.assign(new Image(), {id: 'one'}))")
        page.locator("#one").evaluate("node => node.classList.add('still')")
        *thumbnails, still = widget.locator("img").all()
        assert {one.evaluate(CARD)[1] for one in thumbnails} == {"none"}
        assert still.evaluate(CARD)[1] == "brightness(0.9)"


def test_a_wrong_address_leads_on(browser):
    with visited(browser, "404.html") as page:
        page.get_by_role("link", name="The front page").click()
        page.wait_for_url("**/index.html")


def test_every_page_has_an_icon():
    for path in DOCS.rglob("*.html"):
        depth = len(path.relative_to(DOCS).parents) - 1
        place = "../" * depth or "./"
        text = path.read_text(encoding="utf-8")
        assert any(f'<link rel="icon" href="{start}favicon.svg">' in text for start in (place, ""))
    assert (DOCS / "favicon.svg").read_text(encoding="utf-8").startswith("<svg")
