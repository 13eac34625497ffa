"""A run folder is checked when it is read, written in the right order, and belongs to one run."""

import json
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pseudolab import io
from pseudolab.cli.results import write_rows
from pseudolab.clip.model import GRID
from pseudolab.data.tasks import load_task
from pseudolab.method import run_folder
from pseudolab.method.run import (
    Round,
    Run,
    RunSettings,
    load_round,
    load_settings,
    save_round,
    save_settings,
)
from pseudolab.method.run_folder import ARRAYS, SCHEMA, SETTINGS, round_rules
from pseudolab.method.splits import seen_classes
from pseudolab.method.training import rng_for
from pseudolab.views import explorer
from support.bench import SENTENCE, bench, play
from support.damage import DAMAGES, put, read, rebind, write
from support.runs import made_up, noise_task

pytestmark = pytest.mark.usefixtures("own_cache")
NAMES = ["river", "lake", "forest"]


@pytest.fixture(scope="module")
def made(own_cache):
    with bench() as made:
        yield made


@pytest.fixture
def folder(tmp_path):
    "A run that nobody trained"
    made_up(noise_task(NAMES, 12, 9), rounds=2).save(tmp_path / "run")
    return tmp_path / "run"


# ---- damage


@pytest.mark.parametrize("number", range(len(DAMAGES)), ids=lambda at: DAMAGES[at].__name__)
def test_every_kind_of_damage_is_told_in_a_sentence(made, number):
    kind, done, said = play(made, number)
    assert kind == SENTENCE, f"{done}\n{said}"


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(number=st.integers(0, 10**9))
def test_damage_of_any_kind_is_told_in_a_sentence(made, number):
    kind, done, said = play(made, number)
    assert kind == SENTENCE, f"case {number}: {done}\n{said}"


def test_the_whole_folder_gives_what_it_gave(made):
    for name, act in made.actions.items():
        assert act(made.place / "whole") == made.wanted[name], name


# ---- the schema stands in one place


def test_every_setting_and_every_number_of_a_round_has_a_rule(folder):
    assert {*SETTINGS.required, *SETTINGS.optional} == {entry.name for entry in fields(RunSettings)}
    rules = round_rules(3)
    written = set(read(folder / "rounds/01.json"))
    assert written == {*rules.required, *rules.optional, "seal"}
    assert set(read(folder / "rounds/01.json")["arrays"]) < set(ARRAYS)


def test_the_keys_that_were_always_written_are_written(folder):
    about = read(folder / "run.json")
    assert about["schema"] == SCHEMA == 2
    assert {"task", "clip", "prompt", "paradigm", "strategy", "k", "seed"} < set(about)
    expected = {"number", "k", "score", "per_class_accuracy", "audit", "audit_zero_shot", "seconds"}
    assert expected < set(read(folder / "rounds/02.json"))


def test_format_1_is_read_and_resumed_without_digests(folder):
    whole = Run.load(folder)
    for path in [folder / "run.json", *(folder / "rounds").glob("*.json")]:
        values = read(path)
        for name in ("seal", "arrays", "run"):
            values.pop(name, None)
        if "schema" in values:
            values["schema"] = 1
        path.write_text(json.dumps(values))
    old = Run.load(folder)
    assert old.settings == whole.settings and old.to_frame().equals(whole.to_frame())
    save_round(folder, whole.rounds[2])  # by this version
    assert Run.load(folder).to_frame().equals(whole.to_frame())
    about = read(folder / "run.json")
    (folder / "run.json").write_text(json.dumps(about | {"schema": 2}))
    with pytest.raises(ValueError, match="it has no seal"):
        Run.load(folder)


def test_arrays_that_are_not_known_are_carried(folder):
    "A later version may write more arrays; a digest holds them all the same"
    stem = folder / "rounds/01"
    arrays = run_folder.read_arrays(Path(f"{stem}.safetensors"), {})
    arrays["later"] = np.arange(12)
    from safetensors.numpy import save_file

    save_file(arrays, f"{stem}.safetensors")
    values = read(Path(f"{stem}.json"))
    write(Path(f"{stem}.json"), values | {"arrays": run_folder.digests(arrays)})
    assert len(Run.load(folder).rounds) == 3
    arrays["later"][0] = 5
    save_file(arrays, f"{stem}.safetensors")
    with pytest.raises(ValueError, match="later is not the one that was written"):
        Run.load(folder)


@pytest.mark.parametrize("n_classes", [3, 200, 40_000])
def test_predictions_of_many_classes_come_back(tmp_path, n_classes):
    predictions = np.array([0, n_classes // 2, n_classes - 1])
    round = Round(
        number=0,
        k=0,
        score=None,
        per_class_accuracy=np.full(n_classes, np.nan),
        predictions=predictions,
        seconds=1.0,
        pool_logits=np.zeros((0, n_classes), np.float16),
    )
    save_round(tmp_path, round)
    assert (load_round(tmp_path, 0).predictions == predictions).all()


def test_rounds_behind_a_gap_are_not_read(folder):
    assert len(Run.load(folder).rounds) == 3
    (folder / "rounds/02.json").rename(folder / "rounds/03.json")
    with pytest.raises(ValueError, match="02.json is missing, and later rounds are there"):
        Run.load(folder)
    (folder / "rounds/03.json").unlink()
    assert len(Run.load(folder).rounds) == 2


def test_a_longer_run_is_not_written_over(folder):
    shorter = made_up(noise_task(NAMES, 12, 9), rounds=1)
    with pytest.raises(ValueError, match="more rounds, up to 2"):
        shorter.save(folder)
    assert len(Run.load(folder).rounds) == 3


def test_accuracies_are_shares_of_images(folder):
    put(folder, "rounds/01.json", ("per_class_accuracy", 0), 1 / 3 + 0.01)
    with pytest.raises(ValueError, match=r"per_class_accuracy\[0\] .* a share of 3 images"):
        Run.load(folder)


# ---- nothing big happens


def test_deep_json_and_large_files_are_refused_before_they_are_read(tmp_path, monkeypatch):
    path = tmp_path / "run.json"
    path.write_text("[" * 100_000 + "]" * 100_000)
    with pytest.raises(ValueError, match="nested too deeply"):
        load_settings(tmp_path)
    with path.open("wb") as file:
        file.truncate(2**40)
    monkeypatch.setattr(run_folder, "read_json", None)  # it must not be asked
    with pytest.raises(ValueError, match="1,099,511,627,776 bytes; expected at most 67,108,864"):
        load_settings(tmp_path)


def test_a_run_of_somebody_else_does_not_have_pictures_drawn_without_end(tmp_path, monkeypatch):
    task = load_task("satellite", n_train=2, n_test=1)
    run = made_up(task, rounds=1)
    run = replace(run, settings=replace(run.settings, task=task.describe()), task=None)
    assert explorer.task_of(run) is not None
    for name, count in (("n_train", 100_000), ("n_test", 2_001)):
        source = task.source | {name: count}
        about = run.settings.task | {"source": source}
        monkeypatch.setattr(explorer, "load_task", None)  # it must not be asked
        assert explorer.task_of(replace(run, settings=replace(run.settings, task=about))) is None


def test_a_prompt_cannot_ask_for_memory(made, tmp_path):
    import shutil

    from safetensors import safe_open
    from safetensors.torch import save_file

    from pseudolab.method.prompts.text import TextPrompt

    path = tmp_path / "prompt.safetensors"
    shutil.copy(made.place / "whole" / "prompt.safetensors", path)
    with safe_open(path, framework="pt") as file:
        about = json.loads(file.metadata()["pseudolab"])
        state = {name: file.get_tensor(name) for name in file.keys()}
    for change, words in (
        ({"n_tokens": 10**12}, "no tensor has that length"),
        ({"n_tokens": "many"}, "no tensor has that length"),
        ({"class_names": ["one"]}, "two or more"),
        ({"colour": 1}, "other options"),
    ):
        options = about["options"] | change
        save_file(state, path, metadata={"pseudolab": json.dumps(about | {"options": options})})
        with pytest.raises(ValueError, match=words):
            TextPrompt.load(path, made.clip)
    state["context"][0, 0] = float("nan")
    save_file(state, path, metadata={"pseudolab": json.dumps(about)})
    with pytest.raises(ValueError, match="context has values that are NaN"):
        TextPrompt.load(path, made.clip)
    state = {"context": state["context"][:, :-1].contiguous().nan_to_num()}
    save_file(state, path, metadata={"pseudolab": json.dumps(about)})
    with pytest.raises(ValueError, match="does not fit this text prompt"):
        TextPrompt.load(path, made.clip)


# ---- one folder, one run

RACE = """
import sys, time
from pathlib import Path
from pseudolab.method.run import RunSettings, new_run
task = {"name": "made up", "class_names": ["a", "b"], "n_train": 4, "n_test": 3}
folder, me = Path(sys.argv[1]), sys.argv[2]
(folder / f"ready-{me}").touch()
while len(list(folder.glob("ready-*"))) < 2:
    time.sleep(.001)
settings = [
    RunSettings(task=task, clip={"name": "none"}, prompt="text", paradigm="ul", strategy="grip",
                seed=int(me)) for _ in range(40)]
for at, one in enumerate(settings):
    try:
        new_run(folder / f"run-{at}", one)
        print(at, "mine")
    except ValueError as error:
        assert "holds a run already" in str(error), error
        print(at, "told")
"""


@pytest.mark.slow
def test_of_two_runs_in_one_folder_one_is_told(tmp_path):
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, str(tmp_path), me], stdout=subprocess.PIPE, text=True
        )
        for me in "12"
    ]
    said = [racer.communicate()[0].splitlines() for racer in racers]
    assert all(len(lines) == 40 for lines in said)
    for at, pair in enumerate(zip(*said, strict=True)):
        assert sorted(line.split()[1] for line in pair) == ["mine", "told"]
        winner = "12"[["mine" in line for line in pair].index(True)]
        assert load_settings(tmp_path / f"run-{at}").seed == int(winner)
    assert not list(tmp_path.glob("**/.*.part"))


def test_a_folder_with_rounds_and_no_settings_is_not_begun_in(made, folder):
    (folder / "run.json").unlink()
    with pytest.raises(ValueError, match="holds rounds and no run.json"):
        next(made.tuner().iter_fit(made.task, folder))
    assert not (folder / "run.json").exists()


def test_parts_of_dead_processes_go_when_a_run_is_resumed(made, tmp_path):
    out = tmp_path / "run"
    rounds = made.tuner().iter_fit(made.task, out)
    next(rounds)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    own = io._part_name()
    dead = own.replace(f"-{os.getpid()}-", f"-{ended.pid}-")
    begun = tmp_path / "killed before its first file"
    begun.mkdir()
    (begun / dead).touch()
    next(made.tuner().iter_fit(made.task, begun))
    assert not list(begun.glob(".*.part"))
    elsewhere = dead.replace(dead[1:9], "00000000")  # nobody here knows that machine
    for place in (out, out / "rounds"):
        for name in (own, dead, elsewhere):
            (place / name).touch()
    made.tuner().fit(made.task, out=out, resume=True, progress=False)
    for place in (out, out / "rounds"):
        assert {path.name for path in place.glob(".*.part")} == {own, elsewhere}


def test_resume_does_not_believe_other_settings(made, tmp_path):
    out = tmp_path / "run"
    next(made.tuner(seed=1).iter_fit(made.task, out))
    with pytest.raises(ValueError, match="another seed"):
        next(made.tuner().iter_fit(made.task, out, resume=True))
    put(out, "run.json", ("seed",), 0)
    rebind(out)
    assert load_settings(out).seed == 0  # a forger may say so
    with pytest.raises(ValueError, match="another shots, shots_seed"):
        tuner = made.tuner()
        tuner.shots, tuner.shots_seed = 3, 4
        next(tuner.iter_fit(made.task, out, resume=True))


# ---- the order of writing, and the rights


class Stopped(Exception):
    pass


def test_arrays_are_written_before_the_file_that_says_they_are_whole(folder, monkeypatch):
    run = Run.load(folder)
    put_names = []
    replaced = os.replace

    def watched(source, target):
        put_names.append(Path(target).name)
        replaced(source, target)

    monkeypatch.setattr(os, "replace", watched)
    save_round(folder, run.rounds[1])
    assert put_names == ["01.safetensors", "01.json"]


def test_every_file_is_on_the_disk_before_it_has_its_name(folder, monkeypatch):
    run = Run.load(folder)
    done = []
    synced, replaced = os.fsync, os.replace

    def watch_sync(number):
        done.append(("sync", os.fstat(number).st_ino))
        synced(number)

    def watch_replace(source, target):
        done.append(("name", os.stat(source).st_ino))
        replaced(source, target)

    monkeypatch.setattr(os, "fsync", watch_sync)
    monkeypatch.setattr(os, "replace", watch_replace)
    save_round(folder, run.rounds[1])
    save_settings(folder, run.settings)
    assert [kind for kind, _ in done] == ["sync", "name"] * 3
    assert all(one[1] == two[1] for one, two in zip(done[::2], done[1::2], strict=True))


def test_all_files_of_a_run_have_the_rights_of_the_umask(made):
    before = os.umask(0o027)
    try:
        with tempfile.TemporaryDirectory() as place:
            out = Path(place) / "run"
            tuner = made.tuner()
            next(tuner.iter_fit(made.task, out))
            tuner.save(out)
            files = [path for path in out.rglob("*") if path.is_file()]
            assert len(files) == 5
            assert {path.stat().st_mode & 0o777 for path in files} == {0o640}
    finally:
        os.umask(before)


def test_what_may_not_be_read_is_not_called_damaged(folder, monkeypatch):
    opened = Path.open

    def denied(path, *arguments, **options):
        if path.name == hidden:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", denied)
    for hidden in ("run.json", "01.json", "02.safetensors"):
        with pytest.raises(ValueError) as caught:
            Run.load(folder)
        said = str(caught.value)
        assert hidden in said and "may not be read by you (Permission denied)" in said
        assert "damaged" not in said and "emove" not in said


@pytest.mark.parametrize("file", ["run.json", "00.safetensors", "00.json", "01.json"])
def test_a_full_disk_is_told_with_the_file_and_what_is_safe(made, tmp_path, monkeypatch, file):
    out = tmp_path / "run"

    def full(path, part):
        if path.name == file:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(io, "_put", _after(full, io._put))
    with pytest.raises(ValueError) as caught:
        made.tuner().fit(made.task, out=out, progress=False)
    said = str(caught.value)
    assert f"{file} cannot be written: the disk is full ([Errno 28]" in said and "\n" not in said
    if file == "run.json":
        assert "Every file that was whole before is whole" in said
    else:
        kept = {"00.safetensors": "run.json is", "00.json": "run.json is"}
        assert f"In {out} {kept.get(file, 'rounds 0 to 0 are')} safe" in said
    assert not list(tmp_path.rglob(".*.part"))
    monkeypatch.undo()
    run = made.tuner().fit(made.task, out=out, resume=out.joinpath("run.json").exists())
    whole = Run.load(made.place / "whole")
    assert [one.score for one in run.rounds] == [one.score for one in whole.rounds]


def _after(check, put_file):
    "`_put`, with a look before"

    def watched(part, path, exclusive):
        check(path, part)
        put_file(part, path, exclusive)

    return watched


@contextmanager
def largest_file(size: int):
    "No file may grow beyond so many bytes, as with `ulimit -f`"
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit of a file's size")
@pytest.mark.parametrize("size", [10, 300, 700, 1200])
def test_a_limit_of_the_size_of_files_is_told_in_a_sentence(folder, tmp_path, size):
    run = Run.load(folder)
    out = tmp_path / "out"
    made_of_it = {
        "run.json": lambda: run.save(out),
        "01.safetensors": lambda: save_round(out, run.rounds[1]),
        "report.html": lambda: run.report(out / "report.html"),
        "export.json": lambda: run.export(out / "export.json"),
        "rows.csv": lambda: write_rows(out / "rows.csv", ["a"], [["x" * 50]] * 1000),
    }
    for file, act in made_of_it.items():
        if size == 1200 and file in ("run.json", "01.safetensors"):
            continue  # they fit
        caught = None
        with largest_file(size):
            try:
                act()
            except ValueError as error:
                caught = str(error)
        # of several files it is the first that is too large
        first = {"run.json": "out/", "01.safetensors": "01."}.get(file, file)
        assert caught is not None and first in caught.split(" cannot be written: ")[0]
        assert "the disk is full ([Errno 27]" in caught and "\n" not in caught
    assert not list(out.rglob(".*.part"))


# ---- what a run is made of, where a slip would stay unseen


def test_the_labels_of_a_round_come_from_the_round_before(made):
    tuner = made.tuner()
    asked = []
    select = tuner._select

    def watched(fit, labeller, logits, k):
        asked.append(logits)
        return select(fit, labeller, logits, k)

    tuner._select = watched
    tuner.recipe = tuner.recipe.replace(min_steps=5)
    run = tuner.fit(made.task, progress=False)
    zero, first = (run.rounds[number].pool_logits for number in (0, 1))
    assert not np.array_equal(zero, first)
    # of round 0; then of each round its own, and zero-shot CLIP's beside them
    expected = [zero, zero, zero, first, zero]
    given = [logits.detach().numpy().astype(np.float16) for logits in asked]
    assert [np.array_equal(*pair) for pair in zip(given, expected, strict=True)] == [True] * 5


def test_seed_and_round_are_two_numbers():
    seeds = {(s, i): rng_for(s, i, 0).initial_seed() for s in range(4) for i in range(4)}
    assert len(set(seeds.values())) == 16


def test_the_seen_classes_are_cut_to_a_whole_number():
    "0.62 of 45 is 27.9, and the published split has 27"
    counts = {n: len(seen_classes(n)) for n in (10, 45, 47, 100, 102)}
    assert counts == {10: 6, 45: 27, 47: 29, 100: 62, 102: 63}


def test_class_vectors_are_rounded_to_the_nearest_place_of_the_grid(made):
    names = ["a photo of a forest", "a photo of a lake"]
    with torch.no_grad():
        want = made.clip.model.encode_text(made.clip.tokenizer(names))
    want = torch.nn.functional.normalize(want.double(), dim=-1)
    off = (made.clip.encode_texts(names) - want).abs().max()
    assert GRID / 4 < off <= GRID / 2 * 1.001
