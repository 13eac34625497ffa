"""The run page: the scene and the explorer on one page, with one slider, one chosen class, and one
image of all pictures.
"""

import base64
import re
from dataclasses import replace

import numpy as np
import pytest

from pseudolab.data.tasks import load_task
from pseudolab.method.run import Run
from pseudolab.method.splits import make_split
from pseudolab.views.format import percent, points
from pseudolab.views.html import Widget, module, page, styles, to_json
from pseudolab.views.run_page import run_page, run_page_data
from pseudolab.views.scene import scene_data
from support.pages import opened, watched
from support.runs import made_up, noise_task, without_labels

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "أرض زراعية",
    "a" * 90,
    "</script><script>alert(2)</script>",
    "${alert(3)}",
]
NAMES = ["river", "forest", "sea lake", "town", "field", "road"]
TABS = ("Class by class", "Pictures", "Pseudolabels", "Confusion", "Table")
READY = ".plab[data-ready]"


@pytest.fixture(scope="module")
def task():
    return noise_task(NAMES, 120, 120)


@pytest.fixture(scope="module")
def run(task):
    return made_up(task)


def of_the_pool(pseudolabels, pool):
    "Pseudolabels of a pool, of which some were drawn for all training images"
    kept = np.isin(pseudolabels.index, pool)
    index = np.searchsorted(pool, pseudolabels.index[kept])
    return replace(
        pseudolabels,
        index=index,
        label=pseudolabels.label[kept],
        confidence=pseudolabels.confidence[kept],
    )


@pytest.fixture(scope="module")
def told(task):
    "A run of two rounds that was told the labels of some pictures of the task"
    run = made_up(task, 2, seed=1)
    pool = make_split(task, "ssl").pool_positions
    settings = replace(run.settings, paradigm="ssl", strategy="Self-training")
    rounds = [
        replace(
            one,
            pool_logits=one.pool_logits[pool],
            pseudolabels=one.pseudolabels and of_the_pool(one.pseudolabels, pool),
        )
        for one in run.rounds
    ]
    return replace(run, settings=settings, rounds=rounds)


# ---- what it is given


def unpacked(packed):
    return np.frombuffer(base64.b64decode(packed["data"]), np.dtype("<" + packed["type"]))


def pairs(packed):
    "Image and class of each label"
    return sorted(zip(unpacked(packed["image"]), unpacked(packed["label"]), strict=True))


def test_labels_of_both_runs_are_of_the_pictures_that_are_shown(run, told, task):
    data = run_page_data(run, told)
    pool = make_split(task, "ssl").pool_positions
    for at, one in enumerate(run.rounds[1:], 1):
        wanted = sorted(zip(one.pseudolabels.index, one.pseudolabels.label, strict=True))
        assert pairs(data["pool"]["labels"][at]) == wanted
    for at, one in enumerate(told.rounds[1:], 1):
        index = pool[one.pseudolabels.index]  # of all pictures: the first run has them all
        wanted = sorted(zip(index, one.pseudolabels.label, strict=True))
        assert pairs(data["other"]["labels"][at]) == wanted


def test_of_a_large_pool_the_labels_of_what_is_shown_come_along(run):
    data = run_page_data(run, pictures=40)
    names = np.array(data["pool"]["names"])
    assert len(names) == data["pool"]["carried"] == 40
    labels = run.rounds[2].pseudolabels
    shown = np.isin(labels.index, names)
    found = [(names[image], label) for image, label in pairs(data["pool"]["labels"][2])]
    wanted = zip(labels.index[shown], labels.label[shown], strict=True)
    assert sorted(found) == sorted(wanted)


def test_nothing_stands_in_it_twice(run, told):
    data = run_page_data(run, told)
    wanted = scene_data(run, told)
    assert data["scene"].keys().isdisjoint({"classes", *data["pool"]})
    for name in ("names", "truth", "pictures"):
        assert data["pool"][name] == wanted[name]
    assert data["scene"]["runs"][0]["rounds"][0].keys() == {"right", "places"}
    assert run_page(run, told).html().count(wanted["pictures"]["src"]) == 1


def test_the_page_of_the_satellite_task_is_small():
    widget = run_page(made_up(load_task("satellite"), 10))
    assert len(widget.html().encode()) < 700_000
    assert widget.data["pool"]["pictures"]["size"] == 56


def test_without_its_pictures_the_numbers_are_shown_and_a_note_says_why(run):
    data = run_page_data(Run(run.settings, run.rounds))
    assert data["scene"] is None and data["pool"] is None
    assert any("task=" in note for note in data["notes"])


def test_a_run_on_other_pictures_stands_beside_in_numbers_alone(run):
    other = made_up(noise_task(NAMES, 120, 120, seed=5), seed=1)
    data = run_page_data(run, other)
    assert len(data["scene"]["runs"]) == 1
    assert len(data["other"]["rounds"]) == 4
    assert any("other pictures" in note for note in data["notes"])


# ---- in a browser


def shown(browser, widget, folder, **options):
    "The page once its pictures are there"
    options = {"viewport": {"width": 1280, "height": 720}, "reduced_motion": "reduce"} | options
    return opened(browser, widget, folder, awaited=READY, **options)


def to_round(page, number):
    page.locator("input[type=range]").fill(str(number))


def to_tabs(page):
    "Until the numbers are in view"
    page.locator("[role=tablist]").scroll_into_view_if_needed()
    page.wait_for_timeout(100)


def below(page):
    return page.locator(".below")


def said(page):
    return page.locator(".says").inner_text()


def test_one_slider_drives_both(browser, run, tmp_path):
    with shown(browser, run_page(run), tmp_path) as page:
        assert page.locator("input[type=range]").count() == 1
        assert "round 3" in said(page)  # at its end
        to_tabs(page)
        for played in run.rounds:
            to_round(page, played.number)
            assert f"round {played.number}" in said(page)
            assert f"round {played.number} of 3" in below(page).locator(".round").inner_text()
            score = below(page).locator("[data-value=score]").inner_text()
            assert score == percent(played.score)


PLOT = "svg[role=img]"


def test_a_round_chosen_in_a_chart_moves_the_pictures(browser, run, tmp_path):
    with shown(browser, run_page(run), tmp_path) as page:
        to_tabs(page)
        plot = below(page).locator(PLOT).first
        box = plot.bounding_box()
        plot.click(position={"x": box["width"] - 12, "y": 40})
        assert "round 3" in said(page)
        plot.click(position={"x": 52, "y": 40})
        assert "round 0" in said(page)
        assert page.locator("input[type=range]").input_value() == "0"


def test_a_class_chosen_in_one_is_chosen_in_the_other(browser, run, tmp_path):
    with shown(browser, run_page(run), tmp_path) as page:
        page.locator(".heads [data-class='2']").click()
        to_tabs(page)
        assert page.locator("select").input_value() == "2"
        below(page).locator("[role=listbox] [data-class='4']").click()
        pressed = page.locator(".heads [aria-pressed=true]")
        assert pressed.get_attribute("data-class") == "4"
        assert "field" in said(page)
        pressed.click()  # and again of none: the numbers stay with the last
        assert page.locator(".heads [aria-pressed=true]").count() == 0
        assert page.locator("select").input_value() == "4"


def classes_of(page, selector):
    return [int(node.get_attribute("data-class")) for node in page.locator(selector).all()]


def test_classes_stand_in_one_order_everywhere(browser, task, tmp_path):
    "That of their accuracy on the test images, as in figures and reports"
    run = made_up(task, seed=1)
    order = np.argsort(run.rounds[0].per_class_accuracy, kind="stable").tolist()
    assert order not in (list(range(6)), scene_data(run)["order"])
    with shown(browser, run_page(run), tmp_path) as page:
        to_tabs(page)
        assert classes_of(page, ".heads button") == order
        assert classes_of(page, ".below [role=option]") == order
        page.get_by_role("tab", name="Pseudolabels").click()
        assert classes_of(page, ".below [role=option]") == order
        page.get_by_role("tab", name="Table").click()
        rows = below(page).locator("tbody th").all_inner_texts()
        assert rows == [NAMES[c] for c in order]


def test_the_switch_turns_the_numbers_too(browser, run, told, tmp_path):
    with shown(browser, run_page(run, told), tmp_path) as page:
        to_tabs(page)
        page.get_by_role("radio", name="Self-training").click()
        assert "Self-training, round 2 of 2" in below(page).locator(".round").inner_text()
        last = told.rounds[2]
        assert page.locator("[data-value=score]").inner_text() == percent(last.score)
        gain = points(last.score - told.rounds[0].score)
        assert page.locator("[data-value=gain]").inner_text() == f"{gain} points"
        assert "semi-supervised" in below(page).inner_text()
        page.get_by_role("tab", name="Pictures").click()
        page.locator("select").select_option(label="town")
        more = page.locator("[data-key=every]")
        if more.count():
            more.click()
        buttons = page.locator("button.picture").all()
        found = {int(button.get_attribute("data-image")) for button in buttons}
        labels = last.pseudolabels
        pool = make_split(run.task, "ssl").pool_positions
        assert found == set(pool[labels.index[labels.label == 3]].tolist())
        page.get_by_role("radio", name="GRIP").click()
        assert "GRIP, round 2 of 3" in below(page).locator(".round").inner_text()


def test_the_numbers_wait_for_the_guesses(browser, run, tmp_path):
    with shown(browser, run_page(run, ask=True), tmp_path) as page:
        for _ in ("the five pictures", "the prediction"):
            assert not below(page).is_visible()
            page.get_by_role("button", name="Just show me").click()
        assert below(page).is_visible()
        to_tabs(page)
        assert "round 3 of 3" in below(page).locator(".round").inner_text()


def test_it_plays_once_without_touching_the_address(browser, run, tmp_path):
    with shown(browser, run_page(run), tmp_path, reduced_motion="no-preference") as page:
        for number in (0, 1, 3):
            page.wait_for_function(
                f"document.querySelector('.says').textContent.includes('round {number}')"
            )
        page.wait_for_function("document.querySelector('.main.step').title === 'Play the rounds'")
        assert "#" not in page.url
        page.get_by_role("button", name="One round back").click()
        assert "round=2" in page.url


@pytest.mark.parametrize("size", [(1280, 720), (390, 844)])
def test_the_slider_stays_in_view(browser, run, tmp_path, size):
    viewport = {"width": size[0], "height": size[1]}
    with shown(browser, run_page(run), tmp_path, viewport=viewport) as page:
        page.evaluate("window.scrollTo(0, document.querySelector('.below').offsetTop + 100)")
        page.wait_for_timeout(100)
        box = page.locator(".controls").bounding_box()
        assert abs(box["y"]) < 1
        assert box["height"] < 130
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


TALL = "document.documentElement.scrollHeight"


def test_nothing_jumps_from_round_to_round(browser, run, tmp_path):
    "Once a tab was seen in its fullest round"
    with shown(browser, run_page(run), tmp_path) as page:
        to_tabs(page)
        for tab in TABS:
            page.get_by_role("tab", name=tab).click()
            to_round(page, 3)
            page.wait_for_timeout(50)
            tall = page.evaluate(TALL)
            for number in (0, 1, 2):
                to_round(page, number)
                page.wait_for_timeout(50)
                assert page.evaluate(TALL) == tall, (tab, number)


def test_values_are_shown_on_hover(browser, run, tmp_path):
    first, last = run.rounds[0], run.rounds[-1]
    with shown(browser, run_page(run), tmp_path) as page:
        to_tabs(page)
        tip = page.locator(".value-tip")
        below(page).locator("[role=option][data-class='1'] rect.hit").hover(force=True)
        before, now = (one.per_class_accuracy[1] for one in (first, last))
        assert tip.inner_text() == f"forest: zero-shot CLIP {percent(before)}, now {percent(now)}"
        plot = below(page).locator(PLOT).first
        box = plot.bounding_box()
        plot.hover(position={"x": box["width"] - 12, "y": 40})
        assert tip.inner_text().startswith("round 3: ")
        assert percent(last.score) in tip.inner_text()
        page.mouse.move(2, 2)
        assert not tip.is_visible()


STOPS = """() => {
  const kinds = ".plab button, .plab select, .plab input, .plab summary, .plab [tabindex='0']";
  const all = [...document.querySelectorAll(kinds)];
  return all.filter((node) => node.tabIndex >= 0 && node.checkVisibility()).length;
}"""
HERE = "() => [...document.querySelectorAll('.plab *')].indexOf(document.activeElement)"


def test_the_keyboard_reaches_every_control(browser, run, told, tmp_path):
    with shown(browser, run_page(run, told), tmp_path) as page:
        to_tabs(page)
        wanted = page.evaluate(STOPS)
        page.evaluate("window.scrollTo(0, 0)")
        reached = set()
        for _ in range(wanted + 5):
            page.keyboard.press("Tab")
            reached.add(page.evaluate(HERE))
        assert len(reached - {-1}) == wanted
        page.get_by_role("tab", name="Class by class").focus()
        page.keyboard.press("ArrowRight")
        assert page.evaluate("document.activeElement.textContent") == "Pictures"


def test_a_phone_has_the_column_that_is_asked_for(browser, task, tmp_path):
    "Though four others are weaker"
    run = made_up(task)
    first = run.rounds[0]
    logits = np.where(np.arange(6) == 5, -1, first.pool_logits)  # nothing stands in the last
    run = replace(run, rounds=[replace(first, pool_logits=logits), *run.rounds[1:]])
    phone = {"width": 390, "height": 844}
    with shown(browser, run_page(run, ask=True), tmp_path, viewport=phone) as page:
        page.get_by_role("button", name="Just show me").click()
        page.get_by_role("slider").focus()
        page.keyboard.press("PageUp")
        assert page.get_by_role("slider").get_attribute("aria-valuetext") == "20 %"
        page.get_by_role("button", name="That is my guess").click()
        assert "you said 20 %" in said(page)
        columns = classes_of(page, ".heads button")
        assert len(columns) == 4 and columns[-1] == 5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390])
def test_a_phone_has_no_sideways_scroll(browser, run, told, tmp_path, scheme, width):
    phone = {
        "viewport": {"width": width, "height": 844},
        "color_scheme": scheme,
        "is_mobile": True,
        "has_touch": True,
    }
    with shown(browser, run_page(run, told), tmp_path, **phone) as page:
        for tab in TABS:
            page.get_by_role("tab", name=tab).click()
            assert page.evaluate("document.documentElement.scrollWidth") <= width, tab
        assert page.locator(".plab").get_attribute("data-theme") == scheme


def test_unlabelled_pools_open(browser, run, tmp_path):
    blank = without_labels(run)
    with shown(browser, run_page(blank), tmp_path) as page:
        to_tabs(page)
        assert "No labels to test on" in page.locator(".sentence").inner_text()
        assert "stand elsewhere than with zero-shot CLIP" in said(page)
        page.get_by_role("tab", name="Pictures").click()
        assert page.locator("button.picture").count() > 0
        assert page.get_by_role("radio", name=re.compile("^Right")).count() == 0


def test_hostile_names_are_text(browser, tmp_path):
    run = made_up(noise_task(HOSTILE, 60, 60))
    other = made_up(run.task, seed=1)
    other.settings = replace(other.settings, strategy="<script>alert(4)</script>")
    widget = run_page(run, other)
    assert "<img src=x" not in widget.html()
    with shown(browser, widget, tmp_path) as page:
        page.get_by_role("radio").nth(1).click()
        for tab in TABS:
            page.get_by_role("tab", name=tab).click()
            assert page.locator(".plab img, .plab script").count() == 0
        assert sorted(below(page).locator("tbody th").all_inner_texts()) == sorted(HOSTILE)
        page.wait_for_timeout(200)


def test_without_a_script_pictures_and_tables_stand_there(browser, run, tmp_path):
    options = {"awaited": "img.still", "java_script_enabled": False}
    with opened(browser, run_page(run), tmp_path, **options) as page:
        assert page.locator("img.still").count() == 2
        heads = page.locator("table").all()
        assert len(heads) == 2
        assert page.locator("tbody tr").count() == 6 + 4  # classes, rounds


# As VS Code and Colab show an output: a frame that has no storage, no name of its own and may load
# no picture but those that stand in it
FRAME = (
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\';'
    " script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:\">"
)


def lit(frame, selector):
    "How many pixels of a canvas show something"
    return frame.locator(selector).first.evaluate("""(canvas) => {
      const { width, height } = canvas;
      const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
      return data.filter((value, i) => i % 4 === 3 && value > 0).length;
    }""")


def test_it_works_in_a_sandboxed_frame(browser, run, tmp_path):
    inside = (FRAME + run_page(run).html()).replace("&", "&amp;").replace('"', "&quot;")
    frame = f'<iframe sandbox="allow-scripts" width="1200" height="1500" srcdoc="{inside}">'
    host = Widget("", {}, "")
    object.__setattr__(host, "html", lambda: f"{frame}</iframe>")
    options = {"viewport": {"width": 1280, "height": 720}, "reduced_motion": "reduce"}
    with opened(browser, host, tmp_path, awaited="iframe", **options) as page:
        frame = page.frame_locator("iframe")
        frame.locator(READY).wait_for()
        assert lit(frame, ".tiles canvas") > 10_000
        frame.get_by_role("tab", name="Pictures").click()
        frame.locator("input[type=range]").fill("2")
        assert "round 2 of 3" in frame.locator(".round").inner_text()
        assert lit(frame, "button.picture canvas") == 112 * 112


# What anywidget does: a model that both sides hold, and a place in the page
LIVE = """
window.taken = [];
const listeners = {};
const values = JSON.parse(document.getElementById("first").textContent);
window.model = {
  get: (name) => values[name],
  set: (changed) => Object.assign(values, changed),
  save_changes: () => window.taken.push([values.round, values.selected_class]),
  on: (name, act) => (listeners[name] = act),
  fromPython: (changed) => {
    Object.assign(values, changed);
    for (const name of Object.keys(changed)) listeners[`change:${name}`]();
  },
};
render({ model, el: document.querySelector("main") });
"""


def live_page(data, folder):
    state = to_json({"data": data, "round": len(data["rounds"]) - 1, "selected_class": "town"})
    body = (
        f"<style>{styles('live_explorer')}</style><main></main>"
        f'<script type="application/json" id="first">{state}</script>'
        f"<script type=module>{module('live_explorer')}{LIVE}</script>"
    )
    path = folder / "live.html"
    path.write_text(page("live", body), encoding="utf-8")
    return path


@pytest.fixture
def live(browser, run, tmp_path):
    "The page of a run of which two rounds are done, with a kernel"
    so_far = replace(run, rounds=run.rounds[:2])
    context = browser.new_context(reduced_motion="reduce", viewport={"width": 1280, "height": 720})
    page = context.new_page()
    said = watched(page, "file:")
    page.goto(live_page(run_page_data(so_far), tmp_path).as_uri())
    page.wait_for_selector(READY)
    yield page
    context.close()
    assert not said


FROM_PYTHON = "changed => window.model.fromPython(changed)"


def test_the_live_page_grows_with_the_run(live, run):
    assert "round 1" in said(live)
    for done in (3, 4):
        data = run_page_data(replace(run, rounds=run.rounds[:done]))
        live.evaluate(FROM_PYTHON, {"data": data, "round": done - 1})
        assert f"round {done - 1}" in said(live)
        right = (run.rounds[done - 1].pool_predictions == run.task.train.labels).mean()
        assert live.locator("[data-value=accuracy]").inner_text() == percent(right)
        to_tabs(live)
        score = live.locator("[data-value=score]").inner_text()
        assert score == percent(run.rounds[done - 1].score)
    to_round(live, 0)
    assert live.evaluate("window.taken")[-1] == [0, "town"]


def test_the_live_page_and_python_hold_the_same_class(live):
    assert live.locator("select").input_value() == "3"
    assert live.locator(".heads [aria-pressed=true]").count() == 0
    live.locator(".heads [data-class='1']").click()
    assert live.evaluate("window.taken")[-1] == [1, "forest"]
    live.evaluate(FROM_PYTHON, {"selected_class": "road"})
    to_tabs(live)
    assert live.locator("select").input_value() == "5"
    assert live.locator(".heads [aria-pressed=true]").get_attribute("data-class") == "5"


def test_the_live_page_shows_another_run(live):
    other = made_up(noise_task(NAMES, 60, 60, seed=4), 1)
    live.evaluate(FROM_PYTHON, {"data": run_page_data(other), "round": 1})
    live.wait_for_function("document.querySelector('.title').textContent.includes('60 pictures')")
    bare = run_page_data(Run(other.settings, other.rounds))
    live.evaluate(FROM_PYTHON, {"data": bare, "round": 0})
    assert live.locator("canvas").count() == 0
    assert "Round 0 of 1" in live.locator(".round").inner_text()


LANDED = """number => new Promise((landed) => {
  const root = document.querySelector(".plab");
  root.addEventListener("plab-landed", (event) => landed(event.detail.times), { once: true });
  const slider = document.querySelector("input[type=range]");
  slider.value = number;
  slider.dispatchEvent(new Event("input"));
})"""


def test_tiles_fly_in_time_with_the_numbers_in_view(browser, tmp_path):
    "A generous bound on the script of a frame: the machine may be busy"
    run = made_up(noise_task(NAMES, 600, 60))
    options = {"viewport": {"width": 1280, "height": 1500}, "reduced_motion": "no-preference"}
    with shown(browser, run_page(run), tmp_path, **options) as page:
        page.mouse.click(5, 5)
        to_round(page, 2)
        times = sorted(time for number in (3, 0) for time in page.evaluate(LANDED, number))
        assert times[len(times) // 2] < 16, times


@pytest.mark.slow
def test_many_classes_and_pictures_open(browser, tmp_path):
    run = made_up(noise_task([f"class {i}" for i in range(200)], 6000, 2000), 3)
    with shown(browser, run_page(run), tmp_path) as page:
        to_tabs(page)
        for tab in TABS:
            page.get_by_role("tab", name=tab).click()
            to_round(page, 2)
            to_round(page, 3)
