"""The house in order: which room imports which, what makes which module, how code is written."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support import NBS, ROOT
from support.code import imported_modules, listed_names, parse_file
from support.notebooks import exports, notebooks, only_python, short_name, sources
from support.project import files_of_the_tree, name

PACKAGE = ROOT / "pseudolab"
NOTEBOOKS = notebooks()
LESSONS = notebooks("lessons")
MODULES = sorted(
    path for path in PACKAGE.rglob("*.py") if path.name not in ("__init__.py", "_modidx.py")
)
SCRIPTS = sorted(
    path for folder in ("tests", "tools", "benchmarks") for path in (ROOT / folder).rglob("*.py")
)
WIDTH = 100
by_module = pytest.mark.parametrize("path", MODULES, ids=name)
by_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=short_name)


# ---- tools


def run_tool(*command: str) -> subprocess.CompletedProcess[str]:
    "A tool of this environment, on the whole project"
    return subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1", "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def assert_silent(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]


def tool(program: str) -> str:
    "A program beside this Python"
    return str(Path(sys.executable).with_name(program))


def test_rooms_import_one_way():
    assert_silent(run_tool(tool("lint-imports"), "--no-cache"))


def test_ruff_finds_nothing():
    options = ("--no-cache", "--quiet", "--output-format", "concise")
    assert_silent(run_tool(tool("ruff"), "check", *options, "."))


def test_code_is_formatted():
    assert_silent(run_tool(tool("ruff"), "format", "--no-cache", "--check", "."))


@pytest.mark.slow
def test_types_agree():
    if run_tool(tool("pyright"), "--version").returncode:
        pytest.skip("pyright does not start here: it fetches its program from npm, once")
    assert_silent(run_tool(tool("pyright")))


# ---- one notebook makes one module

# Modules that are not made in the lab, since a lesson or the pocket universe builds them
TAUGHT = {
    "lessons/02_zero_shot": "method.zero_shot",
    "lessons/03_first_generation": "method.linear_probe",
    "lessons/04_pseudolabels": "method.pseudolabels",
    "lessons/05_text_prompts": "method.prompts.text",
    "lessons/06_unsupervised": "method.schedules",
    "lessons/07_unified_loss": "method.loss",
    "lessons/10_visual_prompts": "method.prompts.visual",
    "lessons/11_multimodal_prompts": "method.prompts.joint",
    "pocket/00_brush": "data.worlds.brush",
    "pocket/01_flowers": "data.worlds.flowers",
    "pocket/02_landuse": "data.worlds.landuse",
    "pocket/03_aircraft": "data.worlds.aircraft",
    "pocket/04_satellite": "data.worlds.satellite",
    "pocket/05_textures": "data.worlds.textures",
    "pocket/06_digits": "data.worlds.digits",
    "pocket/07_corpus": "data.worlds.corpus",
    "pocket/08_pretrain": "data.pretrain",
}


def directive(path: Path, wanted: str) -> list[str]:
    "What follows a directive in a notebook, cell by cell"
    found = []
    for source in sources(path, "code"):
        found += re.findall(rf"(?m)^#\| *{wanted} *(.*?) *$", source)
    return found


def made_modules() -> dict[str, list[str]]:
    "The modules that each notebook opens"
    opened = {short_name(path): directive(path, "default_exp") for path in NOTEBOOKS}
    return {notebook: modules for notebook, modules in opened.items() if modules}


def test_a_lab_notebook_stands_where_its_module_stands():
    in_the_lab = {
        short_name(path): short_name(path).removeprefix("lab/").replace("/", ".")
        for path in notebooks("lab")
    }
    expected = {notebook: [module] for notebook, module in (in_the_lab | TAUGHT).items()}
    assert made_modules() == expected


def test_each_module_is_made_by_one_notebook():
    made = sorted(module for modules in made_modules().values() for module in modules)
    there = [path.relative_to(PACKAGE).with_suffix("").as_posix() for path in MODULES]
    assert made == sorted(module.replace("/", ".") for module in there)


@by_notebook
def test_a_notebook_adds_to_no_other_module(path):
    others = [target for target in directive(path, "exporti?s?(?![a-z])") if target]
    assert not others, f"exports to {others}: a notebook makes its own module alone"


# ---- how a module is written


def definitions(tree: ast.AST) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def parameters(function: ast.FunctionDef) -> list[ast.arg]:
    "Every parameter of a function but `self` and `cls`"
    given = function.args
    stars = [one for one in (given.vararg, given.kwarg) if one]
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs, *stars]
    return [one for one in every if one.arg not in ("self", "cls")]


def public(tree: ast.Module) -> dict[str, ast.FunctionDef | ast.ClassDef]:
    "The functions and classes in `__all__`, and the public methods of these classes"
    found: dict[str, ast.FunctionDef | ast.ClassDef] = {}
    listed = listed_names(tree)
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name in listed:
            found[node.name] = node
            if isinstance(node, ast.ClassDef):
                methods = [child for child in node.body if isinstance(child, ast.FunctionDef)]
                found |= {
                    f"{node.name}.{method.name}": method
                    for method in methods
                    if not method.name.startswith("_")
                }
    return found


@by_module
def test_what_is_public_has_a_docstring(path):
    silent = [key for key, node in public(parse_file(path)).items() if not ast.get_docstring(node)]
    assert not silent, silent


@by_module
def test_what_is_public_is_typed(path):
    untyped = []
    for key, node in public(parse_file(path)).items():
        if isinstance(node, ast.FunctionDef):
            untyped += [f"{key}({one.arg})" for one in parameters(node) if not one.annotation]
            if not node.returns:
                untyped.append(f"{key} -> ?")
    assert not untyped, untyped


# PromptTuner's: an estimator's arguments stand side by side, so that get_params can name them
MOST_PARAMETERS = 15


@by_module
def test_no_function_has_a_crowd_of_parameters(path):
    crowded = {
        function.name: len(parameters(function))
        for function in definitions(parse_file(path))
        if len(parameters(function)) > MOST_PARAMETERS
    }
    assert not crowded, f"expected at most {MOST_PARAMETERS}: {crowded}"


def put_on_afterwards(tree: ast.Module) -> list[str]:
    "Assignments to an attribute of a class, and lambdas that stand for methods"
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            found += [ast.unparse(target) for target in node.targets if of_a_class(target)]
        if isinstance(node, ast.ClassDef):
            for child in node.body:
                if isinstance(child, ast.Assign) and isinstance(child.value, ast.Lambda):
                    found.append(f"{node.name}.{ast.unparse(child.targets[0])}")
    return found


def of_a_class(target: ast.expr) -> bool:
    if not (isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name)):
        return False
    return re.match(r"_?[A-Z]\w*[a-z]", target.value.id) is not None


def test_a_method_put_on_afterwards_is_seen():
    tree = ast.parse("Run.show = show\nrun.shown = 1\nclass A:\n    b = lambda self: 1\nN.x = 1")
    assert put_on_afterwards(tree) == ["Run.show", "A.b"]


@by_module
def test_classes_are_whole(path):
    assert not put_on_afterwards(parse_file(path))


@by_notebook
def test_classes_are_whole_in_notebooks(path):
    found = []
    for source in sources(path, "code"):
        found += put_on_afterwards(ast.parse(only_python(source)))
    assert not found


# ---- how wide it is


def too_wide(text: str) -> list[str]:
    return [
        f"line {at}: {len(line)}"
        for at, line in enumerate(text.splitlines(), 1)
        if len(line) > WIDTH
    ]


@by_notebook
def test_code_cells_fit_the_width(path):
    "Directives cannot be broken, so they are left out"
    wide = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        lines = "".join(cell["source"]).splitlines()
        if cell["cell_type"] == "code":
            code = "\n".join("" if line.startswith("#|") else line for line in lines)
            wide += [f"{cell['id']} {fault}" for fault in too_wide(code)]
    assert not wide, f"expected at most {WIDTH} columns: {wide}"


def test_files_fit_the_width():
    static = [path for path in (PACKAGE / "views" / "static").iterdir() if path.suffix != ".json"]
    styles = [*static, *NBS.glob("*.css"), *(ROOT / "tools" / "page").glob("*.js")]
    wide = {}
    for path in [*MODULES, *SCRIPTS, *PACKAGE.rglob("__init__.py*"), *styles]:
        faults = too_wide(path.read_text(encoding="utf-8"))
        if faults:
            wide[name(path)] = faults
    assert not wide, f"expected at most {WIDTH} columns: {wide}"


# ---- how a notebook is written


@by_notebook
def test_notebook_is_sound(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    failed = [
        cell["id"]
        for cell in cells
        if any(output["output_type"] == "error" for output in cell.get("outputs", []))
    ]
    assert not failed, f"stored errors in cells {failed}"
    size = path.stat().st_size
    assert size <= 1_100_000, f"{size:,} bytes, expected at most 1,100,000"
    assert "".join(cells[0]["source"]).startswith("# "), "a notebook opens with its title"


def defines_a_class(source: str) -> bool:
    return any(isinstance(node, ast.ClassDef) for node in ast.parse(only_python(source)).body)


@pytest.mark.parametrize("path", LESSONS, ids=short_name)
def test_cells_of_lessons_are_short(path):
    "But for a class, which stands whole, and for cells whose code a page folds or does not show"
    long = [
        f"{source[:60]!r}: {len(source.splitlines())} lines"
        for source in sources(path, "code")
        if len(source.splitlines()) > 25
        and not (exports(source) and defines_a_class(source))
        and not re.search(r"^#\| *(hide$|echo: false|code-fold: true)", source, re.M)
    ]
    assert not long, f"expected at most 25 lines: {long}"


MESSAGES = NBS / "guides" / "05_troubleshooting.ipynb"  # its headings quote what a cell then says


@by_notebook
def test_a_heading_is_followed_by_prose(path):
    heading = r"## " if path == MESSAGES else r"#{1,6} "
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    bare = []
    for cell, following in zip(cells, [*cells[1:], {"cell_type": "nothing"}], strict=True):
        lines = "".join(cell["source"]).strip().splitlines() or [""]
        if cell["cell_type"] == "markdown" and following["cell_type"] != "markdown":
            if re.match(heading, lines[-1]):
                bare.append(lines[-1])
    assert not bare, bare


# ---- how tests are written


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("*.py")), ids=name)
def test_no_test_file_imports_another(path):
    names = imported_modules(parse_file(path))
    tests = [one for one in names if re.match(r"(.*\.)?(test_|conftest)", one)]
    assert not tests, f"share what it needs in tests/support: {tests}"


# ---- what stands nowhere

MACHINE_PATH = re.compile(
    r"(?<![\w./:~@$}%-])"
    r"/(?:home|root|Users|work|mnt|opt|srv|workspace|private)/\w[\w.@/-]*"
    r"|[A-Z]:\\\\?Users\\"
)


FOLDERS = {"benchmarks", "docs", "nbs", "pseudolab", "tests", "tools"}


def test_nothing_that_was_run_is_left_at_the_top():
    "A command that was tried in the checkout leaves its folder there, and git takes it along"
    files = files_of_the_tree()
    if files is None:
        pytest.skip("not a git checkout, so what belongs to the tree is not known")
    tops = {path.relative_to(ROOT).parts[0] for path in files if path.parent != ROOT}
    assert {top for top in tops if not top.startswith(".")} == FOLDERS


def test_no_path_of_a_machine_in_the_tree():
    "Without the libraries that pages carry along"
    files = files_of_the_tree()
    if files is None:
        pytest.skip("not a git checkout, so what belongs to the tree is not known")
    found = []
    for path in files:
        if "site_libs" in path.parts:
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{name(path)}: {match[0]}" for match in MACHINE_PATH.finditer(text)]
    assert not found, found
