"""The run explorer: what it is given, and what a browser makes of it with the network cut off."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.runs import made_up, noise_task

from pseudolab.views.explorer import export, explore, opener, quarters, run_data, sprite, task_of
from pseudolab.views.plots import percent, points
from pseudolab.method.pseudolabels import precision
from pseudolab.method.run import Run
from pseudolab.data.tasks import ImageSet, Task, load_task
from pseudolab.views.html import to_json

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "أرض زراعية",
    "a" * 200,
    "</script><script>alert(2)</script>",
    "${alert(3)}",
]


@pytest.fixture(scope="module")
def task():
    return noise_task(["river", "forest", "sea lake", "town"], 120, 200)


@pytest.fixture(scope="module")
def run(task):
    return made_up(task)


# ---- what it is given


def test_frames_are_the_run(run):
    data = run_data(run)
    assert [f["score"] for f in data["rounds"]] == [r.score for r in run.rounds]
    for f, r in zip(data["rounds"], run.rounds):
        np.testing.assert_allclose(f["accuracy"], r.per_class_accuracy, atol=5e-5)
        assert f["number"] == r.number and f["k"] == r.k and sum(f["given"]) == 120
        if r.audit is None:
            assert "right" not in f
        else:
            assert (
                f["right"] == r.audit["right"].tolist()
                and f["zero_right"] == r.audit_zero_shot["right"].tolist()
                and sum(f["given_labels"]) == len(r.pseudolabels)
            )


def test_quarters_of_no_change_are_nothing_and_of_a_uniform_gain_are_the_gain():
    task = noise_task(["a", "b", "c", "d"], 8, 400)
    labels, rng = task.test.labels, np.random.default_rng(0)
    before = replace(
        made_up(task, 1).rounds[0],
        predictions=np.where(rng.random(400) < 0.5, labels, (labels + 1) % 4),
    )
    assert quarters(before, before, labels) == (0, 0)
    after = replace(before, predictions=labels)
    weak, strong = quarters(before, after, labels)
    assert abs(weak - 0.5) < 0.15 and abs(strong - 0.5) < 0.15


def test_other_tasks_and_other_classes_are_refused(run, task):
    with pytest.raises(ValueError, match="is not the one of this run"):
        run_data(run, task=noise_task(task.class_names, 120, 200, seed=9))
    with pytest.raises(ValueError, match="other classes"):
        run_data(run, made_up(noise_task(["x", "y"], 20, 20)))
    with pytest.raises(ValueError, match="no round yet"):
        run_data(Run(run.settings))


def test_a_run_without_its_task_says_so(run):
    data = run_data(Run(run.settings, run.rounds))
    assert (
        data["pool"] is None
        and any("task=" in note for note in data["notes"])
        and any("regression" in note for note in data["notes"])
    )


def test_a_saved_pocket_run_finds_its_pictures_again(tmp_path):
    task = load_task("digits")
    run = made_up(task, 1)
    run.settings["task"]["source"] = task.source
    run.save(tmp_path)
    again = Run.load(tmp_path)
    assert (
        again.task is None
        and task_of(again).test.digest() == task.test.digest()
        and run_data(again)["pool"]["size"] == 600
    )


@pytest.mark.parametrize("paradigm", ["ssl", "trzsl"])
def test_pool_of_other_paradigms_is_that_of_the_split(run, task, paradigm):
    from pseudolab.method.tuner import make_split

    settings = run.settings | {"paradigm": paradigm}
    pool = len(make_split(task, settings).pool)
    cut = [
        replace(
            r, pseudolabels=None, audit=None, audit_zero_shot=None, pool_logits=r.pool_logits[:pool]
        )
        for r in run.rounds
    ]
    data = run_data(Run(settings, cut, task))
    assert data["pool"]["size"] == pool < len(task.train)
    assert data["unseen"] == (
        None if paradigm == "ssl" else make_split(task, settings).allowed.tolist()
    )


def test_budget_of_the_issue():
    "10 rounds, 20 classes, 1,200 drawn pictures"
    task = load_task("landuse")
    assert len(task.class_names) == 20 and len(task.train) == 1200
    size = len(explore(made_up(task, 10)).html().encode())
    assert size <= 400_000, size


def test_large_runs_are_summarised():
    task = noise_task([f"class {i}" for i in range(102)], 6000, 6120)
    widget = explore(made_up(task, 10))
    assert widget.data["pool"]["carried"] == 1200 and any(
        "1,200 of the 6,000" in note for note in widget.data["notes"]
    )
    assert len(widget.html()) < 1_000_000


def test_sprite_holds_the_pictures_in_order():
    colours = [(250, 0, 0), (0, 250, 0), (0, 0, 250)]
    made = sprite([Image.new("RGB", (90, 60), c) for c in colours])
    import base64
    import io

    sheet = Image.open(io.BytesIO(base64.b64decode(made["src"].split(",")[1]))).convert("RGB")
    for i, colour in enumerate(colours):
        assert (
            np.abs(
                np.array(sheet.getpixel((i * made["size"] + made["size"] // 2, made["size"] // 2)))
                - colour
            ).max()
            < 25
        )
    with pytest.raises(ValueError, match="do not fit"):
        sprite([Image.new("RGB", (9, 9))], most=10)


def test_live_traits_are_checked(run):
    traitlets = pytest.importorskip("traitlets")
    live = run.explore(live=True)
    live.round, live.selected_class = 2, "town"
    with pytest.raises(traitlets.TraitError, match="rounds 0 to 3"):
        live.round = 4
    with pytest.raises(traitlets.TraitError, match="choose one of"):
        live.selected_class = "moon"
    assert (
        (live.round, live.selected_class) == (2, "town")
        and "mountAll" in live._esm
        and "export default { render }" in live._esm
    )


# ---- in a browser


class Opened:
    "One saved widget in a page; complains at the end about errors, dialogs and requests"

    def __init__(self, browser, widget, folder: Path, **options):
        path = widget.save(folder / "page.html")
        self.context = browser.new_context(offline=True, **({"reduced_motion": "reduce"} | options))
        self.page, self.complaints = self.context.new_page(), []
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
            "dialog", lambda dialog: (self.complaints.append(dialog.message), dialog.dismiss())
        )
        self.page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((path.as_uri(), "data:", "blob:"))
                else self.complaints.append(request.url)
            ),
        )
        self.page.goto(path.as_uri())
        self.page.wait_for_selector(".plab[data-mounted]")

    def __enter__(self):
        return self.page

    def __exit__(self, kind, *_):
        self.context.close()
        if kind is None:
            assert not self.complaints, self.complaints


def to_round(page, number):
    page.locator("input[type=range]").fill(str(number))


def value(page, name):
    return page.locator(f"[data-value={name}]").inner_text()


def test_what_is_drawn_is_what_was_computed(browser, run, tmp_path):
    with Opened(browser, run.explore(), tmp_path) as page:
        for r in run.rounds:
            to_round(page, r.number)
            assert (
                value(page, "score") == percent(r.score)
                and value(page, "gain") == f"{points(r.score - run.rounds[0].score)} points"
            )
            weak, strong = quarters(run.rounds[0], r, run.task.test.labels)
            assert (
                page.locator(".sentence").inner_text()
                == f"Weakest quarter of the classes {points(weak)}, strongest quarter"
                f" {points(strong)} points."
            )
            page.get_by_role("tab", name="Table").click()
            for c, name in enumerate(run.class_names):
                cells = page.locator("tbody tr").nth(c).locator("th, td").all_inner_texts()
                first, now = run.rounds[0].per_class_accuracy[c], r.per_class_accuracy[c]
                assert cells[:4] == [name, percent(first), percent(now), points(now - first)]
                if r.audit is not None:
                    assert cells[4:] == [
                        str(np.bincount(r.pseudolabels.label, minlength=4)[c]),
                        str(r.audit["right"][c]),
                        str(r.audit_zero_shot["right"][c]),
                    ]
        described = page.locator("svg[role=img]").nth(1).get_attribute("aria-label")
        for r in run.rounds[1:]:
            assert (
                percent(precision(r.audit)) in described
                and percent(precision(r.audit_zero_shot)) in described
            )


def test_the_slider_changes_what_is_drawn(browser, run, tmp_path):
    with Opened(browser, run.explore(), tmp_path) as page:
        seen = set()
        for number in range(4):
            to_round(page, number)
            seen.add(
                page.locator("svg[role=listbox]").first.evaluate(
                    "node => [...node.querySelectorAll('polygon')].map(p =>"
                    " p.getAttribute('points')).join()"
                )
            )
        assert len(seen) == 4
        assert "Round 3 of 3" in page.locator(".round").inner_text()
        page.get_by_role("button", name="One round back").click()
        assert "Round 2 of 3" in page.locator(".round").inner_text()


def test_a_class_chosen_anywhere_is_chosen_everywhere(browser, run, tmp_path):
    with Opened(browser, run.explore(made_up(run.task, seed=1)), tmp_path) as page:
        chosen = lambda: page.evaluate(
            """() => [document.querySelector('select').selectedOptions[0].textContent,
            ...[...document.querySelectorAll('[role=option][aria-selected=true]')].map(row => row.getAttribute('data-class'))]"""
        )
        page.locator("svg[role=listbox]").first.locator("[data-class='3']").click()
        assert chosen() == ["town", "3", "3"]  # in both panels
        assert "pseudolabelled as town" in page.locator("[role=tabpanel]").inner_text()
        page.get_by_role("tab", name="Pseudolabels").click()
        page.locator("[role=tabpanel] [data-class='1']").click()
        assert chosen() == ["forest", "1", "1", "1"]
        page.get_by_role("tab", name="Confusion").click()
        page.locator("[role=tabpanel] svg rect").nth(0).click()
        assert chosen()[0] in run.class_names and len(set(chosen()[1:])) == 1
        page.get_by_role("tab", name="Table").click()
        page.locator("select").select_option(label="river")
        assert (
            chosen() == ["river", "0", "0"] and page.locator("tr.chosen th").inner_text() == "river"
        )


def test_pictures_are_those_of_the_round(browser, run, tmp_path):
    truth = run.task.train.labels
    with Opened(browser, run.explore(), tmp_path) as page:
        for number in (2, 3):
            to_round(page, number)
            page.locator("select").select_option(label="sea lake")
            now, before = (
                {int(i) for i, c in zip(r.pseudolabels.index, r.pseudolabels.label) if c == 2}
                for r in (run.rounds[number], run.rounds[number - 1])
            )
            given_before = {int(i) for i in run.rounds[number - 1].pseudolabels.index}
            expected = {
                "All": now,
                "Right": {i for i in now if truth[i] == 2},
                "Wrong": {i for i in now if truth[i] != 2},
                "Newly in": now - before,
                "Newly out": before - now,
                "Flipped": {i for i in now - before if i in given_before},
            }
            for name, images in expected.items():
                page.get_by_role("radio", name=re.compile(f"^{name} ")).click()
                more = page.locator("[data-key=every]")
                if more.count():
                    more.click()
                assert {
                    int(node)
                    for node in page.locator("button.picture").evaluate_all(
                        "nodes => nodes.map(n => n.dataset.image)"
                    )
                } == images, name
        page.get_by_role("radio", name=re.compile("^All ")).click()
        page.locator("button.picture").first.click()
        assert "Its label in round 1:" in page.locator("[role=tabpanel]").inner_text()


def test_the_keyboard_reaches_every_control(browser, run, tmp_path):
    with Opened(browser, run.explore(), tmp_path) as page:
        wanted = page.evaluate(
            """() => [...document.querySelectorAll('.plab button, .plab select, .plab input, .plab [tabindex="0"]')].filter(n => n.tabIndex >= 0).length"""
        )
        reached = set()
        for _ in range(wanted + 5):
            page.keyboard.press("Tab")
            reached.add(
                page.evaluate(
                    """() => { const all = [...document.querySelectorAll('.plab *')]; return all.indexOf(document.activeElement); }"""
                )
            )
        assert len(reached - {-1}) == wanted
        page.locator("input[type=range]").focus()
        page.keyboard.press("ArrowLeft")
        assert "Round 2 of 3" in page.locator(".round").inner_text()
        rows = page.locator("svg[role=listbox]").first
        rows.focus()
        for key in ("Home", "ArrowDown"):
            page.keyboard.press(key)
        second = page.locator("svg[role=listbox]").first.locator("[role=option]").nth(1)
        assert (
            second.get_attribute("aria-selected") == "true"
            and page.evaluate("document.activeElement.getAttribute('role')") == "listbox"
        )
        page.get_by_role("tab", name="Pictures").focus()
        page.keyboard.press("ArrowRight")
        assert (
            page.evaluate("document.activeElement.textContent") == "Pseudolabels"
            and page.locator("[role=tab][aria-selected=true]").inner_text() == "Pseudolabels"
        )


def test_it_plays_once_and_not_with_reduced_motion(browser, run, tmp_path):
    says = "document.querySelector('.round').textContent"
    with Opened(browser, run.explore(), tmp_path) as page:
        page.wait_for_timeout(1200)
        assert "Round 3 of 3" in page.evaluate(says)
    with Opened(browser, run.explore(), tmp_path, reduced_motion="no-preference") as page:
        page.wait_for_function(f"{says}.includes('Round 1 of 3')")
        page.wait_for_function(f"{says}.includes('Round 3 of 3')")
        page.wait_for_timeout(1200)
        assert "Round 3 of 3" in page.evaluate(says)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 375])
def test_a_phone_has_no_sideways_scroll(browser, run, tmp_path, scheme, width):
    with Opened(
        browser,
        run.explore(made_up(run.task, seed=1)),
        tmp_path,
        viewport={"width": width, "height": 700},
        color_scheme=scheme,
        is_mobile=True,
        has_touch=True,
    ) as page:
        for tab in ("Pictures", "Pseudolabels", "Confusion", "Table"):
            page.get_by_role("tab", name=tab).click()
            assert page.evaluate("document.documentElement.scrollWidth") <= width, tab
        assert page.locator(".plab").get_attribute("data-theme") == scheme


def test_hostile_names_are_text(browser, tmp_path):
    run = made_up(noise_task(HOSTILE, 60, 60))
    with Opened(browser, run.explore(made_up(run.task, seed=1)), tmp_path) as page:
        for tab in ("Pictures", "Pseudolabels", "Confusion", "Table"):
            page.get_by_role("tab", name=tab).click()
            assert page.locator(".plab img, .plab script").count() == 0
        names = page.locator("tbody th").all_inner_texts()
        assert names == HOSTILE
        page.wait_for_timeout(200)
    assert "<img src=x" not in run.explore().html()


def test_large_and_unlabelled_runs_open(browser, tmp_path):
    large = made_up(noise_task([f"class {i}" for i in range(102)], 1200, 1200), 4)
    with Opened(browser, large.explore(), tmp_path) as page:
        assert page.locator("svg[role=listbox]").first.locator("[role=option]").count() == 40
        page.get_by_role("button", name="All 102 classes").click()
        assert page.locator("svg[role=listbox]").first.locator("[role=option]").count() == 102
        page.get_by_role("tab", name="Confusion").click()
    task = noise_task(["river", "forest", "sea lake"], 60, 60)
    run = made_up(task)
    blank = [
        replace(
            r, score=None, per_class_accuracy=np.full(3, np.nan), audit=None, audit_zero_shot=None
        )
        for r in run.rounds
    ]
    unlabelled = Task(
        task.name,
        task.class_names,
        task.template,
        ImageSet(task.train.images, np.full(60, -1)),
        ImageSet(task.test.images, np.full(60, -1)),
    )
    with Opened(browser, Run(run.settings, blank, unlabelled).explore(), tmp_path) as page:
        assert (
            "No labels to test on" in page.locator(".sentence").inner_text()
            and page.get_by_role("tab", name="Confusion").count() == 0
        )
        assert (
            page.get_by_role("radio", name=re.compile("^Right")).count() == 0
            and page.locator("button.picture").count() > 0
        )
        assert "images of the pool by zero-shot CLIP" in page.locator(".plab").inner_text()


def test_a_dropped_file_is_opened_or_refused_with_a_sentence(browser, run, tmp_path):
    good = export(run, tmp_path / "run.json")
    data = json.loads(good.read_text(encoding="utf-8"))
    damaged = {
        "not.json": "{",
        "other.json": json.dumps({"a": 1}),
        "old.json": json.dumps(data | {"schema": 99}),
        "cut.json": to_json(data | {"rounds": [data["rounds"][0] | {"accuracy": [1]}]}),
        "spy.json": to_json(
            data
            | {
                "pool": (
                    data["pool"]
                    | {"pictures": data["pool"]["pictures"] | {"src": "http://127.0.0.1:9/x.webp"}}
                )
            }
        ),
    }
    for name, text in damaged.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    with Opened(browser, opener(), tmp_path) as page:
        says = page.get_by_role("status")
        for name in damaged:
            page.locator("input[type=file]").set_input_files(tmp_path / name)
            page.wait_for_function(
                "name => document.querySelector('[role=status]').textContent.startsWith(name)",
                arg=name,
            )
            assert (
                "cannot be" in says.inner_text() and page.locator("input[type=range]").count() == 0
            )
        page.locator("input[type=file]").set_input_files(good)
        page.wait_for_selector("input[type=range]")
        to_round(page, 1)
        assert value(page, "score") == percent(run.rounds[1].score)
