"""The whole method: selectors, schedules, every switch of the recipe both ways, the nine cells, the
grid.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import fields
from fractions import Fraction
from math import floor, sqrt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

import pseudolab.method.tuner as tuner_module
from pseudolab.clip.loading import load_clip
from pseudolab.experiments.grid import (
    GRID_FILE,
    Cell,
    beside_the_paper,
    cell_key,
    grid_cells,
    grid_means,
    grid_table,
    keep_result,
    paper_gains,
    paper_scores,
    read_grid,
    result_row,
    run_cell,
    run_grid,
    write_grid,
)
from pseudolab.method.loss import term_weights
from pseudolab.method.prompts.multimodal import MultimodalPrompt
from pseudolab.method.splits import semi_supervised, transductive
from pseudolab.method.pseudolabels import audit, precision
from pseudolab.method.selectors import select_leaderboard, select_top_k
from pseudolab.method.recipe import Recipe
from pseudolab.method.strategies import Strategy, constant, growing
from pseudolab.data.tasks import load_task
from pseudolab.method.prompts.text import TextPrompt
from pseudolab.method.training import Term, batch_order, epochs_of, fit_prompt
from pseudolab.method.tuner import PromptTuner
from pseudolab.method.prompts.visual import VisualPrompt

SMALL = Recipe.pocket().replace(epochs=1, min_steps=0)


@pytest.fixture(scope="module")
def clip():
    return load_clip("pocket", device="cpu")


@pytest.fixture(scope="module")
def task():
    return load_task("satellite", n_train=12, n_test=6)


# Selectors
# ---------------------------------------------------------------------------------------------------------------------------------------------


def biased_pool(seed, n_classes=10, per_class=200):
    """A labeller that knows the classes a little, is surer of some pictures than of others, and
    likes some classes more than others
    """
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat(np.arange(n_classes), per_class))
    clear = rng.uniform(0, 6, len(truth))
    logits = rng.normal(0, 1.6, (len(truth), n_classes)) + np.linspace(0, 3, n_classes)
    logits[np.arange(len(truth)), truth] += clear
    return logits, truth


def share_right(chosen, truth):
    return precision(audit(chosen, truth, int(truth.max()) + 1))


def pairs(chosen, positions):
    return set(zip(positions[chosen.index].tolist(), chosen.label.tolist()))


@pytest.mark.parametrize("seed", range(3))
def test_leaderboard_is_as_good_at_small_k_and_worse_than_exact_top_k_at_the_pools_share(seed):
    logits, truth = biased_pool(seed)
    few, all_of_them = 16, len(truth) // 10
    assert (
        abs(
            share_right(select_leaderboard(logits, few), truth)
            - share_right(select_top_k(logits, few), truth)
        )
        < 0.05
    )
    assert (
        share_right(select_leaderboard(logits, all_of_them), truth)
        < share_right(select_top_k(logits, all_of_them), truth) - 0.05
    )


def test_leaderboard_depends_on_the_order_of_the_images_and_exact_top_k_does_not():
    logits, truth = biased_pool(0)
    order = np.random.default_rng(1).permutation(len(truth))
    here = np.arange(len(truth))
    for select, same in ((select_top_k, True), (select_leaderboard, False)):
        first, second = pairs(select(logits, 200), here), pairs(select(logits[order], 200), order)
        assert (first == second) is same
    assert len(first & second) < 0.95 * len(first)


def test_leaderboard_by_hand():
    """Two classes, one place each. Image 0 takes class 0; image 1 prefers 0, cannot beat it, and
    takes 1; image 2 beats 0; who was pushed off is offered nowhere
    """
    logits = np.log(np.array([[0.8, 0.2], [0.7, 0.3], [0.9, 0.1]]))
    chosen = select_leaderboard(logits, 1)
    assert list(zip(chosen.index.tolist(), chosen.label.tolist())) == [(2, 0), (1, 1)]
    assert np.allclose(chosen.confidence, [0.9, 0.3])
    # 2 first, then 1 and 0 in turn are refused by class 0 and offered to class 1
    backwards = select_leaderboard(logits[::-1], 1)
    assert [(2 - i, c) for i, c in zip(backwards.index.tolist(), backwards.label.tolist())] == [
        (2, 0),
        (1, 1),
    ]


def test_a_leaderboard_with_room_is_not_in_order():
    """While there is room, entries stand as they came, so the one to beat is the last, not the
    weakest
    """
    logits = np.log(np.array([[0.6, 0.4], [0.9, 0.1], [0.8, 0.2]]))
    chosen = select_leaderboard(logits, 2, allowed=[0])
    assert chosen.index.tolist() == [0, 1]  # 2 is surer than 0, but 1 stands last
    assert select_top_k(logits, 2, allowed=[0]).index.tolist() == [1, 2]


@given(st.integers(2, 40), st.integers(2, 6), st.integers(0, 999), st.data())
@settings(max_examples=60)
def test_leaderboard_never_gives_a_class_more_than_its_places(n, c, seed, data):
    k = data.draw(st.integers(1, n))
    allowed = data.draw(
        st.none() | st.lists(st.integers(0, c - 1), min_size=1, unique=True).map(sorted)
    )
    chosen = select_leaderboard(np.random.default_rng(seed).normal(size=(n, c)), k, allowed=allowed)
    counts = np.bincount(chosen.label, minlength=c)
    assert counts.max() <= k and set(chosen.label) <= set(range(c) if allowed is None else allowed)
    assert len(pairs(chosen, np.arange(n))) == len(chosen)  # no pair twice


@pytest.mark.parametrize("k", [0, 5])
def test_leaderboard_refuses_a_k_that_does_not_fit(k):
    with pytest.raises(ValueError, match="pool has 4"):
        select_leaderboard(np.zeros((4, 2)), k)


# Schedules
# ---------------------------------------------------------------------------------------------------------------------------------------------

POOLS = {
    "Flowers102": (2040, 102),
    "RESISC45": (6300, 45),
    "FGVC-Aircraft": (6667, 100),
    "MNIST": (60000, 10),
    "EuroSAT": (27000, 10),
    "DTD": (3760, 47),
}


@pytest.mark.parametrize("name", POOLS)
@pytest.mark.parametrize("shots", [0, 2])
def test_grip_takes_the_published_k(name, shots):
    U, C = POOLS[name]
    U -= shots * C
    assert [growing()(i, U, C) for i in range(1, 11)] == [
        floor(Fraction(i * U, 10 * C)) for i in range(1, 11)
    ]


def test_published_slips_of_the_released_code():
    k = PromptTuner(
        load_clip("pocket", device="cpu"), paradigm="ssl", recipe="authors_code"
    ).strategy.k
    # Flowers102, semi-supervised: the formula gives 9 and 18
    assert [k(i, 2040 - 204, 102) for i in (5, 10)] == [8, 17]
    assert k(10, 3760 - 94, 47) == 77  # DTD: 78
    assert [k(i, 6300, 45) for i in range(1, 11)] == [14, 28, 42, 56, 70, 84, 98, 112, 126, 140]
    assert [k(i, 2040, 102) for i in range(1, 11)] == [2, 4, 6, 8, 10, 12, 14, 16, 18, 20]


# Switches of the recipe
# --------------------------------------------------------------------------------------------------------------------------------


def spied(monkeypatch):
    "Record what `fit_prompt` is given, and train"
    calls, real = [], tuner_module.fit_prompt

    def spy(prompt, terms, recipe, **options):
        calls.append(
            dict(
                terms=[(term.pseudo, len(term.labels), term.weight) for term in terms],
                start={name: p.detach().clone() for name, p in prompt.named_parameters()},
                **options,
            )
        )
        losses = real(prompt, terms, recipe, **options)
        calls[-1]["end"] = {name: p.detach().clone() for name, p in prompt.named_parameters()}
        return losses

    monkeypatch.setattr(tuner_module, "fit_prompt", spy)
    return calls


def two_rounds(k=3):
    return Strategy("ifpl", 2, constant(k))


def test_every_switch_that_parts_the_recipes_is_on_the_recipe_page():
    page = (Path(__file__).parents[2] / "nbs" / "lab" / "method" / "recipe.ipynb").read_text(
        encoding="utf-8"
    )
    parts = [
        f.name
        for f in fields(Recipe)
        if f.name != "name"
        and getattr(Recipe.paper(), f.name) != getattr(Recipe.authors_code(), f.name)
    ]
    assert len(parts) == 10 and all(f"`{name}`" in page for name in parts)


def test_the_recipe_page_sends_the_reader_to_lessons_that_turn_the_switch():
    nbs = Path(__file__).parents[2] / "nbs"
    rows = re.findall(
        r"^\s*\"\| (`[^|]+) \|[^|]*\|([^|]*lessons/[^|]*)\|",
        (nbs / "lab" / "method" / "recipe.ipynb").read_text(encoding="utf-8"),
        re.M,
    )
    pairs = [
        (switch, lesson)
        for names, links in rows
        for switch in re.findall(r"`(\w+)`", names)
        for lesson in re.findall(r"lessons/(\w+\.ipynb)", links)
    ]
    assert len(rows) == 9 and len(pairs) >= 11
    walked = (nbs / "lessons" / "14b_from_code_to_paper.ipynb").read_text(encoding="utf-8")
    for switch, lesson in pairs:
        assert switch in (nbs / "lessons" / lesson).read_text(encoding="utf-8"), (switch, lesson)
        assert switch == "square_root" or f"`{switch}`" in walked, switch


@pytest.mark.parametrize(
    "change",
    [
        dict(epochs=0),
        dict(epochs=1.5),
        dict(batch_size=0),
        dict(accumulate=0),
        dict(min_steps=-1),
        dict(learning_rate=0),
        dict(learning_rate=float("nan")),
        dict(warmup=1),
        dict(hold_out=1),
        dict(hold_out=-0.1),
        dict(max_grad_norm=0),
        dict(sampler="sorted"),
        dict(learning_rate_multimodal=-1),
    ],
)
def test_a_switch_out_of_range_is_refused(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        Recipe.paper().replace(**change)


def step_of(prompt, terms, recipe):
    fit_prompt(prompt, terms, recipe, generator=torch.Generator().manual_seed(0))
    return prompt.context.detach().clone()


def plain(**changes):
    return Recipe.paper().replace(**dict(epochs=1, warmup=0, momentum=0, weight_decay=0) | changes)


def test_four_batches_of_sixteen_make_the_step_of_one_of_64_where_all_images_are_of_one_kind(
    clip, task
):
    features = clip.image_features(task.train.images)[:64]
    terms = [Term(features, task.train.labels[:64], 1.0, pseudo=True)]
    one = step_of(TextPrompt(clip, task.class_names), terms, plain())
    four = step_of(TextPrompt(clip, task.class_names), terms, plain(batch_size=16, accumulate=4))
    alone = step_of(TextPrompt(clip, task.class_names), terms, plain(batch_size=16))
    assert torch.allclose(one, four, atol=1e-5) and not torch.allclose(one, alone, atol=1e-3)


def test_four_batches_of_sixteen_differ_where_kinds_mix(clip, task):
    features = clip.image_features(task.train.images)
    terms = [
        Term(features[:6], task.train.labels[:6], 9.0, pseudo=False),
        Term(features[6:64], task.train.labels[6:64], 1.0, pseudo=True),
    ]
    one, four = (
        step_of(TextPrompt(clip, task.class_names), terms, plain(**change))
        for change in ({}, dict(batch_size=16, accumulate=4))
    )
    assert not torch.allclose(one, four, atol=1e-4)


@given(
    st.lists(st.integers(1, 60), min_size=2, max_size=3), st.integers(1, 20), st.integers(0, 999)
)
@settings(max_examples=80)
def test_halves_gives_every_term_an_equal_part_of_each_batch(sizes, batch, seed):
    order = batch_order(sizes, "balanced", torch.Generator().manual_seed(seed))
    assert len(order) == sum(sizes)
    which = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))[order]
    for part in which.split(batch):
        counts = torch.bincount(part, minlength=len(sizes))
        assert counts.max() - counts.min() <= 1
    # the images of a term come round again as evenly as can be
    for term, n in enumerate(sizes):
        met = torch.bincount(order[which == term] - sum(sizes[:term]), minlength=n)
        assert met.max() - met.min() <= 1


def test_halves_has_the_same_loss_in_the_mean():
    sizes, values = [4, 60], torch.arange(64, dtype=torch.float64) ** 2
    means = [values[:4].mean().item(), values[4:].mean().item()]
    orders = [
        batch_order(sizes, "balanced", torch.Generator().manual_seed(seed)) for seed in range(400)
    ]
    found = [
        np.mean([values[order[(order < 4) == few]].mean().item() for order in orders])
        for few in (True, False)
    ]
    assert np.allclose(found, means, rtol=0.02)


@given(
    st.integers(1, 5000),
    st.integers(1, 64),
    st.integers(1, 4),
    st.integers(1, 9),
    st.integers(0, 300),
)
def test_a_round_takes_at_least_so_many_steps(n, batch_size, accumulate, epochs, least):
    recipe = Recipe.paper().replace(
        batch_size=batch_size, accumulate=accumulate, epochs=epochs, min_steps=least
    )
    # of an epoch: every so many batches, and the rest
    steps = len(range(0, len(range(0, n, batch_size)), accumulate))
    found = epochs_of(n, recipe)
    assert (
        found >= epochs
        and found * steps >= least
        and (found == epochs or (found - 1) * steps < least)
    )


def test_least_steps_reach_the_optimizer(clip, task, monkeypatch):
    prompt, steps = TextPrompt(clip, task.class_names), []
    monkeypatch.setattr(
        torch.optim.SGD, "step", lambda self, closure=None: steps.append(self.param_groups[0]["lr"])
    )
    recipe = SMALL.replace(min_steps=7, epochs=2, batch_size=4)
    losses = fit_prompt(
        prompt,
        [Term(prompt.inputs(task.train.images)[:10], task.train.labels[:10], 1.0, False)],
        recipe,
        generator=torch.Generator(),
    )
    # the cosine ends with the last epoch, not with the recipe's
    assert len(steps) == 9 and len(losses) == 3 and steps[-1] < 0.5 * recipe.learning_rate


@pytest.mark.parametrize("sampler", ["balanced", "shuffled"])
def test_a_single_term_is_shuffled(sampler):
    draw = lambda: batch_order([50], sampler, torch.Generator().manual_seed(3))
    assert torch.equal(draw(), torch.randperm(50, generator=torch.Generator().manual_seed(3)))


@pytest.mark.parametrize(
    "strategy, inverted", [(Strategy("fpl", 1, constant(3)), False), (two_rounds(), True)]
)
def test_weight_inversion_in_semi_supervised_ifpl_and_grip(
    clip, task, monkeypatch, strategy, inverted
):
    calls, L, P = spied(monkeypatch), 20, 30
    for switch in (False, True):
        PromptTuner(
            clip, paradigm="ssl", strategy=strategy, recipe=SMALL.replace(inverted_weights=switch)
        ).fit(task, progress=False)
        gamma = L / P if switch and inverted else P / L
        assert calls[-1]["terms"] == [(False, L, gamma), (True, P, 1.0)]
    # only ssl turns over
    assert term_weights("trzsl", 60, 30, inverted=True) == term_weights("trzsl", 60, 30)


@pytest.mark.parametrize(
    "prompt, strategy, rooted",
    [
        ("multimodal", Strategy("fpl", 1, constant(3)), True),
        ("multimodal", two_rounds(), False),
        ("text", Strategy("fpl", 1, constant(3)), False),
    ],
)
def test_square_root_in_multimodal_fpl(clip, task, monkeypatch, prompt, strategy, rooted):
    calls = spied(monkeypatch)
    PromptTuner(
        clip,
        prompt=prompt,
        paradigm="ssl",
        strategy=strategy,
        recipe=SMALL.replace(square_root=True),
    ).fit(task, progress=False)
    assert calls[-1]["terms"][0][2] == pytest.approx(sqrt(1.5) if rooted else 1.5)


def test_leaderboard_selection(clip, task):
    tuner = PromptTuner(
        clip, strategy=Strategy("fpl", 1, constant(6)), recipe=SMALL.replace(leaderboard=True)
    )
    run = tuner.fit(task, progress=False)
    logits = torch.from_numpy(run.rounds[0].pool_logits.astype(np.float32))
    expected = select_leaderboard(logits, 6)
    assert run.settings["selector"] == tuner.selector == "leaderboard"
    # the pool's logits are kept in 16 bits
    assert (
        len(run.rounds[1].pseudolabels) == len(expected)
        and np.mean(run.rounds[1].pseudolabels.index == expected.index) > 0.9
    )
    assert (
        PromptTuner(clip, recipe="paper").selector == "top_k"
        and PromptTuner(clip, recipe="authors_code").selector == "leaderboard"
    )


@pytest.mark.parametrize("k, pseudo", [(4, 40), (10, 80)])
def test_hold_out(clip, task, monkeypatch, k, pseudo):
    "A fifth of the 20 labelled images; of the pseudolabelled from K = 10 on"
    calls = spied(monkeypatch)
    PromptTuner(
        clip,
        paradigm="ssl",
        strategy=Strategy("fpl", 1, constant(k)),
        recipe=SMALL.replace(hold_out=0.2),
    ).fit(task, progress=False)
    assert calls[-1]["terms"] == [(False, 16, pseudo / 16), (True, pseudo, 1.0)]


@pytest.mark.parametrize(
    "prompt, carried, fresh",
    [
        ("text", ["context"], []),
        ("visual", [], ["tokens"]),
        ("multimodal", ["text_tokens", "visual_tokens"], ["joint.text_in.weight"]),
    ],
)
def test_what_a_warm_start_carries_over(clip, task, monkeypatch, prompt, carried, fresh):
    calls = spied(monkeypatch)
    for warm in (False, True):
        PromptTuner(
            clip, prompt=prompt, strategy=two_rounds(), recipe=SMALL.replace(warm_start=warm)
        ).fit(task, progress=False)
        first, second = calls[-2:]
        for name in carried:
            assert torch.equal(second["start"][name], first["end"][name]) is warm
        for name in fresh:
            assert not torch.equal(second["start"][name], first["end"][name])


def test_prompts_start_where_the_paper_starts_them(clip, task):
    names, generator = task.class_names, lambda: torch.Generator().manual_seed(5)
    width = clip.require_image_tower().class_embedding.shape[0]
    visual = VisualPrompt(clip, names, n_tokens=200, generator=generator()).tokens.detach()
    assert abs(visual.std() * width**0.5 - 1) < 0.05 and abs(visual.mean()) < 0.1 * width**-0.5
    joint = MultimodalPrompt(clip, names, n_tokens=16, generator=generator())
    # patches of 8 x 8 pixels
    bound = sqrt(6 / (3 * 8 * 8 + width))
    # uniform
    assert (
        0.95 * bound < joint.visual_tokens.abs().max() <= bound
        and abs(joint.visual_tokens.std() * sqrt(3) / bound - 1) < 0.05
    )
    for text in (
        joint.text_tokens,
        TextPrompt(clip, names, n_tokens=16, generator=generator()).context,
    ):
        assert abs(text.std() / 0.02 - 1) < 0.1


@pytest.mark.parametrize("attention", ["paired", "full"])
def test_the_joint_network_by_hand(clip, task, attention):
    "Token by token (paired), or all in one row, and each comes out at its own place"
    prompt = MultimodalPrompt(
        clip, task.class_names, attention=attention, generator=torch.Generator().manual_seed(1)
    )
    joint, M = prompt.joint, 4
    with torch.no_grad():
        # (2M, 128)
        inside = torch.cat(
            [joint.text_in(prompt.text_tokens), joint.visual_in(prompt.visual_tokens)]
        )
        rows = [[i, M + i] for i in range(M)] if attention == "paired" else [list(range(2 * M))]
        seen = torch.empty_like(inside)
        for row in rows:
            seen[row] = joint.block(inside[row][None])[0]
        text, visual = joint(prompt.text_tokens, prompt.visual_tokens)
        assert torch.allclose(text, joint.text_out(seen[:M]), atol=1e-5) and torch.allclose(
            visual, joint.visual_out(seen[M:]), atol=1e-5
        )


def test_the_labelled_only_baseline_of_trzsl_knows_the_seen_classes_alone(clip, task, monkeypatch):
    calls = spied(monkeypatch)
    run = PromptTuner(clip, paradigm="trzsl", strategy="labelled", recipe=SMALL).fit(
        task, progress=False
    )
    assert np.array_equal(calls[-1]["classes"], transductive(task).seen) and len(
        run.rounds[-1].predictions
    ) == len(task.test)
    PromptTuner(clip, paradigm="ssl", strategy="labelled", recipe=SMALL).fit(task, progress=False)
    assert calls[-1]["classes"] is None


def test_loss_over_some_classes_is_cross_entropy_of_their_columns(clip, task):
    split = transductive(task)
    features, prompt = (
        clip.image_features(split.labelled.images),
        TextPrompt(clip, task.class_names),
    )
    before = prompt(features).detach()
    labels = np.searchsorted(split.seen, split.labelled.labels)
    losses = fit_prompt(
        prompt,
        [Term(features, split.labelled.labels, 1.0, pseudo=False)],
        plain(batch_size=10**6),
        generator=torch.Generator().manual_seed(0),
        classes=split.seen,
    )
    assert losses[0] == pytest.approx(
        F.cross_entropy(before[:, split.seen], torch.from_numpy(labels)).item(), abs=1e-5
    )
    with pytest.raises(ValueError, match="left out"):
        fit_prompt(
            prompt,
            [Term(features, split.labelled.labels, 1.0, pseudo=False)],
            plain(),
            generator=torch.Generator(),
            classes=split.seen[1:],
        )


def test_multimodal_prompts_have_their_own_rate(clip, task):
    "One step without momentum or decay moves a parameter by rate times gradient"
    inputs, labels = None, task.train.labels[:16]
    for prompt, rate in (
        (TextPrompt(clip, task.class_names), 0.1),
        (MultimodalPrompt(clip, task.class_names), 0.01),
    ):
        inputs = prompt.inputs(task.train.images[:16])
        parameter = next(prompt.parameters())
        start = parameter.detach().clone()
        gradient = torch.autograd.grad(
            F.cross_entropy(prompt(inputs), torch.from_numpy(labels)), parameter
        )[0]
        fit_prompt(
            prompt,
            [Term(inputs, labels, 1.0, pseudo=False)],
            plain(),
            generator=torch.Generator().manual_seed(0),
        )
        assert torch.allclose(start - parameter, rate * gradient, rtol=1e-3, atol=1e-6)


# The nine cells
# ----------------------------------------------------------------------------------------------------------------------------------------

CELLS = [
    (prompt, paradigm, strategy)
    for prompt in ("text", "visual", "multimodal")
    for paradigm in ("ssl", "trzsl", "ul")
    for strategy in ("zero_shot", "labelled", "fpl", "ifpl", "grip")
    if (paradigm, strategy) != ("ul", "labelled")
]


@pytest.mark.parametrize("prompt, paradigm, strategy", CELLS)
def test_every_cell_runs(clip, task, prompt, paradigm, strategy):
    schedule = {
        "ifpl": two_rounds(),
        "grip": Strategy("grip", 2, growing(2)),
        "fpl": Strategy("fpl", 1, constant(4)),
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


@pytest.mark.parametrize("prompt", ["text", "visual", "multimodal"])
@pytest.mark.parametrize("recipe", ["pocket", "authors_code"])
def test_a_run_that_was_cut_ends_with_the_same_numbers(clip, task, tmp_path, prompt, recipe):
    make = lambda: PromptTuner(
        clip,
        prompt=prompt,
        paradigm="ssl",
        strategy=Strategy("grip", 3, growing(3)),
        recipe=Recipe.named(recipe).replace(epochs=2),
    )
    whole = make().fit(task, out=tmp_path / "whole", progress=False)
    make().fit(task, out=tmp_path / "cut", progress=False)
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
        strategy=Strategy("fpl", 1, constant(3)),
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
    draw = lambda seed: semi_supervised(task, 2, seed).labelled.images.digest()
    assert draw(0) == draw(0) != draw(1)


def test_a_callback_hears_of_each_round_once(clip, task):
    heard = []
    run = PromptTuner(clip, strategy=two_rounds(), recipe=SMALL).fit(task, progress=heard.append)
    assert heard == run.rounds


# The grid
# ----------------------------------------------------------------------------------------------------------------------------------------------


def test_the_grid_has_27_cells_and_the_baselines_on_six_tasks():
    cells = grid_cells()
    assert len(cells) == len({cell.name for cell in cells}) == 486
    count = lambda **kind: sum(
        all(getattr(cell, key) == value for key, value in kind.items()) for cell in cells
    )
    assert (
        count(strategy="grip", task="digits") == 27
        and count(strategy="ifpl", task="digits") == 9
        and count(strategy="labelled", paradigm="ul") == 0
    )


def test_a_finished_run_is_not_repeated_and_a_foreign_one_not_believed(clip, tmp_path):
    cell = Cell("satellite", "text", "ul", "fpl", 0)
    first = run_cell(cell, tmp_path, clip)
    changed = (tmp_path / f"{cell.name}.json").stat().st_mtime_ns
    assert (
        run_cell(cell, tmp_path, clip) == first
        and (tmp_path / f"{cell.name}.json").stat().st_mtime_ns == changed
    )
    with pytest.raises(ValueError, match="another recipe"):
        run_cell(cell, tmp_path, clip, recipe="paper")


@pytest.mark.parametrize(
    "content, what",
    [
        (b"", "damaged"),
        (b'{"key": "a", "sco', "damaged"),
        (b"\xff\xfe\x00", "damaged"),
        (b"[]", "another recipe"),
        (b"{}", "another recipe"),
        (b'{"key": "b"}', "another recipe"),
    ],
)
def test_a_result_that_cannot_be_used_is_named_and_left_alone(tmp_path, content, what):
    path = tmp_path / "digits-text-ul-fpl-0.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=what) as error:
        keep_result(path, "a", lambda: pytest.fail("made again"))
    assert (
        path.name in str(error.value)
        and "emove the file" in str(error.value)
        and path.read_bytes() == content
    )


def test_a_run_that_fails_leaves_no_result(tmp_path):
    def fail():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        keep_result(tmp_path / "a.json", "a", fail)
    assert list(tmp_path.iterdir()) == [] and keep_result(
        tmp_path / "a.json", "a", lambda: {"score": 1}
    ) == {"score": 1, "key": "a"}


def test_a_grid_side_by_side_gives_what_one_after_the_other_gives(clip, tmp_path):
    cells = grid_cells(["satellite"], ["text"], ["ssl"], ["fpl"])
    results = run_grid(tmp_path / "a", cells, workers=2, progress=False)
    alone = run_cell(cells[1], tmp_path / "b", clip)
    assert [r["seed"] for r in results] == [0, 1, 2] and results[1]["scores"] == alone["scores"]
    write_grid(results, tmp_path / "grid.json")
    assert read_grid(tmp_path / "grid.json")["score"].tolist() == [r["scores"][-1] for r in results]


KILLED = """
import os, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pseudolab.experiments.grid import _end_with_parent
if __name__ == "__main__":
    pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_end_with_parent)
    print(pool.submit(os.getpid).result(), flush=True)
    time.sleep(600)
"""


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_workers_end_with_a_parent_that_is_killed(tmp_path):
    (tmp_path / "killed.py").write_text(KILLED)
    parent = subprocess.Popen(
        [sys.executable, str(tmp_path / "killed.py")], stdout=subprocess.PIPE, text=True
    )
    worker = int(parent.stdout.readline())
    assert is_running(worker)
    parent.kill()
    parent.wait()
    for _ in range(300):
        if not is_running(worker):
            return
        time.sleep(0.1)
    os.kill(worker, signal.SIGKILL)
    pytest.fail("the worker still waits")


def test_the_table_says_where_zero_shot_is_not_beaten():
    rows = [
        dict(
            task="digits",
            prompt="text",
            paradigm="ul",
            strategy="grip",
            seed=seed,
            scores=[0.5, score],
            precision=[None, 0.5],
            zero_shot_precision=[None, 0.5],
            seconds=1.0,
        )
        for seed, score in enumerate((0.3, 0.5))
    ]
    table = grid_table(grid_means(pd.DataFrame([result_row(row) for row in rows])))
    assert (
        table.loc[("ul", "text", "grip"), "digits"] == "40.0 ±14.1 ▾"
        and table.loc[("ul", "none", "zero_shot"), "digits"] == "50.0"
    )


def test_published_figures_by_hand():
    scores = paper_scores().set_index(["data", "prompt", "paradigm", "strategy"])["score"]
    assert (
        scores["eurosat", "visual", "trzsl", "grip"] == 0.970
        and scores["flowers102", "text", "ssl", "labelled"] == 0.768
        and scores["mnist", "multimodal", "ul", "zero_shot"] == 0.251
    )
    gains = paper_gains().set_index(["data", "prompt", "paradigm"])["paper_gain"]
    assert (
        len(gains) == 54
        and gains["fgvc_aircraft", "text", "ul"] == pytest.approx(-0.024)
        and gains["dtd", "visual", "ssl"] == pytest.approx(0.114)
    )


def cell_of(result):
    return Cell(*(result[key] for key in ("task", "prompt", "paradigm", "strategy", "seed")))


def test_the_shipped_grid_is_of_these_weights_and_this_recipe(clip):
    results = json.loads(GRID_FILE.read_text(encoding="utf-8"))
    assert len({cell_of(result) for result in results}) == len(results)
    assert len(beside_the_paper(grid_means(read_grid()))) == 54
    for result in results[::30]:
        cell = cell_of(result)
        tuner = PromptTuner(
            clip,
            prompt=cell.prompt,
            paradigm=cell.paradigm,
            strategy=cell.strategy,
            recipe=result["recipe"],
            seed=cell.seed,
        )
        assert result["key"] == cell_key(cell, tuner, load_task(cell.task)), cell.name


def test_the_shipped_grid_is_whole():
    there, wanted = (
        {cell_of(result) for result in json.loads(GRID_FILE.read_text(encoding="utf-8"))},
        set(grid_cells()),
    )
    assert there <= wanted
    if there < wanted:
        pytest.skip(
            f"the shipped grid holds {len(there)} of {len(wanted)} runs; the others are still to be"
            " made"
        )
