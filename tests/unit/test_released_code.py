"""What the released code does, in recorded numbers.

The numbers were worked out by hand from a description of its behaviour.
"""

import json
from dataclasses import asdict
from math import prod

import numpy as np
import pytest
import torch

from pseudolab.data.tasks import load_task
from pseudolab.method.recipe import Recipe
from pseudolab.method.training import (
    batch_order,
    effective_weight,
    learning_rate,
    mean_shares,
)
from pseudolab.method.tuner import PromptTuner

PAPER, CODE = Recipe.paper(), Recipe.authors_code()
SMALL = Recipe.pocket().replace(epochs=1, min_steps=0)


@pytest.fixture(scope="module")
def task():
    return load_task("satellite", n_train=12, n_test=6)


# ---- warm-up
# ---------------------------------------------------------------------


def rates(recipe, n, field="learning_rate"):
    return [learning_rate(epoch, recipe, field) for epoch in range(n)]


@pytest.mark.parametrize("epochs", [6, 15, 150, 1000])
def test_warm_up_is_five_epochs_whatever_their_number(epochs):
    paper, code = (recipe.replace(epochs=epochs) for recipe in (PAPER, CODE))
    assert np.allclose(rates(paper, 6), [0.02, 0.04, 0.06, 0.08, 0.1, 0.1])
    assert np.allclose(rates(code, 6), [0, 0.02, 0.04, 0.06, 0.08, 0.1])
    assert rates(code, 1) == [0.0]
    multimodal = rates(code, 3, "learning_rate_multimodal")
    assert np.allclose(multimodal, [0, 0.002, 0.004])


def test_after_the_warm_up_comes_a_whole_half_wave():
    recipe = PAPER.replace(epochs=15)
    # ten epochs along a cosine: half the rate in the middle
    assert np.allclose(rates(recipe, 15)[5::5], [0.1, 0.05])
    assert rates(recipe, 15)[-1] == pytest.approx(0.05 * (1 - np.cos(np.pi / 10)))


@pytest.mark.parametrize("epochs", [1, 3, 5])
def test_a_short_round_is_all_warm_up(epochs):
    recipe = PAPER.replace(epochs=epochs)
    assert np.allclose(rates(recipe, epochs), [0.02 * (e + 1) for e in range(epochs)])


def test_the_pocket_recipe_has_no_warm_up():
    for epochs in (5, 60):
        recipe = Recipe.pocket().replace(epochs=epochs)
        found = rates(recipe, epochs)
        assert found[0] == recipe.learning_rate and found == sorted(found, reverse=True)
        assert found == rates(recipe.replace(first_epoch_zero=True), epochs)


def test_a_tuner_saved_with_another_version_is_refused(clip, task, tmp_path):
    tuner = PromptTuner(clip, strategy="zero_shot", recipe=SMALL)
    tuner.fit(task, progress=False)
    tuner.save(tmp_path)
    saved = json.loads((tmp_path / "tuner.json").read_text())
    recipe = saved["arguments"]["recipe"]
    del recipe["warmup_epochs"]
    recipe["warmup"] = 5 / 150
    (tmp_path / "tuner.json").write_text(json.dumps(saved))
    with pytest.raises(ValueError, match=r"lacks \['warmup_epochs'\].*\['warmup'\].*Fit and save"):
        PromptTuner.load(tmp_path, clip)
    with pytest.raises(ValueError, match="no switch called.*warmup.*warmup_epochs"):
        Recipe.paper().replace(warmup=0.1)
    assert Recipe.from_dict(asdict(SMALL)) == SMALL


# ---- micro-batches
# ---------------------------------------------------------------------

# labelled, pseudolabelled -> share of gamma that is left, with means over 64 and over 16 images,
# as drawn batches gave it
DRAWN = {(20, 580): (0.877, 0.421), (94, 3666): (0.803, 0.334), (20, 4000): (0.281, 0.077)}
# the same by the hypergeometric distribution, the last and smaller batch of an epoch included
EXACT = {(20, 580): (0.866, 0.418), (94, 3666): (0.803, 0.334), (20, 4000): (0.274, 0.077)}


def chance(n_kind, n_images, size):
    "That a batch holds an image of a kind: none of `size` images, drawn one by one, is another"
    others = n_images - n_kind
    return 1 - prod((others - i) / (n_images - i) for i in range(size))


@pytest.mark.parametrize("counts", EXACT)
def test_what_is_left_of_a_rare_term(counts):
    L, P = counts
    for place, size in enumerate((64, 16)):
        found = effective_weight(L, L + P, size)
        assert found == pytest.approx(EXACT[counts][place], abs=5e-4)
        assert found == pytest.approx(DRAWN[counts][place], abs=0.012)
        n, rest = divmod(L + P, size)
        whole, last = chance(L, L + P, size), chance(L, L + P, rest)
        assert found == pytest.approx((n * whole + last) / (n + 1))


@pytest.mark.parametrize("counts", EXACT)
def test_what_is_left_of_a_rare_term_in_drawn_batches(counts):
    L, P = counts
    for place, size in enumerate((64, 16)):
        generator = torch.Generator().manual_seed(3)
        held = []
        for _ in range(100):
            order = batch_order([L, P], "shuffled", generator)
            held += [bool((batch < L).any()) for batch in order.split(size)]
        assert np.mean(held) == pytest.approx(EXACT[counts][place], abs=0.02)


@pytest.mark.parametrize("separate, size", [(False, 64), (True, 16)])
def test_a_term_trains_with_what_is_left_of_its_weight(separate, size):
    "The shares in the mean of the labelled, summed over a step"
    L, P = 20, 580
    recipe = PAPER.replace(batch_size=16, accumulate=4, micro_batch_means=separate)
    generator = torch.Generator().manual_seed(1)
    sums = []
    for _ in range(60):
        order = batch_order([L, P], "shuffled", generator)
        for step in order[:576].split(64):
            labelled = step < L
            shares = mean_shares(~labelled, recipe)[0]
            # a micro-batch without a labelled image adds nothing to their mean
            held = torch.stack([part.any() for part in labelled.split(16)])
            sums.append(shares[held].sum().item())
    assert np.mean(sums) == pytest.approx(chance(L, L + P, size), abs=0.03)


def test_who_takes_means_over_what():
    assert CODE.batch_size * CODE.accumulate == PAPER.batch_size * PAPER.accumulate == 64
    assert CODE.micro_batch_means and not PAPER.micro_batch_means
    assert not Recipe.pocket().micro_batch_means
