"""The run explorer: what it is given, and what a browser makes of it with the network cut off."""

import base64
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from pseudolab.data.tasks import load_task
from pseudolab.method.pseudolabels import precision
from pseudolab.method.run import Run
from pseudolab.method.splits import make_split
from pseudolab.views.explorer import explore, quarters, run_data, sprite, task_of
from pseudolab.views.format import percent, points
from support.pages import opened
from support.runs import made_up, noise_task, without_labels

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "أرض زراعية",
    "a" * 200,
    "</script><script>alert(2)</script>",
    "${alert(3)}",
]
TABS = ("Pictures", "Pseudolabels", "Confusion", "Table")


@pytest.fixture(scope="module")
def task():
    return noise_task(["river", "forest", "sea lake", "town"], 120, 200)


@pytest.fixture(scope="module")
def run(task):
    return made_up(task)


# ---- what it is given


def test_frames_are_the_run(run):
    frames = run_data(run)["rounds"]
    assert [frame["score"] for frame in frames] == [played.score for played in run.rounds]
    for frame, played in zip(frames, run.rounds, strict=True):
        np.testing.assert_allclose(frame["accuracy"], played.per_class_accuracy, atol=5e-5)
        assert frame["number"] == played.number
        assert frame["k"] == played.k
        assert sum(frame["given"]) == 120


def test_frames_hold_the_audits_if_there_are_any(run):
    frames = run_data(run)["rounds"]
    assert "right" not in frames[0]
    for frame, played in zip(frames[1:], run.rounds[1:], strict=True):
        assert frame["right"] == played.audit["right"].tolist()
        assert frame["zero_right"] == played.audit_zero_shot["right"].tolist()
        assert sum(frame["given_labels"]) == len(played.pseudolabels)


@pytest.fixture
def half_right():
    "A round that calls half of its 400 test images right, and their labels"
    task = noise_task(["a", "b", "c", "d"], 8, 400)
    labels = task.test.labels
    right = np.random.default_rng(0).random(400) < 0.5
    predictions = np.where(right, labels, (labels + 1) % 4)
    return replace(made_up(task, 1).rounds[0], predictions=predictions), labels


def test_quarters_of_no_change_are_nothing(half_right):
    before, labels = half_right
    assert quarters(before, before, labels) == (0, 0)


def test_quarters_of_a_uniform_gain_are_the_gain(half_right):
    before, labels = half_right
    weak, strong = quarters(before, replace(before, predictions=labels), labels)
    assert abs(weak - 0.5) < 0.15
    assert abs(strong - 0.5) < 0.15


def test_other_tasks_and_other_classes_are_refused(run, task):
    with pytest.raises(ValueError, match="is not the one of this run"):
        run_data(run, task=noise_task(task.class_names, 120, 200, seed=9))
    with pytest.raises(ValueError, match="other classes"):
        run_data(run, made_up(noise_task(["x", "y"], 20, 20)))
    with pytest.raises(ValueError, match="no round yet"):
        run_data(Run(run.settings))


def test_a_run_without_its_task_says_so(run):
    data = run_data(Run(run.settings, run.rounds))
    assert data["pool"] is None
    assert any("task=" in note for note in data["notes"])
    assert any("regression" in note for note in data["notes"])


def test_a_saved_pocket_run_finds_its_pictures_again(tmp_path):
    task = load_task("digits")
    run = made_up(task, 1)
    run.settings.task["source"] = task.source
    run.save(tmp_path)
    again = Run.load(tmp_path)
    assert again.task is None
    assert task_of(again).test.digest() == task.test.digest()
    assert run_data(again)["pool"]["size"] == 600


@pytest.mark.parametrize("paradigm", ["ssl", "trzsl"])
def test_pool_of_other_paradigms_is_that_of_the_split(run, task, paradigm):
    split = make_split(task, paradigm)
    pool = len(split.pool)
    nothing = {"pseudolabels": None, "audit": None, "audit_zero_shot": None}
    cut = [
        replace(played, pool_logits=played.pool_logits[:pool], **nothing) for played in run.rounds
    ]
    data = run_data(Run(replace(run.settings, paradigm=paradigm), cut, task))
    assert data["pool"]["size"] == pool < len(task.train)
    assert data["unseen"] == (None if paradigm == "ssl" else split.allowed.tolist())


@pytest.mark.slow
def test_ten_rounds_of_twenty_classes_are_small():
    "With 1,200 drawn pictures"
    task = load_task("landuse")
    assert len(task.class_names) == 20
    assert len(task.train) == 1200
    size = len(explore(made_up(task, 10)).html().encode())
    assert size <= 400_000, size


@pytest.mark.slow
def test_large_runs_are_summarised():
    task = noise_task([f"class {i}" for i in range(102)], 6000, 6120)
    widget = explore(made_up(task, 10))
    assert widget.data["pool"]["carried"] == 1200
    assert any("1,200 of the 6,000" in note for note in widget.data["notes"])
    assert len(widget.html()) < 1_000_000


def test_sprite_holds_the_pictures_in_order():
    colours = [(250, 0, 0), (0, 250, 0), (0, 0, 250)]
    made = sprite([Image.new("RGB", (90, 60), colour) for colour in colours])
    file = io.BytesIO(base64.b64decode(made["src"].split(",")[1]))
    sheet = Image.open(file).convert("RGB")
    middle = made["size"] // 2
    for i, colour in enumerate(colours):
        found = sheet.getpixel((i * made["size"] + middle, middle))
        assert np.abs(np.array(found) - colour).max() < 25


def test_a_sprite_that_cannot_fit_is_refused():
    with pytest.raises(ValueError, match="do not fit"):
        sprite([Image.new("RGB", (9, 9))], most=10)


def test_live_traits_are_checked(run):
    traitlets = pytest.importorskip("traitlets")
    live = run.explore(live=True)
    live.round = 2
    live.selected_class = "town"
    with pytest.raises(traitlets.TraitError, match="rounds 0 to 3"):
        live.round = 4
    with pytest.raises(traitlets.TraitError, match="choose one of"):
        live.selected_class = "moon"
    assert live.round == 2
    assert live.selected_class == "town"


def test_the_live_script_is_a_module(run):
    pytest.importorskip("anywidget")
    live = run.explore(live=True)
    assert "mountAll" in live._esm
    assert "export default { render }" in live._esm
    assert ".plab" in live._css


# ---- in a browser


def shown(browser, widget, folder, **options):
    "The page of one saved explorer; it does not play by itself"
    return opened(browser, widget, folder, **({"reduced_motion": "reduce"} | options))


def to_round(page, number):
    page.locator("input[type=range]").fill(str(number))


def value(page, name):
    return page.locator(f"[data-value={name}]").inner_text()


def round_said(page):
    return page.locator(".round").inner_text()


def rows_of_classes(page):
    "The first list of classes"
    return page.locator("svg[role=listbox]").first


def test_score_and_quarters_are_those_of_the_round(browser, run, tmp_path):
    with shown(browser, explore(run), tmp_path) as page:
        for played in run.rounds:
            to_round(page, played.number)
            gain = points(played.score - run.rounds[0].score)
            weak, strong = quarters(run.rounds[0], played, run.task.test.labels)
            assert value(page, "score") == percent(played.score)
            assert value(page, "gain") == f"{gain} points"
            assert page.locator(".sentence").inner_text() == (
                f"Weakest quarter of the classes {points(weak)}, strongest quarter"
                f" {points(strong)} points."
            )


def cells_of(run, played, c):
    "What the table says of a class in a round"
    first = run.rounds[0].per_class_accuracy[c]
    now = played.per_class_accuracy[c]
    cells = [run.class_names[c], percent(first), percent(now), points(now - first)]
    if played.audit is not None:
        given = np.bincount(played.pseudolabels.label, minlength=len(run.class_names))
        right = (played.audit["right"][c], played.audit_zero_shot["right"][c])
        cells += [str(number) for number in (given[c], *right)]
    return cells


def test_the_table_is_that_of_the_round(browser, run, tmp_path):
    with shown(browser, explore(run), tmp_path) as page:
        page.get_by_role("tab", name="Table").click()
        for played in run.rounds:
            to_round(page, played.number)
            rows = page.locator("tbody tr")
            assert rows.count() == len(run.class_names)
            for c in range(len(run.class_names)):
                cells = rows.nth(c).locator("th, td").all_inner_texts()
                assert cells == cells_of(run, played, c)


def test_the_chart_of_precision_says_its_numbers(browser, run, tmp_path):
    with shown(browser, explore(run), tmp_path) as page:
        described = page.locator("svg[role=img]").nth(1).get_attribute("aria-label")
        for played in run.rounds[1:]:
            assert percent(precision(played.audit)) in described
            assert percent(precision(played.audit_zero_shot)) in described


MARKS = "node => [...node.querySelectorAll('polygon')].map(p => p.getAttribute('points')).join()"


def test_the_slider_changes_what_is_drawn(browser, run, tmp_path):
    with shown(browser, explore(run), tmp_path) as page:
        seen = set()
        for number in range(4):
            to_round(page, number)
            seen.add(rows_of_classes(page).evaluate(MARKS))
        assert len(seen) == 4
        assert "Round 3 of 3" in round_said(page)
        page.get_by_role("button", name="One round back").click()
        assert "Round 2 of 3" in round_said(page)


CHOSEN = """() => [
  document.querySelector("select").selectedOptions[0].textContent,
  ...[...document.querySelectorAll("[role=option][aria-selected=true]")].map((row) =>
    row.getAttribute("data-class"),
  ),
]"""


def test_a_class_chosen_anywhere_is_chosen_everywhere(browser, run, tmp_path):
    with shown(browser, explore(run, made_up(run.task, seed=1)), tmp_path) as page:
        rows_of_classes(page).locator("[data-class='3']").click()
        assert page.evaluate(CHOSEN) == ["town", "3", "3"]  # in both panels
        assert "pseudolabelled as town" in page.locator("[role=tabpanel]").inner_text()
        page.get_by_role("tab", name="Pseudolabels").click()
        page.locator("[role=tabpanel] [data-class='1']").click()
        assert page.evaluate(CHOSEN) == ["forest", "1", "1", "1"]
        page.get_by_role("tab", name="Confusion").click()
        page.locator("[role=tabpanel] svg rect").nth(0).click()
        name, *rows = page.evaluate(CHOSEN)
        assert name in run.class_names
        assert len(set(rows)) == 1
        page.get_by_role("tab", name="Table").click()
        page.locator("select").select_option(label="river")
        assert page.evaluate(CHOSEN) == ["river", "0", "0"]
        assert page.locator("tr.chosen th").inner_text() == "river"


def labelled(played, c):
    "The images that a round labels as class c"
    return {int(i) for i in played.pseudolabels.index[played.pseudolabels.label == c]}


def pictures_of(run, number, c):
    "The images behind every filter, for class c in a round"
    truth = run.task.train.labels
    now = labelled(run.rounds[number], c)
    before = labelled(run.rounds[number - 1], c)
    given_before = {int(i) for i in run.rounds[number - 1].pseudolabels.index}
    return {
        "All": now,
        "Right": {i for i in now if truth[i] == c},
        "Wrong": {i for i in now if truth[i] != c},
        "Newly in": now - before,
        "Newly out": before - now,
        "Flipped": (now - before) & given_before,
    }


IMAGES = "nodes => nodes.map(node => node.dataset.image)"


@pytest.mark.parametrize("number", [2, 3])
def test_pictures_are_those_of_the_round(browser, run, tmp_path, number):
    with shown(browser, explore(run), tmp_path) as page:
        to_round(page, number)
        page.locator("select").select_option(label="sea lake")
        for name, images in pictures_of(run, number, c=2).items():
            page.get_by_role("radio", name=re.compile(f"^{name} ")).click()
            more = page.locator("[data-key=every]")
            if more.count():
                more.click()
            found = page.locator("button.picture").evaluate_all(IMAGES)
            assert {int(image) for image in found} == images, name


BRIGHTNESS = [0.299, 0.587, 0.114]  # colours are coarser than that in a WebP
MIDDLE = """canvas => {
  const middle = canvas.width * 0.375;
  return [...canvas.getContext("2d").getImageData(middle, middle, 1, 1).data].slice(0, 3);
}"""


def test_each_button_shows_its_picture(browser, run, tmp_path):
    "The buttons stand there before the pictures are decoded"
    with shown(browser, explore(run), tmp_path) as page:
        page.wait_for_timeout(300)
        for button in page.locator("button.picture").all()[:6]:
            image = run.task.train.images[int(button.get_attribute("data-image"))]
            seen = button.locator("canvas").evaluate(MIDDLE)
            blot = np.array(image.getpixel((10, 10)))  # blots are seven pixels wide
            assert abs((np.array(seen) - blot) @ BRIGHTNESS) < 40


def test_a_picture_tells_its_labels(browser, run, tmp_path):
    with shown(browser, explore(run), tmp_path) as page:
        page.get_by_role("radio", name=re.compile("^All ")).click()
        page.locator("button.picture").first.click()
        assert "Its label in round 1:" in page.locator("[role=tabpanel]").inner_text()


STOPS = """() => {
  const kinds = ".plab button, .plab select, .plab input, .plab [tabindex='0']";
  return [...document.querySelectorAll(kinds)].filter((node) => node.tabIndex >= 0).length;
}"""
HERE = "() => [...document.querySelectorAll('.plab *')].indexOf(document.activeElement)"


def test_the_keyboard_reaches_every_control(browser, run, tmp_path):
    with shown(browser, explore(run), tmp_path) as page:
        wanted = page.evaluate(STOPS)
        reached = set()
        for _ in range(wanted + 5):
            page.keyboard.press("Tab")
            reached.add(page.evaluate(HERE))
        assert len(reached - {-1}) == wanted


def test_the_keyboard_moves_rounds_classes_and_tabs(browser, run, tmp_path):
    with shown(browser, explore(run), tmp_path) as page:
        page.locator("input[type=range]").focus()
        page.keyboard.press("ArrowLeft")
        assert "Round 2 of 3" in round_said(page)
        rows_of_classes(page).focus()
        page.keyboard.press("Home")
        page.keyboard.press("ArrowDown")
        second = rows_of_classes(page).locator("[role=option]").nth(1)
        assert second.get_attribute("aria-selected") == "true"
        assert page.evaluate("document.activeElement.getAttribute('role')") == "listbox"
        page.get_by_role("tab", name="Pictures").focus()
        page.keyboard.press("ArrowRight")
        assert page.evaluate("document.activeElement.textContent") == "Pseudolabels"
        selected = page.locator("[role=tab][aria-selected=true]")
        assert selected.inner_text() == "Pseudolabels"


SAYS = "document.querySelector('.round').textContent"


def test_it_plays_once(browser, run, tmp_path):
    with shown(browser, explore(run), tmp_path, reduced_motion="no-preference") as page:
        page.wait_for_function(f"{SAYS}.includes('Round 1 of 3')")
        page.wait_for_function(f"{SAYS}.includes('Round 3 of 3')")
        page.wait_for_timeout(1200)
        assert "Round 3 of 3" in page.evaluate(SAYS)


def test_it_does_not_play_with_reduced_motion(browser, run, tmp_path):
    with shown(browser, explore(run), tmp_path) as page:
        page.wait_for_timeout(1200)
        assert "Round 3 of 3" in page.evaluate(SAYS)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 375])
def test_a_phone_has_no_sideways_scroll(browser, run, tmp_path, scheme, width):
    phone = {
        "viewport": {"width": width, "height": 700},
        "color_scheme": scheme,
        "is_mobile": True,
        "has_touch": True,
    }
    widget = explore(run, made_up(run.task, seed=1))
    with shown(browser, widget, tmp_path, **phone) as page:
        for tab in TABS:
            page.get_by_role("tab", name=tab).click()
            assert page.evaluate("document.documentElement.scrollWidth") <= width, tab
        assert page.locator(".plab").get_attribute("data-theme") == scheme


def test_hostile_names_are_text(browser, tmp_path):
    run = made_up(noise_task(HOSTILE, 60, 60))
    assert "<img src=x" not in explore(run).html()
    with shown(browser, explore(run, made_up(run.task, seed=1)), tmp_path) as page:
        for tab in TABS:
            page.get_by_role("tab", name=tab).click()
            assert page.locator(".plab img, .plab script").count() == 0
        assert page.locator("tbody th").all_inner_texts() == HOSTILE
        page.wait_for_timeout(200)


def test_large_runs_open(browser, tmp_path):
    run = made_up(noise_task([f"class {i}" for i in range(102)], 1200, 1200), 4)
    with shown(browser, explore(run), tmp_path) as page:
        rows = rows_of_classes(page).locator("[role=option]")
        assert rows.count() == 40
        page.get_by_role("button", name="All 102 classes").click()
        assert rows.count() == 102
        page.get_by_role("tab", name="Confusion").click()


def test_unlabelled_runs_open(browser, tmp_path):
    run = without_labels(made_up(noise_task(["river", "forest", "sea lake"], 60, 60)))
    with shown(browser, explore(run), tmp_path) as page:
        assert "No labels to test on" in page.locator(".sentence").inner_text()
        assert page.get_by_role("tab", name="Confusion").count() == 0
        assert page.get_by_role("radio", name=re.compile("^Right")).count() == 0
        assert page.locator("button.picture").count() > 0
        assert "images of the pool by zero-shot CLIP" in page.locator(".plab").inner_text()


ROWS = "svg[role=listbox] [role=option]"


def test_a_long_list_is_drawn_where_it_is_seen(browser, tmp_path):
    run = made_up(noise_task([f"class {i}" for i in range(400)], 800, 800), 2)
    with shown(browser, explore(run), tmp_path) as page:
        page.get_by_role("button", name="All 400 classes").click()
        rows = rows_of_classes(page).locator("[role=option]")
        page.wait_for_function(f"document.querySelectorAll('{ROWS}').length > 100")
        assert rows.count() < 300
        height = rows_of_classes(page).evaluate("node => node.getBoundingClientRect().height")
        assert height > 400 * 20  # there is room for all of them
        assert rows.first.get_attribute("aria-setsize") == "400"
        rows_of_classes(page).evaluate("node => node.scrollIntoView(false)")  # its end
        page.wait_for_function(f"document.querySelector('{ROWS}[aria-posinset=\"400\"]')")
        assert rows.count() < 300
        assert rows_of_classes(page).locator("[aria-selected=true]").count() == 1


def test_a_chosen_class_is_drawn_wherever_it_stands(browser, tmp_path):
    run = made_up(noise_task([f"class {i}" for i in range(400)], 800, 800), 1)
    with shown(browser, explore(run), tmp_path) as page:
        page.get_by_role("button", name="All 400 classes").click()
        for key in ("End", "Home"):
            rows_of_classes(page).focus()
            page.keyboard.press(key)
            chosen = rows_of_classes(page).locator("[aria-selected=true]")
            assert chosen.get_attribute("aria-posinset") == ("400" if key == "End" else "1")
        page.get_by_role("tab", name="Table").click()
        page.locator("select").select_option(label="class 399")
        assert page.locator("tbody tr").count() == 151
        assert page.locator("tr.chosen th").inner_text() == "class 399"
        page.get_by_role("button", name="249 more").click()
        assert page.locator("tbody tr").count() == 400
        assert page.locator("tr.chosen th").inner_text() == "class 399"
