"""The command line: real commands on small folders of drawn pictures; whatever is wrong with the
input is one sentence, never a traceback.
"""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from pseudolab import cli
from pseudolab.cli.app import app, console, explain, fresh_folder, read_class_names, tidy
from pseudolab.data.tasks import drawing_rng, load_world

ROOT = Path(__file__).resolve().parents[2]
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
    folder.mkdir(parents=True, exist_ok=True)
    for i in numbers:
        Image.fromarray(
            np.asarray(
                WORLD.draw(
                    drawing_rng(0, "tests", "train", WORLD.classes.index(name), i), name, 0.0
                )
            )
        ).save(folder / f"{name} {i}.png")


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
    assert "Traceback" not in result.output and "\x1b" not in result.output
    return result


def refused(*arguments, said: str) -> str:  # a pattern
    "The command ends with code 1 and one line on the error stream that says so"
    error = call(*arguments, code=1).stderr
    assert error.count("Error: ") == 1 and re.search(said, error), error
    return error


def scores(result) -> list:
    return [
        (r["score"], r["precision"], [c["accuracy"] for c in r["classes"]])
        for r in json.loads(result.stdout)["rounds"]
    ]


def process(*arguments, **options):
    "A real process, with the network out of use"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
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


@pytest.mark.parametrize("command", [[], ["run"], ["predict"], ["demo"], ["pretrain"], ["doctor"]])
def test_help_imports_nothing_heavy(command):
    code = (
        "import sys\nfrom pseudolab.cli.app import main\nsys.argv = ['pseudolab', *sys.argv[1:],"
        " '--help']\ntry: main()\nexcept SystemExit: pass\nheavy = {'torch', 'open_clip', 'pandas',"
        " 'sklearn', 'numpy', 'matplotlib', 'PIL', 'seaborn'} &"
        " set(sys.modules)\nsys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = process("-c", code, *command)
    assert done.returncode == 0 and "Usage" in done.stdout, done.stderr


def test_help_names_every_command_and_the_entry_point_is_main():
    shown = call("--help").stdout
    assert all(name in shown for name in ("demo", "run", "tasks", "doctor", "pretrain", "report"))
    assert (
        tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["pseudolab"]
        == "pseudolab.cli.app:main"
    )


def test_version():
    import pseudolab

    assert call("--version").stdout.strip() == f"pseudolab {pseudolab.__version__}"


def parameters_of(name: str) -> dict:
    import typer.main

    return {p.name: p for p in typer.main.get_command(app).commands[name].params}


def test_run_has_every_switch_of_the_tuner():
    import inspect

    from pseudolab.method.tuner import PromptTuner
    from pseudolab.method.tuner import PROMPT_OPTIONS

    switches = set(inspect.signature(PromptTuner.__init__).parameters) - {
        "self",
        "prompt_options",
    } | {option for options in PROMPT_OPTIONS.values() for option in options}
    assert switches <= set(parameters_of("run"))


def test_pretrain_shows_every_field_with_its_true_default():
    from pseudolab.data.pretrain import PretrainConfig
    from pseudolab.data.worlds.corpus import Captions

    options = parameters_of("pretrain")
    for record, prefix in ((PretrainConfig(), ""), (Captions(), "captions_")):
        for field in fields(record):
            if field.name == "captions":
                continue
            option = (
                options.get(prefix + field.name) if field.name == "seed" else options[field.name]
            )
            assert float(option.show_default) == getattr(record, field.name), field.name


# --- demo


@pytest.fixture(scope="module")
def brief():
    "The demo's ten rounds with one epoch each"
    from pseudolab.method.recipe import Recipe

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Recipe, "pocket", classmethod(lambda cls: cls(name="pocket", epochs=1)))
        yield


def test_demo_leaves_a_run_and_a_report_and_repeats_itself(brief, here):
    from pseudolab.method.run import Run

    first = call("demo", "--task", "digits", "--seed", "3", "--out", "a")
    call("demo", "--task", "digits", "--seed", "3", "--out", "b")
    runs = [Run.load(here / name) for name in "ab"]
    assert (
        (here / "a" / "run.json").is_file()
        and len(list((here / "a" / "rounds").glob("*.json"))) == 11
        and (here / "a" / "report.html").is_file()
    )
    for one, other in zip(runs[0].rounds, runs[1].rounds):
        assert (
            one.score == other.score
            and (one.predictions == other.predictions).all()
            and (one.pool_logits == other.pool_logits).all()
        )
    assert runs[0].settings["seed"] == 3
    check_demo_output(first.stdout, runs[0])


def check_demo_output(shown: str, run):
    "Every round's score stands in the table, and a last round that is not ahead is named"
    assert (
        all(f"{100 * round.score:.1f} %" in shown for round in run.rounds) and "zero-shot" in shown
    )
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
    assert (
        "photos: 3 classes, 12 training images, 6 test images (6 labelled)" in shown
        and "report.html" in shown
    )
    rows = list(csv.DictReader(open(here / "p.csv", encoding="utf-8", newline="")))
    assert (
        len(rows) == 18
        and {row["class"] for row in rows} <= set(NAMES)
        and all(row["label"] in row["image"] for row in rows)
    )
    assert {row["part"] for row in rows} == {"train", "test"} and all(
        1 / 3 <= float(row["probability"]) <= 1 for row in rows
    )


def test_run_on_a_folder_without_labels(loose, here):
    (here / "names.txt").write_text("\n".join(NAMES) + "\n", encoding="utf-8-sig")
    result = call(
        "run",
        "--root",
        loose,
        "--class-names",
        "names.txt",
        *QUICK,
        "--out",
        "r",
        "--predictions",
        "p.csv",
    )
    assert (
        "no labels" in result.stdout
        and "no score" in result.stdout
        and "nan" not in result.stdout.lower()
    )
    assert all(name in result.stdout for name in NAMES)
    rows = list(csv.DictReader(open(here / "p.csv", encoding="utf-8", newline="")))
    assert len(rows) == 18 and all(row["label"] == "" and row["part"] == "train" for row in rows)
    assert "no labels" in (here / "r" / "report.html").read_text(encoding="utf-8")


def test_json_stands_alone_and_is_whole(loose):
    answer = json.loads(
        call("run", "--root", loose, "--class-names", ", ".join(NAMES), *QUICK, "--json").stdout
    )
    assert (
        answer["score"] is None
        and answer["settings"]["task"]["class_names"] == NAMES
        and len(answer["rounds"]) == 3
    )
    for round in answer["rounds"]:
        assert sum(c["pool_images"] for c in round["classes"]) == 18 and all(
            c["accuracy"] is None for c in round["classes"]
        )


def test_same_seed_same_numbers_another_seed_others(drawn):
    runs = [call("run", "--root", drawn, *QUICK, "--seed", seed, "--json") for seed in (1, 1, 2)]
    assert scores(runs[0]) == scores(runs[1])
    assert json.loads(runs[2].stdout)["settings"]["seed"] == 2


def test_resume_ends_with_the_same_numbers(drawn, here):
    arguments = ["run", "--root", drawn, "--epochs", "2", "--rounds", "4", "--out", "r", "--json"]
    whole = call(*arguments)
    for number in ("03", "04"):
        for path in (here / "r" / "rounds").glob(f"{number}.*"):
            path.unlink()
    assert scores(call(*arguments, "--resume")) == scores(whole)
    refused(*arguments, said="holds a run already.*--resume")
    refused(*arguments, "--resume", "--seed", "9", said="another seed")


def test_stopped_by_hand_and_resumed(drawn, here, monkeypatch):
    from pseudolab.method import tuner

    arguments = ["run", "--root", drawn, *QUICK, "--out", "r"]
    fit_prompt, calls = tuner.fit_prompt, []

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
    answer = json.loads(
        call(
            "run",
            "--root",
            drawn,
            "--epochs",
            "1",
            *arguments,
            *(["--rounds", "2"] if "--strategy" not in arguments else []),
            "--json",
        ).stdout
    )
    assert 0 <= answer["score"] <= 1 and ("harmonic" in answer["metric"]) == ("trzsl" in arguments)


def test_the_tuner_that_was_kept_predicts(photos, here):
    from pseudolab.method.tuner import PromptTuner

    call("run", "--root", photos, *QUICK, "--out", "r", "--predictions", "p.csv")
    rows = list(csv.DictReader(open(here / "p.csv", encoding="utf-8", newline="")))[:4]
    tuner = PromptTuner.load(here / "r")
    assert list(tuner.predict([Image.open(row["image"]).convert("RGB") for row in rows])) == [
        row["class"] for row in rows
    ]


# --- predict


def test_predict_says_what_the_run_said(photos, loose, here):
    call("run", "--root", photos, *QUICK, "--out", "r", "--predictions", "p.csv")
    of_run = {
        Path(row["image"]).name: (row["class"], row["probability"])
        for row in csv.DictReader(open(here / "p.csv", encoding="utf-8", newline=""))
    }
    (loose / "deep").mkdir()
    shutil.copy(next(loose.glob("*.png")), loose / "deep" / "again.png")
    (loose / "torn.png").write_bytes(b"torn")
    result = call("predict", "r", loose, "--out", "later.csv")
    assert (
        "torn.png" in result.stderr
        and "Skipped" in result.stderr
        and "All 19 predictions" in result.stdout
    )
    later = {
        Path(row["image"]).name: (row["class"], row["probability"])
        for row in csv.DictReader(open(here / "later.csv", encoding="utf-8", newline=""))
    }
    assert later.pop("again.png") in later.values()
    assert later.keys() == of_run.keys() and all(
        later[name][0] == of_run[name][0]
        and abs(float(later[name][1]) - float(of_run[name][1])) < 1e-3
        for name in later
    )
    (one,) = json.loads(call("predict", "r", loose / f"{NAMES[1]} 2.png", "--json").stdout)
    assert one["class"] == of_run[f"{NAMES[1]} 2.png"][0]


def test_predict_refuses_in_a_sentence(photos, loose, here):
    call("run", "--root", photos, *QUICK, "--out", "r")
    (loose / "torn.png").write_bytes(b"torn")
    refused("predict", "r", here / "nowhere", said="neither a file nor a folder")
    refused("predict", "r", loose / "torn.png", said="no image")
    refused("predict", "r", loose, "--strict", said="torn.png")
    refused("predict", "r", loose, "--out", here, said="is a folder")
    refused("predict", loose, loose, said="not a run folder")
    (here / "r" / "tuner.json").unlink()
    refused("predict", "r", loose, said="tuner.json")


# --- export


def test_export_says_when_the_pictures_are_left_out(photos, here):
    call("run", "--root", photos, *QUICK, "--out", "r")
    without = call("export", "r", "--out", "without.json").stdout
    assert "were left out" in without and "--root" in without
    assert "were left out" not in call("export", "r", "--out", "with.json", "--root", photos).stdout
    assert (here / "with.json").stat().st_size > (here / "without.json").stat().st_size
    refused(
        "export",
        "r",
        "--root",
        photos / NAMES[0],
        "--class-names",
        ", ".join(NAMES),
        said="not the one of this run",
    )


# --- settings.ini


def test_settings_are_the_defaults_and_arguments_win(drawn, here):
    (here / "settings.ini").write_text("[pseudolab]\nseed = 5\nrecipe = paper\ntask = folder\n")
    settings = json.loads(call("run", "--root", drawn, *QUICK, "--json").stdout)["settings"]
    assert settings["seed"] == 5 and settings["recipe"]["name"].startswith("paper")
    assert (
        json.loads(call("run", "--root", drawn, *QUICK, "--seed", "6", "--json").stdout)[
            "settings"
        ]["seed"]
        == 6
    )
    refused("run", said="--root")


def test_a_wrong_setting_is_named(here):
    (here / "settings.ini").write_text("[pseudolab]\nsede = 5\n")
    for command in (["demo"], ["run"]):
        refused(*command, said=r"settings\.ini.*sede.*seed")
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
    assert (
        result.stderr.count("Warning: ") == 1
        and "frobnicator" in result.stderr
        and ".py" not in result.stderr
    )
    assert json.loads(result.stdout)["score"] is not None


def test_a_name_too_long_for_the_context(photos):
    (photos / NAMES[0]).rename(photos / ("very " * 40 + "long"))
    refused("run", "--root", photos, *QUICK, said="needs .* tokens")


def test_a_file_that_is_not_an_image(photos):
    (photos / NAMES[0] / "note.jpg").write_text("not a picture")
    result = call("run", "--root", photos, *QUICK)
    assert "1 file is not an image" in result.stderr and "Skipped" in result.stderr
    refused("run", "--root", photos, *QUICK, "--strict", said="1 file is not an image")


def test_k_larger_than_the_pool(drawn):
    refused(
        "run",
        "--root",
        drawn,
        "--strategy",
        "fpl",
        "--k",
        "1000",
        said="k is 1000, but the pool has 12 images",
    )


def test_damaged_weights(drawn, here):
    (here / "cut.safetensors").write_bytes(
        (ROOT / "pseudolab" / "clip" / "weights" / "pocket.safetensors").read_bytes()[:5000]
    )
    refused(
        "run",
        "--root",
        drawn,
        "--clip",
        "pocket",
        "--pretrained",
        "cut.safetensors",
        said=r"cut\.safetensors is damaged",
    )
    refused(
        "run",
        "--root",
        drawn,
        "--clip",
        "pocket",
        "--pretrained",
        "gone.safetensors",
        said=r"gone\.safetensors",
    )


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
    assert isinstance(result.exception, ValueError) and "satelite" in str(result.exception)


# --- the others


def test_tasks_lists_all_of_them():
    from pseudolab.data.tasks import task_names

    shown = call("tasks").stdout
    assert all(name in shown for name in task_names())


def test_doctor_finds_all_well_and_names_what_is_not(here, monkeypatch):
    assert "All is well" in call("doctor").stdout
    from pseudolab.clip import pocket

    broken = here / "weights" / "pocket.safetensors"
    broken.parent.mkdir()
    broken.write_bytes(pocket.POCKET_WEIGHTS.read_bytes()[:-1])
    shutil.copy(pocket.POCKET_WEIGHTS.with_suffix(".json"), broken.parent)
    monkeypatch.setattr(pocket, "POCKET_WEIGHTS", broken)
    result = call("doctor", code=1)
    assert "SHA-256" in result.stdout and "pocket weights" in result.stderr


def test_doctor_checks_every_requirement():
    wanted = {
        re.match(r"[\w-]+", line)[0]
        for line in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    }
    assert wanted <= set(cli.PACKAGES)


def test_report_of_several_runs(drawn, here):
    for seed in (1, 2):
        call("run", "--root", drawn, *QUICK, "--seed", seed, "--out", f"r{seed}")
    (here / "r1" / "report.html").unlink()
    call("report", "r1")
    call("report", "r1", "r2", "--out", "both.html")
    assert (here / "r1" / "report.html").is_file() and "2 runs" in (here / "both.html").read_text(
        encoding="utf-8"
    )
    refused("report", "nowhere", said="not a run folder")


def test_pretrain_does_not_write_over_weights(here):
    (here / "pocket.safetensors").touch()
    refused("pretrain", said="exists already")


@pytest.mark.slow
def test_pretrain_makes_a_clip_that_runs(drawn, here):
    shown = call(
        "pretrain",
        "--pictures",
        "60",
        "--epochs",
        "1",
        "--batch-size",
        "20",
        "--workers",
        "1",
        "--out",
        "tiny.safetensors",
    ).stdout
    card = json.loads((here / "tiny.json").read_text())
    assert card["config"]["pictures"] == 60 and card["sha256"] in shown
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
    assert (
        len(table) == 3
        and all(" %" in line for line in table)
        and all(len(line) <= 44 for line in table)
    )
    assert "Weakest class" in shown and console().width == 44


def test_folders_called_otherwise(photos):
    for i, name in enumerate(NAMES):
        (photos / name).rename(photos / str(i))
    answer = json.loads(
        call(
            "run",
            "--root",
            photos,
            "--class-names",
            ", ".join(f"{i}={name}" for i, name in enumerate(NAMES)),
            *QUICK,
            "--json",
        ).stdout
    )
    assert answer["settings"]["task"]["class_names"] == NAMES and answer["score"] is not None


def test_class_names_from_a_file_that_is_no_text(here):
    (here / "names.txt").write_bytes(b"\xff\xfe\x00\xd8")
    with pytest.raises(ValueError, match="UTF-8"):
        read_class_names("names.txt")


def test_errors_that_are_ours_keep_their_traceback():
    assert explain(KeyError("x"), False) is None and explain(TypeError("x"), False) is None
    assert "memory" in explain(RuntimeError("CUDA out of memory. Tried"), False)


def test_a_real_process(drawn, here):
    done = process(
        "-c",
        "from pseudolab.cli.app import main; main()",
        "run",
        "--root",
        str(drawn),
        "--k",
        "3",
        cwd=here,
    )
    assert (
        done.returncode == 1
        and done.stdout == ""
        and done.stderr.startswith("Error: ")
        and "\x1b" not in done.stderr
        and done.stderr.count("\n") == 1
    )


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
        deadline = time.monotonic() + 240
        while (
            not (here / "r" / "rounds" / "00.json").exists()
            and child.poll() is None
            and time.monotonic() < deadline
        ):
            time.sleep(0.1)
        child.send_signal(signal.SIGINT)
        _, error = child.communicate(timeout=60)
    finally:
        child.kill()
    assert child.returncode == 1 and "Stopped" in error and "Traceback" not in error, error
