"""The course as a whole: every export is shown, every lesson has its parts, and a lesson needs
nothing but the package.
"""

import ast
import json
import re
from pathlib import Path

import pytest

from support import NBS, ROOT
from support.code import imported_modules, listed_names, parse_file
from support.notebooks import (
    exports,
    notebooks,
    only_python,
    read_cells,
    short_name,
    sources,
)

LESSONS = sorted(NBS.glob("lessons/[0-9]*.ipynb"))
NOTEBOOKS = [
    path for folder in ("lessons", "guides", "pocket", "lab") for path in notebooks(folder)
]
# an aside has a letter behind its number
WALK = [path for path in LESSONS if re.match(r"\d\d_", path.name)]
by_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
by_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=short_name)


def parsed(source: str) -> ast.Module:
    return ast.parse(only_python(source))


# ---- every export is shown

# Not named by any cell that shows something, and why that is enough
UNSHOWN = {
    "ProbeRound": "what a round of self-training leaves: the lesson reads its fields",
}


def module_of(path: Path) -> str:
    "The module that a notebook makes, below the package; empty where it makes none"
    named = [
        name
        for source in sources(path, "code")
        for name in re.findall(r"^#\| *default_exp +(\S+)", source, re.M)
    ]
    return named[0] if named else ""


def lesson_modules() -> dict[str, Path]:
    "The modules that lessons make, each with its file"
    names = sorted(module_of(path) for path in LESSONS)
    return {name: ROOT / "pseudolab" / f"{name.replace('.', '/')}.py" for name in names if name}


def names_used(source: str) -> set[str]:
    "Names that a cell reads, as `name` or as `something.name`"
    names = set()
    for node in ast.walk(parsed(source)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            names.add(node.id)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            names.add(node.attr)
    return names


def test_names_used_are_those_that_are_read():
    cell = "%matplotlib inline\na = b.c(d)\nfrom e import f\ndef g(): return h"
    assert names_used(cell) == {"b", "c", "d", "h"}
    assert exports("#| export\nx = 1")
    assert exports("#| exporti\nx = 1")
    assert not exports("#| hide\nexport = 1")


def test_lessons_make_modules():
    wanted = {"method.zero_shot", "method.pseudolabels", "method.loss", "method.prompts.text"}
    assert wanted <= lesson_modules().keys()


def test_every_export_of_a_lesson_is_shown_in_one():
    shown = set()
    for path in LESSONS:
        for source in sources(path, "code"):
            if not exports(source):
                shown |= names_used(source)
    wanted = {
        name: module
        for module, path in lesson_modules().items()
        for name in listed_names(parse_file(path))
        if not name.startswith("_")
    }
    unshown = wanted.keys() - shown
    forgotten = sorted(f"{wanted[name]}.{name}" for name in unshown - UNSHOWN.keys())
    assert not forgotten, f"exported, but in no cell of a lesson that shows or asserts: {forgotten}"
    shown_by_now = sorted(UNSHOWN.keys() - unshown)
    assert not shown_by_now, f"shown by now, so no exceptions any more: {shown_by_now}"


# ---- every lesson has its parts


def test_all_lessons_are_here():
    assert [path.name[:2] for path in WALK] == [f"{number:02}" for number in range(15)]
    asides = [path.stem for path in LESSONS if path not in WALK]
    assert asides == ["04b_beyond_top_k", "14b_from_code_to_paper"]


@by_lesson
def test_opens_with_a_question(path):
    head = sources(path, "markdown")[0]
    title = head.split("\n")[0]
    quote = re.findall(r"(?m)^> ?(.*)$", head)
    assert re.fullmatch(r"# \S.*", title), head[:300]
    assert "?" in " ".join(quote), head[:300]


PARTS = ["What to take along", "Check yourself", "Exercises", "Further reading"]


@by_lesson
def test_has_its_sections(path):
    headings = re.findall(r"(?m)^## (.+?)\s*$", "\n".join(sources(path, "markdown")))
    wanted = PARTS[1:] if path == LESSONS[0] else PARTS  # lesson 00 looks ahead instead
    assert headings[-len(wanted) :] == wanted


def section(path: Path, heading: str) -> list[dict]:
    "The cells of a section; the first one may begin in the middle"
    found: list[dict] = []
    for cell in read_cells(path):
        text = cell["source"]
        if cell["cell_type"] == "markdown":
            inside = bool(found)
            for part in re.split(r"(?m)^(?=## )", text):
                if part.startswith("## "):
                    inside = part.splitlines()[0] == f"## {heading}"
                if inside:
                    found.append({**cell, "source": part})
            if found and not inside:
                return found
        elif found:
            found.append(cell)
    return found


def test_a_section_begins_and_ends_within_cells(tmp_path):
    cells = ["a\n## One\nb", "c", "d\n\n## Two\ne"]
    kinds = ["markdown", "code", "markdown"]
    notebook = [
        {"cell_type": kind, "source": text} for kind, text in zip(kinds, cells, strict=True)
    ]
    path = tmp_path / "toy.ipynb"
    path.write_text(json.dumps({"cells": notebook}))
    assert [cell["source"] for cell in section(path, "One")] == ["## One\nb", "c", "d\n\n"]
    assert section(path, "Three") == []


@by_lesson
def test_asks_three_questions_whose_answers_are_a_click_away(path):
    text = "\n".join(cell["source"] for cell in section(path, "Check yourself"))
    answers = re.findall(r"<details><summary>(.+?[.?])</summary>\n\n.+?\n\n</details>", text, re.S)
    assert len(answers) == text.count("<details>") == 3


@by_lesson
def test_exercises_begin_with_code_that_runs_and_print_no_solution(path):
    cells = section(path, "Exercises")
    text = "\n".join(cell["source"] for cell in cells if cell["cell_type"] == "markdown")
    numbers = [int(number) for number in re.findall(r"(?m)^\*\*(\d)\.\*\*", text)]
    assert numbers in ([1, 2], [1, 2, 3], [1, 2, 3, 4])
    code = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
    starters = [source for source in code if not re.match(r"#\| *(hide|echo)", source)]
    assert len(starters) >= len(numbers)
    assert not [source for source in code if "Solution" in source]
    hidden = [source for source in code if re.match(r"#\| *hide", source)]
    checks = [source for source in hidden if "assert" in source or "def check" in source]
    assert checks, "no check tells right from wrong"


# ---- a lesson teaches, the lab holds the library

LONGEST = 12  # lines of a cell that a page shows
WIDEST = 74  # a page folds longer lines
EXPORTED = 56  # lines, imports included


def shown_lines(source: str) -> list[str]:
    "What a page shows of a cell of code before a click"
    if re.search(r"(?m)^#\| *(hide|echo: *false|code-fold: *true|default_exp)", source):
        return []
    return [line for line in source.splitlines() if not line.startswith("#|")]


@by_lesson
def test_cells_are_short(path):
    for cell in read_cells(path, "code"):
        lines = shown_lines(cell["source"])
        if exports(cell["source"]):
            continue
        assert len(lines) <= LONGEST, f"{len(lines)} lines: {cell['source'][:200]}"
        assert max(map(len, lines), default=0) <= WIDEST, max(lines, key=len)


@by_lesson
def test_exports_the_bare_core(path):
    lines = [
        line
        for source in sources(path, "code")
        if exports(source)
        for line in source.splitlines()
        if line.strip() and not line.startswith("#|")
    ]
    assert len(lines) <= EXPORTED, len(lines)


@by_lesson
def test_checks_are_out_of_sight(path):
    visible = "\n".join(line for source in sources(path, "code") for line in shown_lines(source))
    # the one inequality that is the finding may stand in the open
    assert len(re.findall(r"(?m)^ *assert ", visible)) <= 1


@by_lesson
def test_is_read_in_a_quarter_of_an_hour(path):
    prose = re.sub(r"<[^>]+>", " ", "\n".join(sources(path, "markdown")))
    assert 700 <= len(prose.split()) <= 1500, len(prose.split())


def has_a_picture(cell: dict) -> bool:
    return "fig-alt" in cell["source"] or "#| echo: false" in cell["source"]


@by_lesson
def test_opens_with_a_picture(path):
    "Nobody has to read through pages of code to see the first one"
    shown = 0
    for cell in read_cells(path, "code"):
        if has_a_picture(cell):
            break
        shown += len(shown_lines(cell["source"]))
    assert shown <= 70, f"{shown} lines of code"


def ends_with_a_link(path: Path, other: Path) -> bool:
    return any(f"]({other.name})" in source for source in sources(path, "markdown")[-4:])


@pytest.mark.parametrize("walk", [LESSONS, WALK], ids=["asides too", "without the asides"])
def test_each_lesson_leads_to_the_next(walk):
    missing = [
        f"{path.name} -> {following.name}"
        for path, following in zip(walk, walk[1:], strict=False)
        if not ends_with_a_link(path, following)
    ]
    assert not missing, f"no link at the end: {missing}"


# ---- a notebook needs the package alone


def shown_code(path: Path) -> list[str]:
    "The cells of code that are run and that go into no module"
    return [
        source
        for source in sources(path, "code")
        if not exports(source) and "#| eval: false" not in source
    ]


@by_notebook
def test_installs_where_pseudolab_is_missing_alone(path):
    installing = [source for source in shown_code(path) if re.search(r"\bpip\b.*install", source)]
    assert installing == [sources(path, "code")[0]], "the first cell of code finds the package"
    assert "except ModuleNotFoundError" in installing[0]


@by_notebook
def test_needs_no_nbdev(path):
    names = [name for source in shown_code(path) for name in imported_modules(parsed(source))]
    assert not [name for name in names if name.split(".")[0] == "nbdev"]
