"Sweeps: what the file may say, what is run for it, and the table in the end."

import pandas as pd
import pytest
from typer.testing import CliRunner

from pseudolab.cli.app import app
from pseudolab.experiments.sweep import SweepCell, read_sweep
from pseudolab.io import read_json
from support.photos import folder_of

FULL = """
tasks:
  - satellite
  - photos/pets
  - {task: eurosat, root: photos}
  - {root: photos/pets, template: "a drawing of a {}"}
clips: [pocket, {clip: ViT-B-32, pretrained: openai}, {clip: pocket, pretrained: mine.safetensors}]
prompts: [text, visual]
paradigms: [ssl, ul]
strategies: [labelled, fpl]
seeds: [0, 3]
recipe: paper
"""


def written(folder, text):
    (folder / "photos" / "pets").mkdir(parents=True, exist_ok=True)
    (folder / "mine.safetensors").touch()
    path = folder / "sweep.yaml"
    path.write_text(text)
    return path


def test_every_list_is_read_and_every_combination_made(tmp_path):
    sweep = read_sweep(written(tmp_path, FULL))
    labels = [task.label for task in sweep.tasks]
    assert labels == ["satellite", "photos_pets", "eurosat_photos", "photos_pets_a_drawing_of_a"]
    assert sweep.clips[1].label == "ViT_B_32_openai"
    assert sweep.clips[2].pretrained == str(tmp_path / "mine.safetensors")
    cells = sweep.cells(sweep.clips[0])
    # 4 tasks, 2 prompts, 2 seeds; labelled and fpl in ssl, fpl in ul
    assert len(cells) == len({cell.name for cell in cells}) == 4 * 2 * 2 * 3
    assert not any("/" in cell.name for cell in cells)
    assert cells[0].recipe.name == "paper"


def test_what_is_left_out_has_a_default(tmp_path):
    sweep = read_sweep(written(tmp_path, "tasks: [digits]"))
    (cell,) = sweep.cells(sweep.clips[0])
    assert cell.name == "digits-pocket-text-ul-grip-0"


@pytest.mark.parametrize(
    "text, key, said",
    [
        ("", "it holds a NoneType", "tasks"),
        ("- a", "it holds a list", "tasks"),
        ("tasks: [a", "is not YAML", "line 1"),
        ("seeds: [0]", "tasks is missing", "list"),
        ("tasks: digits", "tasks holds 'digits'", "a list"),
        ("tasks: []", "tasks holds []", "at least one"),
        ("tasks: [3]", "tasks holds 3", "a folder"),
        ("tasks: [digts]", "tasks holds 'digts'", 'Did you mean "digits"'),
        ("tasks: [eurosat]", "tasks holds 'eurosat'", "root"),
        ("tasks: [{root: 3}]", "tasks: root holds 3", "a text"),
        ("tasks: [{rot: photos}]", "tasks has no 'rot'", 'Did you mean "root"'),
        ("tasks: [{root: photos, class_names: cat}]", "class_names holds 'cat'", "a list"),
        ("tasks: [digits, digits]", "tasks holds two", "'digits'"),
        ("tasks: [digits]\nclips: [pocket, pocket]", "clips holds two", "'pocket'"),
        ("tasks: [digits]\nclips: [{clip: 1}]", "clips: clip holds 1", "a text"),
        ("tasks: [digits]\nseed: [1]", "it has no 'seed'", 'Did you mean "seeds"'),
        ("tasks: [digits]\nseeds: 3", "seeds holds 3", "a list"),
        ("tasks: [digits]\nseeds: [-1]", "seeds holds -1", "from 0 on"),
        ("tasks: [digits]\nseeds: [true]", "seeds holds True", "from 0 on"),
        ("tasks: [digits]\nprompts: [txt]", "prompts holds 'txt'", "one of text"),
        ("tasks: [digits]\nparadigms: [semi]", "paradigms holds 'semi'", "ssl"),
        ("tasks: [digits]\nstrategies: [zero_shot]", "strategies holds 'zero_shot'", "grip"),
        ("tasks: [digits]\nstrategies: [labelled]", "strategies holds 'labelled'", "ul"),
        ("tasks: [digits]\nrecipe: papper", "recipe holds 'papper'", "paper"),
    ],
)
def test_an_error_is_one_sentence_with_file_and_key(tmp_path, text, key, said):
    with pytest.raises(ValueError) as error:
        read_sweep(written(tmp_path, text))
    message = str(error.value)
    assert "sweep.yaml" in message and key in message and said in message
    assert "\n" not in message


def test_a_sweep_goes_on_where_it_was_and_writes_one_table(tmp_path, monkeypatch):
    played = []

    def play(cell, clip, task):
        played.append((cell.name, len(task.class_names)))
        shares = {"precision": [None, 0.5], "zero_shot_precision": [None, 0.5]}
        return {"scores": [0.5, 0.5 + 0.01 * cell.seed], "seconds": 1, **shares}

    monkeypatch.setattr(SweepCell, "play", play)
    folder_of(tmp_path / "pets", cat=3, dog=3)
    file = tmp_path / "sweep.yaml"
    file.write_text("tasks: [satellite, pets]\nstrategies: [fpl, grip]\nseeds: [1, 2]")
    line = ["experiments", "sweep", str(file), "--out", str(tmp_path / "runs"), "--workers", "1"]
    shard = CliRunner().invoke(app, [*line, "--shard", "1/2"])
    assert shard.exit_code == 0, shard.output
    assert len(played) == 4
    answer = CliRunner().invoke(app, [*line, "--collect", str(tmp_path / "scores.csv")])
    assert answer.exit_code == 0, answer.output
    assert len(played) == len(set(played)) == 8
    assert (
        CliRunner().invoke(app, [*line, "--collect", str(tmp_path / "scores.json")]).exit_code == 0
    )
    assert len(played) == 8
    table = pd.read_csv(tmp_path / "scores.csv")
    assert list(table)[:6] == ["task", "clip", "prompt", "paradigm", "strategy", "seed"]
    assert sorted(table["gain"].round(2)) == [0.01] * 4 + [0.02] * 4
    assert len(read_json(tmp_path / "scores.json")) == 8
    wrong = CliRunner().invoke(app, [*line, "--collect", "scores.txt"])
    assert wrong.exit_code == 1 and ".csv or .json" in wrong.output
