"Schedules, and every switch of the recipe both ways."

import re
from dataclasses import fields, replace
from fractions import Fraction
from math import floor, sqrt
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

import pseudolab.method.tuner as tuner_module
from pseudolab.data.tasks import load_task
from pseudolab.method.deviations import deviate
from pseudolab.method.loss import term_weights
from pseudolab.method.prompts.multimodal import MultimodalPrompt
from pseudolab.method.prompts.text import TextPrompt
from pseudolab.method.prompts.visual import VisualPrompt
from pseudolab.method.recipe import Recipe
from pseudolab.method.schedules import Constant, Growing
from pseudolab.method.selectors import select_leaderboard
from pseudolab.method.splits import transductive
from pseudolab.method.strategies import Strategy
from pseudolab.method.training import Term, batch_order, epochs_of, fit_prompt
from pseudolab.method.tuner import PromptTuner

SMALL = Recipe.pocket().replace(epochs=1, min_steps=0)


@pytest.fixture(scope="module")
def task():
    return load_task("satellite", n_train=12, n_test=6)


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
    assert [Growing()(i, U, C) for i in range(1, 11)] == [
        floor(Fraction(i * U, 10 * C)) for i in range(1, 11)
    ]


def test_published_slips_of_the_released_code():
    "K as the released code computes it: Flowers102 8 and 17 (formula: 9 and 18), DTD 77 (78)"
    grip, slips = Strategy.named("grip"), Recipe.authors_code()

    def k(i, U, C):
        about = dict(strategy=grip, round=i, n_pool=U, n_classes=C)
        return deviate("K", grip.k(i, U, C), slips, **about)

    assert [k(i, 2040 - 204, 102) for i in (5, 10)] == [8, 17]
    assert k(10, 3760 - 94, 47) == 77
    assert [k(i, 6300, 45) for i in range(1, 11)] == [14, 28, 42, 56, 70, 84, 98, 112, 126, 140]
    assert [k(i, 2040, 102) for i in range(1, 11)] == [2, 4, 6, 8, 10, 12, 14, 16, 18, 20]


def test_the_slip_of_k_reaches_the_run(clip, task):
    "116 images, 10 classes, round 9 of 9: 9 * 116 // 90 is 11, and 9 * (116 // 9) // 10 is 10"
    pool = replace(task, train=task.train.subset(np.arange(116)))
    last = []
    for slipped in (False, True):
        recipe = SMALL.replace(floored_twice=slipped)
        grip = Strategy.named("grip", rounds=9)
        run = PromptTuner(clip, strategy=grip, recipe=recipe).fit(pool, progress=False)
        assert run.settings.k == [round.k for round in run.rounds[1:]]
        last.append(run.rounds[-1].k)
    assert last == [11, 10]


def spied(monkeypatch):
    "Record what `fit_prompt` is given, and train"
    calls, real = [], tuner_module.fit_prompt

    def learned(prompt):
        return {name: p.detach().clone() for name, p in prompt.named_parameters()}

    def spy(prompt, recipe, **options):
        terms = {kind: options[kind] for kind in ("labelled", "pseudolabelled")}
        counts = {kind: 0 if term is None else len(term) for kind, term in terms.items()}
        calls.append(dict(counts=counts, start=learned(prompt), **options))
        losses = real(prompt, recipe, **options)
        calls[-1]["end"] = learned(prompt)
        return losses

    monkeypatch.setattr(tuner_module, "fit_prompt", spy)
    return calls


def weights_of(call):
    return call["gamma"], call["lam"]


def two_rounds(k=3):
    return Strategy("ifpl", 2, Constant(k))


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
    assert len(parts) == 12 and all(f"`{name}`" in page for name in parts)


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
    assert len(rows) == 10 and len(pairs) >= 13
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
        dict(warmup_epochs=-1),
        dict(warmup_epochs=0.5),
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


def step_of(prompt, recipe, **terms):
    fit_prompt(prompt, recipe, **terms, generator=torch.Generator().manual_seed(0))
    return prompt.context.detach().clone()


def plain(**changes):
    return Recipe.paper().replace(
        **dict(epochs=1, warmup_epochs=0, momentum=0, weight_decay=0) | changes
    )


def test_four_batches_of_sixteen_make_the_step_of_one_of_64_where_all_images_are_of_one_kind(
    clip, task
):
    features = clip.image_features(task.train.images)[:64]
    term = Term(features, task.train.labels[:64])

    def step(**changes):
        prompt = TextPrompt(clip, task.class_names)
        return step_of(prompt, plain(**changes), pseudolabelled=term)

    one, four, alone = step(), step(batch_size=16, accumulate=4), step(batch_size=16)
    assert torch.allclose(one, four, atol=1e-5) and not torch.allclose(one, alone, atol=1e-3)


@pytest.mark.parametrize("n", [64, 90])
def test_four_batches_of_sixteen_are_one_of_64_unless_each_takes_its_own_means(clip, task, n):
    "With 90 images the second step is cut into 16 and 10"
    features, labels = clip.image_features(task.train.images), task.train.labels
    terms = dict(
        labelled=Term(features[:6], labels[:6]),
        pseudolabelled=Term(features[6:n], labels[6:n]),
        gamma=9.0,
    )
    cut = dict(batch_size=16, accumulate=4)
    one, four, apart = (
        step_of(TextPrompt(clip, task.class_names), plain(**change), **terms)
        for change in ({}, cut, cut | dict(micro_batch_means=True))
    )
    assert torch.allclose(one, four, atol=1e-6) and not torch.allclose(one, apart, atol=1e-4)


def test_means_within_micro_batches_by_hand(clip, task):
    "A step of four images, two at a time: the labelled one weighs half of gamma, not all of it"
    prompt = TextPrompt(clip, task.class_names)
    features, labels = clip.image_features(task.train.images)[:4], task.train.labels[:4]
    terms = dict(
        labelled=Term(features[:1], labels[:1]), pseudolabelled=Term(features[1:], labels[1:])
    )
    order = torch.randperm(4, generator=torch.Generator().manual_seed(0))
    start = prompt.context.detach().clone()
    costs = F.cross_entropy(prompt(features), torch.from_numpy(labels), reduction="none")
    halves = [half.tolist() for half in order.split(2)]
    (mixed,) = [half for half in halves if 0 in half]
    (pure,) = [half for half in halves if 0 not in half]
    guess = max(mixed)
    expected = {
        False: 6 * costs[0] + 2 * costs[1:].mean(),
        True: (6 * costs[0] + 2 * costs[guess] + 2 * costs[pure].mean()) / 2,
    }
    for switch, loss in expected.items():
        (gradient,) = torch.autograd.grad(loss, prompt.context, retain_graph=True)
        recipe = plain(batch_size=2, accumulate=2, micro_batch_means=switch)
        fresh = TextPrompt(clip, task.class_names)
        losses = fit_prompt(
            fresh, recipe, **terms, gamma=6.0, lam=2.0, generator=torch.Generator().manual_seed(0)
        )
        assert losses == [pytest.approx(loss.item(), rel=1e-5)]
        step = recipe.learning_rate * gradient
        assert torch.allclose(start - fresh.context, step, rtol=1e-3, atol=1e-7)


def test_a_term_without_weight_or_images_is_left_out(clip, task):
    "The images that are met are those of the other term, in the order they would have alone"
    features, labels = clip.image_features(task.train.images), task.train.labels
    some, others = Term(features[:20], labels[:20]), Term(features[20:60], labels[20:60])
    nobody = Term(features[:0], labels[:0])

    def step(**terms):
        return step_of(TextPrompt(clip, task.class_names), plain(batch_size=8), **terms)

    alone = step(labelled=some)
    assert torch.equal(alone, step(labelled=some, pseudolabelled=others, lam=0.0))
    assert torch.equal(alone, step(labelled=some, pseudolabelled=nobody))
    assert not torch.equal(alone, step(labelled=some, pseudolabelled=others))
    with pytest.raises(ValueError, match="no image"):
        step(labelled=nobody, pseudolabelled=others, lam=0.0)


def test_the_loss_is_an_argument(clip, task):
    features, labels = clip.image_features(task.train.images)[:20], task.train.labels[:20]
    heard = []

    def loss(logits, target, pseudo, gamma, lam):
        heard.append((logits.shape, pseudo.tolist(), gamma, lam))
        return logits.sum() * 0

    prompt = TextPrompt(clip, task.class_names)
    losses = fit_prompt(
        prompt,
        plain(epochs=1),
        labelled=Term(features, labels),
        gamma=3.0,
        generator=torch.Generator(),
        loss=loss,
    )
    assert losses == [0.0] and heard == [((20, 10), [False] * 20, 3.0, 0.0)]


@given(
    st.lists(st.integers(1, 60), min_size=2, max_size=3), st.integers(1, 20), st.integers(0, 999)
)
@settings(max_examples=80)
def test_a_balanced_batch_has_an_equal_part_of_every_term(sizes, batch, seed):
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


def test_balanced_batches_have_the_same_loss_in_the_mean():
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


def test_min_steps_reach_the_optimizer(clip, task, monkeypatch):
    prompt, steps = TextPrompt(clip, task.class_names), []
    monkeypatch.setattr(
        torch.optim.SGD, "step", lambda self, closure=None: steps.append(self.param_groups[0]["lr"])
    )
    recipe = SMALL.replace(min_steps=7, epochs=2, batch_size=4)
    term = Term(prompt.inputs(task.train.images)[:10], task.train.labels[:10])
    losses = fit_prompt(prompt, recipe, labelled=term, generator=torch.Generator())
    # the cosine ends with the last epoch, not with the recipe's
    assert len(steps) == 9 and len(losses) == 3 and steps[-1] < 0.5 * recipe.learning_rate


@pytest.mark.parametrize("sampler", ["balanced", "shuffled"])
def test_a_single_term_is_shuffled(sampler):
    def draw():
        return batch_order([50], sampler, torch.Generator().manual_seed(3))

    assert torch.equal(draw(), torch.randperm(50, generator=torch.Generator().manual_seed(3)))


@pytest.mark.parametrize(
    "strategy, inverted", [(Strategy("fpl", 1, Constant(3)), False), (two_rounds(), True)]
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
        assert weights_of(calls[-1]) == (gamma, 1.0)
        assert calls[-1]["counts"] == dict(labelled=L, pseudolabelled=P)


def test_only_semi_supervised_weights_are_inverted(clip, task, monkeypatch):
    calls = spied(monkeypatch)
    for switch in (False, True):
        recipe = SMALL.replace(inverted_weights=switch)
        tuner = PromptTuner(clip, paradigm="trzsl", strategy=two_rounds(), recipe=recipe)
        tuner.fit(task, progress=False)
    assert weights_of(calls[-1]) == weights_of(calls[1]) == term_weights("trzsl", 72, 12)


@pytest.mark.parametrize(
    "prompt, strategy, rooted",
    [
        ("multimodal", Strategy("fpl", 1, Constant(3)), True),
        ("multimodal", two_rounds(), False),
        ("text", Strategy("fpl", 1, Constant(3)), False),
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
    assert calls[-1]["gamma"] == pytest.approx(sqrt(1.5) if rooted else 1.5)


def test_leaderboard_selection(clip, task):
    tuner = PromptTuner(
        clip, strategy=Strategy("fpl", 1, Constant(6)), recipe=SMALL.replace(leaderboard=True)
    )
    run = tuner.fit(task, progress=False)
    logits = torch.from_numpy(run.rounds[0].pool_logits.astype(np.float32))
    expected = select_leaderboard(logits, 6)
    assert run.settings.selector == tuner.selector == "leaderboard"
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
        strategy=Strategy("fpl", 1, Constant(k)),
        recipe=SMALL.replace(hold_out=0.2),
    ).fit(task, progress=False)
    assert calls[-1]["counts"] == dict(labelled=16, pseudolabelled=pseudo)
    assert weights_of(calls[-1]) == (pseudo / 16, 1.0)


@pytest.mark.slow
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
    features = clip.image_features(split.labelled.images)
    prompt = TextPrompt(clip, task.class_names)
    before = prompt(features).detach()[:, split.seen]
    target = torch.from_numpy(np.searchsorted(split.seen, split.labelled.labels))
    term = Term(features, split.labelled.labels)
    generator = torch.Generator().manual_seed(0)
    recipe = plain(batch_size=10**6)
    losses = fit_prompt(prompt, recipe, labelled=term, generator=generator, classes=split.seen)
    assert losses[0] == pytest.approx(F.cross_entropy(before, target).item(), abs=1e-5)
    with pytest.raises(ValueError, match="left out"):
        too_few = split.seen[1:]
        fit_prompt(prompt, plain(), labelled=term, generator=generator, classes=too_few)


def test_multimodal_prompts_have_their_own_rate(clip, task):
    "One step without momentum or decay moves a parameter by rate times gradient"
    images, labels = task.train.images[:16], task.train.labels[:16]
    for prompt, rate in (
        (TextPrompt(clip, task.class_names), 0.1),
        (MultimodalPrompt(clip, task.class_names), 0.01),
    ):
        inputs = prompt.inputs(images)
        parameter = next(prompt.parameters())
        start = parameter.detach().clone()
        loss = F.cross_entropy(prompt(inputs), torch.from_numpy(labels))
        (gradient,) = torch.autograd.grad(loss, parameter)
        generator = torch.Generator().manual_seed(0)
        fit_prompt(prompt, plain(), labelled=Term(inputs, labels), generator=generator)
        assert torch.allclose(start - parameter, rate * gradient, rtol=1e-3, atol=1e-6)
