"The nine cells: every prompt, paradigm and strategy runs, is cut and resumed, saved and loaded."

import shutil
from itertools import product

import numpy as np
import pytest
import torch

from pseudolab.data.tasks import load_task
from pseudolab.method.recipe import Recipe
from pseudolab.method.schedules import Constant, Growing
from pseudolab.method.selectors import select_top_k
from pseudolab.method.splits import semi_supervised, transductive
from pseudolab.method.strategies import Strategy
from pseudolab.method.training import rng_for
from pseudolab.method.tuner import PromptTuner

SMALL = Recipe.pocket().replace(epochs=1, min_steps=0)


@pytest.fixture(scope="module")
def task():
    return load_task("satellite", n_train=12, n_test=6)


def two_rounds(k=3):
    return Strategy("ifpl", 2, Constant(k))


TRAINED = {  # what an image tower must be run for is slow
    "text": (),
    "visual": pytest.mark.slow,
    "multimodal": pytest.mark.slow,
}
CELLS = [
    pytest.param(prompt, paradigm, strategy, marks=marks)
    for prompt, marks in TRAINED.items()
    for paradigm in ("ssl", "trzsl", "ul")
    for strategy in ("zero_shot", "labelled", "fpl", "ifpl", "grip")
    if (paradigm, strategy) != ("ul", "labelled")
]


@pytest.mark.parametrize("prompt, paradigm, strategy", CELLS)
def test_every_cell_runs(clip, task, prompt, paradigm, strategy):
    schedule = {
        "ifpl": two_rounds(),
        "grip": Strategy("grip", 2, Growing(2)),
        "fpl": Strategy("fpl", 1, Constant(4)),
    }.get(strategy, strategy)
    tuner = PromptTuner(clip, prompt=prompt, paradigm=paradigm, strategy=schedule, recipe=SMALL)
    run = tuner.fit(task, progress=False)
    assert len(run.rounds) == 1 + {"zero_shot": 0, "ifpl": 2, "grip": 2}.get(strategy, 1)
    assert (
        0 <= run.score <= 1
        and run.rounds[-1].predictions.shape == (len(task.test),)
        and tuner.score() == run.score
    )
    if strategy in ("fpl", "ifpl", "grip"):
        assert set(run.rounds[-1].pseudolabels.label) <= set(tuner.split(task).allowed)


@pytest.mark.parametrize(
    "prompt",
    [
        "text",
        pytest.param("visual", marks=pytest.mark.slow),
        pytest.param("multimodal", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("recipe", ["pocket", "authors_code"])
def test_a_run_that_was_cut_ends_with_the_same_numbers(clip, task, tmp_path, prompt, recipe):
    def make():
        return PromptTuner(
            clip,
            prompt=prompt,
            paradigm="ssl",
            strategy=Strategy("grip", 3, Growing(3)),
            recipe=Recipe.named(recipe).replace(epochs=1, min_steps=0),
        )

    whole = make().fit(task, out=tmp_path / "whole", progress=False)
    shutil.copytree(tmp_path / "whole", tmp_path / "cut")
    for path in (tmp_path / "cut" / "rounds").glob("0[23].*"):
        path.unlink()
    resumed = make().fit(task, out=tmp_path / "cut", resume=True, progress=False)
    for a, b in zip(whole.rounds, resumed.rounds, strict=True):
        assert a.score == b.score and np.array_equal(a.predictions, b.predictions)
        assert all(
            np.array_equal(a.prompt_state[name], b.prompt_state[name]) for name in a.prompt_state
        )


@pytest.mark.parametrize(
    "prompt, options",
    [
        ("text", dict(n_tokens=3)),
        ("visual", dict(n_tokens=3, depth="deep")),
        ("multimodal", dict(n_tokens=2, attention="full")),
    ],
)
def test_a_tuner_survives_saving(clip, task, tmp_path, prompt, options):
    tuner = PromptTuner(
        clip,
        prompt=prompt,
        prompt_options=options,
        strategy=Strategy("fpl", 1, Constant(3)),
        recipe=SMALL,
    )
    tuner.fit(task, progress=False)
    tuner.save(tmp_path)
    again = PromptTuner.load(tmp_path, clip)
    assert (
        np.array_equal(again.predict_proba(task.test.images), tuner.predict_proba(task.test.images))
        and again.prompt_options == options
    )


@pytest.mark.parametrize(
    "prompt, options, word",
    [
        ("text", dict(depth="deep"), "depth"),
        ("visual", dict(depth="middle"), "middle"),
        ("multimodal", dict(attention="none"), "none"),
        ("visual", dict(n_tokens=-1), "-1"),
    ],
)
def test_options_that_a_prompt_does_not_have(clip, task, prompt, options, word):
    with pytest.raises(ValueError, match=word):
        PromptTuner(clip, prompt=prompt, prompt_options=options, strategy="fpl", recipe=SMALL).fit(
            task, progress=False
        )


def test_another_seed_draws_other_shots_and_the_same_seed_the_same(task):
    def draw(seed):
        return semi_supervised(task, 2, seed).labelled.images.digest()

    assert draw(0) == draw(0) != draw(1)


def test_a_callback_hears_of_each_round_once(clip, task):
    heard = []
    run = PromptTuner(clip, strategy=two_rounds(), recipe=SMALL).fit(task, progress=heard.append)
    assert heard == run.rounds


def test_a_round_is_labelled_by_the_prompt_of_the_round_before(clip, task):
    "Not by zero-shot CLIP, but in the first round"
    tuner = PromptTuner(clip, strategy=Strategy("grip", 3, Growing(3)), recipe=SMALL)
    rounds, labellers = [], []
    for round in tuner.iter_fit(task):
        rounds.append(round)
        with torch.no_grad():
            labellers.append(tuner.prompt_.logits(task.train.images))
    differ = []
    for round, labeller in zip(rounds[1:], labellers, strict=False):
        expected = select_top_k(labeller, round.k)
        assert np.array_equal(round.pseudolabels.index, expected.index)
        by_zero_shot = select_top_k(labellers[0], round.k)
        differ.append(not np.array_equal(expected.index, by_zero_shot.index))
    assert differ == [False, True, True]


def test_nothing_is_learned_before_fit(clip):
    tuner = PromptTuner(clip)
    assert not hasattr(tuner, "prompt_") and not hasattr(tuner, "run_")
    with pytest.raises(ValueError, match="call fit"):
        tuner.predict([])


def test_pool_and_labelled_images_of_a_split_are_apart(task):
    "No image is in both, and together they are the training images"
    for split in (semi_supervised(task, 2), transductive(task)):
        labelled, pool = (
            [images[[i]].digest() for i in range(len(images))]
            for images in (split.labelled.images, split.pool.images)
        )
        assert len(labelled) + len(pool) == len(task.train)
        assert not set(labelled) & set(pool)


def test_pseudolabels_of_trzsl_may_name_the_unseen_classes_alone(task):
    split = transductive(task)
    assert set(split.allowed) == set(range(10)) - set(split.seen) and len(split.allowed) == 4
    assert set(split.labelled.labels) == set(split.seen)


def test_every_seed_round_and_purpose_has_its_own_random_numbers():
    places = list(product((0, 1, 2), (0, 1, 2), (0, 1)))
    drawn = {tuple(torch.rand(2, generator=rng_for(*place)).tolist()) for place in places}
    assert len(drawn) == len(places)
