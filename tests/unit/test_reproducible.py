"""The same numbers on every machine: whatever the instruction set, the threads, the batch size, the
state of the cache and the other pictures.
"""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from pseudolab.clip import model as clip_model
from pseudolab.clip.loading import load_clip
from pseudolab.clip.model import GRID, frozen_features, has_float64
from pseudolab.method.loss import unified_loss
from pseudolab.method.prompts.multimodal import MultimodalPrompt
from pseudolab.method.prompts.text import TextPrompt
from pseudolab.method.prompts.visual import VisualPrompt
from pseudolab.method.recipe import Recipe
from pseudolab.method.run import NOISE, Run
from pseudolab.method.selectors import prediction_gap, select_top_k, selection_gap
from pseudolab.method.strategies import Strategy
from pseudolab.method.training import Term, fit_prompt
from pseudolab.method.tuner import PromptTuner
from pseudolab.method.zero_shot import zero_shot
from support import ROOT
from support.clips import seeded, untrained, wrapped
from support.small_runs import NAMES, frozen, small_task

pytestmark = pytest.mark.usefixtures("own_cache")

CLASSES = ["forest", "lake", "highway"]
# instruction set of torch's own loops, of its library of matrix products, threads
SETTINGS = {
    "plain instructions": ({"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE"}, 1),
    "AVX2": ({"ATEN_CPU_CAPABILITY": "avx2"}, 1),
    "two threads": ({}, 2),
    "plain instructions, two threads": ({"ATEN_CPU_CAPABILITY": "default"}, 2),
}
KINDS = ["text ul 60", "visual ul 3", "multimodal ul 3", "text ssl 20", "text trzsl 20"]


@pytest.fixture(scope="module")
def task():
    return small_task()


# ---- in this process


def test_the_pocket_clip_computes_in_float64(clip):
    assert "cpu fp64" in repr(clip) and clip.precision == "fp64" and clip.dtype == torch.float64
    assert {weight.dtype for weight in clip.model.parameters()} == {torch.float64}
    assert clip.logit_scale.dtype == torch.float64
    assert torch.get_default_dtype() == torch.float32
    assert not has_float64(torch.device("mps"))
    with pytest.raises(ValueError, match="'fp64' is not possible on mps; use 'fp32'"):
        clip_model.autocast_dtype("fp64", torch.device("mps"))


@pytest.mark.parametrize("kind", [TextPrompt, VisualPrompt, MultimodalPrompt])
def test_what_is_learned_follows_and_starts_from_the_same_numbers(clip, kind, tmp_path, task):
    single = load_clip("pocket", device="cpu", precision="fp32")
    images = torch.stack([clip.preprocess(task.test.images[at]) for at in range(3)])
    prompt = kind(clip, CLASSES, generator=seeded(1))
    other = kind(single, CLASSES, generator=seeded(1))
    pairs = zip(prompt.parameters(), other.parameters(), strict=True)
    for value, rounded in pairs:
        assert value.dtype == torch.float64 and rounded.dtype == torch.float32
        assert torch.equal(value, rounded.double())
    logits = prompt.logits(images)
    assert logits.dtype == prompt.class_features().dtype == torch.float64
    assert 0 < (logits - other.logits(images)).abs().max() < 1e-3
    with torch.no_grad():
        inputs = prompt.inputs(images)
    assert inputs.dtype == torch.float64
    recipe = Recipe.paper().replace(epochs=1, warmup_epochs=0)
    term = Term(inputs, torch.arange(3).numpy())
    fit_prompt(prompt, recipe, labelled=term, generator=seeded())
    for name, value in prompt.named_parameters():
        assert value.dtype == torch.float64
        assert not torch.equal(value, value.float().double()), f"{name} was rounded"
    prompt.save(tmp_path / "prompt.safetensors")
    again = kind.load(tmp_path / "prompt.safetensors", clip)
    assert torch.equal(again.logits(images), prompt.logits(images))


def test_any_clip_may_be_asked_for_float64():
    single = untrained()
    assert single.dtype == torch.float32
    clip = wrapped(single.model, "tiny", precision="fp64")
    images = torch.rand(2, 3, 32, 32, generator=seeded())
    with torch.no_grad():
        want = clip.model.encode_image(images.double())
    got = clip.encode_images(images)
    assert got.dtype == torch.float64
    assert (got - torch.nn.functional.normalize(want, dim=-1)).abs().max() <= GRID / 2


def test_frozen_features_are_the_same_however_they_are_encoded(clip, task):
    found = frozen(clip, task)
    assert found["images"] == found["batches of 7"] == found["batches of 256"] == found["kept"]
    assert found["image alone"] == found["third of all"]
    alone = clip.encode_texts(NAMES[1:2])[0]
    assert torch.equal(clip.encode_texts(NAMES, batch_size=2)[1], alone)


def test_frozen_features_lie_on_a_grid_that_float32_holds(clip, task):
    features = clip.image_features(task.test.images)
    assert features.dtype == torch.float64
    assert torch.equal(features, features.float().double())
    assert torch.equal(features, (features / GRID).round() * GRID)
    noise = torch.randn(features.shape, generator=seeded(), dtype=torch.float64)
    rows = torch.nn.functional.normalize(noise, dim=-1)
    assert torch.equal(frozen_features(rows * 3, torch.float64), (rows / GRID).round() * GRID)
    assert torch.equal(
        frozen_features(rows.float() * 3, torch.float32),
        torch.nn.functional.normalize(rows.float() * 3, dim=-1),
    )


def test_a_cold_and_a_warm_cache_give_the_same_features(task):
    cold = load_clip("pocket", device="cpu").image_features(task.train.images[:20])
    warm = load_clip("pocket", device="cpu")
    warm.encode_images = None  # it must not be asked
    assert torch.equal(warm.image_features(task.train.images[:20]), cold)


@pytest.fixture
def two_threads(torch_threads):
    "A caller's setting"
    torch_threads(2)


@pytest.mark.usefixtures("two_threads")
def test_the_library_takes_one_thread_and_gives_the_callers_setting_back(clip, task, monkeypatch):
    seen = []
    towers = clip._encode_pixels

    def watched(pixels):
        seen.append(torch.get_num_threads())
        return towers(pixels)

    monkeypatch.setattr(clip, "_encode_pixels", watched)
    clip.encode_images(task.test.images[:2])
    assert seen == [1] and torch.get_num_threads() == 2
    with pytest.raises(ZeroDivisionError), clip.threads():
        assert torch.get_num_threads() == 1
        raise ZeroDivisionError
    assert torch.get_num_threads() == 2
    monkeypatch.setattr(clip_model, "SMALL", 0)
    with clip.threads():
        assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
def test_rounds_are_computed_in_one_thread_and_between_them_the_setting_is_back(clip, task):
    inside = []

    class Watched(PromptTuner):
        def _new_prompt(self, *arguments, **options):
            inside.append(torch.get_num_threads())
            return super()._new_prompt(*arguments, **options)

    recipe = Recipe.pocket().replace(epochs=1, min_steps=1)
    tuner = Watched(clip, recipe=recipe, strategy=Strategy.named("grip", rounds=2))
    for _ in tuner.iter_fit(task):
        assert torch.get_num_threads() == 2
    assert inside == [1, 1]
    tuner.predict_proba(task.test.images[:1])
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
def test_a_prompt_is_trained_in_one_thread_and_afterwards_the_setting_is_back(clip, task):
    seen = []

    def watched(*arguments, **options):
        seen.append(torch.get_num_threads())
        return unified_loss(*arguments, **options)

    images = task.train.images[:4]
    term = Term(clip.image_features(images), task.train.labels[:4])
    recipe = Recipe.pocket().replace(epochs=2, min_steps=2)
    prompt = TextPrompt(clip, task.class_names)
    generator = torch.Generator().manual_seed(0)
    fit_prompt(prompt, recipe, labelled=term, generator=generator, loss=watched)
    assert seen and set(seen) == {1} and torch.get_num_threads() == 2


def test_a_resumed_run_keeps_every_bit(clip, task, tmp_path):
    recipe = Recipe.pocket().replace(epochs=1, min_steps=2, warm_start=True)
    tuner = PromptTuner(clip, recipe=recipe, strategy=Strategy.named("grip", rounds=3))
    whole = tuner.fit(task, progress=False)
    rounds = tuner.iter_fit(task, out=tmp_path / "run")
    for _ in range(3):
        next(rounds)
    resumed = tuner.fit(task, out=tmp_path / "run", resume=True, progress=False)
    read = Run.load(tmp_path / "run")
    for a, b, c in zip(whole.rounds, resumed.rounds, read.rounds, strict=True):
        assert a.prompt_state.keys() == b.prompt_state.keys() == c.prompt_state.keys()
        for name, value in a.prompt_state.items():
            assert value.dtype == "float64"
            assert value.tobytes() == b.prompt_state[name].tobytes()
            assert value.tobytes() == c.prompt_state[name].tobytes()
        assert a.score == b.score == c.score and a.gap == b.gap == c.gap
        assert c.pool_logits.dtype == "float16"
    assert tuner.predict_proba(task.test.images[:2]).dtype == "float32"


def test_the_gap_of_a_selection_is_what_must_change_to_select_otherwise():
    logits = torch.randn(40, 5, generator=seeded(2), dtype=torch.float64)
    allowed = [0, 2, 3]
    for k in (1, 7, 39):
        gap = selection_gap(logits, k, allowed=allowed)
        chosen = select_top_k(logits, k, allowed=allowed)
        scores = np.full((40, 5), -np.inf)
        scores[:, allowed] = logits[:, allowed].log_softmax(1).numpy()
        gaps = []
        for c in allowed:
            taken = chosen.index[chosen.label == c]
            left = np.setdiff1d(np.arange(40), taken)
            gaps.append(scores[taken, c].min() - scores[left, c].max())
        assert gap == pytest.approx(min(gaps), abs=1e-13) and gap > 0
    assert selection_gap(logits, 40) == np.inf


def test_the_gap_of_predictions_is_that_of_the_two_largest_logits():
    logits = np.array([[3.0, 1.0, 2.5], [0.0, -1.0, -5.0]])
    assert prediction_gap(logits) == 0.5
    assert prediction_gap(logits[:, :1]) == prediction_gap(logits[:0]) == np.inf


def test_a_round_notes_its_nearest_decision(clip, task):
    recipe = Recipe.pocket().replace(epochs=1, min_steps=2)
    strategy = Strategy.named("grip", rounds=2)
    run = PromptTuner(clip, recipe=recipe, strategy=strategy).fit(task, progress=False)
    tested = run_logits(clip, task, run)
    for round, logits in zip(run.rounds, tested, strict=True):
        assert 0 < round.gap <= prediction_gap(logits)
        assert round.certainty == round.gap / NOISE > 100
    threshold = PromptTuner(clip, recipe=recipe, strategy=strategy, selector="argmax_top_k")
    last = threshold.fit(task, progress=False).rounds[-1]
    assert last.gap == prediction_gap(threshold._logits_of(task.test.images))


def run_logits(clip, task, run):
    "Of the test images, by the prompt of each round"
    for round in run.rounds:
        if round.number == 0:
            yield zero_shot(clip, task.test.images, task.class_names, task.template)
            continue
        prompt = TextPrompt(clip, task.class_names)
        prompt.load_state_dict({k: torch.from_numpy(v) for k, v in round.prompt_state.items()})
        yield prompt.logits(task.test.images)


# ---- in others


def outcome_of(setting: str, folder) -> dict:
    "What `support.small_runs` gives under a setting, with a cache of its own"
    chosen, threads = SETTINGS[setting]
    unset = ("ATEN_CPU_CAPABILITY", "MKL_CBWR", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    environment |= chosen | {"XDG_CACHE_HOME": str(folder), "HOME": str(folder)}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    command = [sys.executable, "-m", "support.small_runs", str(threads), *KINDS]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def check_equal(found: dict, want: dict) -> None:
    assert found["frozen"] == want["frozen"]
    for kind, run in want["runs"].items():
        for what in ("scores", "chosen", "predictions"):
            assert found["runs"][kind][what] == run[what], f"{kind}: {what}"


@pytest.mark.slow
def test_runs_are_the_same_under_every_setting(tmp_path):
    found = {}
    for at, setting in enumerate(SETTINGS):
        found[setting] = outcome_of(setting, tmp_path / str(at))
    want = found["AVX2"]
    assert found["plain instructions"]["capability"] == "DEFAULT"
    assert found["two threads"]["threads"] == 2
    for setting in SETTINGS:
        check_equal(found[setting], want)
    # the same once more, with a cache that is warm
    check_equal(outcome_of("AVX2", tmp_path / "0"), want)
