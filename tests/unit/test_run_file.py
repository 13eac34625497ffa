"The file of a run, as Python reads it; tests/browser/test_open_a_run.py holds the page to it."

import json

import numpy as np
import pytest

from pseudolab.method.run import Run
from pseudolab.views.explorer import run_data
from pseudolab.views.html import pack
from pseudolab.views.run_file import (
    LARGEST_FILE,
    check_run_file,
    page_rules,
    read_run_file,
    sealed_text,
)
from pseudolab.views.run_page import export, run_page_data
from support.run_files import damaged_bytes, edited
from support.runs import made_up, noise_task


@pytest.fixture(scope="module")
def run():
    return made_up(noise_task(["river", "forest", "town"], 24, 60), 2)


@pytest.fixture(scope="module")
def data(run):
    return run_page_data(run, made_up(run.task, 1, seed=1))


WRONG = {
    "whole number": (("rounds", 1, "k"), True),
    "0 to 1": (("rounds", 1, "score"), 1.5),
    "has 2 items; expected 3": (("rounds", 2, "given"), [1, 2]),
    "number is 7; expected 1": (("rounds", 1, "number"), 7),
    "null elsewhere": (("rounds", 1, "accuracy"), [None, None, None]),
    "at most the chosen": (("rounds", 1, "right"), [10**6, 0, 0]),
    "all or none": (("rounds", 0, "low"), None),
    "no base64": (("pool", "truth"), {"type": "i2", "data": "AAA"}),
    "has 1 items; expected 24": (("pool", "truth"), {"type": "i2", "data": "AAA="}),
    "no whole WebP": (("pool", "pictures", "src"), "data:image/webp;base64,AAAA"),
    "pixels; expected": (("pool", "pictures", "columns"), 1),
    "same item twice": (("classes",), ["a", "b", "a"]),
    "unknown": (("<b>",), 1),
    "counts 1; expected 2": (("classes",), ["a"]),
    "true or false": (("intervals",), 1),
    "since no other run has labels": (("other",), None),
    "rounds has 0 items; expected 3": (("scene", "runs", 0, "rounds"), []),
    "in no column": (("pool", "truth"), pack([-1] * 24, "i2")),
    "one is null": (("scene", "totals"), None),
}
NULLS = ("since no other run has labels", "one is null")


ALL_TOLD = pack([0] * 24, "u1")


@pytest.mark.parametrize("said", WRONG)
def test_a_wrong_value_is_named(data, said):
    place, value = WRONG[said]
    kind = "put" if value is not None or said in NULLS else "drop"
    if said == "in no column":
        data = edited(data, ("put", ("scene", "runs", 1, "rounds", 1, "places"), ALL_TOLD))
    with pytest.raises(ValueError, match=said):
        check_run_file(edited(data, (kind, place, value)))


def test_a_picture_whose_label_was_given_needs_a_class(data):
    told = edited(data, ("put", ("scene", "runs", 1, "rounds", 1, "places"), ALL_TOLD))
    check_run_file(told)


def test_a_scene_needs_pictures(data):
    runs = [data["scene"]["runs"][0] | {"rounds": []}]
    bare = data | {"other": None, "pool": None}
    bare["scene"] = data["scene"] | {"quiz": [], "runs": runs}
    with pytest.raises(ValueError, match="no pool to show"):
        check_run_file(bare)


def test_a_file_without_a_scene_is_a_run_too(run):
    check_run_file(run_data(run, made_up(run.task, 1, seed=1)))
    check_run_file(run_page_data(Run(run.settings, run.rounds)))


def test_what_is_written_is_read(run, data, tmp_path):
    file = export(run, tmp_path / "run.json", made_up(run.task, 1, seed=1))
    assert read_run_file(file) == data
    assert file.read_bytes().startswith(b'{"seal":"')


def test_every_flipped_bit_and_every_cut_is_noticed(run, tmp_path):
    content = export(run, tmp_path / "run.json").read_bytes()
    for name, damaged in damaged_bytes(content, np.random.default_rng(1)).items():
        (tmp_path / "x.json").write_bytes(damaged)
        with pytest.raises(ValueError, match="cannot be opened") as refused:
            read_run_file(tmp_path / "x.json")
        assert "\n" not in str(refused.value), name


def test_a_large_file_is_not_read(tmp_path):
    file = tmp_path / "large.json"
    with file.open("wb") as opened:
        opened.truncate(2**40)  # takes no room on the disk
    with pytest.raises(ValueError, match=f"expected at most {LARGEST_FILE:,}"):
        read_run_file(file)


def test_export_writes_nothing_that_the_page_would_refuse(run, tmp_path, monkeypatch):
    monkeypatch.setitem(run.settings.task, "name", "a" * 20_000)
    with pytest.raises(ValueError, match="at most 10000 letters"):
        export(run, tmp_path / "run.json")
    assert not (tmp_path / "run.json").exists()


def test_the_seal_stands_in_front():
    "The number by which every CRC-32 is checked"
    assert sealed_text("{123456789") == '{"seal":"cbf43926",123456789'


def test_the_rules_of_the_page_are_plain(data):
    rules = page_rules()
    assert json.loads(json.dumps(rules, allow_nan=False)) == rules
    file = rules["rules"]["rule"]
    assert {*file["required"], *file["optional"]} == set(data)
