"""Pretraining loses nothing: stopped and resumed, it ends with the same weights and log."""

import json
import shutil
from functools import cache
from pathlib import Path

import open_clip
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from pseudolab.clip.pocket import POCKET_CONTEXT, POCKET_SIZE
from pseudolab.data import pretrain as module
from pseudolab.data.pretrain import PretrainConfig, pretrain

pytestmark = pytest.mark.usefixtures("own_cache")
SMALL = dict(
    embed_dim=16,
    vision_cfg=dict(image_size=POCKET_SIZE, patch_size=28, width=16, layers=1, head_width=8),
    text_cfg=dict(context_length=POCKET_CONTEXT, vocab_size=49408, width=16, heads=2, layers=1),
)
TINY = PretrainConfig(pictures=24, epochs=3, batch_size=8, warmup_steps=2)


class Stopped(Exception):
    "As if the process had been killed here"


def train(out, config=TINY, **options):
    return pretrain(out, config, device="cpu", workers=1, progress=False, **options)


def stop(*arguments, **options):
    raise Stopped


def after(calls, function):
    "The function, which stops the process behind so many calls"
    made = []

    def watched(*arguments, **options):
        found = function(*arguments, **options)
        made.append(found)
        if len(made) == calls:
            raise Stopped
        return found

    return watched


def weights(path):
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}


def same(one, other):
    one, other = weights(one), weights(other)
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def losses(card):
    return [(record["epoch"], record["loss"]) for record in card["log"]]


def small_model(seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return open_clip.CLIP(**SMALL)


@pytest.fixture(scope="module", autouse=True)
def small_towers():
    "The same training of a model that is read and written in no time"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "pocket_model", small_model)
        patch.setattr(open_clip, "SimpleTokenizer", cache(open_clip.SimpleTokenizer))
        likeness = {world.name: module.likeness(world) for world in module.WORLDS}
        patch.setattr(module, "likeness", lambda world: likeness[world.name])
        yield


@pytest.fixture(scope="module")
def whole(own_cache, small_towers, tmp_path_factory):
    "A training that nobody stopped, and its card"
    out = tmp_path_factory.mktemp("whole") / "x.safetensors"
    return out, train(out)


@pytest.fixture
def stopped(whole, tmp_path):
    "A training of which two epochs of three are done"
    out = tmp_path / "x.safetensors"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_write_log", after(3, module._write_log))
        with pytest.raises(Stopped):
            train(out)
    return out


def checkpoint_of(out):
    return out.with_suffix(".checkpoint.safetensors")


@pytest.mark.parametrize(
    "epochs", [pytest.param(1, marks=pytest.mark.slow), 2, pytest.param(3, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("where", ["_train_epoch", "_save_checkpoint", "_write_log"])
def test_stopped_anywhere_and_resumed_it_is_the_same(whole, tmp_path, monkeypatch, epochs, where):
    out = tmp_path / "x.safetensors"
    monkeypatch.setattr(module, where, after(epochs, getattr(module, where)))
    with pytest.raises(Stopped):
        train(out)
    monkeypatch.undo()
    card = train(out, resume=True)
    assert losses(card) == losses(whole[1]) and same(out, whole[0])
    lines = out.with_suffix(".log.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2, 3]


def test_the_optimisers_moments_are_taken_up(whole, stopped, monkeypatch):
    "Without them the third epoch ends elsewhere"
    kept = torch.optim.AdamW.load_state_dict
    monkeypatch.setattr(torch.optim.AdamW, "load_state_dict", lambda self, state: None)
    copy = stopped.with_name("copy.safetensors")
    shutil.copy(checkpoint_of(stopped), checkpoint_of(copy))
    train(copy, resume=True)
    assert not same(copy, whole[0])
    monkeypatch.setattr(torch.optim.AdamW, "load_state_dict", kept)
    train(stopped, resume=True)
    assert same(stopped, whole[0])


@pytest.mark.parametrize("torn", ["lost", "half a line", "doubled", "not text"])
def test_the_log_beside_it_is_never_read(whole, stopped, torn):
    log = stopped.with_suffix(".log.jsonl")
    text = log.read_text()
    {
        "lost": log.unlink,
        "half a line": lambda: log.write_text(text[:-20]),
        "doubled": lambda: log.write_text(text + text),
        "not text": lambda: log.write_bytes(b"\xff\xfe\x00"),
    }[torn]()
    card = train(stopped, resume=True)
    assert losses(card) == losses(whole[1]) and same(stopped, whole[0])
    assert len(log.read_text().splitlines()) == 3


def change_notes(path, **changes):
    with safe_open(path, framework="pt") as file:
        notes = file.metadata()
    notes |= changes
    notes = {name: value for name, value in notes.items() if value is not None}
    save_file(weights(path), path, metadata=notes)


def change_tensors(path, change, digest=True):
    state = weights(path)
    with safe_open(path, framework="pt") as file:
        notes = file.metadata()
    change(state)
    if digest:
        notes["digest"] = module._digest_of(state)
    save_file(state, path, metadata=notes)


def set_first(name, value):
    def change(state):
        state[name].view(-1)[0] = value

    return change


LOG = [{"epoch": 1, "loss": 1.0, "logit_scale": 1.0, "seconds": 1.0}]
DAMAGE = {
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-1000]),
    "empty": lambda path: path.write_bytes(b""),
    "no notes": lambda path: save_file(weights(path), path),
    "no log": lambda path: change_notes(path, log=None),
    "torn log": lambda path: change_notes(path, log=json.dumps(LOG)[:-5]),
    "deep log": lambda path: change_notes(path, log="[" * 100_000),
    "epoch missing": lambda path: change_notes(path, log=json.dumps([LOG[0] | {"epoch": 2}])),
    "too many epochs": lambda path: change_notes(path, log=json.dumps(LOG * 4)),
    "no loss": lambda path: change_notes(path, log=json.dumps([LOG[0] | {"loss": None}])),
    "loss NaN": lambda path: change_notes(path, log='[{"epoch": 1, "loss": NaN}]'),
    "other tensors": lambda path: change_tensors(
        path, set_first("model.logit_scale", 2.0), digest=False
    ),
    "NaN": lambda path: change_tensors(path, set_first("model.text_projection", float("nan"))),
    "a tensor lost": lambda path: change_tensors(
        path, lambda state: state.pop("model.logit_scale")
    ),
    "moments lost": lambda path: change_tensors(
        path, lambda state: state.pop("optimizer.3.exp_avg")
    ),
    "another shape": lambda path: change_tensors(
        path, lambda state: state.update({"model.text_projection": torch.zeros(2, 2)})
    ),
    "unknown words": lambda path: change_tensors(path, set_first("seen", 10**6)),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_checkpoint_is_told_before_anything_is_drawn(stopped, monkeypatch, damage):
    DAMAGE[damage](checkpoint_of(stopped))
    monkeypatch.setattr(module, "training_pictures", stop)
    with pytest.raises(ValueError, match="is damaged or no checkpoint .*Remove it") as caught:
        train(stopped, resume=True)
    assert "\n" not in str(caught.value)


def test_a_whole_checkpoint_passes_these_checks(stopped, monkeypatch):
    monkeypatch.setattr(module, "training_pictures", stop)
    with pytest.raises(Stopped):
        train(stopped, resume=True)


def test_a_checkpoint_of_other_settings_is_not_believed(stopped, monkeypatch):
    monkeypatch.setattr(module, "training_pictures", stop)
    other = PretrainConfig(pictures=24, epochs=3, batch_size=8, warmup_steps=2, seed=1)
    with pytest.raises(ValueError, match="belongs to a run with other settings"):
        train(stopped, other, resume=True)


def test_a_training_that_was_stopped_is_not_written_over(stopped, monkeypatch):
    before = checkpoint_of(stopped).read_bytes()
    monkeypatch.setattr(module, "training_pictures", stop)
    with pytest.raises(ValueError, match="holds the epochs of a training.*--resume"):
        train(stopped)
    assert checkpoint_of(stopped).read_bytes() == before


def test_a_place_that_cannot_be_written_is_told_first(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "training_pictures", stop)
    with pytest.raises(ValueError, match="is a folder"):
        train(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="cannot be written"):
        train(tmp_path / "file" / "x.safetensors")
    with pytest.raises(Stopped):
        train(tmp_path / "new" / "x.safetensors")
    assert not list((tmp_path / "new").iterdir())


def test_a_full_disk_says_which_epochs_are_safe(whole, stopped, monkeypatch):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "save_file", full)
    words = "checkpoint.safetensors cannot be written: the disk is full .* up to 2 are safe in"
    with pytest.raises(ValueError, match=words):
        train(stopped, resume=True)
    monkeypatch.undo()
    train(stopped, resume=True)
    assert same(stopped, whole[0]) and not list(Path(stopped.parent).glob(".*.part"))
