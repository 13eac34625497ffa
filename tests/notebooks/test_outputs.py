"""What notebooks store: widgets hold today's scripts and styles; and the comparison of stored
outputs with new ones sees what it should.
"""

import json
import re
from functools import partial
from pathlib import Path

import pytest

from pseudolab.settings import PACKAGE
from pseudolab.views.html import Widget, module, styles
from support import ROOT
from support.notebooks import notebooks
from support.outputs import (
    cleaned,
    differences,
    execute,
    joined,
    numbers,
    outputs,
    said,
)

NOTEBOOKS = notebooks()
SCRIPTS = sorted(
    path.stem for path in (PACKAGE / "views" / "static").glob("*.js") if path.stem != "base"
)
MARK = '<div class="plab" data-plab="'
FRAGMENT = re.compile(
    r'<style>((?:(?!</style>).)*)</style><div class="plab" data-plab="(\w+)">.*?<script>\(\(\) =>'
    r' \{\n"use strict";\n(.*?)\nmountAll\("\2", ',
    re.S,
)


# --- widgets


def shown(path: Path) -> list[dict]:
    "What the cells of a notebook have shown, each with its text by kind"
    found = [
        output["data"]
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
        for output in cell.get("outputs", [])
        if "data" in output
    ]
    return [
        {kind: joined(text) for kind, text in data.items() if kind.startswith("text/")}
        for data in found
    ]


def stale_widgets(data: dict[str, str]) -> list[str]:
    "What is not as today's files make it, in one thing that a cell has shown"
    html, plain = data.get("text/html", ""), data.get("text/plain", "")
    fragments = FRAGMENT.findall(html)
    today = {(styles(script), module(script)) for script in SCRIPTS}
    wrong = [
        f"{name}: other scripts or styles than those of {SCRIPTS}"
        for style, name, script in fragments
        if (style, script) not in today
    ]
    if len(fragments) != html.count(MARK):
        wrong.append(f"{html.count(MARK)} widgets, of which {len(fragments)} can be read")
    size = re.search(r"\((\d+) KB of HTML\)", plain)
    if MARK in html and size and int(size[1]) != round(len(html) / 1000):
        wrong.append(f"{len(html) / 1000:.0f} KB, where {plain!r} is said")
    return wrong


def printed_by(path: Path) -> str:
    "All text that the cells of a notebook have shown or printed, but for widgets"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    streams = [joined(output.get("text", "")) for one in cells for output in one.get("outputs", [])]
    texts = [text for data in shown(path) for text in data.values() if MARK not in text]
    return "\n".join([*streams, *texts])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_output_names_a_folder_of_the_machine_that_made_it(path):
    assert not re.findall(r"(?<![\w.])/(?:tmp|root|home|Users|var)/\S*", printed_by(path))


WITH_WIDGETS = [
    path for path in NOTEBOOKS if any(MARK in data.get("text/html", "") for data in shown(path))
]


def test_there_are_widgets():
    assert len(WITH_WIDGETS) >= 10 and len(SCRIPTS) >= 4


@pytest.mark.parametrize("path", WITH_WIDGETS, ids=lambda path: path.stem)
def test_stored_widgets_hold_todays_files(path):
    wrong = [fault for data in shown(path) for fault in stale_widgets(data)]
    assert not wrong, "run the notebook again and store what it shows: " + "; ".join(wrong)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_stale_widget_is_seen(script):
    html = Widget(script, {"a": 1}, "<p>still</p>").html()
    style, text = styles(script), module(script)
    assert not stale_widgets({"text/html": html}) and not stale_widgets(
        {"text/html": f"<p>before</p>{html}{html}"}
    )
    assert not stale_widgets(
        {"text/html": html, "text/plain": f"x ({len(html) / 1000:.0f} KB of HTML)"}
    )
    for old in (
        html.replace(text, text.replace("const ", "let ", 1)),
        html.replace(style, style.replace("{", "{ color: red;", 1)),
        html.replace('"use strict";', ""),
    ):
        assert old != html and stale_widgets({"text/html": old})
    assert stale_widgets({"text/html": html, "text/plain": "x (9999 KB of HTML)"})


# --- the comparison


def cell(*outputs):
    return {"outputs": list(outputs)}


def printed(text):
    return {"output_type": "stream", "name": "stdout", "text": text.splitlines(keepends=True)}


def value(**data):
    return {
        "output_type": "execute_result",
        "data": {f"text/{kind}": text for kind, text in data.items()},
    }


@pytest.mark.parametrize(
    "a, b",
    [
        ("at 0x7f3a12345678", "at 0x55aa00112233"),
        ("/tmp/tmpab1_x/run", "/tmp/tmpzz9/run"),
        ("\x1b[1mround\x1b[0m", "round"),
        ("<style>#T_0a1b2 {}</style><td id='T_0a1b2'>", "<td id='T_ffff0'>"),
        ('<img src="data:image/png;base64,AAA">', '<img src="data:image/png;base64,BBB">'),
        ("<script>x</script>y", "y"),
        ("a  \nb ", "a\nb"),
    ],
)
def test_what_says_nothing_is_not_compared(a, b):
    assert cleaned(a) == cleaned(b)


@pytest.mark.parametrize(
    "a, b",
    [
        ("0.81", "0.82"),
        ("-3", "3"),
        ("1,000", "1,001"),
        ("river", "lake"),
        ("round 10", "round 1"),
        ("/data/x", "/data/y"),
        ("0x7f", "0x7e"),
    ],
)
def test_what_says_something_is_compared(a, b):
    assert cleaned(a) != cleaned(b)


def test_streams_are_joined_and_tables_preferred():
    assert said(cell(printed("a\n"), value(plain="T", html="<table>"), printed("b\n"))) == [
        "a\nb",
        "<table>",
    ]
    assert (
        said(
            cell(
                {"output_type": "stream", "name": "stderr", "text": ["warning"]},
                {"output_type": "display_data", "data": {"image/png": "AAA"}},
            )
        )
        == []
    )


TABLE = "".join(f"<td>0.{i}</td>" for i in range(10, 40))
STORED = {"a": ["score 81.5 %, K 60"], "b": [TABLE], "c": ["river 7", "lake 8"], "d": []}
change = partial(dict, STORED)
CHANGES = {
    "one digit": change(b=[TABLE.replace("0.12", "0.13")]),
    "a word": change(c=["lake 7", "lake 8"]),
    "an output too few": change(c=["river 7"]),
    "an output too many": change(d=["1"]),
}


@pytest.mark.parametrize("now", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_is_seen(now):
    assert differences(STORED, now) and not differences(STORED, dict(STORED))


def test_one_altered_digit_of_a_real_notebook_is_seen():
    "And its cell and both texts are named"
    path = ROOT / "nbs" / "lessons" / "00_whole_game.ipynb"
    stored = outputs(path)
    assert (
        not differences(stored, outputs(path))
        and sum(len(numbers(text)) for texts in stored.values() for text in texts) > 50
    )
    at, text = next((at, texts[0]) for at, texts in stored.items() if texts and numbers(texts[0]))
    digit = re.search(r"\d", text)
    mutated = stored | {
        at: [text[: digit.start()] + str(9 - int(digit[0])) + text[digit.end() :], *stored[at][1:]]
    }
    (fault,) = differences(mutated, stored)
    assert fault.startswith(f"{at}: stored ...")


# --- running a notebook


def notebook(folder: Path, source: str) -> Path:
    "A notebook of one cell"
    cell = {
        "cell_type": "code",
        "execution_count": None,
        "id": "a",
        "metadata": {},
        "outputs": [],
        "source": [source],
    }
    path = folder / "one.ipynb"
    path.write_text(
        json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    )
    return path


@pytest.mark.slow
def test_a_notebook_that_fails_is_told_and_the_next_one_knows_nothing_of_it(tmp_path):
    leaves = "import torch; torch.left_behind = 1; print('said'); 1 / 0"
    done = execute(notebook(tmp_path, leaves), tmp_path / "out.ipynb")
    assert done.returncode == 1 and "ZeroDivisionError" in done.stdout
    assert not (tmp_path / "out.ipynb").exists()
    asks = "import sys, torch; print(hasattr(torch, 'left_behind'), 'pseudolab' in sys.modules)"
    done = execute(notebook(tmp_path, asks), tmp_path / "out.ipynb")
    assert done.returncode == 0
    assert outputs(tmp_path / "out.ipynb") == {"a": ["False False"]}
    done = execute(notebook(tmp_path, "import os; os._exit(3)"), tmp_path / "gone.ipynb")
    assert done.returncode == 3
