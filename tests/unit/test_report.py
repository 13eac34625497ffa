"""The report and its figures: what they say is what the run holds, whatever the classes are called
and however little is labelled.
"""

import re
from html.parser import HTMLParser
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudolab.views.plots import MARKS, plot_per_class, plot_precision, plot_score, short
from pseudolab.method.pseudolabels import precision
from pseudolab.views.plots import percent, points
from pseudolab.views.report import compared, outcome, report_html, write_report
from pseudolab.method.run import Round, Run
from pseudolab.method.zero_shot import wilson_interval

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


def some_run(
    names=("river", "forest", "sea lake"),
    rounds=3,
    labelled=True,
    audited=True,
    seed=0,
    counts=True,
    paradigm="ul",
    strategy="grip",
    planned=None,
) -> Run:
    "A run with numbers drawn at random: per-class accuracies of 150 images each"
    rng, C = np.random.default_rng(seed), len(names)

    def table(k):
        right = rng.integers(0, k + 1, C)
        return pd.DataFrame(
            {
                "chosen": np.full(C, k),
                "right": right,
                "precision": right / k,
                "recall": right / 60,
                "mean_confidence": rng.random(C),
            }
        ).rename_axis("class")

    def round(number):
        accuracies, k = (
            (rng.integers(0, 151, C) / 150 if labelled else np.full(C, np.nan)),
            5 * number,
        )
        tables = [table(k), table(k)] if number and audited else [None, None]
        return Round(
            number,
            k,
            float(accuracies.mean()) if labelled else None,
            accuracies,
            np.zeros(150 * C, np.int64),
            None,
            *tables,
            1.0,
            rng.normal(size=(20, C)).astype(np.float16),
        )

    about = {
        "name": "some task",
        "class_names": list(names),
        "template": "a photo of a {}",
        "n_train": 20,
        "n_test": 150 * C,
    } | ({"test_counts": [150] * C} if counts else {})
    return Run(
        {
            "task": about,
            "clip": {"name": "pocket", "pretrained": None},
            "prompt": "text",
            "paradigm": paradigm,
            "strategy": strategy,
            "recipe": {"name": "pocket", "epochs": 30},
            "seed": seed,
            "k": [5 * i for i in range(1, (planned or rounds) + 1)],
            "versions": {"pseudolab": "0.1.0"},
        },
        [round(i) for i in range(rounds + 1)],
    )


VOID = {"meta", "br", "img", "input", "link", "hr"}
KNOWN = set(
    "html head meta title style body main h1 h2 h3 p section div table thead tbody tr th td figure"
    " figcaption dl dt dd footer span bdi svg g path use defs text clippath rect".split()
)


class Page(HTMLParser):
    "A page taken apart: every element closed, texts in order, tables as rows"

    def __init__(self, text: str):
        super().__init__()
        self.open, self.tags, self.ids, self.references, self.texts, self.rows, self.attributes = (
            [],
            set(),
            [],
            [],
            [],
            [],
            [],
        )
        self.feed(text)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes += attributes
        self.ids += [value for name, value in attributes if name == "id"]
        self.references += [
            value
            for name, value in attributes
            if name in ("src", "href", "xlink:href", "srcset", "action", "data", "poster")
        ]
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


def checked(runs: list[Run]) -> Page:
    "The report of `runs`, held to what every report must be"
    text = report_html(runs)
    page = Page(text)
    assert page.tags <= KNOWN, page.tags - KNOWN
    assert (
        all(reference.startswith("#") for reference in page.references)
        and "@import" not in text
        and "url(http" not in text
    )
    assert not any(name.startswith("on") for name, _ in page.attributes)
    assert len(page.ids) == len(set(page.ids)), "an id occurs twice"
    assert {reference[1:] for reference in page.references} <= set(page.ids)
    assert "nan" not in re.sub(r"[^a-z]+", " ", " ".join(page.texts).lower()).split()
    return page


# --- what it says


def test_tables_hold_the_numbers_of_the_run():
    run = some_run(rounds=4)
    page = checked([run])
    for r in run.rounds[1:]:
        row = next(row for row in page.rows if row[0] == str(r.number) and len(row) == 7)
        assert row[1:5] == [
            str(r.k),
            percent(r.score),
            percent(precision(r.audit)),
            percent(precision(r.audit_zero_shot)),
        ]
        assert (
            run.class_names[int(r.per_class_accuracy.argmin())] in row[5]
            and run.class_names[int(r.per_class_accuracy.argmax())] in row[6]
        )
    for c, name in enumerate(run.class_names):
        first, last = (run.rounds[i].per_class_accuracy[c] for i in (0, -1))
        low, high = wilson_interval(last, 150)
        assert [
            name,
            percent(first),
            percent(last),
            points(last - first),
            f"{100 * low:.0f}–{100 * high:.0f} %",
            "150",
        ] in page.rows


def test_losses_come_first():
    run = some_run(names=[f"class {i}" for i in range(12)])
    names = [row[0] for row in checked([run]).rows if row[0].startswith("class ") and len(row) == 6]
    change = run.rounds[-1].per_class_accuracy - run.rounds[0].per_class_accuracy
    assert names == [f"class {c}" for c in np.argsort(change, kind="stable")]


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_outcome_is_plain_and_true(first, last):
    run = some_run(rounds=1)
    run.rounds[0].score, run.rounds[-1].score = first, last
    words = outcome(run)
    assert words.count(".") >= 2 and percent(last) in words and percent(first) in words
    wanted = "level with" if abs(last - first) < 0.0004 else "above" if last > first else "below"
    assert wanted in words or abs(abs(last - first) - 0.0005) < 0.0002


def test_a_stopped_run_says_how_far_it_came():
    assert "after 2 of 10 rounds" in outcome(some_run(rounds=2, planned=10))
    assert (
        "ended" in outcome(some_run(rounds=2))
        and compared(0.0) == "level with"
        and compared(-0.01) == "1.0 point below"
    )


@pytest.mark.parametrize(
    "strategy, rounds", [("zero_shot", 0), ("labelled", 1), ("fpl", 1), ("ifpl", 2), ("my own", 2)]
)
def test_every_strategy_has_a_report(strategy, rounds):
    run = some_run(strategy=strategy, rounds=rounds, audited=strategy != "labelled")
    if strategy == "labelled":
        run.settings["k"] = []
    page = checked([run])
    assert outcome(run) in " ".join(page.texts) and "after" not in outcome(run)


def test_the_metric_is_named():
    assert any("harmonic mean" in text for text in checked([some_run(paradigm="trzsl")]).texts)


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


# --- little is labelled


@pytest.mark.parametrize("audited", [False, True])
def test_without_test_labels(audited):
    page = checked([some_run(labelled=False, audited=audited)])
    words = " ".join(page.texts)
    assert "no labels" in words and "no score" in words and "given to" in words
    assert ("svg" in page.tags) == audited
    assert (
        sum(
            int(row[2])
            for row in page.rows
            if len(row) == 4 and row[0] in ("river", "forest", "sea lake")
        )
        == 20
    )


def test_a_class_without_a_test_image():
    run = some_run()
    for r in run.rounds:
        r.per_class_accuracy[1] = np.nan
    run.settings["task"]["test_counts"][1] = 0
    row = next(row for row in checked([run]).rows if row[0] == "forest" and len(row) == 6)
    assert row[1:5] == ["no labels"] * 4


def test_a_run_that_noted_no_counts_has_no_interval():
    assert not any("interval" in text for text in checked([some_run(counts=False)]).texts)


def test_a_run_without_a_round_is_an_error():
    for runs in ([], [Run(some_run().settings)]):
        with pytest.raises(ValueError):
            report_html(runs)


# --- whatever classes are called


def test_hostile_names_are_shown_and_do_nothing():
    run = some_run(HOSTILE)
    run.settings["task"]["name"] = HOSTILE[0]
    run.settings["recipe"]["name"] = HOSTILE[2]
    texts = checked([run, run]).texts
    for name in set(HOSTILE) - {"x\x00y\x1b[31m"}:
        assert any(name == text for text in texts), name


@settings(max_examples=15, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=40), min_size=2, max_size=5, unique=True))
def test_any_names(names):
    checked([some_run([f"{i} {name}" for i, name in enumerate(names)], rounds=1)])


def test_a_name_for_a_figure_is_one_short_line():
    for name in HOSTILE:
        assert (
            len(short(name)) <= 28
            and "\n" not in short(name)
            and all(letter.isprintable() for letter in short(name))
        )


def test_many_classes_and_many_runs():
    checked([some_run([f"class {i}" for i in range(102)], rounds=1)])
    page = checked([some_run(seed=i, rounds=1 + i) for i in range(3)])
    assert any("3 runs" in text for text in page.texts) and any(
        row[0] == "3" and "some task" in row[1] for row in page.rows
    )
    checked([some_run(), some_run(labelled=False)])


def test_written_whole_and_the_same_each_time(tmp_path):
    first = write_report([some_run()], tmp_path / "deep" / "report.html")
    assert (
        list(first.parent.iterdir()) == [first]
        and first.read_bytes() == write_report([some_run()], tmp_path / "again.html").read_bytes()
    )


def test_names_that_are_not_valid_unicode(tmp_path):
    run = some_run()
    run.settings["clip"]["pretrained"] = "folder/\udcff.pt"
    assert "folder/" in write_report([run], tmp_path / "report.html").read_text(encoding="utf-8")


# --- figures


def test_figures_hold_the_numbers_and_take_an_ax():
    from matplotlib.figure import Figure

    run = some_run(rounds=4)
    ax = Figure().add_subplot()
    assert (
        plot_score(run, ax=ax) is ax
        and list(ax.lines[1].get_ydata()) == [r.score for r in run.rounds]
        and set(ax.lines[0].get_ydata()) == {run.rounds[0].score}
    )
    ax = plot_precision(run, ax=Figure().add_subplot())
    for line, name in zip(ax.lines, ("audit", "audit_zero_shot")):
        assert np.allclose(line.get_ydata(), [precision(getattr(r, name)) for r in run.rounds[1:]])
    ax = plot_per_class(run, ax=Figure().add_subplot())
    assert np.allclose(ax.lines[0].get_xdata(), np.sort(run.rounds[0].per_class_accuracy))
    markers = {line.get_marker() for line in ax.lines}
    assert len(markers) == len(ax.lines), "each colour has a marker of its own"


def test_runs_of_one_figure_differ_in_more_than_colour():
    from matplotlib.figure import Figure

    ax = Figure().add_subplot()
    for i in range(len(MARKS)):
        plot_score(some_run(seed=i), ax=ax, style=i, label=str(i))
    lines = [line for line in ax.lines if line.get_marker() != "None"]
    assert (
        len({line.get_marker() for line in lines})
        == len({line.get_color() for line in lines})
        == len(MARKS)
    )


@pytest.mark.parametrize("plot", [plot_score, plot_precision, plot_per_class])
def test_nothing_to_plot_is_an_error_with_a_reason(plot):
    with pytest.raises(ValueError, match="label|truth"):
        plot(some_run(labelled=False, audited=False))


# --- in a browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_in_a_browser(browser, tmp_path, scheme, width):
    path, asked, said = (
        write_report([some_run(HOSTILE[:8]), some_run(labelled=False)], tmp_path / "report.html"),
        [],
        [],
    )
    context = browser.new_context(
        viewport={"width": width, "height": 700}, color_scheme=scheme, offline=True
    )
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.on("console", lambda message: said.append(message.text))
    page.goto(path.as_uri(), wait_until="load")
    assert asked == [path.as_uri()] and not said
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert contrast_of_texts(page) >= 4.5
    context.close()


CONTRAST = """() => {
  const parse = text => text.match(/[0-9.]+/g).map(Number), light = ([r, g, b]) => { const c = [r, g, b].map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * c[0] + .7152 * c[1] + .0722 * c[2] };
  const paper = light(parse(getComputedStyle(document.body).backgroundColor));
  const ratio = ink => (Math.max(ink, paper) + .05) / (Math.min(ink, paper) + .05);
  const colour = node => getComputedStyle(node)[node.namespaceURI.endsWith("svg") ? "fill" : "color"];
  return Math.min(...[...document.querySelectorAll("h1, h2, h3, p, td, th, dt, dd, figcaption, footer, svg text")].map(node => ratio(light(parse(colour(node))))));
}"""


def contrast_of_texts(page) -> float:
    return page.evaluate(CONTRAST)
