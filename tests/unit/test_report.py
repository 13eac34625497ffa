"""The report and its figures: what they say is what the run holds, whatever the classes are called
and however little is labelled.
"""

import base64
import io
import pickle
import re
from dataclasses import replace
from html.parser import HTMLParser

import matplotlib
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image

from pseudolab import PromptTuner, load_task
from pseudolab.method.intervals import wilson_interval
from pseudolab.method.near_duplicates import from_here
from pseudolab.method.pseudolabels import precision
from pseudolab.method.run import Round, Run, RunSettings
from pseudolab.views.format import percent, points, short
from pseudolab.views.plots import MARKS, plot_per_class, plot_precision, plot_score
from pseudolab.views.report import _copies, compared, outcome, report_html, write_report
from support.clips import untrained
from support.photos import picture
from support.runs import made_up, noise_task

matplotlib.use("Agg")
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "بحيرة كبيرة",
    "</td></table><script>alert(1)</script>",
    "$\\frac{1}{0}$ & $x",
    "&amp; \" ' ` {} %s",
    "a" * 300,
    "http://example.org/x.png",
    "--><!--",
    "森の湖",
    "]]>",
    "line\nbreak\ttab",
    "\u202eevil",
    "url(javascript:alert(1))",
    "x\x00y\x1b[31m",
]
THREE = ("river", "forest", "sea lake")
TEST_IMAGES = 150  # of each class


class Drawn:
    "Rounds with numbers drawn at random"

    def __init__(self, n_classes: int, seed: int):
        self.n_classes = n_classes
        self.rng = np.random.default_rng(seed)

    def audit(self, k: int) -> pd.DataFrame:
        "An audit of `k` labels per class"
        right = self.rng.integers(0, k + 1, self.n_classes)
        columns = {
            "chosen": np.full(self.n_classes, k),
            "right": right,
            "precision": right / k,
            "recall": right / 60,
            "mean_confidence": self.rng.random(self.n_classes),
        }
        return pd.DataFrame(columns).rename_axis("class")

    def round(self, number: int, labelled: bool, audited: bool) -> Round:
        "A round; its accuracies are those of `TEST_IMAGES` images per class"
        k = 5 * number
        accuracies = np.full(self.n_classes, np.nan)
        if labelled:
            right = self.rng.integers(0, TEST_IMAGES + 1, self.n_classes)
            accuracies = right / TEST_IMAGES
        has_audit = audited and number > 0
        return Round(
            number=number,
            k=k,
            score=float(accuracies.mean()) if labelled else None,
            per_class_accuracy=accuracies,
            predictions=np.zeros(TEST_IMAGES * self.n_classes, np.int64),
            audit=self.audit(k) if has_audit else None,
            audit_zero_shot=self.audit(k) if has_audit else None,
            seconds=1.0,
            pool_logits=self.rng.normal(size=(20, self.n_classes)).astype(np.float16),
        )


def some_run(
    names=THREE,
    rounds=3,
    labelled=True,
    audited=True,
    seed=0,
    counts=True,
    paradigm="ul",
    strategy="grip",
    planned=None,
) -> Run:
    "A run with numbers drawn at random"
    n_classes = len(names)
    about = {
        "name": "some task",
        "class_names": list(names),
        "template": "a photo of a {}",
        "n_train": 20,
        "n_test": TEST_IMAGES * n_classes,
    }
    if counts:
        about["test_counts"] = [TEST_IMAGES] * n_classes
    choices = RunSettings(
        task=about,
        clip={"name": "pocket", "pretrained": None},
        prompt="text",
        paradigm=paradigm,
        strategy=strategy,
        recipe={"name": "pocket", "epochs": 30},
        seed=seed,
        k=[5 * number for number in range(1, (planned or rounds) + 1)],
        versions={"pseudolab": "0.1.0"},
    )
    drawn = Drawn(n_classes, seed)
    return Run(choices, [drawn.round(number, labelled, audited) for number in range(rounds + 1)])


VOID = {"meta", "br", "img", "input", "link", "hr"}
KNOWN = set(
    "html head meta title style body main h1 h2 h3 p section div table thead tbody tr th td figure"
    " figcaption details summary dl dt dd footer span bdi svg g path use defs text clippath"
    " rect".split()
)
POINTING = ("src", "href", "xlink:href", "srcset", "action", "data", "poster")


class Page(HTMLParser):
    "A page taken apart: every element closed, texts in order, tables as rows"

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.references: list[str] = []
        self.texts: list[str] = []
        self.rows: list[list[str]] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes += attributes
        self.ids += [value for name, value in attributes if name == "id"]
        self.references += [value for name, value in attributes if name in POINTING]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"{tag} closes another element"

    def handle_data(self, data):
        if "style" in self.open:
            return
        self.texts.append(data)
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data

    def words(self) -> str:
        "All texts"
        return " ".join(self.texts)

    def rows_of(self, head: str, width: int) -> list[list[str]]:
        "The rows of `width` cells whose first is `head`"
        return [row for row in self.rows if row and row[0] == head and len(row) == width]


def checked(runs: list[Run]) -> Page:
    "The report of `runs`, held to what every report must be"
    text = report_html(runs)
    page = Page(text)
    assert page.tags <= KNOWN, page.tags - KNOWN
    assert all(reference.startswith("#") for reference in page.references)
    assert "@import" not in text
    assert "url(http" not in text
    assert not any(name.startswith("on") for name, _ in page.attributes)
    assert len(page.ids) == len(set(page.ids)), "an id occurs twice"
    assert {reference[1:] for reference in page.references} <= set(page.ids)
    assert "nan" not in re.sub(r"[^a-z]+", " ", page.words().lower()).split()
    return page


# --- what it says


def test_the_table_of_rounds_holds_the_numbers_of_the_run():
    run = some_run(rounds=4)
    page = checked([run])
    for played in run.rounds[1:]:
        [row] = page.rows_of(str(played.number), width=7)
        assert row[1:5] == [
            str(played.k),
            percent(played.score),
            percent(precision(played.audit)),
            percent(precision(played.audit_zero_shot)),
        ]
        assert run.class_names[int(played.per_class_accuracy.argmin())] in row[5]
        assert run.class_names[int(played.per_class_accuracy.argmax())] in row[6]


def test_the_table_of_classes_holds_the_numbers_of_the_run():
    run = some_run(rounds=4)
    page = checked([run])
    for c, name in enumerate(run.class_names):
        first = run.rounds[0].per_class_accuracy[c]
        last = run.rounds[-1].per_class_accuracy[c]
        low, high = wilson_interval(last, TEST_IMAGES)
        interval = f"{100 * low:.0f}–{100 * high:.0f} %"
        change = points(last - first)
        assert page.rows_of(name, width=6) == [
            [name, percent(first), percent(last), change, interval, str(TEST_IMAGES)]
        ]


def test_the_weakest_class_comes_first_as_in_the_figure():
    run = some_run(names=[f"class {i}" for i in range(12)])
    rows = checked([run]).rows
    names = [row[0] for row in rows if row[0].startswith("class ") and len(row) == 6]
    before = run.rounds[0].per_class_accuracy
    assert names == [f"class {c}" for c in np.argsort(before, kind="stable")]


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_outcome_is_plain_and_true(first, last):
    run = some_run(rounds=1)
    run.rounds[0].score = first
    run.rounds[-1].score = last
    words = outcome(run)
    assert words.count(".") >= 2
    assert percent(last) in words
    assert percent(first) in words
    wanted = "level with" if abs(last - first) < 0.0004 else "above" if last > first else "below"
    on_the_edge = abs(abs(last - first) - 0.0005) < 0.0002
    assert wanted in words or on_the_edge


def test_a_stopped_run_says_how_far_it_came():
    assert "after 2 of 10 rounds" in outcome(some_run(rounds=2, planned=10))
    assert "ended" in outcome(some_run(rounds=2))


def test_a_difference_is_level_or_in_points():
    assert compared(0.0) == "level with"
    assert compared(-0.01) == "1.0 point below"


@pytest.mark.parametrize(
    "strategy, rounds", [("zero_shot", 0), ("labelled", 1), ("fpl", 1), ("ifpl", 2), ("my own", 2)]
)
def test_every_strategy_has_a_report(strategy, rounds):
    run = some_run(strategy=strategy, rounds=rounds, audited=strategy != "labelled")
    if strategy == "labelled":
        run = Run(replace(run.settings, k=[]), run.rounds)
    page = checked([run])
    assert outcome(run) in page.words()
    assert "after" not in outcome(run)


def test_the_metric_is_named():
    assert "harmonic mean" in checked([some_run(paradigm="trzsl")]).words()


def test_settings_and_versions_are_all_there():
    texts = checked([some_run(seed=41)]).texts
    assert {
        "seed",
        "41",
        "recipe.epochs",
        "30",
        "versions.pseudolab",
        "0.1.0",
        "task.template",
        "a photo of a {}",
    } <= set(texts)


def test_settings_are_folded():
    page = report_html([some_run()])
    folded = page[page.index("<details>") : page.index("</details>")]
    assert folded.count("<dt>") == page.count("<dt>") > 10
    assert "<details open" not in page


# --- the pictures


@pytest.fixture
def with_pictures():
    return made_up(noise_task(list(THREE), 60, 60), 2)


def places_of_pages(text: str) -> int:
    return text.count('<div class="plab"')


def test_a_run_whose_pictures_are_at_hand_shows_them(with_pictures):
    text = report_html([with_pictures])
    assert places_of_pages(text) == 1
    assert "not at hand" not in text
    bare = Run(with_pictures.settings, with_pictures.rounds)
    assert "run.report(path, task=...)" in report_html([bare])
    assert report_html([bare], with_pictures.task) == text


def test_two_runs_on_the_same_pictures_share_a_page(with_pictures):
    beside = made_up(with_pictures.task, 2, seed=1)
    assert places_of_pages(report_html([with_pictures, beside])) == 1
    apart = made_up(noise_task(list(THREE), 60, 60, seed=3), 2)
    assert places_of_pages(report_html([with_pictures, apart])) == 2
    third = made_up(with_pictures.task, 1, seed=2)
    assert places_of_pages(report_html([with_pictures, beside, third])) == 3


def test_another_task_is_refused(with_pictures):
    with pytest.raises(ValueError, match="is not the one of this run"):
        report_html([with_pictures], noise_task(list(THREE), 60, 60, seed=3))


# --- near-duplicates


class Eyes:
    "A CLIP that sees what it is told: a vector per training and per test image"

    def __init__(self, task, train: np.ndarray, test: np.ndarray):
        self.seen = {id(task.train.images): train, id(task.test.images): test}

    def image_features(self, images):
        rows = torch.from_numpy(self.seen[id(images)])
        return rows / rows.norm(dim=1, keepdim=True)


@pytest.fixture
def files(tmp_path, monkeypatch, own_cache):
    "A run on twelve training and ten test files; test image i is near training image i + 1"
    monkeypatch.chdir(tmp_path)
    for at in range(12):
        colour = (20 * at, 255 - 20 * at, 0)
        picture(
            tmp_path / "train" / ("a" if at < 6 else "b") / f"{at:02} <b>&.png", colour, (300, 150)
        )
    for at in range(10):
        colour = (20 * at, 0, 99)
        picture(tmp_path / "test" / ("a" if at < 5 else "b") / f"{at:02}.png", colour, (40, 80))
    task = load_task("folder", root=tmp_path)
    run = made_up(task, 1)
    train = np.eye(13)[:12]
    away = np.eye(13)[12]
    # the farther down, the farther apart: cosines fall from 1 on
    test = np.stack([train[at + 1] + 0.01 * at * away for at in range(10)])
    run.clip = Eyes(task, train, test)
    return run


def near_section(text: str) -> str:
    assert text.count("<h2>Near-duplicates</h2>") == 1
    return text[text.index("<h2>Near-duplicates</h2>") : text.rindex("</section>")]


def test_near_duplicates_are_shown_with_their_files_and_cosines(files):
    section = near_section(report_html([files]))
    assert "10 pairs of a training and a test image are nearly the same" in section
    assert "<details><summary>" in section and "<details open" not in section
    page = Page(section)
    rows = [row for row in page.rows if len(row) == 3 and row[0] != "training image"]
    train = sorted(str(path) for path in files.task.train.paths)
    test = sorted(str(path) for path in files.task.test.paths)
    cosines = [1 / np.sqrt(1 + (0.01 * at) ** 2) for at in range(8)]
    assert rows == [
        [from_here(train[at + 1]), from_here(test[at]), f"{cosines[at]:.4f}"] for at in range(8)
    ]
    assert rows[0][0] == "train/a/01 <b>&.png"
    # small pictures of just these files, in the page itself
    assert len(page.references) == 16
    for reference, at in ((page.references[4], 3), (page.references[14], 8)):
        head, _, data = reference.partition(",")
        assert head == "data:image/jpeg;base64"
        small = Image.open(io.BytesIO(base64.b64decode(data)))
        assert small.size == (112, 56)
        mean = np.asarray(small).mean(axis=(0, 1))
        assert np.abs(mean - (20 * at, 255 - 20 * at, 0)).max() < 4


def test_nothing_stands_there_without_near_duplicates_or_without_files(files, with_pictures):
    text = report_html([files])
    task = files.task
    files.clip = Eyes(task, np.eye(22)[:12], np.eye(22)[12:])
    without = report_html([files])
    assert "ear-duplicates" not in without
    assert text.replace(text[text.index("<section><h2>Near-dup") : text.index("</main>")], "") == (
        without
    )
    with_pictures.clip = files.clip
    assert "ear-duplicates" not in report_html([with_pictures])


def test_runs_on_the_same_files_share_the_section(files):
    beside = made_up(files.task, 1, seed=1)
    for clip in (files.clip, None):
        beside.clip = clip
        for runs in ([files, beside], [beside, files]):
            near_section(_copies(runs, None))
    assert near_section(report_html([beside, files])) == near_section(_copies([files], None))


def test_a_run_knows_its_clip_and_its_pickle_does_not_carry_it(files):
    tuner = PromptTuner(untrained(), strategy="zero_shot")
    run = tuner.fit(files.task, progress=False)
    assert run.clip is tuner.clip
    assert replace(run, rounds=[]).clip is tuner.clip
    again = pickle.loads(pickle.dumps(run))
    assert again.clip is None and again.settings == run.settings


def test_a_run_without_its_clip_says_what_to_do(files):
    files.clip = None
    text = report_html([files])
    assert "were not looked for" in text and "set run.clip" in text
    assert "<h2>Near-duplicates" not in text
    bare = Run(files.settings, files.rounds)
    assert "ear-duplicates" not in report_html([bare])


# --- little is labelled


@pytest.mark.parametrize("audited", [False, True])
def test_without_test_labels(audited):
    page = checked([some_run(labelled=False, audited=audited)])
    for words in ("no labels", "no score", "given to"):
        assert words in page.words()
    assert ("svg" in page.tags) == audited
    given_after = [int(row[2]) for name in THREE for row in page.rows_of(name, width=4)]
    assert sum(given_after) == 20


def test_a_class_without_a_test_image():
    run = some_run()
    for played in run.rounds:
        played.per_class_accuracy[1] = np.nan
    run.settings.task["test_counts"][1] = 0
    [row] = checked([run]).rows_of("forest", width=6)
    assert row[1:5] == ["no labels"] * 4


def test_a_run_that_noted_no_counts_has_no_interval():
    assert "interval" not in checked([some_run(counts=False)]).words()


def test_a_run_without_a_round_is_an_error():
    for runs in ([], [Run(some_run().settings)]):
        with pytest.raises(ValueError):
            report_html(runs)


# --- whatever classes are called


def test_hostile_names_are_shown_and_do_nothing():
    run = some_run(HOSTILE)
    run.settings.task["name"] = HOSTILE[0]
    run.settings.recipe["name"] = HOSTILE[2]
    texts = checked([run, run]).texts
    for name in set(HOSTILE) - {"x\x00y\x1b[31m"}:
        assert name in texts


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=40), min_size=2, max_size=5, unique=True))
def test_any_names(names):
    checked([some_run([f"{i} {name}" for i, name in enumerate(names)], rounds=1)])


def test_a_name_for_a_figure_is_one_short_line():
    for name in HOSTILE:
        assert len(short(name)) <= 28
        assert "\n" not in short(name)
        assert all(letter.isprintable() for letter in short(name))


def test_many_classes():
    checked([some_run([f"class {i}" for i in range(102)], rounds=1)])


@pytest.mark.slow
def test_many_runs():
    page = checked([some_run(seed=i, rounds=1 + i) for i in range(3)])
    assert "3 runs" in page.words()
    assert any("some task" in row[1] for row in page.rows if row[0] == "3")
    checked([some_run(), some_run(labelled=False)])


def test_written_whole_and_the_same_each_time(tmp_path):
    first = write_report([some_run()], tmp_path / "deep" / "report.html")
    again = write_report([some_run()], tmp_path / "again.html")
    assert list(first.parent.iterdir()) == [first]
    assert first.read_bytes() == again.read_bytes()


def test_names_that_are_not_valid_unicode(tmp_path):
    run = some_run()
    run.settings.clip["pretrained"] = "folder/\udcff.pt"
    report = write_report([run], tmp_path / "report.html")
    assert "folder/" in report.read_text(encoding="utf-8")


# --- figures


def empty_axes():
    return Figure().add_subplot()


def test_the_score_is_plotted_into_the_axes_that_are_given():
    run = some_run(rounds=4)
    ax = empty_axes()
    assert plot_score(run, ax=ax) is ax
    assert list(ax.lines[1].get_ydata()) == [played.score for played in run.rounds]
    assert set(ax.lines[0].get_ydata()) == {run.rounds[0].score}


def test_precision_is_plotted_for_both_audits():
    run = some_run(rounds=4)
    ax = plot_precision(run, ax=empty_axes())
    for line, name in zip(ax.lines, ("audit", "audit_zero_shot"), strict=True):
        audits = [getattr(played, name) for played in run.rounds[1:]]
        assert np.allclose(line.get_ydata(), [precision(audit) for audit in audits])


def test_classes_are_plotted_in_the_order_of_their_accuracy():
    run = some_run(rounds=4)
    ax = plot_per_class(run, ax=empty_axes())
    assert np.allclose(ax.lines[0].get_xdata(), np.sort(run.rounds[0].per_class_accuracy))
    markers = {line.get_marker() for line in ax.lines}
    assert len(markers) == len(ax.lines), "each colour has a marker of its own"


def test_runs_of_one_figure_differ_in_more_than_colour():
    ax = empty_axes()
    for style in range(len(MARKS)):
        plot_score(some_run(seed=style), ax=ax, style=style, label=str(style))
    lines = [line for line in ax.lines if line.get_marker() != "None"]
    assert len({line.get_marker() for line in lines}) == len(MARKS)
    assert len({line.get_color() for line in lines}) == len(MARKS)


@pytest.mark.parametrize("plot", [plot_score, plot_precision, plot_per_class])
def test_nothing_to_plot_is_an_error_with_a_reason(plot):
    with pytest.raises(ValueError, match="label|truth"):
        plot(some_run(labelled=False, audited=False))


# --- in a browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_in_a_browser(browser, tmp_path, scheme, width):
    runs = [some_run(HOSTILE[:8]), some_run(labelled=False)]
    path = write_report(runs, tmp_path / "report.html")
    viewport = {"width": width, "height": 700}
    context = browser.new_context(viewport=viewport, color_scheme=scheme, offline=True)
    page = context.new_page()
    asked = []
    said = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.on("console", lambda message: said.append(message.text))
    page.goto(path.as_uri(), wait_until="load")
    assert asked == [path.as_uri()]
    assert not said
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert contrast_of_texts(page) >= 4.5
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pictures_move_in_a_browser(browser, tmp_path, with_pictures, scheme):
    path = write_report([with_pictures], tmp_path / "report.html")
    context = browser.new_context(color_scheme=scheme, offline=True, reduced_motion="reduce")
    page = context.new_page()
    said = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda message: said.append(message.text))
    page.goto(path.as_uri())
    page.wait_for_selector(".plab[data-ready]")
    assert page.locator(".plab").get_attribute("data-theme") == scheme
    page.locator("input[type=range]").fill("1")
    assert "round 1" in page.locator(".says").inner_text()
    assert not page.locator("dl").is_visible()
    page.locator("main > section > details summary").click()
    assert page.locator("dl").is_visible()
    context.close()
    assert not said


CONTRAST = """() => {
  const parse = (text) => text.match(/[0-9.]+/g).map(Number);
  const linear = (v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const paper = light(parse(getComputedStyle(document.body).backgroundColor));
  const ratio = (ink) => (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
  const property = (node) => (node.namespaceURI.endsWith("svg") ? "fill" : "color");
  const colour = (node) => getComputedStyle(node)[property(node)];
  const texts = "h1, h2, h3, p, td, th, dt, dd, figcaption, footer, svg text";
  const nodes = [...document.querySelectorAll(texts)];
  return Math.min(...nodes.map((node) => ratio(light(parse(colour(node))))));
}"""


def contrast_of_texts(page) -> float:
    "The least contrast of any text with the paper"
    return page.evaluate(CONTRAST)
