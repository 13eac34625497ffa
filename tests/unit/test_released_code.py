"""What the released code does, in recorded numbers.

The numbers were worked out by hand from a description of its behaviour.
"""

import json
from dataclasses import asdict

import numpy as np
import pytest

from pseudolab.data.tasks import load_task
from pseudolab.method.recipe import Recipe
from pseudolab.method.training import learning_rate
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
