"""The course as a whole: every export is shown and documented, every lesson has its parts, and a
lesson needs nothing but the package.
"""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from test_exercises import load as load_exercises
from test_notebooks import without_network

ROOT = Path(__file__).resolve().parents[2]
LESSONS = sorted(ROOT.glob("nbs/lessons/[0-9]*.ipynb"))
NOTEBOOKS = sorted(
    path
    for folder in ("lessons", "guides", "pocket", "lab")
    for path in ROOT.glob(f"nbs/{folder}/*.ipynb")
)
# an aside has a letter behind its number
WALK = [path for path in LESSONS if re.match(r"\d\d_", path.name)]
by_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def cells_of(path: Path, kind: str) -> list[str]:
    return [
        "".join(cell["source"])
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
        if cell["cell_type"] == kind
    ]


def parsed(cell: str) -> ast.Module:
    return ast.parse(
        "\n".join(line for line in cell.splitlines() if not re.match(r"\s*[%!]", line))
    )


def exports(cell: str) -> bool:
    return re.search(r"^#\| *exporti?s?\b", cell, re.M) is not None


# ---- every export is shown and documented

# Not named by any cell that shows something, and why that is enough
UNSHOWN = {
    "Prompt": (
        "the interface of every prompt, never made itself: each TextPrompt of the lesson is one"
    ),
    "Schedule": "a type, for signatures: the lesson shows `constant` and `growing`, which give one",
    "PROMPT_OPTIONS": "a table behind an error message of `PromptTuner`",
    **dict.fromkeys(
        ("check_choice", "check_quantiles", "check_room", "check_shape", "no_plan"),
        "refuses what cannot be: the lesson shows the selectors that call it,"
        " tests/test_selectors.py what is refused",
    ),
    **dict.fromkeys(
        ("one_label_each", "sets_within"),
        "one step of a selector; the lesson builds and shows the selector",
    ),
    "Split": "what `semi_supervised` and its sisters give, and the lesson shows those",
}


def modules_of(path: Path) -> set[str]:
    "The modules that a notebook opens or adds to"
    return {
        name
        for cell in cells_of(path, "code")
        for name in re.findall(r"^#\| *(?:default_exp|exports?) +(\S+)", cell, re.M)
    }


def lesson_modules() -> dict[str, Path]:
    "The modules that lessons export to"
    return {
        name: ROOT / "pseudolab" / f"{name}.py"
        for path in LESSONS
        for name in sorted(modules_of(path))
    }


def homes() -> list[Path]:
    "The lessons, and the pages that open a module which a lesson fills"
    return [
        path for path in NOTEBOOKS if path in LESSONS or modules_of(path) & lesson_modules().keys()
    ]


def public(module: ast.Module) -> list[str]:
    "What `__all__` lists"
    lists = [
        node.value
        for node in module.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    return [name for names in lists for name in ast.literal_eval(names) if not name.startswith("_")]


def names_used(cell: str) -> set[str]:
    "Names that a cell reads, as `name` or as `something.name`"
    nodes = list(ast.walk(parsed(cell)))
    return {
        node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    } | {
        node.attr
        for node in nodes
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    }


def test_names_used_are_those_that_are_read():
    assert names_used("%matplotlib inline\na = b.c(d)\nfrom e import f\ndef g(): return h") == {
        "b",
        "c",
        "d",
        "h",
    }
    assert (
        exports("#| export\nx = 1")
        and exports("#| exports\nx = 1")
        and not exports("#| hide\nexport = 1")
    )


def test_lessons_export_modules():
    assert {"clip", "loss", "pseudolabels", "training", "tuner"} <= lesson_modules().keys()


def test_every_export_is_shown_in_a_lesson():
    shown = set().union(
        *(
            names_used(cell)
            for path in homes()
            for cell in cells_of(path, "code")
            if not exports(cell)
        )
    )
    wanted = {
        name: module
        for module, path in lesson_modules().items()
        for name in public(ast.parse(path.read_text(encoding="utf-8")))
    }
    unshown = {name for name in wanted if name not in shown}
    assert not unshown - UNSHOWN.keys(), (
        "exported, but in no cell of its notebook, or of a lesson, that shows or asserts:"
        f" {[f'{wanted[name]}.{name}' for name in sorted(unshown - UNSHOWN.keys())]}"
    )
    assert not UNSHOWN.keys() - unshown, (
        f"shown by now, so no exceptions any more: {sorted(UNSHOWN.keys() - unshown)}"
    )


@pytest.mark.parametrize("module", lesson_modules())
def test_every_export_has_a_docstring(module):
    tree = ast.parse(lesson_modules()[module].read_text(encoding="utf-8"))
    assert public(tree), "the module exports nothing"
    silent = [
        node.name
        for node in tree.body
        if isinstance(node, DEFINITIONS)
        and node.name in public(tree)
        and not ast.get_docstring(node)
    ]
    assert not silent, silent


# ---- every lesson has its parts


def test_all_lessons_are_here():
    assert [path.name[:2] for path in WALK] == [f"{number:02}" for number in range(15)]
    assert [path.stem for path in LESSONS if path not in WALK] == [
        "04b_beyond_top_k",
        "14b_from_code_to_paper",
    ], "asides"


@by_lesson
def test_opens_with_a_question(path):
    head = cells_of(path, "markdown")[0]
    title, quote = head.split("\n")[0], re.findall(r"(?m)^> ?(.*)$", head)
    assert re.fullmatch(r"# \S.*", title) and quote and "?" in " ".join(quote), head[:300]


@by_lesson
def test_has_its_sections(path):
    headings = re.findall(r"(?m)^## (.+?)\s*$", "\n".join(cells_of(path, "markdown")))
    wanted = ["Exercises"] if path == LESSONS[0] else ["Summary", "Exercises"]
    assert [heading for heading in headings if heading in wanted] == wanted, headings


@by_lesson
def test_asks_two_to_four_exercises(path):
    assert 2 <= len(load_exercises(path).exercises) <= 4


def ends_with_a_link(path, other):
    return any(f"]({other.name})" in cell for cell in cells_of(path, "markdown")[-4:])


@pytest.mark.parametrize("stepwise", [LESSONS, WALK], ids=["asides too", "without the asides"])
def test_each_lesson_leads_to_the_next(walk):
    missing = [
        f"{path.name} -> {following.name}"
        for path, following in zip(walk, walk[1:])
        if not ends_with_a_link(path, following)
    ]
    assert not missing, f"no link at the end: {missing}"


# ---- a notebook needs the package alone


def repository() -> str:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"][
        "Repository"
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_installs_from_the_repository_on_colab_alone(path):
    installing = [
        cell
        for cell in cells_of(path, "code")
        if re.search(r"\bpip\b.*\binstall\b", cell)
        and not exports(cell)
        and "#| eval: false" not in cell
    ]
    for cell in installing:
        assert "google.colab" in cell, f"installs outside Colab:\n{cell}"
        assert set(re.findall(r"git\+([^\s\"'@]+)", cell)) == {repository()}, (
            f"expected {repository()}:\n{cell}"
        )
    if path in LESSONS:
        assert len(installing) == 1 and installing[0] == cells_of(path, "code")[0], (
            "the first cell of code installs the package on Colab"
        )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_needs_no_nbdev(path):
    imported = [
        name
        for cell in cells_of(path, "code")
        if not exports(cell) and "#| eval: false" not in cell
        for node in ast.walk(parsed(cell))
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else []
        )
    ]
    assert not [name for name in imported if name.split(".")[0] == "nbdev"]


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 2, 6])
def test_runs_in_an_empty_folder(number, tmp_path):
    """Beside it neither the repository nor its settings; the package comes from where Python finds
    it
    """
    folder, home = tmp_path / "alone", tmp_path / "home"
    folder.mkdir()
    shutil.copy(WALK[number], folder / "lesson.ipynb")
    given = {
        "PYTHONPATH": str(ROOT),
        "XDG_CACHE_HOME": str(home),
        "IPYTHONDIR": str(home / "ipython"),
        "HF_HUB_OFFLINE": "1",
        "MPLBACKEND": "Agg",
    }
    command = [
        *without_network(),
        sys.executable,
        "-m",
        "nbconvert",
        "--to",
        "notebook",
        "--execute",
        "--KernelManager.transport=ipc",
        "--output",
        "done.ipynb",
        "lesson.ipynb",
    ]
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | given,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    assert {path.name for path in folder.iterdir()} == {
        "lesson.ipynb",
        "done.ipynb",
    }, "a lesson leaves nothing behind"
