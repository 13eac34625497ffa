"""The command line: real commands on small folders of drawn pictures; whatever is wrong with the
input is one sentence, never a traceback.
"""

import csv
import inspect
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from pseudolab.cli import options
from pseudolab.cli.app import app
from pseudolab.cli.command import command, explain
from pseudolab.cli.doctor import PACKAGES
from pseudolab.cli.inputs import fresh_folder, read_class_names
from pseudolab.cli.printing import console, show_progress, tidy
from pseudolab.data.pocket import drawing_rng, load_world
from support import ROOT

WORLD = load_world("satellite")
NAMES = list(WORLD.classes)[:3]
QUICK = ["--epochs", "1", "--rounds", "2"]


@pytest.fixture(autouse=True, scope="module")
def _places(tmp_path_factory):
    "Nothing is read from the project's settings.ini or written to the user's cache"
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("XDG_CACHE_HOME", "HOME", "LOCALAPPDATA"):
            patch.setenv(name, str(cache))
        patch.delenv("FORCE_COLOR", raising=False)
        yield


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    "Each test works in a folder of its own, with a terminal of 100 columns"
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def draw(folder: Path, name: str, numbers):
    "Pictures of one class as files"
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        rng = drawing_rng(0, "tests", "train", WORLD.classes.index(name), number)
        picture = np.asarray(WORLD.draw(rng, name, 0.0))
        Image.fromarray(picture).save(folder / f"{name} {number}.png")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    "photos/CLASS/*.png: three classes, six pictures each"
    root = tmp_path_factory.mktemp("drawn") / "photos"
    for name in NAMES:
        draw(root / name, name, range(6))
    return root


@pytest.fixture
def photos(drawn, here) -> Path:
    "A copy of the labelled folder, to be spoilt"
    return shutil.copytree(drawn, here / "photos")


@pytest.fixture
def loose(drawn, here) -> Path:
    "The same pictures without labels"
    (here / "loose").mkdir()
    for path in drawn.rglob("*.png"):
        shutil.copy(path, here / "loose")
    return here / "loose"


def call(*arguments, code: int = 0):
    "Run a command in this process; the exit code must be `code`"
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output + repr(result.exception)
    assert "Traceback" not in result.output
    assert "\x1b" not in result.output
    return result


def refused(*arguments, said: str) -> str:  # a pattern
    "The command ends with code 1 and one line on the error stream that says so"
    error = call(*arguments, code=1).stderr
    assert error.count("Error: ") == 1, error
    assert re.search(said, error), error
    return error


def as_json(*arguments):
    "What a command prints with --json"
    return json.loads(call(*arguments, "--json").stdout)


def scores(answer: dict) -> list:
    "Everything about accuracy in a run's JSON"
    found = []
    for round in answer["rounds"]:
        accuracies = [one["accuracy"] for one in round["classes"]]
        found.append((round["score"], round["precision"], accuracies))
    return found


def read_csv(path: Path) -> list[dict]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def process(*arguments, env_more=None, **options):
    "A real process, with the network out of use"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    environment |= env_more or {}
    return subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        **options,
    )


# --- help is quick, and light


@pytest.mark.parametrize("name", ["", "run", "predict", "demo", "pretrain", "doctor"])
def test_help_imports_nothing_heavy(name):
    code = """
import sys
from pseudolab.cli.app import main
sys.argv = ["pseudolab", *sys.argv[1:], "--help"]
try:
    main()
except SystemExit:
    pass
names = {"torch", "open_clip", "pandas", "sklearn", "numpy", "matplotlib", "PIL", "seaborn"}
heavy = names & set(sys.modules)
sys.exit(f"imported {heavy}" if heavy else 0)
"""
    done = process("-c", code, *name.split())
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


def test_help_names_every_command_and_the_entry_point_is_main():
    shown = call("--help").stdout
    for name in ("demo", "run", "tasks", "doctor", "pretrain", "report"):
        assert name in shown
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts["pseudolab"] == "pseudolab.cli.app:main"


def test_version():
    import pseudolab

    assert call("--version").stdout.strip() == f"pseudolab {pseudolab.__version__}"


def parameters_of(name: str) -> dict:
    import typer.main

    return {p.name: p for p in typer.main.get_command(app).commands[name].params}


@pytest.mark.slow
def test_run_has_every_switch_of_the_tuner():
    from pseudolab.method.tuner import PROMPTS, PromptTuner

    switches = set(inspect.signature(PromptTuner.__init__).parameters)
    switches -= {"self", "prompt_options"}
    for prompt in PROMPTS.values():
        switches |= set(prompt.option_names)
    assert switches <= set(parameters_of("run"))


def test_the_names_that_help_lists_are_those_of_the_library():
    from pseudolab.method.loss import WEIGHTS
    from pseudolab.method.selectors import SELECTORS
    from pseudolab.method.splits import SHOTS_DRAWS
    from pseudolab.method.strategies import STRATEGIES
    from pseudolab.method.tuner import PROMPTS

    assert list(options.PromptKind) == list(PROMPTS)
    assert list(options.Paradigm) == sorted(WEIGHTS)
    assert list(options.StrategyName) == list(STRATEGIES)
    assert list(options.SelectorName) == list(SELECTORS)
    assert tuple(options.ShotsDraw) == SHOTS_DRAWS


EXPERIMENTS = ("grid", "ladder", "ablations", "stepwise", "imbalance", "causal", "all", "sweep")


def test_every_experiment_has_a_command_with_the_same_options():
    import typer.main

    commands = typer.main.get_command(app).commands["experiments"].commands
    assert tuple(commands) == EXPERIMENTS
    for name, experiment in commands.items():
        options = {p.name for p in experiment.params}
        assert {"out", "workers", "shard", "dask", "collect"} <= options
        assert ("tasks" in options) == (name not in ("all", "sweep"))


def test_an_experiment_is_collected_and_goes_on_where_it_was(monkeypatch, tmp_path):
    from pseudolab.experiments import stepwise

    monkeypatch.chdir(tmp_path)
    played = []

    def play(cell, clip, task):
        played.append(cell.name)
        return {"switch": cell.recipe.name, "scores": [0.5, 0.5 + 0.01 * cell.at], "classes": []}

    monkeypatch.setattr(stepwise.StepwiseCell, "play", play)
    line = ["experiments", "stepwise", "--out", "runs", "--collect", "made/steps.json"]
    line += ["--tasks", "digits", "--seeds", "1", "--workers", "1"]
    first = CliRunner().invoke(app, line)
    assert first.exit_code == 0, first.output
    assert len(played) == len(list((tmp_path / "runs").glob("*.json"))) == 10
    assert len(stepwise.read_stepwise(tmp_path / "made" / "steps.json")) == 10
    assert "released code" in first.output
    assert CliRunner().invoke(app, line).exit_code == 0
    assert len(played) == 10


def test_shares_of_an_experiment_are_all_of_it(monkeypatch, tmp_path):
    from pseudolab.experiments import stepwise

    def play(cell, clip, task):
        return {"switch": cell.recipe.name, "scores": [0.5, 0.5], "classes": []}

    monkeypatch.setattr(stepwise.StepwiseCell, "play", play)
    line = ["experiments", "stepwise", "--out", str(tmp_path / "runs"), "--workers", "1"]
    line += ["--tasks", "digits", "--seeds", "1"]
    counts = []
    for which in ("1/3", "2/3", "3/3"):
        answer = CliRunner().invoke(app, [*line, "--shard", which])
        assert answer.exit_code == 0, answer.output
        assert f"Share {which} is made" in answer.output and "released" not in answer.output
        counts.append(len(list((tmp_path / "runs").iterdir())))
    assert counts == [4, 7, 10]
    monkeypatch.setattr(stepwise.StepwiseCell, "play", None)
    answer = CliRunner().invoke(app, line)
    assert answer.exit_code == 0 and "released code" in answer.output


def test_a_share_is_not_collected_as_if_it_were_all(tmp_path):
    for name in EXPERIMENTS[:-3]:
        line = ["experiments", name, "--out", str(tmp_path / "runs"), "--collect", "all.json"]
        answer = CliRunner().invoke(app, [*line, "--shard", "1/2"])
        assert answer.exit_code == 1 and "leave one out" in answer.output
        answer = CliRunner().invoke(app, [*line[:-2], "--shard", "3/2"])
        assert answer.exit_code == 1 and "'3/2' was given" in answer.output
    assert not (tmp_path / "runs").exists()


def test_dask_has_workers_of_its_own(tmp_path):
    line = ["experiments", "grid", "--out", str(tmp_path / "runs"), "--workers", "2"]
    answer = CliRunner().invoke(app, [*line, "--dask", "tcp://127.0.0.1:1"])
    assert answer.exit_code == 1 and "leave one out" in answer.output


def test_a_task_that_is_not_there_is_named_by_every_experiment(tmp_path):
    for name in EXPERIMENTS[:-2]:
        line = ["experiments", name, "--out", str(tmp_path), "--tasks", "flowres"]
        if name == "causal":
            line += ["--weights", str(tmp_path)]
        answer = CliRunner().invoke(app, line)
        assert answer.exit_code == 1
        assert "flowres" in answer.output


def test_missing_weights_are_named_before_anything_is_run(tmp_path):
    line = ["experiments", "causal", "--out", str(tmp_path / "runs"), "--weights", str(tmp_path)]
    answer = CliRunner().invoke(app, line)
    assert answer.exit_code == 1
    assert "pseudolab pretrain" in answer.output
    assert not (tmp_path / "runs").exists()


def test_pretrain_shows_every_field_with_its_true_default():
    from pseudolab.data.pretrain import PretrainConfig
    from pseudolab.data.worlds.corpus import Captions

    shown = parameters_of("pretrain")
    for field in fields(PretrainConfig):
        if field.name != "captions":
            expected = getattr(PretrainConfig(), field.name)
            assert float(shown[field.name].show_default) == expected, field.name
    for field in fields(Captions):
        name = "captions_seed" if field.name == "seed" else field.name
        assert float(shown[name].show_default) == getattr(Captions(), field.name), name


# --- groups of options


@dataclass(frozen=True)
class Place:
    "Two options that belong together"

    north: Annotated[int, typer.Option(help="Degrees.")] = 1
    names: Annotated[list[str] | None, typer.Option(help="Names.")] = None


def test_a_group_is_filled_from_its_options():
    seen = []

    def go(speed: Annotated[int, typer.Argument(help="Speed.")], place: Place) -> None:
        "Go there."
        seen.append((speed, place))

    program = typer.Typer()
    command(program, go)
    for line in (["5"], ["6", "--north", "2", "--names", "a", "--names", "b"]):
        assert CliRunner().invoke(program, line).exit_code == 0
    assert seen == [(5, Place()), (6, Place(2, ["a", "b"]))]
    assert CliRunner().invoke(program, ["5", "--north", "x"]).exit_code == 2


# --- demo


@pytest.fixture(scope="module")
def brief():
    "The demo's ten rounds with one epoch each"
    from pseudolab.method.recipe import Recipe

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Recipe, "pocket", classmethod(lambda cls, *_: cls(name="pocket", epochs=1)))
        yield


@pytest.mark.slow
def test_demo_leaves_a_run_and_a_report_and_repeats_itself(brief, here):
    from pseudolab.method.run import Run

    first = call("demo", "--task", "digits", "--seed", "3", "--out", "a")
    call("demo", "--task", "digits", "--seed", "3", "--out", "b")
    run, again = Run.load(here / "a"), Run.load(here / "b")
    assert (here / "a" / "run.json").is_file()
    assert len(list((here / "a" / "rounds").glob("*.json"))) == 11
    assert (here / "a" / "report.html").is_file()
    for one, other in zip(run.rounds, again.rounds, strict=True):
        assert one.score == other.score
        assert (one.predictions == other.predictions).all()
        assert (one.pool_logits == other.pool_logits).all()
    assert run.settings.seed == 3
    check_demo_output(first.stdout, run)


def check_demo_output(shown: str, run):
    "Every round's score stands in the table, and a last round that is not ahead is named"
    for round in run.rounds:
        assert f"{100 * round.score:.1f} %" in shown
    assert "zero-shot" in shown
    assert ("not ahead of zero-shot" in shown) == (run.score <= run.rounds[0].score)
    assert "report.html" in shown


def test_demo_takes_a_fresh_folder(here):
    for expected in ("demo", "demo-2", "demo-3"):
        assert fresh_folder(Path("demo")).name == expected
        fresh_folder(Path("demo")).mkdir()


def test_demo_keeps_what_is_there(here, brief):
    (here / "a").mkdir()
    (here / "a" / "run.json").write_text("{}")
    refused("demo", "--task", "digits", "--out", "a", said="holds a run already")
    assert (here / "a" / "run.json").read_text() == "{}"


def test_demo_is_for_tasks_that_ship():
    refused("demo", "--task", "folder", said="pseudolab run --root")


# --- run, on folders of pictures


def test_run_on_a_labelled_folder(photos, here):
    shown = call("run", "--root", photos, *QUICK, "--out", "r", "--predictions", "p.csv").stdout
    assert "photos: 3 classes, 12 training images, 6 test images (6 labelled)" in shown
    assert "report.html" in shown
    rows = read_csv(here / "p.csv")
    assert len(rows) == 18
    assert {row["class"] for row in rows} <= set(NAMES)
    assert {row["part"] for row in rows} == {"train", "test"}
    for row in rows:
        assert row["label"] in row["image"]
        assert 1 / 3 <= float(row["probability"]) <= 1


def test_run_on_a_folder_without_labels(loose, here):
    (here / "names.txt").write_text("\n".join(NAMES) + "\n", encoding="utf-8-sig")
    names = ["--class-names", "names.txt"]
    files = ["--out", "r", "--predictions", "p.csv"]
    shown = call("run", "--root", loose, *names, *QUICK, *files).stdout
    assert "no labels" in shown
    assert "no score" in shown
    assert "nan" not in shown.lower()
    assert all(name in shown for name in NAMES)
    rows = read_csv(here / "p.csv")
    assert len(rows) == 18
    assert all(row["label"] == "" and row["part"] == "train" for row in rows)
    assert "no labels" in (here / "r" / "report.html").read_text(encoding="utf-8")


def test_json_stands_alone_and_is_whole(loose):
    answer = as_json("run", "--root", loose, "--class-names", ", ".join(NAMES), *QUICK)
    assert answer["score"] is None
    assert answer["settings"]["task"]["class_names"] == NAMES
    assert len(answer["rounds"]) == 3
    for round in answer["rounds"]:
        assert sum(one["pool_images"] for one in round["classes"]) == 18
        assert all(one["accuracy"] is None for one in round["classes"])


def test_same_seed_same_numbers_another_seed_others(drawn):
    one, again, other = (
        as_json("run", "--root", drawn, *QUICK, "--seed", seed) for seed in (1, 1, 2)
    )
    assert scores(one) == scores(again)
    assert other["settings"]["seed"] == 2


@pytest.mark.slow
def test_resume_ends_with_the_same_numbers(drawn, here):
    arguments = ["run", "--root", drawn, "--epochs", "2", "--rounds", "4", "--out", "r"]
    whole = as_json(*arguments)
    for number in ("03", "04"):
        for path in (here / "r" / "rounds").glob(f"{number}.*"):
            path.unlink()
    assert scores(as_json(*arguments, "--resume")) == scores(whole)
    refused(*arguments, said="holds a run already.*--resume")
    refused(*arguments, "--resume", "--seed", "9", said="another seed")


def test_stopped_by_hand_and_resumed(drawn, here, monkeypatch):
    from pseudolab.method import tuner

    arguments = ["run", "--root", drawn, *QUICK, "--out", "r"]
    fit_prompt = tuner.fit_prompt
    calls = []

    def stopped(*given, **options):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return fit_prompt(*given, **options)

    monkeypatch.setattr(tuner, "fit_prompt", stopped)
    assert "--resume" in refused(*arguments, said="Stopped")
    monkeypatch.setattr(tuner, "fit_prompt", fit_prompt)
    call(*arguments, "--resume")
    assert len(list((here / "r" / "rounds").glob("*.json"))) == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ["--paradigm", "ssl", "--shots", "1"],
        ["--paradigm", "trzsl", "--strategy", "fpl", "--k", "2"],
        ["--strategy", "zero_shot"],
        ["--paradigm", "ssl", "--strategy", "labelled", "--shots", "1"],
    ],
    ids=" ".join,
)
def test_other_cells(drawn, arguments):
    rounds = [] if "--strategy" in arguments else ["--rounds", "2"]
    answer = as_json("run", "--root", drawn, "--epochs", "1", *arguments, *rounds)
    assert 0 <= answer["score"] <= 1
    assert ("harmonic" in answer["metric"]) == ("trzsl" in arguments)


def test_the_tuner_that_was_kept_predicts(photos, here):
    from pseudolab.method.tuner import PromptTuner

    call("run", "--root", photos, *QUICK, "--out", "r", "--predictions", "p.csv")
    rows = read_csv(here / "p.csv")[:4]
    pictures = [Image.open(row["image"]).convert("RGB") for row in rows]
    predicted = PromptTuner.load(here / "r").predict(pictures)
    assert list(predicted) == [row["class"] for row in rows]


# --- predict


def predictions_in(path: Path) -> dict[str, tuple[str, float]]:
    "Class and probability by file name"
    return {
        Path(row["image"]).name: (row["class"], float(row["probability"])) for row in read_csv(path)
    }


def test_predict_says_what_the_run_said(photos, loose, here):
    call("run", "--root", photos, *QUICK, "--out", "r", "--predictions", "p.csv")
    of_run = predictions_in(here / "p.csv")
    (loose / "deep").mkdir()
    shutil.copy(next(loose.glob("*.png")), loose / "deep" / "again.png")
    (loose / "torn.png").write_bytes(b"torn")
    result = call("predict", "r", loose, "--out", "later.csv")
    assert "torn.png" in result.stderr
    assert "Skipped" in result.stderr
    assert "All 19 predictions" in result.stdout
    later = predictions_in(here / "later.csv")
    assert later.pop("again.png") in later.values()
    assert later.keys() == of_run.keys()
    for name, (predicted, probability) in later.items():
        assert predicted == of_run[name][0]
        assert probability == pytest.approx(of_run[name][1], abs=1e-3)
    (one,) = as_json("predict", "r", loose / f"{NAMES[1]} 2.png")
    assert one["class"] == of_run[f"{NAMES[1]} 2.png"][0]


def test_predict_refuses_in_a_sentence(photos, loose, here):
    call("run", "--root", photos, *QUICK, "--out", "r")
    (loose / "torn.png").write_bytes(b"torn")
    refused("predict", "r", here / "nowhere", said="neither a file nor a folder")
    refused("predict", "r", loose / "torn.png", said="no image")
    refused("predict", "r", loose, "--strict", said="torn.png")
    refused("predict", "r", loose, "--out", here, said="is a folder")
    refused("predict", loose, loose, said="not a run folder")
    (here / "r" / "tuner.json").write_text("{")
    refused("predict", "r", loose, said="tuner.json is damaged")


# --- export


def test_export_says_when_the_pictures_are_left_out(photos, here):
    call("run", "--root", photos, *QUICK, "--out", "r")
    without = call("export", "r", "--out", "without.json").stdout
    assert "were left out" in without
    assert "--root" in without
    with_pictures = call("export", "r", "--out", "with.json", "--root", photos).stdout
    assert "were left out" not in with_pictures
    assert (here / "with.json").stat().st_size > (here / "without.json").stat().st_size
    elsewhere = ["--root", photos / NAMES[0], "--class-names", ", ".join(NAMES)]
    refused("export", "r", *elsewhere, said="not the one of this run")


# --- settings.ini


def test_settings_are_the_defaults_and_arguments_win(drawn, here):
    (here / "settings.ini").write_text("[pseudolab]\nseed = 5\nrecipe = paper\ntask = folder\n")
    settings = as_json("run", "--root", drawn, *QUICK)["settings"]
    assert settings["seed"] == 5
    assert settings["recipe"]["name"].startswith("paper")
    settings = as_json("run", "--root", drawn, *QUICK, "--seed", "6")["settings"]
    assert settings["seed"] == 6
    refused("run", said="--root")


def test_a_wrong_setting_is_named(here):
    (here / "settings.ini").write_text("[pseudolab]\nsede = 5\n")
    for arguments in (["demo"], ["run"]):
        refused(*arguments, said=r"settings\.ini.*sede.*seed")
    assert "WRONG" in call("doctor", code=1).stdout


# --- bad input


def test_no_such_task():
    refused("run", "--task", "satelite", said='no task "satelite".*Did you mean "satellite"')


def test_no_such_folder():
    refused("run", "--root", "nowhere", said="no folder nowhere")


def test_an_empty_folder(here):
    (here / "empty").mkdir()
    refused("run", "--root", "empty", said="no image to train on")


def test_a_class_without_an_image(photos):
    (photos / "forest fire").mkdir()
    refused("run", "--root", photos, said=r"no image of the classes \['forest fire'\]")


def test_one_class_only(photos):
    for name in NAMES[1:]:
        shutil.rmtree(photos / name)
    refused("run", "--root", photos, said="expected two or more")


def test_no_class_names_for_loose_pictures(loose):
    refused("run", "--root", loose, said="class_names|class-names")
    refused("run", "--root", loose, "--class-names", "river", said="expected two or more")
    refused("run", "--root", loose, "--class-names", "names.txt", said="names.txt")


def test_words_never_seen_are_a_warning_said_once(photos):
    (photos / NAMES[0]).rename(photos / "zyxwvut frobnicator")
    result = call("run", "--root", photos, *QUICK, "--json")
    assert result.stderr.count("Warning: ") == 1
    assert "frobnicator" in result.stderr
    assert ".py" not in result.stderr
    assert json.loads(result.stdout)["score"] is not None


def test_a_name_too_long_for_the_context(photos):
    (photos / NAMES[0]).rename(photos / ("very " * 40 + "long"))
    refused("run", "--root", photos, *QUICK, said="needs .* tokens")


def test_a_file_that_is_not_an_image(photos):
    (photos / NAMES[0] / "note.jpg").write_text("not a picture")
    result = call("run", "--root", photos, *QUICK)
    assert "1 file is not an image" in result.stderr
    assert "Skipped" in result.stderr
    refused("run", "--root", photos, *QUICK, "--strict", said="1 file is not an image")


def test_k_larger_than_the_pool(drawn):
    arguments = ["--strategy", "fpl", "--k", "1000"]
    refused("run", "--root", drawn, *arguments, said="k is 1000, but the pool has 12 images")


def test_damaged_weights(drawn, here):
    weights = ROOT / "pseudolab" / "clip" / "weights" / "pocket.safetensors"
    (here / "cut.safetensors").write_bytes(weights.read_bytes()[:5000])
    pocket = ["run", "--root", drawn, "--clip", "pocket", "--pretrained"]
    refused(*pocket, "cut.safetensors", said=r"cut\.safetensors is damaged")
    refused(*pocket, "gone.safetensors", said=r"gone\.safetensors")


def test_a_cache_that_cannot_be_written(drawn, here):
    (here / "file").touch()
    (here / "settings.ini").write_text("[pseudolab]\ncache = file/below\n")
    refused("run", "--root", drawn, *QUICK, said="cache folder .* cannot be written")
    assert "WRONG" in call("doctor", code=1).stdout


def test_an_out_that_cannot_be_written(drawn, here):
    (here / "file").touch()
    refused("run", "--root", drawn, *QUICK, "--out", "file/below", said="file")
    refused("run", "--root", drawn, *QUICK, "--predictions", here, said="is a folder")


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--strategy", "gripp"], "grip"),
        (["--recipe", "papr"], "paper"),
        (["--rounds", "0"], "at least one"),
        (["--epochs", "0"], "from 1 up"),
        (["--strategy", "fpl", "--rounds", "3"], "ifpl and grip"),
        (["--k", "3"], "fpl and ifpl"),
        (["--template", "a photo"], "exactly one"),
        (["--resume"], "--resume|resume"),
        (["--clip", "ViT-B-33"], "No CLIP"),
        (["--device", "cuda:99"], "not available|device"),
        (["--precision", "int3"], "precision"),
        (["--prompt", "sound"], "prompt"),
        (["--paradigm", "us"], "paradigm"),
        (["--selector", "best"], "selector"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_switches(drawn, arguments, said):
    refused("run", "--root", drawn, *arguments, said=said)


def test_usage_errors_have_a_code_of_their_own():
    for arguments in (["run", "--nonsense"], ["run", "--seed", "x"], ["nonsense"], ["report"]):
        call(*arguments, code=2)


def test_debug_shows_the_traceback():
    result = CliRunner().invoke(app, ["run", "--task", "satelite", "--debug"])
    assert isinstance(result.exception, ValueError)
    assert "satelite" in str(result.exception)


# --- the others


# --- how much is said


def test_verbose_says_what_is_done_beside_the_results(drawn):
    asked = ["run", "--root", drawn, "--epochs", "1", "--strategy", "fpl", "--k", "2", "--json"]
    plain, verbose = call(*asked), call(*asked, "--verbose")
    assert "round 1, " not in plain.stderr
    assert re.search(r"fpl on \w+: round 1, score \d", verbose.stderr)
    assert json.loads(verbose.stdout)["rounds"]
    left = logging.getLogger("pseudolab").handlers
    assert [type(one) for one in left] == [logging.NullHandler], "it is over when the command is"


def test_quiet_has_no_warnings_and_no_bar(photos, monkeypatch):
    (photos / NAMES[0]).rename(photos / "xyzzy")
    asked = ["run", "--root", photos, "--strategy", "zero_shot"]
    assert "Warning: " in call(*asked).stderr
    quiet = call(*asked, "--quiet")
    assert quiet.stderr == ""
    assert quiet.stdout
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    library = logging.getLogger("pseudolab")
    assert show_progress()
    monkeypatch.setattr(library, "level", logging.ERROR)
    library.manager._clear_cache()
    assert not show_progress()


def test_much_and_little_at_once_is_refused():
    refused("tasks", "--verbose", "--quiet", said="expected at most one")


def test_the_library_leaves_logging_to_the_application():
    code = "import logging, pseudolab; logging.getLogger('pseudolab').error('nobody asked')"
    done = process("-c", code)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert logging.getLogger("pseudolab").level == logging.NOTSET


def test_nothing_but_the_command_line_prints():
    modules = [path for path in (ROOT / "pseudolab").rglob("*.py") if path.parent.name != "cli"]
    assert modules
    said = [path.name for path in modules if re.search(r"(?m)^\s*print\(", path.read_text("utf-8"))]
    assert not said, said


def test_a_shell_can_complete():
    shown = call("--help").stdout
    assert "--install-completion" in shown
    source = process(
        "-c",
        "import sys; sys.argv[0] = 'pseudolab'; from pseudolab.cli.app import main; main()",
        env_more={
            "_PSEUDOLAB_COMPLETE": "complete_bash",
            "COMP_WORDS": "pseudolab les",
            "COMP_CWORD": "1",
        },
    )
    assert "lessons" in source.stdout


def test_tasks_lists_all_of_them():
    from pseudolab.data.tasks import task_names

    shown = call("tasks").stdout
    assert all(name in shown for name in task_names())


def test_doctor_finds_all_well_and_names_what_is_not(here, monkeypatch):
    from pseudolab.clip import pocket

    assert "All is well" in call("doctor").stdout
    broken = here / "weights" / "pocket.safetensors"
    broken.parent.mkdir()
    broken.write_bytes(pocket.POCKET_WEIGHTS.read_bytes()[:-1])
    shutil.copy(pocket.POCKET_WEIGHTS.with_suffix(".json"), broken.parent)
    monkeypatch.setattr(pocket, "POCKET_WEIGHTS", broken)
    result = call("doctor", code=1)
    assert "SHA-256" in result.stdout
    assert "pocket weights" in result.stderr


def test_doctor_checks_every_requirement():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {re.match(r"[\w-]+", line)[0] for line in project["dependencies"]}
    assert wanted <= set(PACKAGES)


@pytest.mark.slow
def test_report_of_several_runs(drawn, here):
    for seed in (1, 2):
        call("run", "--root", drawn, *QUICK, "--seed", seed, "--out", f"r{seed}")
    (here / "r1" / "report.html").unlink()
    call("report", "r1")
    assert (here / "r1" / "report.html").is_file()
    call("report", "r1", "r2", "--out", "both.html")
    assert "2 runs" in (here / "both.html").read_text(encoding="utf-8")
    refused("report", "nowhere", said="not a run folder")


def test_pretrain_does_not_write_over_weights(here):
    (here / "pocket.safetensors").touch()
    refused("pretrain", said="exists already")


@pytest.mark.slow
def test_pretrain_makes_a_clip_that_runs(drawn, here):
    size = ["--pictures", "60", "--epochs", "1", "--batch-size", "20"]
    shown = call("pretrain", *size, "--workers", "1", "--out", "tiny.safetensors").stdout
    card = json.loads((here / "tiny.json").read_text())
    assert card["config"]["pictures"] == 60
    assert card["sha256"] in shown
    call("run", "--root", drawn, *QUICK, "--clip", "pocket", "--pretrained", "tiny.safetensors")


# --- what a terminal is given


def test_names_cannot_command_the_terminal(photos):
    (photos / NAMES[0]).rename(photos / "[red]river[-red] :smile:")
    shown = call("run", "--root", photos, *QUICK).stdout
    assert "[red]river" in shown.replace("\n", "")
    assert tidy("a\x1b[2Jb\u202ec\td") == "a\\x1b[2Jb\\u202ec\\td"


def test_a_narrow_terminal_gets_no_broken_numbers(drawn, monkeypatch):
    monkeypatch.setenv("COLUMNS", "44")
    shown = call("run", "--root", drawn, *QUICK).stdout
    table = [line for line in shown.splitlines() if re.match(r"\s*[012]\s", line)]
    assert len(table) == 3
    assert all(" %" in line for line in table)
    assert all(len(line) <= 44 for line in table)
    assert "Weakest class" in shown
    assert console().width == 44


def test_folders_called_otherwise(photos):
    for number, name in enumerate(NAMES):
        (photos / name).rename(photos / str(number))
    names = ", ".join(f"{number}={name}" for number, name in enumerate(NAMES))
    answer = as_json("run", "--root", photos, "--class-names", names, *QUICK)
    assert answer["settings"]["task"]["class_names"] == NAMES
    assert answer["score"] is not None


def test_class_names_from_a_file_that_is_no_text(here):
    (here / "names.txt").write_bytes(b"\xff\xfe\x00\xd8")
    with pytest.raises(ValueError, match="UTF-8"):
        read_class_names("names.txt")


def test_errors_that_are_ours_keep_their_traceback():
    assert explain(KeyError("x"), False) is None
    assert explain(TypeError("x"), False) is None
    assert "memory" in explain(RuntimeError("CUDA out of memory. Tried"), False)


def test_a_real_process(drawn, here):
    program = ["-c", "from pseudolab.cli.app import main; main()"]
    done = process(*program, "run", "--root", str(drawn), "--k", "3", cwd=here)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    assert "\x1b" not in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_interrupted_from_outside(drawn, here):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    arguments = ["run", "--root", str(drawn), "--epochs", "3000", "--rounds", "3", "--out", "r"]
    child = subprocess.Popen(
        [sys.executable, "-c", "from pseudolab.cli.app import main; main()", *arguments],
        cwd=here,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a shell's background jobs are born deaf to it
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        first = here / "r" / "rounds" / "00.json"
        deadline = time.monotonic() + 240
        while not first.exists() and child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        child.send_signal(signal.SIGINT)
        _, error = child.communicate(timeout=60)
    finally:
        child.kill()
    assert child.returncode == 1, error
    assert "Stopped" in error
    assert "Traceback" not in error
