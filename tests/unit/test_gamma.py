"The weight of the labelled images, where it is not the paradigm's own"

from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from pseudolab import ImageSet, PromptTuner, Recipe, Run, load_task
from pseudolab.cli.app import app
from pseudolab.cli.label import LabelOptions
from pseudolab.method.strategies import Strategy
from pseudolab.method.training import Term
from support.photos import picture

SHORT = Recipe.pocket().replace(epochs=1, min_steps=0)
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_cache")]


def tuner_of(clip, gamma=None, paradigm="ssl", rounds=1, **others):
    strategy = Strategy.named("grip", rounds=rounds)
    arguments = {"paradigm": paradigm, "strategy": strategy, "recipe": SHORT, **others}
    return PromptTuner(clip, gamma=gamma, **arguments)


def term(n: int) -> Term:
    return Term(np.arange(n), np.zeros(n, int))


@pytest.fixture(scope="module")
def task(clip, own_cache):
    return load_task("satellite", n_train=8, n_test=2)


@pytest.mark.parametrize(
    "paradigm, gamma, expected",
    [
        ("ssl", None, (3.0, 1.0)),
        ("ssl", 1, (1.0, 1.0)),
        ("ssl", 0, (0.0, 1.0)),
        ("trzsl", None, (1.0, 1 / 3)),
        ("trzsl", 2.5, (2.5, 1 / 3)),
    ],
)
def test_gamma_takes_the_place_of_the_paradigms(clip, paradigm, gamma, expected):
    tuner = tuner_of(clip, gamma, paradigm)
    assert tuner._weights(term(4), term(12)) == expected


def test_with_one_kind_of_image_its_term_weighs_one(clip):
    tuner = tuner_of(clip, 0.25)
    assert tuner._weights(term(4), None) == (1.0, 0.0)
    assert tuner._weights(None, term(4)) == (0.0, 1.0)


def test_it_wins_over_the_slip_of_the_released_code(clip):
    turned = Recipe.pocket().replace(inverted_weights=True)
    assert tuner_of(clip, recipe=turned, rounds=2)._weights(term(4), term(12))[0] == 1 / 3
    assert tuner_of(clip, 2, recipe=turned, rounds=2)._weights(term(4), term(12))[0] == 2


@pytest.mark.parametrize("gamma", [-1, float("nan"), float("inf")])
def test_what_is_no_weight(clip, gamma):
    with pytest.raises(ValueError, match="gamma is .*must be a number from 0 up"):
        PromptTuner(clip, paradigm="ssl", gamma=gamma)


def test_nothing_is_labelled(clip):
    with pytest.raises(ValueError, match="unsupervised learning has none"):
        PromptTuner(clip, gamma=1)


def test_it_moves_what_is_learned_and_is_kept(clip, task, tmp_path):
    paper = tuner_of(clip).fit(task, progress=False)
    tuner = tuner_of(clip, 0.5)
    run = tuner.fit(task, tmp_path, progress=False)
    assert "gamma" not in paper.settings.to_dict() and run.settings.gamma == 0.5
    ours, theirs = (r.rounds[1].prompt_state["context"] for r in (run, paper))
    assert not np.array_equal(ours, theirs)
    assert Run.load(tmp_path).settings.gamma == 0.5
    assert PromptTuner.load(tmp_path, clip).get_params()["gamma"] == 0.5
    tuner.save(tmp_path / "saved")
    assert PromptTuner.load(tmp_path / "saved", clip).gamma == 0.5
    with pytest.raises(ValueError, match="another gamma"):
        tuner_of(clip).fit(task, tmp_path, resume=True, progress=False)


def test_the_weight_that_the_paradigm_has_anyway_gives_the_same_run(clip, task):
    "Half of the images are labelled, and all others pseudolabelled: the weight is known"
    labels = task.train.labels.copy()
    labels[::2] = -1
    half = replace(task, train=ImageSet(task.train.images, labels))
    both = [
        tuner_of(clip, gamma, shots_draw="all").fit(half, progress=False) for gamma in (None, 1.0)
    ]
    assert len(both[0].rounds[1].pseudolabels) == len(labels) / 2
    contexts = [run.rounds[1].prompt_state["context"] for run in both]
    assert np.array_equal(*contexts)


@pytest.mark.parametrize("given, expected", [(None, 1.0), (3.0, 3.0), (0.0, 0.0)])
def test_labels_by_hand_weigh_as_much_as_all_pseudolabels(given, expected):
    assert LabelOptions(gamma=given).method(has_labels=True).gamma == expected


def test_without_labels_by_hand_there_is_no_weight():
    assert LabelOptions().method(has_labels=False).gamma is None


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for at in range(8):
        picture(tmp_path / "photos" / f"{at}.png", (30 * at, 90, 160))
    (tmp_path / "hand.csv").write_text("image,label\nphotos/3.png,river\n", encoding="utf-8")
    short = ["--epochs", "1", "--rounds", "1", "--quiet"]
    return ["label", "photos", "--class-names", "river,forest", *short, "--run", "out"]


@pytest.mark.parametrize("more, expected", [([], 1.0), (["--gamma", "4"], 4.0)])
def test_the_command_label(photos, more, expected):
    result = CliRunner().invoke(app, [*photos, "--labels", "hand.csv", *more])
    assert result.exit_code == 0, result.output
    assert Run.load("out").settings.gamma == expected


def test_the_command_label_with_a_weight_and_no_label(photos):
    assert CliRunner().invoke(app, photos).exit_code == 0
    assert Run.load("out").settings.gamma is None
    result = CliRunner().invoke(app, [*photos[:-1], "other", "--gamma", "4"])
    assert result.exit_code == 1 and "unsupervised learning has none" in result.output


def test_the_command_run(photos):
    result = CliRunner().invoke(
        app,
        "run --task satellite --paradigm ssl --gamma 2 --epochs 1 --rounds 1 --quiet".split()
        + ["--out", "run"],
    )
    assert result.exit_code == 0, result.output
    assert Run.load("run").settings.gamma == 2
