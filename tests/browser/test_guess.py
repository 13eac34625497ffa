"""Guesses: what Python refuses, and the page in a real browser, opened from the disk with the
network cut off.
"""

import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau, spearmanr

from pseudolab.views.guess import guess_curve, guess_number, guess_order, reveal
from pseudolab.views.html import module
from support.pages import opened

TRUTH = [0.4127, 0.5239, 0.6341, 0.7453, 0.7168, 0.6874]
OTHER = [0.9318, 0.9072, 0.8431, 0.8219, 0.7746, 0.7384]
NAMES = ["river", "lake", "forest", "highway", "pasture", "orchard"]
VALUES = [0.8312, 0.2671, 0.5548, 0.5548, 0.1173, 0.9427]
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</script><b>bold</b>",
    "أرض زراعية",
    "n" * 200,
    "\N{RIGHT-TO-LEFT OVERRIDE}turned",
    'x" onfocus="alert(2)',
]
PHONE = {"has_touch": True, "is_mobile": True, "viewport": {"width": 375, "height": 740}}
SHOW = "Show what happened"
JUST_SHOW = "Just show me"


def curve(**options):
    return guess_curve("Draw what you expect.", TRUTH, **options)


def two_curves():
    return curve(other={"precision": OTHER})


def order():
    return guess_order("Which is weakest?", NAMES, VALUES)


def number():
    return guess_number("How many?", 0.7384)


# Python


@pytest.mark.parametrize(
    "values, options, says",
    [
        ([], {}, "at least 2"),
        ([0.5], {}, "at least 2"),
        ([[0.5, 0.6]], {}, "shape"),
        ([0.5, float("nan")], {}, "no finite number at \\[1\\]"),
        ([0.5, float("inf")], {}, "no finite"),
        ([0.5, 1.1], {}, "outside of"),
        ([0.5, 0.6], {"other": {"precision": [0.5]}}, "at least 2"),
        ([0.5, 0.6, 0.7], {"other": {"precision": [0.5, 0.6]}}, "different lengths"),
        ([0.5, 0.6], {"other": {"accuracy": [0.5, 0.6]}}, "different names"),
        ([0.5, 0.6], {"other": {"a": [0.5, 0.6], "b": [0.5, 0.6]}}, "too many to draw"),
        ([0.5, 0.6], {"given": -1}, "given is -1"),
        ([0.5, 0.6], {"given": 2}, "at least 3"),
        ([0.5, 0.6], {"known": {"chance": 2}}, "outside of"),
        ([0.5, 0.6], {"known": {"chance": float("nan")}}, "no finite"),
        ([0.5, 0.6], {"low": 1, "high": 0}, "low below high"),
        ([0.5, 0.6], {"high": float("inf")}, "low below high"),
        ([5, 6], {"unit": "pictures"}, "give them away"),
        ([0.5, 0.6], {"at": [1]}, "names 1 points"),
    ],
)
def test_a_curve_is_refused(values, options, says):
    with pytest.raises(ValueError, match=says):
        guess_curve("What happens?", values, **options)


@pytest.mark.parametrize(
    "names, values, says",
    [
        (["a", "b"], [0.1], "at least 2"),
        (["a", "b", "c"], [0.1, 0.2], "3 names and 2 values"),
        (["a"], [0.1], "at least 2"),
        (["a", "a"], [0.1, 0.2], "twice"),
        (["a", "b"], [0.1, float("nan")], "no finite"),
        (["a", "b"], [0.2, 0.2], "no order"),
        ([str(i) for i in range(31)], list(range(31)), "at most 30"),
    ],
)
def test_an_order_is_refused(names, values, says):
    with pytest.raises(ValueError, match=says):
        guess_order("Which is weaker?", names, values)


@pytest.mark.parametrize(
    "value, options, says",
    [
        (float("nan"), {}, "no finite"),
        (-0.1, {}, "outside of"),
        (5, {"unit": "pictures", "low": 0}, "must be given"),
        (5, {"unit": "pictures", "low": 0, "high": 4}, "outside of"),
    ],
)
def test_a_number_is_refused(value, options, says):
    with pytest.raises(ValueError, match=says):
        guess_number("How many?", value, **options)


def test_an_empty_question_is_refused():
    with pytest.raises(ValueError, match="question is empty"):
        guess_number(" ", 0.5)


every_kind_once = pytest.mark.parametrize(
    "widget", [two_curves(), order(), number()], ids=lambda widget: widget.data["kind"]
)


@every_kind_once
def test_a_guess_is_small_and_the_same_each_time(widget):
    assert len(widget.html().encode()) <= 60_000
    assert widget.html() == widget.html()


@every_kind_once
def test_the_answer_is_folded_where_scripts_do_not_run(widget):
    before, fold, answer = widget.still.partition("<details>")
    assert fold
    assert not re.search(r"\d", before)
    assert re.search(r"\d\d\.\d", answer)


# The page


def shown(browser, widget, folder, **options):
    "The page of one saved guess, drawn"
    return opened(browser, widget, folder, awaited=".plab svg, .plab ol", **options)


def press(page, name):
    page.get_by_role("button", name=name).click()


def can_be_shown(page):
    return page.get_by_role("button", name=SHOW).is_enabled()


def outcome(page):
    return page.locator(".outcome").inner_text()


def numbers_in(text):
    found = re.findall("[\N{MINUS SIGN}-]?\\d+\\.\\d+", text)
    return [float(number.replace("\N{MINUS SIGN}", "-")) for number in found]


def cells(page):
    "The rows of the table, as lists of text"
    return [row.locator("th, td").all_inner_texts() for row in page.locator("tbody tr").all()]


def numbers_below(page):
    "The rows under `The numbers`"
    page.get_by_text("The numbers", exact=True).click()
    return cells(page)


def hundred(shares):
    return [100 * share for share in shares]


def about(expected):
    "What is written with one decimal"
    return pytest.approx(expected, abs=0.0501)


def about_drawn(expected):
    "A pixel is half a percent, and points snap to whole ones"
    return pytest.approx(expected, abs=0.011)


HEIGHTS = """([name, at]) => {
  const lines = [...document.querySelectorAll(".pad .grid")];
  const grid = lines.map((line) => Number(line.getAttribute("y1")));
  const [low, high] = [Math.max(...grid), Math.min(...grid)];
  const line = document.querySelectorAll(`.pad g.${name} polyline`)[at];
  const points = line.getAttribute("points").split(" ");
  return points.map((point) => (low - point.split(",")[1]) / (low - high));
}"""


def heights(page, name="drawn", at=0):
    "The curve as it is painted, read back from its markers as shares, by the grid lines of 0 and 1"
    return page.evaluate(HEIGHTS, [name, at])


PLACES = """(shares) => {
  const pad = document.querySelector(".pad");
  const frame = pad.getBoundingClientRect();
  const lines = [...pad.querySelectorAll(".grid")];
  const grid = lines.map((line) => Number(line.getAttribute("y1")));
  const [low, high] = [Math.max(...grid), Math.min(...grid)];
  const handles = [...pad.querySelectorAll(".handle")];
  const [first, second] = handles.map((handle) => parseFloat(handle.style.left));
  return shares.map((share, i) => [
    frame.left + first + (i - 1) * (second - first),
    frame.top + low - share * (low - high),
  ]);
}"""


def places(page, shares):
    "Where on the screen a curve of these shares runs, from the first point on"
    return page.evaluate(PLACES, shares)


def with_mouse(page, shares):
    page.locator(".pad").scroll_into_view_if_needed()
    first, *others = places(page, shares)
    page.mouse.move(*first)
    page.mouse.down()
    for point in others:
        page.mouse.move(*point)
    page.mouse.up()


def touched(session, kind, x, y):
    "One event of a finger at (x, y)"
    points = [{"x": x, "y": y}]
    session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


def lifted(session):
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def with_finger(page, shares):
    page.locator(".pad").scroll_into_view_if_needed()
    points = places(page, shares)
    session = page.context.new_cdp_session(page)
    touched(session, "touchStart", *points[0])
    for point in points:
        touched(session, "touchMove", *point)
    lifted(session)


def with_keys(page, shares):
    "From the point before, up or down by whole percents"
    page.locator(".handle[tabindex='0']").focus()
    for before, after in zip(shares, shares[1:], strict=False):
        step = round(100 * (after - before))
        for _ in range(abs(step)):
            page.keyboard.press("ArrowUp" if step > 0 else "ArrowDown")
        if step == 0:
            page.keyboard.press("Enter")
        page.keyboard.press("ArrowRight")


DRAWN = [0.41, 0.5, 0.62, 0.7, 0.7, 0.55]
ROOM_BELOW = """document.body.append(
  Object.assign(document.createElement("div"), { style: "height: 2000px" })
)"""


@pytest.mark.parametrize("hand", [with_mouse, with_finger, with_keys])
class TestDrawing:
    def test_what_is_drawn_is_what_is_painted(self, browser, tmp_path, hand):
        phone = PHONE if hand is with_finger else {}
        widget = guess_curve("Draw.", [0.41, *TRUTH[1:]])
        with shown(browser, widget, tmp_path, **phone) as page:
            page.evaluate(ROOM_BELOW)
            assert not can_be_shown(page)
            hand(page, DRAWN)
            assert page.evaluate("scrollY") == 0, "a finger draws and does not move the page"
            assert heights(page) == about_drawn(DRAWN)
            press(page, SHOW)
            drawn = [numbers_in(row[1])[0] / 100 for row in numbers_below(page)[1:]]
            assert drawn == about_drawn(DRAWN[1:])
            assert heights(page) == pytest.approx([0.41, *drawn])


class TestCurve:
    def test_outcome_is_what_numpy_says(self, browser, tmp_path):
        with shown(browser, curve(), tmp_path) as page:
            with_mouse(page, [TRUTH[0], 0.3, 0.35, 0.4, 0.2, 0.1])
            press(page, SHOW)
            said = outcome(page)
            rows = numbers_below(page)
            assert [numbers_in(row[2])[0] for row in rows] == about(hundred(TRUTH))
            assert heights(page, "truth") == pytest.approx(TRUTH)
            drawn = np.array([numbers_in(row[1])[0] for row in rows[1:]]) / 100
            off = np.abs(drawn - TRUTH[1:]).mean()
            expected = hundred([off, TRUTH[0] - drawn[-1], TRUTH[-1] - TRUTH[0]])
            assert numbers_in(said) == about(expected)
            for words in ("let it fall by", "it rose by", "not the direction"):
                assert words in said

    @pytest.mark.parametrize(
        "last, words",
        [
            (0.9, "the right direction"),
            (0.4127, "stay about where it was"),
            (0.1, "not the direction you drew"),
        ],
    )
    def test_direction(self, browser, tmp_path, last, words):
        with shown(browser, curve(), tmp_path) as page:
            with_mouse(page, [TRUTH[0], 0.5, 0.5, 0.5, 0.5, last])
            press(page, SHOW)
            assert words in outcome(page)
            assert ("the right direction" in outcome(page)) == (last > 0.5)

    def test_one_click_at_the_end_is_a_straight_line(self, browser, tmp_path):
        with shown(browser, curve(), tmp_path) as page:
            page.mouse.click(*places(page, [0.8] * 6)[5])
            assert heights(page) == about_drawn(np.linspace(TRUTH[0], 0.8, 6))

    def test_a_stroke_too_fast_for_the_columns_is_a_straight_line(self, browser, tmp_path):
        with shown(browser, curve(), tmp_path) as page:
            with_mouse(page, [TRUTH[0], 0.2, 0.2, 0.2, 0.2, 0.2])
            points = places(page, [0, 0.4, 0, 0, 0.7, 0])
            page.mouse.move(*points[4])
            page.mouse.down()
            page.mouse.move(*points[1])  # backwards, over two columns at once
            page.mouse.up()
            assert heights(page) == about_drawn([TRUTH[0], 0.4, 0.5, 0.6, 0.7, 0.2])

    def test_two_curves_one_after_the_other(self, browser, tmp_path):
        with shown(browser, two_curves(), tmp_path) as page:
            with_mouse(page, [TRUTH[0], 0.5, 0.5, 0.5, 0.5, 0.5])
            assert not can_be_shown(page)
            press(page, "Next: precision")
            with_mouse(page, [OTHER[0], 0.8, 0.8, 0.8, 0.8, 0.8])
            assert heights(page, at=0)[-1] == about_drawn(0.5)
            assert heights(page, at=1)[-1] == about_drawn(0.8)
            press(page, SHOW)
            assert heights(page, "truth", 0) == pytest.approx(TRUTH)
            assert heights(page, "truth", 1) == pytest.approx(OTHER)
            first, second = outcome(page).split("precision: ")
            assert first.startswith("accuracy: ")
            assert "it rose" in first
            assert "it fell" in second

    def test_axis_bears_its_own_numbers(self, browser, tmp_path):
        numbers = ["1", "4", "16", "30", "60", "120"]
        widget = curve(axis="K", at=[int(number) for number in numbers])
        with shown(browser, widget, tmp_path) as page:
            assert page.locator(".pad svg text").all_text_contents()[-8:-2] == numbers
            assert page.get_by_role("slider").first.get_attribute("aria-label") == "K 4"
            press(page, JUST_SHOW)
            assert [row[0] for row in numbers_below(page)] == numbers

    def test_fields_draw_too_and_refuse_what_is_outside(self, browser, tmp_path):
        with shown(browser, curve(), tmp_path) as page:
            page.get_by_text("Type the numbers instead").click()
            fields = page.locator(".fields input")
            for i, value in enumerate(("50", "61.5", "120", "70", "55")):
                fields.nth(i).fill(value)
                fields.nth(i).blur()
                if value == "120":
                    assert "from 0 to 100" in outcome(page)
                    assert fields.nth(i).input_value() == ""
            # the gap is bridged
            assert heights(page) == pytest.approx([TRUTH[0], 0.5, 0.615, 0.6575, 0.7, 0.55])
            assert fields.nth(2).input_value() == "65.8"

    def test_a_screen_reader_hears_the_points(self, browser, tmp_path):
        with shown(browser, curve(), tmp_path) as page:
            with_keys(page, [TRUTH[0], TRUTH[0] + 0.05])
            first = page.get_by_role("slider", name="round 1", exact=True)
            second = page.get_by_role("slider", name="round 2")
            assert first.get_attribute("aria-valuetext") == "46.3 %"
            assert second.get_attribute("aria-valuetext") == "not drawn yet"
            focused = "document.activeElement"
            assert page.evaluate(f"{focused}.getAttribute('aria-label')") == "round 2"
            assert page.evaluate(f"getComputedStyle({focused}).outlineStyle") == "solid"

    def test_drawing_and_truth_outlive_another_width(self, browser, tmp_path):
        wide = {"width": 900, "height": 700}
        width = "Number(document.querySelector('.pad svg').getAttribute('width'))"
        with shown(browser, curve(), tmp_path, viewport=wide) as page:
            with_mouse(page, [TRUTH[0], *DRAWN[1:]])
            before = heights(page)
            page.set_viewport_size({"width": 340, "height": 700})
            page.wait_for_function(f"{width} < 320")
            assert heights(page) == pytest.approx(before)
            press(page, SHOW)
            page.set_viewport_size(wide)
            page.wait_for_function(f"{width} > 600")
            assert heights(page) == pytest.approx(before)
            assert heights(page, "truth") == pytest.approx(TRUTH)


KINDS = {"curve": curve, "two curves": two_curves, "order": order, "number": number}
# what must not be told before it is asked for
ANSWERS = {
    "curve": TRUTH[1:],
    "two curves": TRUTH[1:] + OTHER[1:],
    "order": VALUES,
    "number": [0.7384],
}
HOSTILE_GUESSES = {
    "curve": lambda: guess_curve(
        HOSTILE[0],
        TRUTH,
        label=HOSTILE[1],
        other={HOSTILE[3]: OTHER},
        known={HOSTILE[2]: 0.5, HOSTILE[4]: 0.2},
        axis=HOSTILE[5],
    ),
    "order": lambda: guess_order(
        HOSTILE[1],
        HOSTILE,
        [0.1, 0.4, 0.2, 0.6, 0.3, 0.5],
        label=HOSTILE[0],
        ends=(HOSTILE[0], HOSTILE[3]),
        noun=HOSTILE[0],
    ),
    "number": lambda: guess_number(
        HOSTILE[2], 3, unit=HOSTILE[0], low=0, high=9, known={HOSTILE[3]: 2, HOSTILE[5]: 1}
    ),
}


def told(page, values):
    "Those of the values that stand anywhere in the page's elements"
    html = page.locator(".plab").evaluate("root => root.outerHTML")
    ways = {value: (f"{100 * value:.1f}", f"{100 * value:.2f}", str(value)) for value in values}
    return {value for value, written in ways.items() if any(text in html for text in written)}


def show_if_hidden(page):
    if page.get_by_role("button", name=JUST_SHOW).is_visible():
        press(page, JUST_SHOW)


class TestFrame:
    "What holds for all kinds"

    @pytest.mark.parametrize("kind", KINDS)
    def test_nothing_is_told_before_it_is_asked_for(self, browser, tmp_path, kind):
        with shown(browser, KINDS[kind](), tmp_path) as page:
            assert page.locator(".truth").count() == 0
            assert not told(page, ANSWERS[kind])
            press(page, JUST_SHOW)
            assert told(page, ANSWERS[kind]) == set(ANSWERS[kind])
            has_focus = "document.querySelector('.plab').contains(document.activeElement)"
            assert page.evaluate(has_focus), "the focus is lost with the button"
            press(page, "Try again")
            assert page.locator(".truth").count() == 0
            assert not told(page, ANSWERS[kind])
            assert not can_be_shown(page)

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("width", [320, 375])
    def test_no_sideways_scroll(self, browser, tmp_path, kind, width):
        narrow = {"width": width, "height": 700}
        with shown(browser, KINDS[kind](), tmp_path, viewport=narrow) as page:
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            show_if_hidden(page)
            assert page.evaluate("document.documentElement.scrollWidth") <= width

    def test_nothing_is_stored(self, browser, tmp_path):
        stored = "[localStorage.length, sessionStorage.length, document.cookie]"
        with shown(browser, number(), tmp_path) as page:
            page.locator("input[type=number]").fill("50")
            press(page, SHOW)
            assert page.evaluate(stored) == [0, 0, ""]

    def test_two_of_the_same_on_a_page_do_not_meddle(self, browser, tmp_path):
        widget = number()
        both = f"<!doctype html><html><body>{widget.html()}{widget.html()}</body></html>"
        with shown(browser, widget, tmp_path) as page:
            page.set_content(both)
            assert page.locator(".plab").count() == 2
            buttons = page.get_by_role("button", name=JUST_SHOW)
            assert buttons.count() == 2
            buttons.first.click()
            first, second = page.locator(".outcome").all_inner_texts()
            assert first.startswith("It is 73.8")
            assert not second.startswith("It is 73.8")

    @pytest.mark.parametrize(
        "motion, expected", [("reduce", "none"), ("no-preference", "plab-lay")]
    )
    def test_less_motion_where_it_is_asked_for(self, browser, tmp_path, motion, expected):
        animation = "node => getComputedStyle(node).animationName"
        with shown(browser, curve(), tmp_path, reduced_motion=motion) as page:
            press(page, JUST_SHOW)
            assert page.locator(".truth").first.evaluate(animation) == expected

    @pytest.mark.parametrize("kind", HOSTILE_GUESSES)
    def test_names_are_text(self, browser, tmp_path, kind):
        widget = HOSTILE_GUESSES[kind]()
        assert not re.search("<img|<b>", widget.html())
        narrow = {"width": 320, "height": 700}
        made = ".plab img, .plab b, .plab [onerror], .plab [onfocus]"
        with shown(browser, widget, tmp_path, viewport=narrow) as page:
            for _ in range(2):  # before and after it is shown
                assert page.locator(made).count() == 0
                assert page.evaluate("document.documentElement.scrollWidth") <= 320
                texts = page.locator("bdi")
                assert any(texts.get_by_text(name, exact=True).count() for name in HOSTILE)
                show_if_hidden(page)


ALPHABETICAL = ["forest", "highway", "lake", "orchard", "pasture", "river"]


def names_in_order(page):
    return page.locator("ol bdi").all_inner_texts()


def expect_outcome(page, yours):
    "The outcome is what scipy says of this order"
    said = [yours.index(name) for name in NAMES]
    tau, rho = numbers_in(outcome(page))[:2]
    assert tau == pytest.approx(kendalltau(said, VALUES)[0], abs=0.00501)
    assert rho == pytest.approx(spearmanr(said, VALUES)[0], abs=0.00501)
    rows = cells(page)
    assert [numbers_in(row[1])[0] for row in rows] == about(sorted(hundred(VALUES)))
    places_said = {row[0]: int(row[3].split()[0]) for row in rows}
    assert places_said == {name: 1 + yours.index(name) for name in NAMES}


def drag_with_mouse(page, x, start, end):
    page.mouse.move(x, start)
    page.mouse.down()
    page.mouse.move(x, end, steps=8)
    page.mouse.up()


def drag_with_finger(page, x, start, end):
    session = page.context.new_cdp_session(page)
    touched(session, "touchStart", x, start)
    for y in np.linspace(start, end, 8):
        touched(session, "touchMove", x, float(y))
    lifted(session)


def middle_of(page, item):
    "How far down the middle of an item of the list is"
    box = page.locator("ol li").nth(item).bounding_box()
    return box["y"] + box["height"] / 2


def grip_of(page, item):
    "How far across the grip of an item is"
    return page.locator(".grip").nth(item).bounding_box()["x"] + 8


class TestOrder:
    MOVED = ["forest", "pasture", "highway", "lake", "orchard", "river"]

    def test_by_keyboard(self, browser, tmp_path):
        with shown(browser, order(), tmp_path) as page:
            assert names_in_order(page) == ALPHABETICAL
            page.locator(".grip").nth(4).focus()
            for _ in range(3):
                page.keyboard.press("ArrowUp")
            assert names_in_order(page) == self.MOVED
            assert "pasture: place 2 of 6" in outcome(page)
            page.keyboard.press("Home")
            yours = names_in_order(page)
            assert yours[0] == "pasture"
            label = page.evaluate("document.activeElement.getAttribute('aria-label')")
            assert "pasture, place 1 of 6" in label
            press(page, SHOW)
            expect_outcome(page, yours)

    def test_by_buttons(self, browser, tmp_path):
        with shown(browser, order(), tmp_path) as page:
            press(page, "forest: earlier")
            assert not can_be_shown(page), "it was the first already, so nothing has moved"
            press(page, "forest: later")
            press(page, "river: earlier")
            yours = names_in_order(page)
            assert yours == ["highway", "forest", "lake", "orchard", "river", "pasture"]
            press(page, SHOW)
            expect_outcome(page, yours)

    def test_by_dragging_with_the_mouse(self, browser, tmp_path):
        with shown(browser, order(), tmp_path) as page:
            beside = grip_of(page, 4) + 60
            drag_with_mouse(page, beside, middle_of(page, 4), middle_of(page, 1) - 5)
            assert names_in_order(page) == self.MOVED
            assert page.locator(".held").count() == 0

    def test_by_dragging_the_grip_with_a_finger(self, browser, tmp_path):
        with shown(browser, order(), tmp_path, **PHONE) as page:
            drag_with_finger(page, grip_of(page, 4), middle_of(page, 4), middle_of(page, 1) - 5)
            assert names_in_order(page) == self.MOVED
            assert page.locator(".held").count() == 0

    def test_beside_the_grip_a_finger_moves_nothing(self, browser, tmp_path):
        "It scrolls the page"
        with shown(browser, order(), tmp_path, **PHONE) as page:
            beside = grip_of(page, 4) + 60
            drag_with_finger(page, beside, middle_of(page, 4), middle_of(page, 1) - 5)
            assert names_in_order(page) == ALPHABETICAL
            assert "Drag the names" in outcome(page)

    def test_trying_again_starts_from_the_alphabet(self, browser, tmp_path):
        with shown(browser, order(), tmp_path) as page:
            press(page, "river: earlier")
            press(page, SHOW)
            press(page, "Try again")
            assert names_in_order(page) == ALPHABETICAL


class TestNumber:
    def test_typed(self, browser, tmp_path):
        with shown(browser, number(), tmp_path) as page:
            page.locator("input[type=number]").fill("62.5")
            # to the nearest step; the number stays as it was typed
            assert page.locator("input[type=range]").input_value() == "63"
            press(page, SHOW)
            assert numbers_in(outcome(page)) == about([62.5, 73.8, 11.3])
            assert "too low" in outcome(page)

    def test_slid_by_keys(self, browser, tmp_path):
        with shown(browser, number(), tmp_path) as page:
            slider = page.locator("input[type=range]")
            slider.focus()
            for _ in range(40):
                page.keyboard.press("ArrowRight")
            assert page.locator("input[type=number]").input_value() == "90"
            assert slider.get_attribute("aria-valuetext") == "90.0 %"
            press(page, SHOW)
            assert numbers_in(outcome(page)) == about([90, 73.8, 16.2])
            assert "too high" in outcome(page)

    def test_truth_stands_where_it_belongs(self, browser, tmp_path):
        widget = guess_number("By how much?", -0.244, unit="points", low=-0.5, high=0.5)
        written = "\N{MINUS SIGN}24.4 points"
        with shown(browser, widget, tmp_path) as page:
            page.locator("input[type=number]").fill("-24.4")
            press(page, SHOW)
            assert outcome(page) == f"You said {written}; it is {written}: right."
            width = float(page.locator(".line svg").first.get_attribute("width"))
            centre = float(page.locator(".line circle").first.get_attribute("cx"))
            assert centre == pytest.approx(8 + 0.256 * (width - 16), abs=0.01)

    @pytest.mark.parametrize("wrong", ["140", "-3", ""])
    def test_what_is_outside_is_refused(self, browser, tmp_path, wrong):
        with shown(browser, number(), tmp_path) as page:
            field = page.locator("input[type=number]")
            field.fill("50")
            field.fill(wrong)
            field.blur()
            assert "from 0 to 100" in outcome(page)
            assert not can_be_shown(page)


def test_correlations_are_those_of_scipy(browser):
    page = browser.new_page()
    body = json.dumps(f"{module('guess')}; return [pairs(a, b).tau, spearman(a, b)];")
    correlate = f"([a, b]) => new Function('a', 'b', {body})(a, b)"

    @settings(max_examples=60)
    @given(
        st.lists(st.integers(0, 6), min_size=2, max_size=12).filter(lambda v: len(set(v)) > 1),
        st.randoms(),
    )
    def agree(values, random):
        said = random.sample(range(len(values)), len(values))
        expected = [kendalltau(said, values)[0], spearmanr(said, values)[0]]
        assert page.evaluate(correlate, [said, values]) == pytest.approx(expected, abs=1e-9)

    agree()
    page.close()


# what waits for the answer


def test_what_is_revealed_is_in_no_element_before(browser, tmp_path):
    widget = reveal(number(), '<p class="secret">because of the river</p>')
    with opened(browser, widget, tmp_path) as page:
        assert page.locator(".secret").count() == 0
        press(page, JUST_SHOW)
        assert page.locator(".secret").inner_text() == "because of the river"
        press(page, "Try again")
        assert page.locator(".secret").count() == 0


def test_without_a_script_it_stands_open(browser, tmp_path):
    path = reveal(number(), "<p>because of the river</p>").save(tmp_path / "page.html")
    context = browser.new_context(offline=True, java_script_enabled=False)
    page = context.new_page()
    page.goto(path.as_uri())
    assert page.get_by_text("because of the river").is_visible()
    context.close()
