"""The course as a whole: every export is shown, every lesson has its parts, and a lesson needs
nothing but the package.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from support import NBS, ROOT
from support.code import imported_modules, listed_names, parse_file
from support.exercises import load
from support.notebooks import (
    exports,
    notebooks,
    only_python,
    short_name,
    sources,
    without_network,
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
    "Schedule": "a type, for signatures: the lesson shows `constant` and `growing`, which give one",
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


@by_lesson
def test_has_its_sections(path):
    headings = re.findall(r"(?m)^## (.+?)\s*$", "\n".join(sources(path, "markdown")))
    wanted = ["Exercises"] if path == LESSONS[0] else ["Summary", "Exercises"]
    assert [heading for heading in headings if heading in wanted] == wanted, headings


@by_lesson
def test_asks_two_to_four_exercises(path):
    assert 2 <= len(load(path).exercises) <= 4


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


def repository() -> str:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return settings["project"]["urls"]["Repository"]


@by_notebook
def test_installs_from_the_repository_on_colab_alone(path):
    installing = [
        source for source in shown_code(path) if re.search(r"\bpip\b.*\binstall\b", source)
    ]
    for source in installing:
        assert "google.colab" in source, f"installs outside Colab:\n{source}"
        addresses = set(re.findall(r"git\+([^\s\"'@]+)", source))
        assert addresses == {repository()}, f"expected {repository()}:\n{source}"
    if path in LESSONS:
        first = sources(path, "code")[0]
        assert installing == [first], "the first cell of code installs the package on Colab"


@by_notebook
def test_needs_no_nbdev(path):
    names = [name for source in shown_code(path) for name in imported_modules(parsed(source))]
    assert not [name for name in names if name.split(".")[0] == "nbdev"]


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 2, 6])
def test_runs_in_an_empty_folder(number, tmp_path):
    """Beside it neither the repository nor its settings; the package comes from where Python finds
    it
    """
    folder = tmp_path / "alone"
    folder.mkdir()
    shutil.copy(WALK[number], folder / "lesson.ipynb")
    home = tmp_path / "home"
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "XDG_CACHE_HOME": str(home),
        "IPYTHONDIR": str(home / "ipython"),
        "HF_HUB_OFFLINE": "1",
        "MPLBACKEND": "Agg",
    }
    nbconvert = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute"]
    options = ["--KernelManager.transport=ipc", "--output", "done.ipynb", "lesson.ipynb"]
    done = subprocess.run(
        [*without_network(), *nbconvert, *options],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    left = {path.name for path in folder.iterdir()}
    assert left == {"lesson.ipynb", "done.ipynb"}, "a lesson leaves nothing behind"
