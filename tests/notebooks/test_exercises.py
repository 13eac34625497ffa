"""Every lesson asks two to four exercises, and their folded solutions run and hold.

A solution is run in a namespace of its lesson that holds only the cells it needs: those that bind,
or change, a name that it reads, and what these need in turn.
"""

import ast
import json
import re
import symtable
import sys
import types
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LESSONS = [
    path for path in sorted(ROOT.glob("nbs/lessons/[0-9]*.ipynb")) if not path.name.startswith("00")
]
by_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
HEADING = "## Exercises"
DETAILS = re.compile(
    r"<details>.*?<summary>\s*Solution[^<]*?(\d*)\s*</summary>(.*?)</details>", re.S
)
# functions of the lessons that train what they are given
CHANGES_ITS_FIRST = {"fit_prompt", "train_epoch"}


@dataclass
class Exercise:
    number: int
    solutions: list[str] = field(default_factory=list)  # code


@dataclass
class Lesson:
    cells: list[str]  # the code of the lesson itself, cell by cell, up to the exercises
    exercises: list[Exercise]


def plain(source):
    return "\n".join(line for line in source.splitlines() if not line.startswith("#|"))


def take_prose(text, exercises):
    "The exercises a prose cell asks, and the solutions that stand in it"
    asked = DETAILS.sub("", text)
    exercises += [
        Exercise(int(number))
        for number in re.findall(r"(?m)^(?:\*\*)?(\d+)\.(?:\*\*)?\s+\S", asked)
    ]
    for number, inside in DETAILS.findall(text):
        wanted = next(e for e in exercises if e.number == int(number)) if number else exercises[-1]
        wanted.solutions += re.findall(r"```python\n(.*?)```", inside, re.S)


def read_lesson(notebook: dict) -> Lesson:
    cells, exercises, at_exercises = [], [], False
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            if HEADING in source:
                at_exercises, source = True, source.split(HEADING, 1)[1]
            if at_exercises:
                take_prose(source.split("\n## ", 1)[0], exercises)
        elif not at_exercises:
            cells.append(plain(source))
        else:
            assert "#| code-fold: true" in source and '#| code-summary: "Solution' in source, (
                f"a cell behind the exercises is not folded:\n{source}"
            )
            exercises[-1].solutions.append(plain(source))
    return Lesson(cells, exercises)


def load(path):
    return read_lesson(json.loads(path.read_text(encoding="utf-8")))


# which cells a piece of code needs


@dataclass
class Facts:
    "What one cell does with the names of the module"

    binds: set[str]  # it gives them a value
    replaces: set[str]  # ... whatever they were before
    changes: set[str]  # it changes the object, `name.x = ...`, `name.append(...)`
    reads: set[str]  # when it is run
    # a function or class it defines -> what that reads when it is called
    later: dict[str, set[str]]


def base(node):
    "The name at the root of `name.attribute[index]...`"
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Starred, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def own_nodes(node):
    "The nodes that run with the cell: not those inside a function or class it defines"
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, (ast.FunctionDef, ast.ClassDef, ast.Lambda)):
            yield from own_nodes(child)


def global_reads(table):
    "Names of the module that a scope and the scopes inside it read"
    own = {
        symbol.get_name()
        for symbol in table.get_symbols()
        if symbol.is_referenced() and (table.get_type() == "module" or symbol.is_global())
    }
    return own.union(*map(global_reads, table.get_children()))


def trains(code: str) -> set[str]:
    "Functions of a lesson that hand their own first argument on to one that trains it"
    return {
        f.name
        for f in ast.walk(ast.parse(code))
        if isinstance(f, ast.FunctionDef) and f.args.args
        for node in ast.walk(f)
        if isinstance(node, ast.Call)
        and base(node) in CHANGES_ITS_FIRST
        and node.args
        and base(node.args[0]) == f.args.args[0].arg
    }


def changed(node, trainers):
    "The name whose object a node changes, or None"
    if isinstance(node, (ast.Attribute, ast.Subscript)) and isinstance(node.ctx, ast.Store):
        return base(node)
    if (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Attribute)
    ):
        return base(node.value)
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in trainers
        and node.args
    ):
        return base(node.args[0])


def stored(nodes):
    return {
        node.id
        for top in nodes
        if top is not None
        for node in ast.walk(top)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def read_by(statement):
    """What a statement reads when it is run; and what a function or class that it defines reads
    later
    """
    table = symtable.symtable(ast.unparse(statement), "statement", "exec")
    defined = {statement.name} if isinstance(statement, (ast.FunctionDef, ast.ClassDef)) else set()
    now = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced()}
    now |= set().union(
        *(global_reads(child) for child in table.get_children() if child.get_name() not in defined)
    )
    if isinstance(statement, ast.For):
        now -= stored([statement.target])
    if isinstance(statement, ast.With):
        now -= stored(item.optional_vars for item in statement.items)
    later = {
        child.get_name(): global_reads(child)
        for child in table.get_children()
        if child.get_name() in defined
    }
    return now, later


def facts(code: str, trainers=frozenset(CHANGES_ITS_FIRST)) -> Facts:
    tree, table = ast.parse(code), symtable.symtable(code, "cell", "exec")
    binds = {
        symbol.get_name()
        for symbol in table.get_symbols()
        if symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()
    }
    replaces, reads, later = set(), set(), {}
    for node in tree.body:
        now, called = read_by(node)
        # a function of this cell may be called, or handed on, in it
        reads |= (now | set().union(*(later[name] for name in now & later.keys()))) - replaces
        later |= called
        if isinstance(node, ast.Assign):
            replaces |= stored(node.targets)
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            replaces.add(node.name)
    changes = {changed(node, trainers) for node in own_nodes(tree)} - {None}
    # who changes one, changes them all
    inside = {
        name: base(node.iter)
        for node in own_nodes(tree)
        if isinstance(node, (ast.For, ast.comprehension))
        for name in stored([node.target])
    }
    return Facts(
        binds,
        replaces,
        changes | {inside[name] for name in changes & inside.keys()} - {None},
        reads,
        later,
    )


def only_imports(code):
    return all(isinstance(node, (ast.Import, ast.ImportFrom)) for node in ast.parse(code).body)


def modules(cells):
    """Names that stand for modules: `torch.set_num_threads(1)` changes nothing that a solution
    waits for
    """
    return {
        (alias.asname or alias.name).split(".")[0]
        for code in cells
        for node in ast.parse(code).body
        if isinstance(node, ast.Import)
        for alias in node.names
    }


def needed(cells: list[str], solutions: list[str]) -> list[str]:
    """The cells that the solutions need, in order: from the last to the first, each that binds or
    changes a name still wanted
    """
    trainers, named = CHANGES_ITS_FIRST.union(*map(trains, cells)), modules(cells)
    everything = [facts(code, trainers) for code in [*cells, *solutions]]
    later = {}
    for one in everything:
        for name, read in one.later.items():
            later[name] = later.get(name, set()) | read

    def whole(names):
        "The names, and what functions among them read when they are called"
        names, more = set(names), set(names)
        while more:
            more = set().union(*(later.get(name, set()) for name in more)) - names
            names |= more
        return names

    wanted, imported, chosen = set(), set(), []
    for at in reversed(range(len(everything))):
        one = everything[at]
        if (
            at >= len(cells)
            or (one.binds | (one.changes - named)) & wanted
            and not only_imports(cells[at])
        ):
            if at < len(cells):
                chosen.append(at)
            wanted = (wanted - one.replaces) | whole(one.reads)
            imported |= wanted | whole(one.later)
    return [
        code
        for at, code in enumerate(cells)
        if at in chosen or only_imports(code) and everything[at].binds & imported
    ]


def run(cells: list[str], name: str):
    """Execute pieces of code in one namespace, which is a module while it lasts (dataclasses ask
    for theirs)
    """
    module = sys.modules[name] = types.ModuleType(name)
    try:
        for at, code in enumerate(cells):
            exec(compile(code, f"{name}, cell {at}", "exec"), module.__dict__)
    finally:
        del sys.modules[name]
    return module.__dict__


# the extraction itself


PROSE, CODE = (
    (lambda source: {"cell_type": "markdown", "source": source}),
    (lambda source: {"cell_type": "code", "source": source}),
)
FOLDED = '#| code-fold: true\n#| code-summary: "Solution"\n'
TOY = {
    "cells": [
        PROSE("# A lesson\n\n1. not an exercise"),
        CODE("#| export\nimport math"),
        CODE("import json"),
        CODE("sides = [3, 4]"),
        CODE("unused = 1 / 0"),
        CODE("sides.append(5)"),
        CODE("def hypotenuse(a, b): return math.hypot(a, b)"),
        CODE("nobody = hypotenuse"),
        PROSE("## Summary\n\n- short\n\n## Exercises\n\n**1.** How long?"),
        CODE(FOLDED + "assert hypotenuse(*sides[:2]) == sides[2]"),
        PROSE(
            "2. And in prose?\n3. Nobody solves this one, in 1. or 2.\n\n<details><summary>Solution"
            " to 2</summary>\n\n```python\nassert len(sides) == 3\n```\n</details>\n\n## Further"
            " reading\n\n1. a book"
        ),
    ]
}


def test_extraction_finds_what_it_should():
    lesson = read_lesson(TOY)
    assert [(e.number, e.solutions) for e in lesson.exercises] == [
        (1, ["assert hypotenuse(*sides[:2]) == sides[2]"]),
        (2, ["assert len(sides) == 3\n"]),
        (3, []),
    ]
    assert len(lesson.cells) == 7 and lesson.cells[0] == "import math"


def test_a_cell_behind_the_exercises_must_be_folded():
    with pytest.raises(AssertionError, match="not folded"):
        read_lesson({"cells": [*TOY["cells"], CODE("1 + 1")]})


def test_only_needed_cells_are_run():
    lesson = read_lesson(TOY)
    solutions = [code for e in lesson.exercises for code in e.solutions]
    chosen = needed(lesson.cells, solutions)
    assert chosen == [
        "import math",
        "sides = [3, 4]",
        "sides.append(5)",
        "def hypotenuse(a, b): return math.hypot(a, b)",
    ]
    assert run([*chosen, *solutions], "toy lesson")["sides"] == [3, 4, 5]


def test_a_wrong_solution_fails():
    lesson = read_lesson(TOY)
    with pytest.raises(AssertionError):
        run(
            [*needed(lesson.cells, ["assert sides == [3, 4]"]), "assert sides == [3, 4]"],
            "toy lesson",
        )


def test_what_a_cell_does():
    one = facts(
        "from a.b import c as d\nfor g in j: k[0].l = m.n(o)\np.q(r)\ndef f(x, y=s): return x +"
        " t\nu, v = [w for w in z], 1\nwith d: fit_prompt(e, v)"
    )
    assert (
        one.binds == {"d", "g", "f", "u", "v"}
        and one.replaces == {"f", "u", "v"}
        and one.changes == {"k", "p", "e"}
    )
    assert one.later == {"f": {"t"}} and one.reads == {
        "j",
        "k",
        "m",
        "o",
        "p",
        "r",
        "s",
        "z",
        "d",
        "e",
        "fit_prompt",
    }


def test_a_function_that_is_handed_on_in_its_own_cell():
    cells = [
        "class A: pass",
        "def deep(): return 3",
        "def unused(): return 4",
        "def method(self): return deep()\nA.method = method",
    ]
    assert needed(cells, ["assert A().method() == 3"]) == [cells[0], cells[1], cells[3]]


def test_what_a_helper_trains_is_changed():
    cells = [
        "prompts = {1: []}",
        "def fit_prompt(prompt): prompt.append(1)",
        "def fit(prompt): return fit_prompt(prompt)",
        "losses = [fit(one) for one in prompts.values()]",
    ]
    assert needed(cells, ["assert prompts == {1: [1]}"]) == cells


def test_the_last_value_counts_and_a_function_reads_when_it_is_called():
    cells = [
        "x = 1",
        "def double(): return 2 * factor * x",
        "x = 2",
        "factor = 0",
        "factor = 3",
        "x += 0 * factor",
        "y = double()",
        "double = None",
    ]
    assert needed(cells[:-1], ["assert y == 12"]) == [
        "def double(): return 2 * factor * x",
        "x = 2",
        "factor = 3",
        "x += 0 * factor",
        "y = double()",
    ]
    assert run([*needed(cells[:-1], ["assert y == 12"]), "assert y == 12"], "toy lesson")["x"] == 2


# the lessons


def test_all_lessons_are_here():
    assert [path.name.split("_")[0] for path in LESSONS] == sorted(
        [*(f"{number:02}" for number in range(1, 15)), "04b", "14b"]
    )


@by_lesson
def test_two_to_four_exercises(path):
    numbers = [e.number for e in load(path).exercises]
    assert 2 <= len(numbers) <= 4 and numbers == list(range(1, len(numbers) + 1)), (
        f"{path.name} numbers its exercises {numbers}"
    )


@by_lesson
def test_no_solution_is_overlooked(path):
    text = path.read_text(encoding="utf-8")
    marked = len(re.findall(r'code-summary: \\"Solution|<summary>\s*Solution', text))
    assert sum(len(e.solutions) for e in load(path).exercises) == marked >= 1


@by_lesson
def test_solutions_are_folded_in_jupyterlab_and_colab_too(path):
    """Code and output: pages fold by the directives in the cell, JupyterLab and Colab by its
    metadata
    """
    cells = [
        cell
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
        if '#| code-summary: "Solution' in "".join(cell["source"])
    ]
    folded = {"cellView": "form", "jupyter": {"outputs_hidden": True, "source_hidden": True}}
    assert all(cell["metadata"] == folded for cell in cells), (
        f"{path.name}: {[cell['id'] for cell in cells if cell['metadata'] != folded]}"
    )


@by_lesson
def test_every_exercise_has_a_solution(path):
    unsolved = [e.number for e in load(path).exercises if not e.solutions]
    assert not unsolved, f"{path.name}: no solution of {unsolved}"


@by_lesson
def test_solutions_claim_something(path):
    checks = [
        node
        for e in load(path).exercises
        for code in e.solutions
        for node in ast.walk(ast.parse(code))
        if isinstance(node, (ast.Assert, ast.Raise))
    ]
    assert checks, f"no solution of {path.name} asserts anything"


@pytest.mark.slow
@by_lesson
def test_solutions_hold(path, tmp_path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.chdir(tmp_path)  # a lesson needs the package and nothing else
    lesson = load(path)
    solutions = [code for e in lesson.exercises for code in e.solutions]
    run([*needed(lesson.cells, solutions), *solutions], f"lesson {path.stem}")
