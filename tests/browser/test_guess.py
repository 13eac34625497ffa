"Predictions: what Python refuses, and the page in a real browser, opened from the disk with the network cut off."

import json
import re
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau, spearmanr

from pseudolab.views.guess import guess_curve, guess_number, guess_order
from pseudolab.views.html import module

TRUTH, OTHER = (
    [0.4127, 0.5239, 0.6341, 0.7453, 0.7168, 0.6874],
    [
        0.9318,
        0.9072,
        0.8431,
        0.8219,
        0.7746,
        0.7384,
    ],
)
NAMES, VALUES = (
    ["river", "lake", "forest", "highway", "pasture", "orchard"],
    [
        0.8312,
        0.2671,
        0.5548,
        0.5548,
        0.1173,
        0.9427,
    ],
)
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</script><b>bold</b>",
    "أرض زراعية",
    "n" * 200,
    "\N{RIGHT-TO-LEFT OVERRIDE}turned",
    'x" onfocus="alert(2)',
]


def curve(**options):
    return guess_curve("Draw what you expect.", TRUTH, **options)


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


@pytest.mark.parametrize(
    "widget",
    [curve(other={"precision": OTHER}), order(), number()],
    ids=lambda widget: widget.data["kind"],
)
def test_small_and_the_answer_folded_where_scripts_do_not_run(widget):
    assert len(widget.html().encode()) <= 60_000 and widget.html() == widget.html()
    before, fold, answer = widget.still.partition("<details>")
    assert fold and not re.search(r"\d", before) and re.search(r"\d\d\.\d", answer)


# The page


@contextmanager
def opened(browser, widget, tmp_path, **options):
    "The widget's own page; nothing may be complained of or asked for"
    context = browser.new_context(offline=True, **options)
    page, trouble, start = context.new_page(), [], widget.save(tmp_path / "widget.html").as_uri()
    page.on(
        "console",
        lambda message: (
            trouble.append(message.text) if message.type in ("error", "warning") else None
        ),
    )
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("dialog", lambda dialog: trouble.append(dialog.message))
    page.on(
        "request",
        lambda request: (
            None
            if request.url == start or request.url.startswith("data:")
            else trouble.append(request.url)
        ),
    )
    page.goto(start)
    try:
        page.wait_for_selector(".plab svg, .plab ol")
        yield page
    finally:
        context.close()
    assert not trouble, trouble


def press(page, name):
    page.get_by_role("button", name=name).click()


def outcome(page):
    return page.locator(".outcome").inner_text()


def numbers_in(text):
    return [
        float(number.replace("\N{MINUS SIGN}", "-"))
        for number in re.findall("[\N{MINUS SIGN}-]?\\d+\\.\\d+", text)
    ]


def table(page):
    "The rows under `The numbers`, as lists of text"
    page.get_by_text("The numbers", exact=True).click()
    return [row.locator("th, td").all_inner_texts() for row in page.locator("tbody tr").all()]


def heights(page, name="drawn", at=0):
    "The curve as it is painted, read back from its markers as shares, by the grid lines of 0 and 1"
    return page.evaluate(
        """([name, at]) => {
      const grid = [...document.querySelectorAll(".pad .grid")].map(line => Number(line.getAttribute("y1")));
      const line = document.querySelectorAll(`.pad g.${name} polyline`)[at];
      return line.getAttribute("points").split(" ").map(point => (Math.max(...grid) - point.split(",")[1]) / (Math.max(...grid) - Math.min(...grid)));
    }""",
        [name, at],
    )


def places(page, shares):
    "Where on the screen a curve of these shares runs, from the first point on"
    return page.evaluate(
        """shares => {
      const pad = document.querySelector(".pad"), frame = pad.getBoundingClientRect(), grid = [...pad.querySelectorAll(".grid")].map(line => Number(line.getAttribute("y1")));
      const handles = [...pad.querySelectorAll(".handle")].map(handle => parseFloat(handle.style.left)), gap = handles[1] - handles[0];
      return shares.map((share, i) => [frame.left + handles[0] + (i - 1) * gap, frame.top + Math.max(...grid) - share * (Math.max(...grid) - Math.min(...grid))]);
    }""",
        shares,
    )


def with_mouse(page, shares, steps=1):
    page.locator(".pad").scroll_into_view_if_needed()
    points = places(page, shares)
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=steps)
    page.mouse.up()


def with_finger(page, shares):
    page.locator(".pad").scroll_into_view_if_needed()
    points, session = places(page, shares), page.context.new_cdp_session(page)
    for kind, point in [
        ("touchStart", points[0]),
        *(("touchMove", point) for point in points),
        ("touchEnd", None),
    ]:
        session.send(
            "Input.dispatchTouchEvent",
            {
                "type": kind,
                "touchPoints": [] if point is None else [{"x": point[0], "y": point[1]}],
            },
        )


def with_keys(page, shares):
    "From the point before, up or down by whole percents"
    page.locator(".handle[tabindex='0']").focus()
    for before, after in zip(shares, shares[1:]):
        step = round(100 * (after - before))
        for _ in range(abs(step)):
            page.keyboard.press("ArrowUp" if step > 0 else "ArrowDown")
        if step == 0:
            page.keyboard.press("Enter")
        page.keyboard.press("ArrowRight")


DRAWN = [0.41, 0.5, 0.62, 0.7, 0.7, 0.55]


@pytest.mark.parametrize("hand", [with_mouse, with_finger, with_keys])
class TestDrawing:
    def test_what_is_drawn_is_what_is_painted(self, browser, tmp_path, hand):
        phone = (
            dict(has_touch=True, is_mobile=True, viewport={"width": 375, "height": 740})
            if hand is with_finger
            else {}
        )
        with opened(browser, guess_curve("Draw.", [0.41, *TRUTH[1:]]), tmp_path, **phone) as page:
            page.evaluate(
                "document.body.append(Object.assign(document.createElement('div'), { style:"
                " 'height: 2000px' }))"
            )
            assert page.get_by_role("button", name="Show what happened").is_disabled()
            hand(page, DRAWN)
            # a finger draws and does not move the page
            assert page.evaluate("scrollY") == 0
            # a pixel is half a percent, and points snap to whole ones
            assert heights(page) == pytest.approx(DRAWN, abs=0.011)
            press(page, "Show what happened")
            drawn = [numbers_in(row[1])[0] / 100 for row in table(page)[1:]]
            assert drawn == pytest.approx(DRAWN[1:], abs=0.011) and heights(page) == pytest.approx(
                [0.41, *drawn]
            )


class TestCurve:
    def test_outcome_is_what_numpy_says(self, browser, tmp_path):
        with opened(browser, curve(), tmp_path) as page:
            with_mouse(page, [TRUTH[0], 0.3, 0.35, 0.4, 0.2, 0.1])
            press(page, "Show what happened")
            said, rows = outcome(page), table(page)
            drawn = np.array([numbers_in(row[1])[0] for row in rows[1:]]) / 100
            assert [numbers_in(row[2])[0] for row in rows] == pytest.approx(
                [100 * value for value in TRUTH], abs=0.0501
            )
            assert heights(page, "truth") == pytest.approx(TRUTH)
            expected = 100 * np.array(
                [np.abs(drawn - TRUTH[1:]).mean(), TRUTH[0] - drawn[-1], TRUTH[-1] - TRUTH[0]]
            )
            assert (
                numbers_in(said) == pytest.approx(expected, abs=0.0501)
                and "let it fall by" in said
                and "it rose by" in said
                and "not the direction" in said
            )

    @pytest.mark.parametrize(
        "last, words",
        [
            (0.9, "the right direction"),
            (0.4127, "stay about where it was"),
            (0.1, "not the direction you drew"),
        ],
    )
    def test_direction(self, browser, tmp_path, last, words):
        with opened(browser, curve(), tmp_path) as page:
            with_mouse(page, [TRUTH[0], 0.5, 0.5, 0.5, 0.5, last])
            press(page, "Show what happened")
            assert words in outcome(page) and ("the right direction" in outcome(page)) == (
                last > 0.5
            )

    def test_one_click_at_the_end_is_a_straight_line(self, browser, tmp_path):
        with opened(browser, curve(), tmp_path) as page:
            page.mouse.click(*places(page, [0.8] * 6)[5])
            assert heights(page) == pytest.approx(np.linspace(TRUTH[0], 0.8, 6), abs=0.011)

    def test_a_stroke_too_fast_for_the_columns_is_a_straight_line(self, browser, tmp_path):
        with opened(browser, curve(), tmp_path) as page:
            with_mouse(page, [TRUTH[0], 0.2, 0.2, 0.2, 0.2, 0.2])
            points = places(page, [0, 0.4, 0, 0, 0.7, 0])
            page.mouse.move(*points[4])
            page.mouse.down()
            # backwards, over two columns at once
            page.mouse.move(*points[1])
            page.mouse.up()
            assert heights(page) == pytest.approx([TRUTH[0], 0.4, 0.5, 0.6, 0.7, 0.2], abs=0.011)

    def test_two_curves_one_after_the_other(self, browser, tmp_path):
        with opened(browser, curve(other={"precision": OTHER}), tmp_path) as page:
            with_mouse(page, [TRUTH[0], 0.5, 0.5, 0.5, 0.5, 0.5])
            assert page.get_by_role("button", name="Show what happened").is_disabled()
            press(page, "Next: precision")
            with_mouse(page, [OTHER[0], 0.8, 0.8, 0.8, 0.8, 0.8])
            assert heights(page, at=0)[-1] == pytest.approx(0.5, abs=0.011) and heights(page, at=1)[
                -1
            ] == pytest.approx(0.8, abs=0.011)
            press(page, "Show what happened")
            assert [heights(page, "truth", at) for at in (0, 1)] == [
                pytest.approx(TRUTH),
                pytest.approx(OTHER),
            ]
            first, second = outcome(page).split("precision: ")
            assert first.startswith("accuracy: ") and "it rose" in first and "it fell" in second

    def test_axis_bears_its_own_numbers(self, browser, tmp_path):
        with opened(browser, curve(axis="K", at=[1, 4, 16, 30, 60, 120]), tmp_path) as page:
            assert (
                page.locator(".pad svg text").all_text_contents()[-8:-2]
                == ["1", "4", "16", "30", "60", "120"]
                and page.get_by_role("slider").first.get_attribute("aria-label") == "K 4"
            )
            press(page, "Just show me")
            assert [row[0] for row in table(page)] == ["1", "4", "16", "30", "60", "120"]

    def test_fields_draw_too_and_refuse_what_is_outside(self, browser, tmp_path):
        with opened(browser, curve(), tmp_path) as page:
            page.get_by_text("Type the numbers instead").click()
            fields = page.locator(".fields input")
            for i, value in enumerate(("50", "61.5", "120", "70", "55")):
                fields.nth(i).fill(value)
                fields.nth(i).blur()
                if value == "120":
                    assert "from 0 to 100" in outcome(page) and fields.nth(i).input_value() == ""
            # the gap is bridged
            assert heights(page) == pytest.approx([TRUTH[0], 0.5, 0.615, 0.6575, 0.7, 0.55])
            assert fields.nth(2).input_value() == "65.8"

    def test_a_screen_reader_hears_the_points(self, browser, tmp_path):
        with opened(browser, curve(), tmp_path) as page:
            with_keys(page, [TRUTH[0], TRUTH[0] + 0.05])
            slider = page.get_by_role("slider", name="round 1", exact=True)
            assert (
                slider.get_attribute("aria-valuetext") == "46.3 %"
                and page.get_by_role("slider", name="round 2").get_attribute("aria-valuetext")
                == "not drawn yet"
            )
            assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "round 2"
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"

    def test_drawing_and_truth_outlive_another_width(self, browser, tmp_path):
        with opened(browser, curve(), tmp_path, viewport={"width": 900, "height": 700}) as page:
            with_mouse(page, [TRUTH[0], *DRAWN[1:]])
            before = heights(page)
            page.set_viewport_size({"width": 340, "height": 700})
            page.wait_for_function(
                "Number(document.querySelector('.pad svg').getAttribute('width')) < 320"
            )
            assert heights(page) == pytest.approx(before)
            press(page, "Show what happened")
            page.set_viewport_size({"width": 900, "height": 700})
            page.wait_for_function(
                "Number(document.querySelector('.pad svg').getAttribute('width')) > 600"
            )
            assert heights(page) == pytest.approx(before) and heights(
                page, "truth"
            ) == pytest.approx(TRUTH)


class TestFrame:
    "What holds for all kinds"

    KINDS = [
        ("curve", lambda: curve(), TRUTH[1:]),
        ("two curves", lambda: curve(other={"precision": OTHER}), TRUTH[1:] + OTHER[1:]),
        ("order", order, VALUES),
        ("number", number, [0.7384]),
    ]

    @pytest.mark.parametrize(
        "make, truth", [kind[1:] for kind in KINDS], ids=[kind[0] for kind in KINDS]
    )
    def test_nothing_is_told_before_it_is_asked_for(self, browser, tmp_path, make, truth):
        with opened(browser, make(), tmp_path) as page:
            told = lambda: [
                value
                for value in truth
                if any(
                    f"{100 * value:.{digits}f}"
                    in page.locator(".plab").evaluate("root => root.outerHTML")
                    for digits in (1, 2)
                )
                or str(value) in page.locator(".plab").evaluate("root => root.outerHTML")
            ]
            assert page.locator(".truth").count() == 0 and not told()
            press(page, "Just show me")
            assert set(told()) == set(truth)
            # the focus is not lost with the button
            assert page.evaluate("document.querySelector('.plab').contains(document.activeElement)")
            press(page, "Try again")
            assert (
                not told()
                and page.locator(".truth").count() == 0
                and page.get_by_role("button", name="Show what happened").is_disabled()
            )

    @pytest.mark.parametrize("make", [kind[1] for kind in KINDS], ids=[kind[0] for kind in KINDS])
    @pytest.mark.parametrize("width", [320, 375])
    def test_no_sideways_scroll(self, browser, tmp_path, make, width):
        with opened(browser, make(), tmp_path, viewport={"width": width, "height": 700}) as page:
            for _ in range(2):
                assert page.evaluate("document.documentElement.scrollWidth") <= width
                if page.get_by_role("button", name="Just show me").is_visible():
                    press(page, "Just show me")

    def test_nothing_is_stored(self, browser, tmp_path):
        with opened(browser, number(), tmp_path) as page:
            page.locator("input[type=number]").fill("50")
            press(page, "Show what happened")
            assert page.evaluate(
                "[localStorage.length, sessionStorage.length, document.cookie]"
            ) == [0, 0, ""]

    def test_two_of_the_same_on_a_page_do_not_meddle(self, browser, tmp_path):
        widget = number()
        (tmp_path / "two.html").write_text(
            f"<!doctype html><html><body>{widget.html()}{widget.html()}</body></html>",
            encoding="utf-8",
        )
        with opened(browser, widget, tmp_path) as page:
            page.set_content((tmp_path / "two.html").read_text(encoding="utf-8"))
            assert (
                page.locator(".plab").count()
                == 2
                == page.get_by_role("button", name="Just show me").count()
            )
            page.get_by_role("button", name="Just show me").first.click()
            assert [
                text.startswith("It is 73.8") for text in page.locator(".outcome").all_inner_texts()
            ] == [True, False]

    def test_less_motion_where_it_is_asked_for(self, browser, tmp_path):
        for motion, expected in (("reduce", "none"), ("no-preference", "plab-lay")):
            with opened(browser, curve(), tmp_path, reduced_motion=motion) as page:
                press(page, "Just show me")
                assert (
                    page.locator(".truth").first.evaluate(
                        "node => getComputedStyle(node).animationName"
                    )
                    == expected
                )

    @pytest.mark.parametrize(
        "make",
        [
            lambda: guess_curve(
                HOSTILE[0],
                TRUTH,
                label=HOSTILE[1],
                other={HOSTILE[3]: OTHER},
                known={HOSTILE[2]: 0.5, HOSTILE[4]: 0.2},
                axis=HOSTILE[5],
            ),
            lambda: guess_order(
                HOSTILE[1],
                HOSTILE,
                [0.1, 0.4, 0.2, 0.6, 0.3, 0.5],
                label=HOSTILE[0],
                ends=(HOSTILE[0], HOSTILE[3]),
                noun=HOSTILE[0],
            ),
            lambda: guess_number(
                HOSTILE[2], 3, unit=HOSTILE[0], low=0, high=9, known={HOSTILE[3]: 2, HOSTILE[5]: 1}
            ),
        ],
        ids=["curve", "order", "number"],
    )
    def test_names_are_text(self, browser, tmp_path, make):
        widget = make()
        assert not re.search("<img|<b>", widget.html())
        with opened(browser, widget, tmp_path, viewport={"width": 320, "height": 700}) as page:
            for _ in range(2):
                assert (
                    page.locator(".plab img, .plab b, .plab [onerror], .plab [onfocus]").count()
                    == 0
                )
                assert page.evaluate("document.documentElement.scrollWidth") <= 320
                assert {
                    name
                    for name in HOSTILE
                    if page.locator("bdi").get_by_text(name, exact=True).count()
                }
                if page.get_by_role("button", name="Just show me").is_visible():
                    press(page, "Just show me")


class TestOrder:
    def names(self, page):
        return page.locator("ol bdi").all_inner_texts()

    def expect(self, page, yours):
        "The outcome is what scipy says of this order"
        said, truth = [yours.index(name) for name in NAMES], VALUES
        tau, rho = numbers_in(outcome(page))[:2]
        assert (tau, rho) == pytest.approx(
            (kendalltau(said, truth)[0], spearmanr(said, truth)[0]), abs=0.00501
        )
        rows = [row.locator("th, td").all_inner_texts() for row in page.locator("tbody tr").all()]
        assert [numbers_in(row[1])[0] for row in rows] == pytest.approx(
            sorted(100 * value for value in VALUES), abs=0.0501
        )
        assert {row[0]: int(row[3].split()[0]) for row in rows} == {
            name: 1 + yours.index(name) for name in NAMES
        }

    def test_by_keyboard(self, browser, tmp_path):
        with opened(browser, order(), tmp_path) as page:
            assert self.names(page) == sorted(NAMES)
            page.locator(".grip").nth(4).focus()
            for key in ("ArrowUp", "ArrowUp", "ArrowUp"):
                page.keyboard.press(key)
            assert self.names(page) == [
                "forest",
                "pasture",
                "highway",
                "lake",
                "orchard",
                "river",
            ] and "pasture: place 2 of 6" in outcome(page)
            page.keyboard.press("Home")
            assert self.names(page)[0] == "pasture" and "pasture, place 1 of 6" in page.evaluate(
                "document.activeElement.getAttribute('aria-label')"
            )
            yours = self.names(page)
            press(page, "Show what happened")
            self.expect(page, yours)

    def test_by_buttons(self, browser, tmp_path):
        with opened(browser, order(), tmp_path) as page:
            page.get_by_role("button", name="forest: earlier").click()
            # it was the first already, so nothing has moved
            assert page.get_by_role("button", name="Show what happened").is_disabled()
            page.get_by_role("button", name="forest: later").click()
            page.get_by_role("button", name="river: earlier").click()
            yours = self.names(page)
            assert yours == ["highway", "forest", "lake", "orchard", "river", "pasture"]
            press(page, "Show what happened")
            self.expect(page, yours)

    @pytest.mark.parametrize("finger", [False, True])
    def test_by_dragging(self, browser, tmp_path, finger):
        phone = (
            dict(has_touch=True, is_mobile=True, viewport={"width": 375, "height": 740})
            if finger
            else {}
        )
        with opened(browser, order(), tmp_path, **phone) as page:
            start, end = (
                box["y"] + box["height"] / 2
                for box in (page.locator("ol li").nth(i).bounding_box() for i in (4, 1))
            )
            x = page.locator(".grip").nth(4).bounding_box()["x"] + 8
            if finger:
                session = page.context.new_cdp_session(page)
                # beside the grip a finger scrolls the page and moves nothing
                for across in (x + 60, x):
                    assert self.names(page) == sorted(NAMES) and "Drag the names" in outcome(page)
                    for kind, y in [
                        ("touchStart", start),
                        *(("touchMove", float(y)) for y in np.linspace(start, end - 5, 8)),
                        ("touchEnd", None),
                    ]:
                        session.send(
                            "Input.dispatchTouchEvent",
                            {
                                "type": kind,
                                "touchPoints": [] if y is None else [{"x": across, "y": y}],
                            },
                        )
            else:
                page.mouse.move(x + 60, start)
                page.mouse.down()
                page.mouse.move(x + 60, end - 5, steps=8)
                page.mouse.up()
            assert self.names(page) == ["forest", "pasture", "highway", "lake", "orchard", "river"]
            assert page.locator(".held").count() == 0

    def test_trying_again_starts_from_the_alphabet(self, browser, tmp_path):
        with opened(browser, order(), tmp_path) as page:
            page.get_by_role("button", name="river: earlier").click()
            press(page, "Show what happened")
            press(page, "Try again")
            assert self.names(page) == sorted(NAMES)


class TestNumber:
    def test_typed(self, browser, tmp_path):
        with opened(browser, number(), tmp_path) as page:
            page.locator("input[type=number]").fill("62.5")
            # to the nearest step; the number stays as it was typed
            assert page.locator("input[type=range]").input_value() == "63"
            press(page, "Show what happened")
            assert numbers_in(outcome(page)) == pytest.approx(
                [62.5, 73.8, 11.3], abs=0.0501
            ) and "too low" in outcome(page)

    def test_slid_by_keys(self, browser, tmp_path):
        with opened(browser, number(), tmp_path) as page:
            page.locator("input[type=range]").focus()
            for _ in range(40):
                page.keyboard.press("ArrowRight")
            assert (
                page.locator("input[type=number]").input_value() == "90"
                and page.locator("input[type=range]").get_attribute("aria-valuetext") == "90.0 %"
            )
            press(page, "Show what happened")
            assert numbers_in(outcome(page)) == pytest.approx(
                [90, 73.8, 16.2], abs=0.0501
            ) and "too high" in outcome(page)

    def test_truth_stands_where_it_belongs(self, browser, tmp_path):
        with opened(
            browser,
            guess_number("By how much?", -0.244, unit="points", low=-0.5, high=0.5),
            tmp_path,
        ) as page:
            page.locator("input[type=number]").fill("-24.4")
            press(page, "Show what happened")
            assert (
                outcome(page)
                == "You said \N{MINUS SIGN}24.4 points; it is \N{MINUS SIGN}24.4 points: right."
            )
            circle, width = (
                page.locator(".line circle").first,
                float(page.locator(".line svg").first.get_attribute("width")),
            )
            assert float(circle.get_attribute("cx")) == pytest.approx(
                8 + 0.256 * (width - 16), abs=0.01
            )

    @pytest.mark.parametrize("wrong", ["140", "-3", ""])
    def test_what_is_outside_is_refused(self, browser, tmp_path, wrong):
        with opened(browser, number(), tmp_path) as page:
            page.locator("input[type=number]").fill("50")
            page.locator("input[type=number]").fill(wrong)
            page.locator("input[type=number]").blur()
            assert (
                "from 0 to 100" in outcome(page)
                and page.get_by_role("button", name="Show what happened").is_disabled()
            )


class TestCorrelations:
    def test_are_those_of_scipy(self, browser):
        page = browser.new_page()
        run = (
            "(cases) => { const f = new Function('a', 'b', %s); return cases.map(([a, b]) => f(a,"
            " b)); }"
            % json.dumps(f"{module('prediction')}; return [pairs(a, b).tau, spearman(a, b)];")
        )

        @settings(max_examples=60)
        @given(
            st.lists(st.integers(0, 6), min_size=2, max_size=12).filter(
                lambda values: len(set(values)) > 1
            ),
            st.randoms(),
        )
        def agree(values, random):
            said = random.sample(range(len(values)), len(values))
            assert page.evaluate(run, [[said, values]])[0] == pytest.approx(
                [kendalltau(said, values)[0], spearmanr(said, values)[0]], abs=1e-9
            )

        agree()
        page.close()
