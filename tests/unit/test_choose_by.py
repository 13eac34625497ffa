"Which round's prompt is kept: the last, or the one that does best on the validation images"

from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from pseudolab import ImageSet, PromptTuner, Recipe, Run, Task, load_task
from pseudolab.cli.app import app
from pseudolab.method.strategies import Strategy
from pseudolab.views.format import percent
from pseudolab.views.report import outcome
from support.photos import picture
from support.runs import made_up, noise_task

NAMES = ["river", "lake", "forest"]
SHORT = Recipe.pocket().replace(epochs=4, min_steps=0, learning_rate=1.5)
pytestmark = pytest.mark.usefixtures("own_cache")


def tuner_of(clip, choose_by="validation", **others):
    strategy = Strategy.named("grip", rounds=2)
    return PromptTuner(clip, strategy=strategy, recipe=SHORT, choose_by=choose_by, **others)


@pytest.fixture(scope="module")
def task(clip, own_cache) -> Task:
    "Its validation images have the labels that round 1 gives them"
    drawn = load_task("satellite", n_train=6, n_test=4)
    task = replace(drawn, validation=load_task("satellite", n_train=1, n_test=8, seed=3).test)
    run = tuner_of(clip, "last").fit(task, progress=False)
    given = [round.validation_logits.argmax(1) for round in run.rounds]
    assert (given[0] != given[1]).any() and (given[2] != given[1]).any()
    return replace(task, validation=ImageSet(task.validation.images, given[1]))


def made_up_run(*shares: float | None) -> Run:
    run = made_up(noise_task(NAMES, 60, 20), len(shares) - 1)
    for round, share in zip(run.rounds, shares, strict=True):
        round.validation_score = share
    run.settings = replace(run.settings, choose_by="validation")
    return run


@pytest.mark.parametrize(
    "shares, chosen",
    [((0.2, 0.9, 0.5), 1), ((0.2, 0.9, 0.9), 1), ((0.5, 0.1, 0.2), 0), ((0.0, 0.0, 0.0), 0)],
)
def test_the_best_round_and_of_several_the_earliest(shares, chosen):
    run = made_up_run(*shares)
    assert run.chosen is run.rounds[chosen] and run.score == run.rounds[chosen].score
    assert f"Round {chosen} of 2 was chosen" in run.about
    last = replace(run, settings=replace(run.settings, choose_by=None))
    assert last.chosen is last.rounds[-1] and "chosen" not in last.about


def test_tables_are_those_of_the_chosen_round():
    run = made_up_run(0.2, 0.9, 0.5)
    assert (run.rounds[1].predictions != run.rounds[2].predictions).any()
    assert run.confusion().equals(run.confusion(1)) and not run.confusion().equals(run.confusion(2))
    labels = [NAMES[c] for c in run.rounds[1].pool_predictions]
    assert run.labels()["label"].tolist() == labels
    shorter = replace(run, rounds=run.rounds[:2])
    assert run.labels().equals(shorter.labels()) and run.review(9).equals(shorter.review(9))


def test_reports_tell_the_score_of_the_chosen_round():
    run = made_up_run(0.2, 0.9, 0.5)
    told = outcome(run)
    assert f"ended at {percent(run.rounds[1].score)}" in told
    assert "prompt of round 1, which the validation images prefer" in told
    last = replace(run, settings=replace(run.settings, choose_by=None))
    assert f"ended at {percent(run.rounds[2].score)}, " in outcome(last)
    assert run.rounds[1].score != run.rounds[2].score


def test_the_prompt_of_the_chosen_round_answers(clip, task, tmp_path):
    tuner = tuner_of(clip)
    run = tuner.fit(task, tmp_path, progress=False)
    assert run.chosen.number == 1 and run.chosen.validation_score == 1
    assert np.array_equal(tuner.prompt_.context.detach(), run.rounds[1].prompt_state["context"])
    assert np.array_equal(tuner.predict(task.test.images), np.array(names_of(run)))
    assert tuner.score() == run.score == run.rounds[1].score
    again = Run.load(tmp_path)
    assert again.chosen.number == 1 and again.about == run.about
    loaded = PromptTuner.load(tmp_path, clip)
    assert loaded.choose_by == "validation"
    expected = tuner.predict_proba(task.test.images)
    assert np.array_equal(loaded.predict_proba(task.test.images), expected)
    tuner.save(tmp_path)
    assert PromptTuner.load(tmp_path, clip).get_params()["choose_by"] == "validation"


def names_of(run: Run) -> list[str]:
    return [run.class_names[c] for c in run.rounds[1].predictions]


def test_going_on_trains_from_the_last_round_not_from_the_chosen(clip, task, tmp_path):
    whole = tuner_of(clip).fit(task, progress=False)
    cut = tmp_path / "cut"
    tuner_of(clip).fit(task, cut, progress=False)
    for name in ("02.json", "02.safetensors"):
        (cut / "rounds" / name).unlink()
    tuner = tuner_of(clip)
    run = tuner.fit(task, cut, resume=True, progress=False)
    last, expected = run.rounds[2].prompt_state, whole.rounds[2].prompt_state
    assert np.array_equal(last["context"], expected["context"])
    assert np.array_equal(tuner.prompt_.context.detach(), run.rounds[1].prompt_state["context"])
    with pytest.raises(ValueError, match="another choose_by"):
        tuner_of(clip, "last").fit(task, cut, resume=True, progress=False)


def test_zero_shot_clip_may_be_the_best(clip, task):
    images = task.validation.images
    tuner = tuner_of(clip)
    zero = PromptTuner(clip, strategy=Strategy.named("zero_shot"))
    zero.fit(task, progress=False)
    labels = zero.predict_proba(images).argmax(1)
    run = tuner.fit(replace(task, validation=ImageSet(images, labels)), progress=False)
    assert run.chosen.number == 0
    assert np.array_equal(tuner.predict_proba(images), zero.predict_proba(images))


def test_test_images_do_not_choose(clip, task):
    turned = np.roll(task.test.labels, 7)
    run = tuner_of(clip).fit(replace(task, test=ImageSet(task.test.images, turned)), progress=False)
    assert run.chosen.number == 1


@pytest.mark.parametrize("labels", [None, "unlabelled"])
def test_without_labelled_validation_images(clip, task, labels):
    images = task.validation.images
    validation = None if labels is None else ImageSet(images, np.full(len(images), -1))
    with pytest.raises(ValueError, match="needs labelled validation images.*has none"):
        tuner_of(clip).fit(replace(task, validation=validation), progress=False)


def test_a_word_that_is_no_choice(clip):
    with pytest.raises(ValueError, match=r"choose one of \['last', 'validation'\]"):
        PromptTuner(clip, choose_by="test")


def test_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    parts = ("train", "test", "validation")
    for at, (part, name) in enumerate((part, name) for part in parts for name in NAMES * 2):
        picture(tmp_path / "photos" / part / name / f"{at}.png", (10 * at, 90, 160))
    told = ["run", "--root", "photos", "--epochs", "1", "--rounds", "1", "--quiet", "--out", "out"]
    result = CliRunner().invoke(app, [*told, "--choose-by", "validation"])
    assert result.exit_code == 0, result.output
    run = Run.load("out")
    assert run.settings.choose_by == "validation"
    report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert f"Round {run.chosen.number} of 1 was chosen by the validation images" in report
    (tmp_path / "photos" / "validation").rename(tmp_path / "elsewhere")
    loose = CliRunner().invoke(app, [*told[:-2], "--choose-by", "validation"])
    assert loose.exit_code == 1 and "needs labelled validation images" in loose.output
