"""What the released code does, in recorded numbers.

The numbers were worked out by hand from a description of its behaviour.
"""

import json
from dataclasses import asdict, replace
from math import prod

import numpy as np
import pytest
import torch
from typer.main import get_command

import pseudolab.method.tuner as tuner_module
from pseudolab.cli.app import app
from pseudolab.cli.inputs import tuner_arguments
from pseudolab.cli.options import MethodOptions, PromptOptions
from pseudolab.data.images import ImageSet
from pseudolab.data.tasks import load_task
from pseudolab.method.deviations import deviate
from pseudolab.method.prompts.text import TextPrompt
from pseudolab.method.recipe import Recipe
from pseudolab.method.run import Run
from pseudolab.method.run_folder import write_sealed
from pseudolab.method.schedules import Constant
from pseudolab.method.selectors import select_top_k
from pseudolab.method.splits import SHOTS_DRAWS, make_split, semi_supervised
from pseudolab.method.strategies import Strategy
from pseudolab.method.training import (
    Term,
    batch_order,
    effective_weight,
    learning_rate,
    mean_shares,
    rng_for,
)
from pseudolab.method.tuner import (
    HOLD_OUT_LABELLED,
    HOLD_OUT_PSEUDOLABELLED,
    ORDER,
    START,
    PromptTuner,
)
from pseudolab.settings import Settings
from pseudolab.views import explorer
from pseudolab.views.html import pack

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
    write_sealed(tmp_path / "tuner.json", saved)
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
        assert found == pytest.approx((n * whole + last) / (n + (rest > 0)))


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


# ---- what is put aside
# ---------------------------------------------------------------------


def untrained(monkeypatch):
    "Record what `fit_prompt` is given, and leave the prompts as they start: quick"
    calls = []

    def stub(prompt, recipe, **options):
        calls.append(options)
        return [0.0]

    monkeypatch.setattr(tuner_module, "fit_prompt", stub)
    return calls


def rows_of(term):
    "The images of a term, each by the bytes of its features"
    return [row.numpy().tobytes() for row in term.inputs]


@pytest.mark.parametrize("share, used", [(0.0, 20), (0.2, 16)])
def test_sixteen_of_twenty_labelled_images_are_used_over_ten_rounds(
    clip, task, monkeypatch, share, used
):
    calls = untrained(monkeypatch)
    seen = []
    for seed in (0, 1):
        recipe = SMALL.replace(hold_out=share)
        strategy = Strategy("ifpl", 10, Constant(3))
        tuner = PromptTuner(clip, paradigm="ssl", strategy=strategy, recipe=recipe, seed=seed)
        tuner.fit(task, progress=False)
        rounds = [rows_of(call["labelled"]) for call in calls[-10:]]
        assert all(len(rows) == used for rows in rounds)
        seen.append(set().union(*rounds))
    # drawn with seed 0, whatever the run's
    assert len(seen[0]) == used and seen[0] == seen[1]


@pytest.mark.parametrize("k, share", [(9, 1.0), (10, 0.8), (11, 0.8)])
@pytest.mark.parametrize("selector", ["top_k", "argmax_top_k"])
def test_pseudolabelled_images_are_put_aside_from_k_10_on(
    clip, task, monkeypatch, k, share, selector
):
    "It is K that counts: argmax_top_k takes fewer images than K times C"
    calls = untrained(monkeypatch)
    recipe = SMALL.replace(hold_out=0.2)
    strategy = Strategy("ifpl", 2, Constant(k))
    tuner = PromptTuner(
        clip, paradigm="ssl", strategy=strategy, recipe=recipe, selector=selector, seed=4
    )
    run = tuner.fit(task, progress=False)
    for round, call in zip(run.rounds[1:], calls, strict=True):
        chosen = round.pseudolabels
        assert len(chosen) == 10 * k or selector == "argmax_top_k" and len(chosen) < 100
        n = int(len(chosen) * share)
        # the draw begins anew each round, with the same seed
        drawn = torch.randperm(len(chosen), generator=rng_for(0, 0, HOLD_OUT_PSEUDOLABELLED))
        kept = drawn[:n].sort().values.numpy() if share < 1 else np.arange(n)
        assert call["pseudolabelled"].labels.tolist() == chosen.label[kept].tolist()
        assert (call["gamma"], call["lam"]) == (n / 16, 1.0)


# ---- the labelled draw
# ---------------------------------------------------------------------

LABELS = [2, 0, 1, 0, 2, 1, 0, 1, 2, 0, 1, 0, 2, 1, 1, 0, 1, 2]
# places of RandomState(seed).choice(members, 2, replace=False), anew for each class
RELEASED = {0: [0, 6, 7, 8, 15, 16], 3: [9, 12, 13, 15, 16, 17]}


@pytest.fixture(scope="module")
def made_up(task):
    images = task.train.images[np.arange(len(LABELS))]
    train = ImageSet(images, np.array(LABELS))
    test = task.test.subset(np.flatnonzero(task.test.labels < 3))
    return replace(task, class_names=task.class_names[:3], train=train, test=test)


@pytest.mark.parametrize("seed", RELEASED)
def test_the_released_draw(made_up, seed):
    members = [np.flatnonzero(np.array(LABELS) == c) for c in range(3)]
    drawn = [np.random.RandomState(seed).choice(of_c, 2, replace=False) for of_c in members]
    assert sorted(np.concatenate(drawn).tolist()) == RELEASED[seed]
    split = make_split(made_up, "ssl", shots_seed=seed, shots_draw="released")
    assert split.labelled.digest() == made_up.train.subset(np.array(RELEASED[seed])).digest()
    left = np.setdiff1d(np.arange(len(LABELS)), RELEASED[seed])
    assert np.array_equal(split.answer_key, np.array(LABELS)[left])
    default = make_split(made_up, "ssl", shots_seed=seed)
    assert default.labelled.digest() != split.labelled.digest()


def test_no_draw_touches_the_global_generator(made_up):
    np.random.seed(7)
    for draw in ("default", "released"):
        semi_supervised(made_up, draw=draw)
    drawn = np.random.random(3)
    assert np.array_equal(drawn, np.random.RandomState(7).random(3))


def test_both_draws_have_few_images_in_common():
    "On satellite none of twenty; with 60 images in each class the released places are 26 and 35"
    labels = load_task("satellite").train.labels
    members = [np.flatnonzero(labels == c) for c in range(10)]
    rng = np.random.default_rng(0)
    own = {int(n) for of_c in members for n in rng.choice(of_c, 2, replace=False)}
    released = {int(of_c[place]) for of_c in members for place in (26, 35)}
    split = make_split(load_task("satellite"), "ssl", shots_draw="released")
    assert split.labelled.digest() == load_task("satellite").train.subset(sorted(released)).digest()
    assert len(own) == len(released) == 20 and not own & released


def test_who_draws_how(clip, task, tmp_path):
    def drawn(**arguments):
        return PromptTuner(clip, paradigm="ssl", strategy="zero_shot", **arguments)

    assert drawn(recipe="paper").shots_draw == drawn(recipe="pocket").shots_draw == "default"
    tuner = drawn(recipe="authors_code")
    assert tuner.shots_draw == drawn(shots_draw="released").shots_draw == "released"
    run = tuner.fit(task, out=tmp_path / "run", progress=False)
    assert run.settings.shots_draw == Run.load(tmp_path / "run").settings.shots_draw == "released"
    tuner.save(tmp_path / "tuner")
    assert PromptTuner.load(tmp_path / "tuner", clip).shots_draw == "released"
    expected = semi_supervised(task, draw="released").labelled.digest()
    assert tuner.split(task).labelled.digest() == expected != drawn().split(task).labelled.digest()
    with pytest.raises(ValueError, match="another .*shots_draw"):
        drawn().fit(task, out=tmp_path / "run", resume=True, progress=False)
    for refused in (
        lambda: drawn(shots_draw="relaesed"),
        lambda: make_split(task, "ssl", shots_draw="relaesed"),
    ):
        with pytest.raises(ValueError, match="relaesed.*released"):
            refused()


def test_the_explorer_shows_the_pool_of_the_released_draw(clip, task):
    run = PromptTuner(
        clip, paradigm="ssl", strategy="zero_shot", recipe=SMALL, shots_draw="released"
    ).fit(task, progress=False)
    pool = semi_supervised(task, draw="released").pool_positions
    shown = explorer._pool(run, task, most=30)
    assert shown["size"] == len(pool) and (pool != semi_supervised(task).pool_positions).any()
    assert shown["truth"] == pack(task.train.labels[pool[shown["names"]]], "i2")


def test_the_command_line_names_the_draw():
    def asked(**options):
        return tuner_arguments(Settings(), MethodOptions(**options), PromptOptions())["shots_draw"]

    assert (asked(), asked(shots_draw="released"), asked(shots_draw="all")) == SHOTS_DRAWS
    (option,) = [p for p in get_command(app).commands["run"].params if p.name == "shots_draw"]
    assert option.opts == ["--shots-draw"] and "default, released or all" in option.help


# ---- weights and schedules
# ---------------------------------------------------------------------

# gamma and lambda of 20 labelled and 580 pseudolabelled images (ssl), 360 and 240 (trzsl), 600 (ul)
COUNTS = {"ssl": (20, 580), "trzsl": (360, 240), "ul": (0, 600)}
PAPERS = {"ssl": (29.0, 1.0), "trzsl": (1.0, 1.5), "ul": (0.0, 1.0)}
RELEASED_WEIGHTS = {
    ("ssl", "fpl", "text"): (29.0, 1.0),
    ("ssl", "fpl", "visual"): (29.0, 1.0),
    ("ssl", "fpl", "multimodal"): (5.3852, 1.0),
    ("ssl", "ifpl", "text"): (0.034483, 1.0),
    ("ssl", "grip", "text"): (0.034483, 1.0),
    ("ssl", "grip", "visual"): (0.034483, 1.0),
    ("ssl", "grip", "multimodal"): (0.034483, 1.0),
    ("trzsl", "fpl", "text"): (1.0, 1.5),
    ("trzsl", "fpl", "multimodal"): (1.0, 1.224745),
    ("trzsl", "ifpl", "text"): (1.0, 1.5),
    ("trzsl", "grip", "multimodal"): (1.0, 1.5),
    ("ul", "fpl", "multimodal"): (0.0, 1.0),
    ("ul", "grip", "text"): (0.0, 1.0),
}


@pytest.mark.parametrize("which", RELEASED_WEIGHTS, ids="-".join)
def test_gamma_and_lambda(clip, which):
    paradigm, strategy, prompt = which

    def weights(recipe):
        tuner = PromptTuner(
            clip, paradigm=paradigm, strategy=strategy, prompt=prompt, recipe=recipe
        )
        terms = [Term(torch.empty(n, 1), np.zeros(n, np.int64)) for n in COUNTS[paradigm]]
        return tuner._weights(*terms)

    assert weights(PAPER) == weights(Recipe.pocket()) == PAPERS[paradigm]
    assert weights(CODE) == pytest.approx(RELEASED_WEIGHTS[which], rel=1e-4)


# pool, classes -> K of GRIP's ten rounds by the formula, and as the released code has it
SCHEDULES = {
    "Flowers102, two shots": (
        (1836, 102),
        [1, 3, 5, 7, 9, 10, 12, 14, 16, 18],
        [1, 3, 5, 7, 8, 10, 12, 14, 16, 17],
    ),
    "DTD, two shots": (
        (3666, 47),
        [7, 15, 23, 31, 39, 46, 54, 62, 70, 78],
        [7, 15, 23, 31, 38, 46, 54, 62, 70, 77],
    ),
    "RESISC45": ((6300, 45), list(range(14, 141, 14)), list(range(14, 141, 14))),
    "fewer images than places": ((30, 10), [1] * 6 + [2] * 3 + [3], [1] * 6 + [2] * 3 + [3]),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_k_of_ten_rounds(name):
    (U, C), formula, released = SCHEDULES[name]
    grip = Strategy.named("grip")

    def ks(recipe):
        about = [dict(strategy=grip, round=i, n_pool=U, n_classes=C) for i in range(1, 11)]
        return [deviate("K", grip.k(i + 1, U, C), recipe, **about[i]) for i in range(10)]

    assert ks(PAPER) == formula and ks(CODE) == released


# ---- who labels whom, and by which random numbers
# ---------------------------------------------------------------------


@pytest.mark.parametrize("paradigm", ["ul", "ssl", "trzsl"])
def test_a_round_is_labelled_by_the_prompt_of_the_round_before(clip, task, monkeypatch, paradigm):
    untrained(monkeypatch)
    tuner = PromptTuner(
        clip, paradigm=paradigm, strategy=Strategy("ifpl", 3, Constant(8)), recipe=SMALL
    )
    split = tuner.split(task)
    labeller = []
    for round in tuner.iter_fit(task):
        if round.number:
            with torch.no_grad():
                expected = [
                    select_top_k(prompt.logits(split.pool.images), 8, allowed=split.allowed)
                    for prompt in labeller
                ]
            found = round.pseudolabels
            same = [np.array_equal(found.index, one.index) for one in expected]
            assert same == [False] * (len(same) - 1) + [True]
        labeller.append(tuner.prompt_)


def test_a_resumed_round_is_labelled_by_the_round_before(clip, task, monkeypatch, tmp_path):
    untrained(monkeypatch)
    strategy = Strategy("ifpl", 2, Constant(4))
    rounds = PromptTuner(clip, strategy=strategy, recipe=SMALL).iter_fit(task, out=tmp_path)
    next(rounds), next(rounds)
    tuner = PromptTuner(clip, strategy=strategy, recipe=SMALL)
    (second,) = tuner.iter_fit(task, out=tmp_path, resume=True)
    prompt = TextPrompt(clip, task.class_names, generator=rng_for(0, 1, START))
    with torch.no_grad():
        expected = select_top_k(prompt.logits(task.train.images), 4)
    assert np.array_equal(second.pseudolabels.index, expected.index)


def test_every_round_and_purpose_has_its_own_random_numbers(clip, task, monkeypatch):
    calls = untrained(monkeypatch)
    starts, real = [], TextPrompt.for_task.__func__

    def for_task(cls, *arguments, generator, **options):
        starts.append(generator.initial_seed())
        return real(cls, *arguments, generator=generator, **options)

    monkeypatch.setattr(TextPrompt, "for_task", classmethod(for_task))
    seeds = (0, 1)
    for seed in seeds:
        strategy = Strategy("ifpl", 3, Constant(3))
        PromptTuner(clip, strategy=strategy, recipe=SMALL, seed=seed).fit(task, progress=False)
    orders = [call["generator"].initial_seed() for call in calls]
    assert len(starts) == len(orders) == 6
    assert len({*starts, *orders}) == 12
    asked = [rng_for(seed, i, START).initial_seed() for seed in seeds for i in (1, 2, 3)]
    assert starts == asked
    asked = [rng_for(seed, i, ORDER).initial_seed() for seed in seeds for i in (1, 2, 3)]
    assert orders == asked
    assert len({START, ORDER, HOLD_OUT_LABELLED, HOLD_OUT_PSEUDOLABELLED}) == 4


def test_the_pool_holds_no_shot_and_no_seen_class(task):
    for paradigm in ("ssl", "trzsl"):
        split = make_split(task, paradigm)
        labelled = {split.labelled.images[i].tobytes() for i in range(len(split.labelled))}
        pool = {split.pool.images[i].tobytes() for i in range(len(split.pool))}
        assert len(pool) == len(split.pool) and not labelled & pool
    assert not set(split.answer_key) & set(split.seen)
    assert len(split.pool) == 12 * len(split.allowed) == 12 * 4
