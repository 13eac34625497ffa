"""The page to look through photos, with the keyboard alone: what is saved is what was said, and
`read_labels` reads it.
"""

from pathlib import Path

import pytest

from pseudolab.data.hand_labels import read_labels
from pseudolab.views.review import review_page
from support.pages import opened
from support.runs import made_up, noise_task

HOSTILE = ["river", "=cmd()", "<img src=x onerror=alert(1)>", 'a, "b"']
MANY = [f"class {number:02d}" for number in range(12)]


def page_of(names, n=5):
    run = made_up(noise_task(names, 60, 20))
    review = run.review(n)
    return review, review_page(review, run.task.train.images, names)


@pytest.fixture(scope="module")
def few():
    return page_of(HOSTILE)


@pytest.fixture(scope="module")
def many():
    return page_of(MANY)


def saved(page, folder):
    "What the page saves"
    with page.expect_download() as download:
        page.keyboard.press("Control+s")
    assert download.value.suggested_filename == "checked.csv"
    place = folder / "checked.csv"
    download.value.save_as(place)
    return place


def read(place, review, names):
    return read_labels(place, [Path(str(image)) for image in review["image"]], names)


def test_keys_alone_say_everything(browser, few, tmp_path):
    review, widget = few
    with opened(browser, widget, tmp_path) as page:
        page.keyboard.press("Enter")
        page.keyboard.press("3")
        page.keyboard.press("0")
        page.keyboard.press("ArrowRight")  # the fourth is left open
        page.keyboard.press("2")
        place = saved(page, tmp_path)
    said = read(place, review, HOSTILE)
    first = HOSTILE.index(review["first"].iloc[0])
    assert said.labels.tolist() == [first, 2, -1, -1, 1]
    assert said.rejected.tolist() == [False, False, True, False, False]


def test_an_answer_can_be_changed(browser, few, tmp_path):
    review, widget = few
    with opened(browser, widget, tmp_path) as page:
        page.keyboard.press("1")
        page.keyboard.press("ArrowLeft")
        assert page.locator('.keys [aria-pressed="true"]').inner_text().startswith("1")
        page.keyboard.press("4")
        page.keyboard.press("9")  # no such class
        place = saved(page, tmp_path)
    assert read(place, review, HOSTILE).labels.tolist() == [3, -1, -1, -1, -1]


def test_letters_look_for_a_class(browser, many, tmp_path):
    review, widget = many
    with opened(browser, widget, tmp_path) as page:
        page.keyboard.type("CLASS 07")
        page.keyboard.press("Enter")
        page.keyboard.press("2")  # of the three that the model offers
        page.keyboard.type("c")
        page.keyboard.type("zzz")
        assert "no class" in page.locator(".search").inner_text()
        page.keyboard.press("Escape")
        page.keyboard.press("Enter")
        place = saved(page, tmp_path)
    said = read(place, review, MANY).labels.tolist()
    expected = [7, MANY.index(review["second"].iloc[1]), MANY.index(review["first"].iloc[2])]
    assert said == [*expected, -1, -1]


def test_a_page_that_is_closed_keeps_its_answers(browser, few, tmp_path):
    review, widget = few
    with opened(browser, widget, tmp_path) as page:
        page.keyboard.press("2")
        page.reload()
        page.wait_for_selector(".plab[data-mounted]")
        assert "Photo 2 of 5. 1 looked at" in page.locator("[role=status]").inner_text()
        place = saved(page, tmp_path)
    assert read(place, review, HOSTILE).labels.tolist() == [1, -1, -1, -1, -1]


def test_a_mouse_does_as_well_and_enter_still_says_right(browser, few, tmp_path):
    review, widget = few
    with opened(browser, widget, tmp_path) as page:
        page.get_by_role("button", name="none of the classes").click()
        page.get_by_role("button", name="leave open").click()
        page.keyboard.press("Enter")
        place = saved(page, tmp_path)
    said = read(place, review, HOSTILE)
    third = HOSTILE.index(review["first"].iloc[2])
    assert said.labels.tolist() == [-1, -1, third, -1, -1]
    assert said.rejected.tolist() == [True, False, False, False, False]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_axe_finds_nothing(browser, many, tmp_path, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    phone = {"viewport": {"width": 375, "height": 740}, "color_scheme": scheme}
    with opened(browser, many[1], tmp_path, **phone) as page:
        page.keyboard.press("Enter")
        page.keyboard.type("class")
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
        found = axe.run(page, options={"resultTypes": ["violations"]}).response["violations"]
    serious = [rule for rule in found if rule["impact"] in ("serious", "critical")]
    assert not serious, [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in serious]
