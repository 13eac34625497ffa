"""`pseudolab lessons`: the course is copied whole, and nothing that a reader wrote is lost."""

import json

import pytest
from typer.testing import CliRunner

from pseudolab.cli import lessons
from pseudolab.cli.app import app
from support.notebooks import notebooks, short_name


def call(*arguments, code=0):
    done = CliRunner().invoke(app, ["lessons", *map(str, arguments)], env={"COLUMNS": "100"})
    assert done.exit_code == code, done.output
    return done.output


def test_every_notebook_is_copied(tmp_path):
    said = call(tmp_path / "course")
    made = {path.relative_to(tmp_path / "course") for path in tmp_path.rglob("*.ipynb")}
    assert {path.with_suffix("").as_posix() for path in made} == set(map(short_name, notebooks()))
    assert said.startswith(f"{len(made)} notebooks")
    assert "00_whole_game.ipynb" in said
    assert (tmp_path / "course" / "settings.ini").is_file()


def test_what_a_reader_wrote_is_left_alone(tmp_path):
    mine = tmp_path / "lessons" / "01_clip.ipynb"
    mine.parent.mkdir()
    mine.write_text("mine")
    said = call(tmp_path)
    assert mine.read_text() == "mine"
    assert "already: 1" in said
    call(tmp_path, "--overwrite")
    assert json.loads(mine.read_text(encoding="utf-8"))["cells"]


def test_a_file_is_no_place_for_it(tmp_path):
    (tmp_path / "course").write_text("")
    assert "course is a file; expected a folder" in "".join(
        call(tmp_path / "course", code=1).splitlines()
    )


def test_an_installed_course_comes_first(tmp_path, monkeypatch):
    package = tmp_path / "pseudolab"
    monkeypatch.setattr(lessons, "PACKAGE", package)
    with pytest.raises(FileNotFoundError, match="reinstall pseudolab"):
        lessons.course_files()
    for folder in (tmp_path / "nbs", package / "course"):
        (folder / ".ipynb_checkpoints").mkdir(parents=True)
        for name in ("a.ipynb", ".ipynb_checkpoints/a.ipynb", "b.css"):
            (folder / name).write_text("")
        found = lessons.course_files()
        assert found.pop("settings.ini").name == "settings.ini"
        assert found == {"a.ipynb": folder / "a.ipynb"}


def test_settings_go_along_from_where_they_lie(tmp_path, monkeypatch):
    monkeypatch.setattr(lessons, "PACKAGE", tmp_path / "pseudolab")
    (tmp_path / "nbs").mkdir()
    (tmp_path / "nbs" / "a.ipynb").write_text("")
    assert lessons.course_files()["settings.ini"] == tmp_path / "settings.ini"
    installed = tmp_path / "pseudolab" / "course"
    installed.mkdir(parents=True)
    (installed / "a.ipynb").write_text("")
    assert lessons.course_files()["settings.ini"] == installed / "settings.ini"
