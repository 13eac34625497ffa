"""A strategy is data: saved, loaded, compared, pickled, copied. And a prompt that has diverged says
so, whatever it is asked.
"""

import copy
import json
import pickle
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from pseudolab.cli.app import app
from pseudolab.data.images import ImageSet
from pseudolab.method import strategies
from pseudolab.method import tuner as tuner_module
from pseudolab.method.prompts.base import TemplatePrompt
from pseudolab.method.prompts.multimodal import MultimodalPrompt
from pseudolab.method.prompts.text import TextPrompt
from pseudolab.method.prompts.visual import VisualPrompt
from pseudolab.method.recipe import Recipe
from pseudolab.method.run import Run, RunSettings, load_settings
from pseudolab.method.run_folder import write_sealed
from pseudolab.method.schedules import Constant, Growing
from pseudolab.method.strategies import SCHEDULES, STRATEGIES, Strategy
from pseudolab.method.tuner import PromptTuner
from support.runs import noise_task

QUICK = Recipe.pocket().replace(epochs=1, min_steps=0)
NAMES = ["river", "forest"]


@pytest.fixture(autouse=True, scope="module")
def _own_cache(own_cache):
    yield


@pytest.fixture(scope="module")
def task():
    return noise_task(NAMES, n_train=8, n_test=4, side=56)


@dataclass(frozen=True)
class Halving:
    "A schedule of somebody's own: half the images in the first round, then half of that"

    first: int = 8
    least: int = 1

    def __call__(self, i: int, U: int, C: int) -> int:
        return max(self.least, self.first // 2**i)


def one_each(i: int, U: int, C: int) -> int:
    "A schedule that is a function"
    return 1


positive = st.integers(1, 10**6)
SCHEDULE = st.none() | st.builds(Constant, positive) | st.builds(Growing, positive)
ANY = st.builds(Strategy, st.text(), st.integers(0, 10**6), SCHEDULE)
NAMED = st.one_of(
    st.sampled_from(sorted(STRATEGIES)).map(Strategy.named),
    st.builds(Strategy.named, st.just("fpl"), k=positive),
    st.builds(Strategy.named, st.just("ifpl"), k=positive, rounds=positive),
    st.builds(Strategy.named, st.just("grip"), rounds=positive),
)


# --- as JSON


@settings(max_examples=60)
@given(ANY | NAMED)
def test_json_pickle_and_copy_give_the_same_strategy(strategy):
    text = json.dumps(strategy.to_dict())
    for again in (
        Strategy.from_dict(json.loads(text)),
        pickle.loads(pickle.dumps(strategy)),
        copy.copy(strategy),
        copy.deepcopy(strategy),
    ):
        assert again == strategy and hash(again) == hash(strategy)
        assert type(again.k) is type(strategy.k)
        assert again.to_dict() == strategy.to_dict()


@settings(max_examples=60)
@given(ANY, ANY)
def test_strategies_are_equal_exactly_if_what_they_save_is(one, other):
    assert (one == other) == (one.to_dict() == other.to_dict())


def test_what_is_saved_by_hand():
    assert Strategy.named("ifpl", k=5, rounds=3).to_dict() == {
        "name": "ifpl",
        "rounds": 3,
        "k": {"kind": "constant", "parameters": {"k": 5}},
    }
    assert STRATEGIES["grip"].to_dict()["k"] == {"kind": "growing", "parameters": {"rounds": 10}}
    assert STRATEGIES["labelled"].to_dict() == {"name": "labelled", "rounds": 1, "k": None}


WRONG = [
    None,
    "grip",
    {},
    {"name": "a", "rounds": 1},
    {"name": "a", "rounds": "1", "k": None},
    {"name": "a", "rounds": 1.5, "k": None},
    {"name": "a", "rounds": True, "k": None},
    {"name": "a", "rounds": -1, "k": None},
    {"name": 3, "rounds": 1, "k": None},
    {"name": "a", "rounds": 1, "k": 16},
    {"name": "a", "rounds": 1, "k": {"kind": "constant"}},
    {"name": "a", "rounds": 1, "k": {"kind": "halving", "parameters": {}}},
    {"name": "a", "rounds": 1, "k": {"kind": ["constant"], "parameters": {}}},
    {"name": "a", "rounds": 1, "k": {"kind": "constant", "parameters": {"k": 0}}},
    {"name": "a", "rounds": 1, "k": {"kind": "constant", "parameters": {"k": "16"}}},
    {"name": "a", "rounds": 1, "k": {"kind": "constant", "parameters": {"n": 16}}},
    {"name": "a", "rounds": 1, "k": {"kind": "growing", "parameters": {"rounds": 0}}},
]


@pytest.mark.parametrize("wrong", WRONG, ids=map(str, range(len(WRONG))))
def test_what_is_no_strategy_is_refused(wrong):
    with pytest.raises(ValueError, match="is no strategy .*Expected name, rounds and k"):
        Strategy.from_dict(wrong)


@pytest.mark.parametrize("schedule", [one_each, lambda i, U, C: 1, Halving()])
def test_what_no_table_names_is_not_saved(schedule):
    own = Strategy("own", 2, schedule)
    assert not own.can_be_saved
    with pytest.raises(ValueError, match="'own' has the schedule .* Write it as .*SCHEDULES"):
        own.to_dict()


def test_a_schedule_of_ones_own_is_entered_once(monkeypatch):
    own = Strategy("own", 3, Halving(first=6))
    monkeypatch.setitem(SCHEDULES, "halving", Halving)
    values = json.loads(json.dumps(own.to_dict()))
    assert values["k"] == {"kind": "halving", "parameters": {"first": 6, "least": 1}}
    assert Strategy.from_dict(values) == own
    monkeypatch.delitem(SCHEDULES, "halving")
    with pytest.raises(ValueError, match="must be in pseudolab.method.strategies.SCHEDULES"):
        Strategy.from_dict(values)
    assert list(strategies.SCHEDULES) == ["constant", "growing"]


# --- in the tuner


def learned(clip, strategy, **options):
    "A tuner that has learned nothing, but can be saved"
    tuner = PromptTuner(clip, strategy=strategy, **options)
    tuner.prompt_ = TemplatePrompt(clip, NAMES)
    return tuner


@settings(max_examples=15)
@given(NAMED | ANY)
def test_a_tuner_comes_back_with_its_strategy(clip, tmp_path_factory, strategy):
    folder = tmp_path_factory.mktemp("tuner")
    tuner = learned(clip, strategy, paradigm="ssl")
    tuner.save(folder)
    again = PromptTuner.load(folder, clip)
    assert again.strategy == strategy
    assert again._arguments() == tuner._arguments() and again.recipe == tuner.recipe
    again.save(folder / "again")
    assert (folder / "again/tuner.json").read_text() == (folder / "tuner.json").read_text()


def test_a_tuner_with_a_function_is_not_saved_by_halves(clip, tmp_path):
    tuner = learned(clip, Strategy("own", 1, one_each))
    with pytest.raises(ValueError, match="cannot be saved"):
        tuner.save(tmp_path / "tuner")
    assert not (tmp_path / "tuner").exists()


def test_a_tuner_of_another_format_is_refused(clip, tmp_path):
    learned(clip, "grip").save(tmp_path)
    about = json.loads((tmp_path / "tuner.json").read_text())
    about["arguments"]["strategy"] = "grip"
    write_sealed(tmp_path / "tuner.json", about)
    with pytest.raises(ValueError, match="'grip' is no strategy"):
        PromptTuner.load(tmp_path, clip)


def test_a_function_is_fitted_with_but_kept_nowhere(clip, task, tmp_path):
    tuner = PromptTuner(clip, strategy=Strategy("own", 2, one_each), recipe=QUICK)
    run = tuner.fit(task, progress=False)
    assert [round.k for round in run.rounds] == [0, 1, 1]
    assert (run.settings.strategy, run.settings.k) == ("own", [1, 1])
    assert run.settings.schedule is None and run.settings.n_rounds == 2
    with pytest.raises(ValueError, match="cannot be saved"):
        tuner.fit(task, out=tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()
    run.save(tmp_path / "record")  # the record says what K was
    assert Run.load(tmp_path / "record").settings.k == [1, 1]


def test_a_run_notes_its_strategy(clip, task, tmp_path):
    strategy = Strategy("two", 2, Growing(2))
    run = PromptTuner(clip, strategy=strategy, recipe=QUICK).fit(task, tmp_path, progress=False)
    assert run.settings.strategy == "two" and run.heading == "two on made up"
    assert Strategy.from_dict(load_settings(tmp_path).schedule) == strategy


def test_rounds_of_a_run_by_its_strategy_or_by_its_numbers():
    about = {"task": {}, "prompt": "text", "paradigm": "ssl"}

    def n_rounds(strategy, k=(), schedule=None):
        options = {"strategy": strategy, "k": list(k), "schedule": schedule}
        return RunSettings(**about, **options).n_rounds

    assert n_rounds("grip", k=[2, 4, 6]) == 3 and n_rounds("zero_shot") == 0
    assert n_rounds("labelled") == 1
    assert n_rounds("own", schedule=Strategy("own", 4, None).to_dict()) == 4


@pytest.mark.parametrize(
    "there, asked",
    [
        (Strategy.named("fpl", k=2), Strategy.named("fpl", k=3)),
        (Strategy.named("grip", rounds=2), Strategy.named("grip", rounds=1)),
        # the same K in every round, as eight images and two classes have it
        (Strategy("grip", 1, Growing(1)), Strategy("grip", 1, Constant(4))),
        (Strategy("own", 1, None), Strategy("own", 2, None)),
    ],
)
def test_a_run_is_resumed_by_its_own_strategy_alone(clip, task, tmp_path, there, asked):
    paradigm = "ssl" if there.k is None else "ul"

    def tuner(strategy):
        return PromptTuner(clip, paradigm=paradigm, strategy=strategy, recipe=QUICK)

    next(tuner(there).iter_fit(task, tmp_path))
    with pytest.raises(ValueError, match="holds a run with another .*schedule"):
        next(tuner(asked).iter_fit(task, tmp_path, resume=True))
    same = Strategy.from_dict(there.to_dict())
    run = tuner(same).fit(task, tmp_path, resume=True, progress=False)
    assert len(run.rounds) == 1 + there.rounds


def test_a_tuner_survives_pickling(clip, task):
    tuner = learned(clip, Strategy.named("ifpl", k=5, rounds=3))
    again = pickle.loads(pickle.dumps(tuner))
    assert again.strategy == tuner.strategy and again.recipe == tuner.recipe
    images = task.test.images
    assert np.array_equal(again.predict_proba(images), tuner.predict_proba(images))


# --- what diverged

WILD = QUICK.replace(learning_rate=1e200, learning_rate_multimodal=1e200, max_grad_norm=None)
KINDS = (TextPrompt, VisualPrompt, MultimodalPrompt)
ADVICE = r"diverged: lower the recipe's learning_rate\w*, or set its max_grad_norm"


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_a_prompt_with_a_number_that_is_none_does_not_answer(clip, task, kind, bad):
    prompt = kind(clip, NAMES)
    images = task.test.images
    tuner = PromptTuner(clip, prompt=kind.kind)
    tuner.prompt_ = prompt
    prompt.check_learned()
    whole = tuner.predict(images)
    assert len(whole) == 4
    for name, value in prompt.named_parameters():
        kept = value.data.clone()
        value.data.view(-1)[0] = bad
        with pytest.raises(ValueError, match=f"1 of {value.numel()} values .*{name} .*{ADVICE}"):
            prompt.check_learned()
        value.data.copy_(kept)
    next(prompt.parameters()).data.view(-1)[0] = bad
    for ask in (prompt.logits, tuner.predict, tuner.predict_proba):
        with pytest.raises(ValueError, match=f"of 8 logits are NaN or infinite; .*{ADVICE}"):
            ask(images)
    with pytest.raises(ValueError, match="of 2 logits are NaN"):
        tuner.predict(images[0])


def test_of_zero_shot_clip_it_is_not_the_training(clip):
    prompt = TemplatePrompt(clip, NAMES)
    with pytest.raises(ValueError, match="1 of 2 logits are .* CLIP's weights are damaged"):
        prompt.check_finite(torch.tensor([1.0, float("-inf")]), "logits")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_a_last_step_that_diverged_is_an_error(clip, task, tmp_path, kind):
    tuner = PromptTuner(clip, prompt=kind.kind, strategy="grip", recipe=WILD)
    with pytest.raises(ValueError, match=ADVICE):
        tuner.fit(task, out=tmp_path / "run", progress=False)
    # what is kept are whole rounds
    kept = Run.load(tmp_path / "run")
    assert len(kept.rounds) == len(tuner.run_.rounds) == 1
    assert type(tuner.prompt_) is TemplatePrompt


def spoilt(change):
    "In the place of `fit_prompt`: changes what it has trained"

    def fit(prompt, *arguments, **options):
        change(prompt)

    return fit


def lonely_nan(prompt):
    "A parameter that no logit depends on"
    prompt.register_parameter("idle", torch.nn.Parameter(torch.tensor([float("nan")])))


def too_large(prompt):
    "Every number is finite, and what comes of them is not"
    prompt.context.data.fill_(1.5e308)


@pytest.mark.parametrize(
    "change, words",
    [(lonely_nan, "1 of 1 values of the prompt's idle"), (too_large, "8 of 8 logits of the test")],
)
def test_parameters_and_logits_are_both_looked_at(clip, task, monkeypatch, change, words):
    monkeypatch.setattr(tuner_module, "fit_prompt", spoilt(change))
    tuner = PromptTuner(clip, strategy=Strategy.named("fpl", k=1), recipe=QUICK)
    with pytest.raises(ValueError, match=words):
        tuner.fit(task, progress=False)


def test_the_pools_logits_are_looked_at_without_test_images(clip, task, monkeypatch):
    monkeypatch.setattr(tuner_module, "fit_prompt", spoilt(too_large))
    tuner = PromptTuner(clip, strategy=Strategy.named("fpl", k=1), recipe=QUICK)
    alone = replace(task, test=ImageSet(task.test.images[:0], task.test.labels[:0]))
    with pytest.raises(ValueError, match="16 of 16 logits of the unlabelled images"):
        tuner.fit(alone, progress=False)


def test_the_command_line_says_so_and_fails(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for number in range(8):
        path = tmp_path / "photos" / NAMES[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (56, 56, 3), dtype=np.uint8)).save(path)
    line = "run --root photos --out kept --epochs 1 --strategy fpl --k 1 --predictions p.csv"
    for switch in ("max_grad_norm=none", "learning_rate=1e200"):
        line += f" --switch {switch}"
    result = CliRunner().invoke(app, line.split())
    said = " ".join(result.output.split())
    assert result.exit_code == 1, said
    assert "Error: " in said and "are NaN or infinite" in said and "max_grad_norm" in said
    assert "Traceback" not in said and not (tmp_path / "p.csv").exists()
    assert not (tmp_path / "kept" / "tuner.json").exists()
