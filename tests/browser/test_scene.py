"""The scene: what it is given, and what a reader can do with it when the network is cut off."""

import base64
import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from pseudolab.method.splits import make_split
from pseudolab.views.format import percent, points
from pseudolab.views.scene import scene, scene_data
from support.pages import opened, texts_of, visited
from support.runs import made_up, noise_task, without_labels

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "أرض زراعية",
    "a" * 90,
    "</script><script>alert(2)</script>",
    "${alert(3)}",
    "town",
]
NAMES = ["river", "forest", "sea lake", "town", "field", "road"]
READY = ".plab[data-ready]"


@pytest.fixture(scope="module")
def task():
    return noise_task(NAMES, 120, 60)


@pytest.fixture(scope="module")
def run(task):
    return made_up(task)


@pytest.fixture(scope="module")
def told(task):
    "A semi-supervised run on the same task, which starts from something else than zero-shot CLIP"
    run = made_up(task, 2, seed=1)
    pool = make_split(task, "ssl").pool_positions
    settings = replace(run.settings, paradigm="ssl", strategy="Self-training", start="a probe")
    rounds = [replace(one, pool_logits=one.pool_logits[pool]) for one in run.rounds]
    return replace(run, settings=settings, rounds=rounds)


# ---- what it is given


def unpacked(packed):
    return np.frombuffer(base64.b64decode(packed["data"]), np.dtype("<" + packed["type"]))


def test_places_and_counts_are_those_of_the_run(run, task):
    data = scene_data(run)
    truth = task.train.labels
    np.testing.assert_array_equal(unpacked(data["truth"]), truth)
    assert data["totals"] == np.bincount(truth).tolist()
    assert (data["size"], data["shown"], data["told"]) == (120, 120, 0)
    for record, played in zip(data["runs"][0]["rounds"], run.rounds, strict=True):
        places = played.pool_predictions
        np.testing.assert_array_equal(unpacked(record["places"]), places + 1)
        assert record["given"] == np.bincount(places, minlength=6).tolist()
        assert record["right"] == np.bincount(truth[places == truth], minlength=6).tolist()


def test_columns_stand_weakest_first_and_the_emptiest_is_asked_for(run):
    data = scene_data(run)
    first = data["runs"][0]["rounds"][0]
    shares = [first["right"][c] / data["totals"][c] for c in data["order"]]
    assert shares == sorted(shares)
    assert first["given"][data["asked"]] == min(first["given"])
    assert scene_data(run, ask="town")["asked"] == 3


def test_five_pictures_are_asked_for_wrong_and_right_by_turns(run, task):
    quiz = scene_data(run)["quiz"]
    right = run.rounds[0].pool_predictions[quiz] == task.train.labels[quiz]
    assert len(set(quiz)) == 5
    assert right.tolist() == [False, True, False, True, False]
    assert len(set(task.train.labels[quiz])) == 5


def test_what_one_run_was_told_counts_in_neither(run, told, task):
    data = scene_data(run, told)
    pool = make_split(task, "ssl").pool_positions
    given = np.setdiff1d(np.arange(120), pool)
    assert data["told"] == len(given) == 12
    assert data["totals"] == np.bincount(task.train.labels[pool]).tolist()
    places = unpacked(data["runs"][1]["rounds"][0]["places"])
    np.testing.assert_array_equal(np.flatnonzero(places == 0), given)
    np.testing.assert_array_equal(places[pool], told.rounds[0].pool_predictions + 1)
    # one reference for both, whichever run comes first
    assert data["reference"] == {"run": 0, "name": "zero-shot CLIP"}
    assert scene_data(told, run)["reference"] == {"run": 1, "name": "zero-shot CLIP"}


def test_of_a_large_pool_some_pictures_are_shown_and_all_are_counted(run):
    whole, part = scene_data(run), scene_data(run, pictures=40)
    assert part["shown"] == 40 and part["size"] == 120
    for one, other in zip(whole["runs"][0]["rounds"], part["runs"][0]["rounds"], strict=True):
        assert (one["given"], one["right"]) == (other["given"], other["right"])
        assert len(unpacked(other["places"])) == 40
    assert "40 of the 120" in part["notes"][0]
    assert all(0 <= i < 40 for i in part["quiz"])


def test_what_does_not_fit_is_refused(run, task):
    with pytest.raises(ValueError, match="other classes"):
        scene_data(run, made_up(noise_task(["x", "y"], 20, 20)))
    with pytest.raises(ValueError, match="other training images"):
        scene_data(run, made_up(noise_task(NAMES, 120, 60, seed=5)))
    with pytest.raises(ValueError, match="no round yet"):
        scene_data(replace(run, rounds=[]))
    with pytest.raises(ValueError, match="not at hand"):
        scene_data(replace(run, task=None))
    with pytest.raises(ValueError, match="choose one of"):
        scene_data(run, ask="moon")
    with pytest.raises(ValueError, match="2 different names"):
        scene_data(run, made_up(task, seed=1), names=["a", "a"])
    with pytest.raises(ValueError, match="address of a page"):
        scene_data(run, notebook="javascript:alert(1)")


def test_the_page_is_small_and_holds_the_pictures_once(run, told):
    widget = scene(run, told)
    html = widget.html()
    assert html.count(json.loads(json.dumps(widget.data))["pictures"]["src"]) == 1
    assert len(html) < 1_500_000
    assert widget.data["pictures"]["size"] <= 56


# ---- in a browser


def shown(browser, widget, folder, **options):
    "The page of one saved scene, once its pictures are there"
    options = {"viewport": {"width": 1280, "height": 720}, "reduced_motion": "reduce"} | options
    return opened(browser, widget, folder, awaited=READY, **options)


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def to_rounds(page):
    "Past both guesses"
    press(page, "Just show me")
    press(page, "Just show me")


def to_round(page, number):
    page.locator("input[type=range]").fill(str(number))


def said(page):
    return page.locator(".says").inner_text()


def lit(page):
    "How many pixels of the canvas show something"
    return page.evaluate("""() => {
      const canvas = document.querySelector(".tiles canvas");
      const { width, height } = canvas;
      const copy = Object.assign(document.createElement("canvas"), { width, height });
      const context = copy.getContext("2d", { willReadFrequently: true });
      context.drawImage(canvas, 0, 0);
      const { data } = context.getImageData(0, 0, width, height);
      return data.filter((value, i) => i % 4 === 3 && value > 0).length;
    }""")


def test_five_pictures_are_named_by_mouse_and_keyboard(browser, run, tmp_path):
    "(a) each stands where zero-shot CLIP puts it only after the reader has spoken"
    data = scene_data(run)
    truth, put = run.task.train.labels, run.rounds[0].pool_predictions
    with shown(browser, scene(run), tmp_path) as page:
        assert lit(page) == 0
        seen = [0]
        for at, i in enumerate(data["quiz"]):
            answer = page.locator(f"[data-answer='{truth[i]}']")
            if at % 2:
                answer.focus()
                page.keyboard.press("Enter")
            else:
                answer.click()
            words = said(page)
            assert f"zero-shot CLIP says {NAMES[put[i]]}" in words or "both say" in words
            assert f"In truth it is {NAMES[truth[i]]}." in words
            seen.append(lit(page))
        assert seen == sorted(set(seen)) and len(seen) == 6
        assert "You have 5 of 5 right, zero-shot CLIP 2." in said(page)
        press(page, "See all 120 pictures")
        assert lit(page) > 10 * seen[-1]


LOWEST = """() => {
  const canvas = document.querySelector(".tiles canvas");
  const { width, height } = canvas;
  const copy = Object.assign(document.createElement("canvas"), { width, height });
  const context = copy.getContext("2d", { willReadFrequently: true });
  context.drawImage(canvas, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  return height - Math.floor(data.findIndex((value, i) => i % 4 === 3 && value > 0) / 4 / width);
}"""


def test_a_named_picture_stands_on_the_floor(browser, tmp_path):
    "And not behind the questions, where it will stand among all others"
    run = made_up(noise_task(["a", "b", "c"], 600, 30))
    with shown(browser, scene(run), tmp_path) as page:
        page.locator("[data-answer]").first.click()
        assert page.evaluate(LOWEST) < 60


def test_the_reference_is_asked_about_whichever_run_comes_first(browser, run, told, tmp_path):
    with shown(browser, scene(told, run), tmp_path) as page:
        to_rounds(page)
        to_round(page, 0)
        assert "This is zero-shot CLIP" in said(page)


def test_nothing_more_shows_before_the_guess(browser, run, told, tmp_path):
    "(b) the bar is dragged, and moved by keys"
    with shown(browser, scene(run, told), tmp_path) as page:
        press(page, "Just show me")
        assert "Will the empty column fill?" in said(page)
        hidden = page.locator(".controls, .foot, .switch")
        assert [node.is_visible() for node in hidden.all()] == [False] * 3
        guess = page.get_by_role("button", name="That is my guess")
        assert guess.is_disabled()
        bar = page.get_by_role("slider")
        box = bar.bounding_box()
        page.mouse.move(box["x"] + 9, box["y"] + box["height"] - 4)
        page.mouse.down()
        page.mouse.move(box["x"] + 9, box["y"] + 2)
        page.mouse.up()
        assert bar.get_attribute("aria-valuetext") == "100 %"
        for key in ("Home", "ArrowUp", "ArrowUp", "PageUp"):
            page.keyboard.press(key)
        assert bar.get_attribute("aria-valuetext") == "30 %"
        assert bar.get_attribute("aria-valuenow") == "30"
        guess.click()
        assert "you said 30 %" in said(page)
        assert page.locator(".said").inner_text() == "you: 30 %"
        assert [node.is_visible() for node in hidden.all()] == [True] * 3


def test_the_slider_tells_what_happened(browser, run, tmp_path):
    "(c) every number is that of the round"
    data = scene_data(run)
    asked, total = data["asked"], data["totals"]
    first = data["runs"][0]["rounds"][0]
    with shown(browser, scene(run), tmp_path) as page:
        to_rounds(page)
        for record in data["runs"][0]["rounds"]:
            to_round(page, record["number"])
            share = sum(record["right"]) / sum(total)
            assert page.locator("[data-value=accuracy]").inner_text() == percent(share)
            for head in page.locator(".heads button").all():
                c = int(head.get_attribute("data-class"))
                expected = f"{round(100 * record['right'][c] / total[c])} %"
                assert head.locator(".value").inner_text() == expected
            if record["number"]:
                before, after = (one["right"][asked] / total[asked] for one in (first, record))
                told = f"{NAMES[asked]} {percent(before)} \u2192 {percent(after)}."
                assert told in said(page)
                change = (np.array(record["right"]) - first["right"]) / total
                assert f"gains most, {points(change.max())} points" in said(page)
                paid = f"pays most, {points(change.min())}"
                assert (paid if change.min() < 0 else "nobody pays") in said(page)


def test_the_switch_shows_the_other_run_against_the_same_reference(browser, run, told, tmp_path):
    "(d)"
    data = scene_data(run, told)
    with shown(browser, scene(run, told), tmp_path) as page:
        to_rounds(page)
        to_round(page, 3)
        colour = "getComputedStyle(document.querySelector('.pays')).color"
        before = page.evaluate(colour)
        page.get_by_role("radio", name="Self-training").click()
        assert "Self-training, round 2" in said(page)  # it has no third
        assert "Against zero-shot CLIP" in said(page)
        assert page.evaluate(colour) != before
        record = data["runs"][1]["rounds"][2]
        share = percent(sum(record["right"]) / sum(data["totals"]))
        assert page.locator("[data-value=accuracy]").inner_text() == share
        to_round(page, 0)
        assert "It starts from a probe" in said(page)
        assert "they count in neither" in page.locator(".legend").inner_text()


def steps_of(run, i):
    "The classes of a picture over the rounds, each stretch once"
    classes = [one.pool_predictions[i] for one in run.rounds]
    return [NAMES[c] for r, c in enumerate(classes) if r == 0 or c != classes[r - 1]]


def test_a_picture_tells_its_way_by_mouse_and_keyboard(browser, run, tmp_path):
    "(e)"
    with shown(browser, scene(run), tmp_path) as page:
        to_rounds(page)
        stage = page.locator(".tiles")
        stage.focus()
        seen = set()
        for key in ("ArrowRight", "ArrowRight", "ArrowUp", "ArrowUp", "ArrowLeft", "ArrowDown"):
            page.keyboard.press(key)
            words = page.evaluate(
                "document.getElementById(document.querySelector('.tiles')"
                ".getAttribute('aria-activedescendant')).textContent"
            )
            i = int(re.match(r"picture (\d+)", words).group(1))
            assert " \u2192 ".join(steps_of(run, i)) in words
            seen.add(i)
        assert len(seen) > 3
        page.keyboard.press("Enter")
        card = page.get_by_role("group", name=f"Picture {i}")
        assert f"in truth {NAMES[run.task.train.labels[i]]}" in card.inner_text()
        assert card.locator("li").count() == len(steps_of(run, i))
        page.keyboard.press("Escape")
        assert not page.locator(".card").is_visible()
        box = page.locator(".heads li").last.bounding_box()
        page.mouse.move(box["x"] + 16, box["y"] + box["height"] - 10)
        assert re.match(r"picture \d+, in truth", page.locator(".tip").inner_text())
        page.mouse.down()
        page.mouse.up()
        assert page.locator(".card").is_visible()
        press(page, "Close")
        assert not page.locator(".card").is_visible()


def test_the_address_keeps_round_class_and_run(browser, run, told, tmp_path):
    with shown(browser, scene(run, told), tmp_path) as page:
        to_rounds(page)
        page.get_by_role("radio", name="Self-training").click()
        to_round(page, 1)
        page.locator(".heads [data-class='2']").click()
        address = page.url
        assert "round=1" in address and "run=Self-training" in address
        page.goto("about:blank")
        page.goto(address)
        page.wait_for_selector(READY)
        assert "Self-training, round 1: sea lake" in said(page)
        chosen = page.locator(".heads [aria-pressed=true]")
        assert chosen.get_attribute("data-class") == "2"


def test_heads_are_reached_by_arrow_keys(browser, run, tmp_path):
    with shown(browser, scene(run), tmp_path) as page:
        to_rounds(page)
        heads = page.locator(".heads button")
        heads.first.focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        assert heads.nth(1).get_attribute("aria-pressed") == "true"
        assert heads.nth(1).evaluate("node => node === document.activeElement")


def test_the_table_says_the_same(browser, run, tmp_path):
    data = scene_data(run)
    with shown(browser, scene(run), tmp_path) as page:
        to_rounds(page)
        to_round(page, 2)
        page.get_by_text("The same as a table").click()
        page.locator("tbody tr").first.wait_for()
        record = data["runs"][0]["rounds"][2]
        for row, c in zip(page.locator("tbody tr").all(), data["order"], strict=True):
            cells = row.locator("th, td").all_inner_texts()
            assert cells[0] == NAMES[c]
            assert cells[1] == str(record["given"][c])
            assert cells[3] == f"{record['right'][c]} of {data['totals'][c]}"


def test_one_screen_holds_it(browser, run, told, tmp_path):
    with shown(browser, scene(run, told), tmp_path) as page:
        to_rounds(page)
        assert page.evaluate("document.documentElement.scrollHeight") <= 720


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_the_four_weakest_columns(browser, run, told, tmp_path, scheme):
    phone = {
        "viewport": {"width": 390, "height": 844},
        "color_scheme": scheme,
        "is_mobile": True,
        "has_touch": True,
    }
    data = scene_data(run, told)
    with shown(browser, scene(run, told), tmp_path, **phone) as page:
        page.locator("[data-answer]").first.tap()
        to_rounds(page)
        heads = page.locator(".heads button")
        classes = [int(head.get_attribute("data-class")) for head in heads.all()]
        assert classes == data["order"][:4]
        rest = sum(data["runs"][0]["rounds"][-1]["given"][c] for c in data["order"][4:])
        assert f"The other 2 classes: {rest} pictures" in page.locator(".elsewhere").inner_text()
        page.get_by_role("radio", name="Self-training").tap()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.locator(".plab").get_attribute("data-theme") == scheme


LANDED = """number => new Promise((landed) => {
  const root = document.querySelector(".plab");
  root.addEventListener("plab-landed", (event) => landed(event.detail.times), { once: true });
  const slider = document.querySelector("input[type=range]");
  slider.value = number;
  slider.dispatchEvent(new Event("input"));
})"""


def test_reduced_motion_steps_and_does_not_fly(browser, run, tmp_path):
    with shown(browser, scene(run), tmp_path) as page:
        to_rounds(page)
        assert "round 3" in said(page)  # at its end at once
        assert page.evaluate(LANDED, 1) == []
    with shown(browser, scene(run), tmp_path, reduced_motion="no-preference") as page:
        to_rounds(page)
        page.wait_for_function("document.querySelector('.says').textContent.includes('round 1')")
        assert page.evaluate(LANDED, 3)


def test_six_hundred_tiles_fly_in_time(browser, tmp_path):
    "A generous bound on the script of a frame: the machine may be busy"
    run = made_up(noise_task(NAMES, 600, 60))
    with shown(browser, scene(run), tmp_path, reduced_motion="no-preference") as page:
        to_rounds(page)
        times = sorted(time for number in (3, 0) for time in page.evaluate(LANDED, number))
        assert times[len(times) // 2] < 16, times


def test_without_a_script_a_picture_and_a_table_stand_there(browser, run, tmp_path):
    last = scene_data(run)["runs"][0]["rounds"][-1]
    options = {"awaited": "img.still", "java_script_enabled": False}
    with opened(browser, scene(run), tmp_path, **options) as page:
        assert "wrong ones ringed" in page.locator("img.still").get_attribute("alt")
        rows = texts_of(page, "tbody tr")
        assert len(rows) == 6
        assert sum(int(row.split("\t")[2]) for row in rows) == sum(last["given"]) == 120


def test_unlabelled_pools_open(browser, run, tmp_path):
    run = without_labels(run)
    data = scene_data(run)
    assert data["truth"] is None and data["totals"] is None
    with shown(browser, scene(run), tmp_path) as page:
        page.locator("[data-answer]").first.click()
        assert "Nobody has labelled it." in said(page)
        press(page, "Just show me")
        bar = page.get_by_role("slider")
        bar.focus()
        page.keyboard.press("PageUp")
        assert "picture" in bar.get_attribute("aria-valuetext")
        press(page, "That is my guess")
        assert "stand elsewhere than with zero-shot CLIP" in said(page)
        assert "nobody knows who is right" in page.locator(".number").inner_text()
        assert page.locator(".legend span").count() == 0
        moved = (run.rounds[2].pool_predictions != run.rounds[0].pool_predictions).sum()
        to_round(page, 2)
        assert f"{moved} pictures stand elsewhere" in said(page)
        page.locator(".heads button").first.click()


def test_hostile_names_are_text(browser, tmp_path):
    run = made_up(noise_task(HOSTILE, 60, 60))
    widget = scene(run, names=["<script>alert(4)</script>"])
    assert "<img src=x" not in widget.html()
    with shown(browser, widget, tmp_path) as page:
        page.locator("[data-answer]").first.click()
        to_rounds(page)
        page.locator(".heads button").first.click()
        page.get_by_text("The same as a table").click()
        page.locator(".tiles").focus()
        page.keyboard.press("Enter")
        assert page.locator(".plab img, .plab script").count() == 0
        assert sorted(page.locator("tbody th").all_inner_texts()) == sorted(HOSTILE)
        page.wait_for_timeout(200)


# ---- on the front page


def bounds(page):
    "The upper and the lower edge of the scene, in pixels of the window"
    box = page.locator(READY).first.bounding_box()
    return box["y"], box["y"] + box["height"]


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_one_screen_of_a_laptop_has_all_of_the_scene(browser, colours):
    size = {"width": 1280, "height": 720}
    asked = {"viewport": size, "color_scheme": colours, "reduced_motion": "reduce"}
    with visited(browser, "index.html", **asked) as page:
        question = page.locator(".chips").first.bounding_box()
        assert question["y"] + question["height"] < 720, "the first question shows at once"
        page.locator(".chips").get_by_role("button", name="forest", exact=True).click()
        bar = page.locator("#quarto-header").bounding_box()
        for step in ("answered", "Just show me", "Just show me"):
            if step != "answered":
                page.get_by_role("button", name=step).click()
            page.wait_for_timeout(200)
            top, bottom = bounds(page)
            assert top >= bar["height"] and bottom < 721, step


def test_a_scene_that_does_not_fit_stays_where_it_is(browser):
    with visited(browser, "index.html", viewport={"width": 390, "height": 600}) as page:
        chip = page.locator(".chips").get_by_role("button", name="forest", exact=True)
        chip.scroll_into_view_if_needed()
        before = page.evaluate("scrollY")
        chip.click()
        page.wait_for_timeout(400)
        assert page.evaluate("scrollY") == before


def test_on_paper_stands_the_last_round_and_then_all_is_as_before(browser, run, tmp_path):
    shown = scene(run, ask="town")
    with opened(browser, shown, tmp_path, awaited=READY, reduced_motion="reduce") as page:
        root = page.locator(READY)
        before = page.locator(".stage").bounding_box()
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        page.emulate_media(media="print")
        assert root.get_attribute("data-phase") == "rounds"
        last = len(run.rounds) - 1
        assert page.locator("input[type=range]").input_value() == str(last)
        assert page.locator(".stage").bounding_box()["width"] <= 680
        picture = page.locator("img.paper")
        assert picture.is_visible() and not page.locator(".tiles canvas").first.is_visible()
        colours = Image.open(io.BytesIO(picture.screenshot())).convert("RGB").getcolors(10**6)
        assert len(colours) > 20, "the tiles are on it"
        page.emulate_media(media="screen")
        page.evaluate("window.dispatchEvent(new Event('afterprint'))")
        assert root.get_attribute("data-phase") == "name" and picture.count() == 0
        assert page.locator(".stage").bounding_box() == before
        assert page.locator(".chips").is_visible()
