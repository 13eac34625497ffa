"""Every lesson asks two to four exercises, and their folded solutions run and hold."""

import ast
import json
import re

import pytest

from support import NBS
from support.exercises import facts, load, needed, read_lesson, run

LESSONS = [
    path for path in sorted(NBS.glob("lessons/[0-9]*.ipynb")) if not path.name.startswith("00")
]
by_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)

# ---- the extraction itself


def prose(source):
    return {"cell_type": "markdown", "source": source}


def code(source):
    return {"cell_type": "code", "source": source}


LAST_PROSE = """2. And in prose?
3. Nobody solves this one, in 1. or 2.

<details><summary>Solution to 2</summary>

```python
assert len(sides) == 3
```
</details>

## Further reading

1. a book"""
TOY = {
    "cells": [
        prose("# A lesson\n\n1. not an exercise"),
        code("#| export\nimport math"),
        code("import json"),
        code("sides = [3, 4]"),
        code("unused = 1 / 0"),
        code("sides.append(5)"),
        code("def hypotenuse(a, b): return math.hypot(a, b)"),
        code("nobody = hypotenuse"),
        prose("## Summary\n\n- short\n\n## Exercises\n\n**1.** How long?"),
        code(
            '#| code-fold: true\n#| code-summary: "Solution"\n'
            "assert hypotenuse(*sides[:2]) == sides[2]"
        ),
        prose(LAST_PROSE),
    ]
}


def solutions_of(lesson):
    return [code for exercise in lesson.exercises for code in exercise.solutions]


def test_extraction_finds_what_it_should():
    lesson = read_lesson(TOY)
    assert [(one.number, one.solutions) for one in lesson.exercises] == [
        (1, ["assert hypotenuse(*sides[:2]) == sides[2]"]),
        (2, ["assert len(sides) == 3\n"]),
        (3, []),
    ]
    assert len(lesson.cells) == 7
    assert lesson.cells[0] == "import math"


def test_a_cell_behind_the_exercises_must_be_folded():
    with pytest.raises(AssertionError, match="not folded"):
        read_lesson({"cells": [*TOY["cells"], code("1 + 1")]})


def test_only_needed_cells_are_run():
    lesson = read_lesson(TOY)
    solutions = solutions_of(lesson)
    chosen = needed(lesson.cells, solutions)
    assert chosen == [
        "import math",
        "sides = [3, 4]",
        "sides.append(5)",
        "def hypotenuse(a, b): return math.hypot(a, b)",
    ]
    assert run([*chosen, *solutions], "toy lesson")["sides"] == [3, 4, 5]


def test_a_wrong_solution_fails():
    cells = needed(read_lesson(TOY).cells, ["assert sides == [3, 4]"])
    with pytest.raises(AssertionError):
        run([*cells, "assert sides == [3, 4]"], "toy lesson")


def test_what_a_cell_does():
    cell = """
from a.b import c as d
for g in j: k[0].l = m.n(o)
p.q(r)
def f(x, y=s): return x + t
u, v = [w for w in z], 1
with d: fit_prompt(e, v)
"""
    one = facts(cell)
    assert one.binds == {"d", "g", "f", "u", "v"}
    assert one.replaces == {"f", "u", "v"}
    assert one.changes == {"k", "p", "e"}
    assert one.later == {"f": {"t"}}
    assert one.reads == set("jkmoprszde") | {"fit_prompt"}


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
    ]
    chosen = needed(cells, ["assert y == 12"])
    assert chosen == [
        "def double(): return 2 * factor * x",
        "x = 2",
        "factor = 3",
        "x += 0 * factor",
        "y = double()",
    ]
    assert run([*chosen, "assert y == 12"], "toy lesson")["x"] == 2


# ---- the lessons


def test_all_lessons_are_here():
    numbers = [f"{number:02}" for number in range(1, 15)]
    assert [path.name.split("_")[0] for path in LESSONS] == sorted([*numbers, "04b", "14b"])


@by_lesson
def test_two_to_four_exercises(path):
    numbers = [exercise.number for exercise in load(path).exercises]
    assert 2 <= len(numbers) <= 4, f"{path.name} numbers its exercises {numbers}"
    assert numbers == list(range(1, len(numbers) + 1)), f"{path.name} numbers them {numbers}"


@by_lesson
def test_no_solution_is_overlooked(path):
    text = path.read_text(encoding="utf-8")
    marked = len(re.findall(r'code-summary: \\"Solution|<summary>\s*Solution', text))
    assert len(solutions_of(load(path))) == marked >= 1


@by_lesson
def test_solutions_are_folded_in_jupyterlab_and_colab_too(path):
    """Code and output: pages fold by the directives in the cell, JupyterLab and Colab by its
    metadata
    """
    folded = {"cellView": "form", "jupyter": {"outputs_hidden": True, "source_hidden": True}}
    open_cells = [
        cell["id"]
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
        if '#| code-summary: "Solution' in "".join(cell["source"]) and cell["metadata"] != folded
    ]
    assert not open_cells, f"{path.name}: {open_cells}"


@by_lesson
def test_every_exercise_has_a_solution(path):
    unsolved = [one.number for one in load(path).exercises if not one.solutions]
    assert not unsolved, f"{path.name}: no solution of {unsolved}"


@by_lesson
def test_solutions_claim_something(path):
    checks = [
        node
        for solution in solutions_of(load(path))
        for node in ast.walk(ast.parse(solution))
        if isinstance(node, (ast.Assert, ast.Raise))
    ]
    assert checks, f"no solution of {path.name} asserts anything"


@pytest.mark.slow
@by_lesson
def test_solutions_hold(path, tmp_path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.chdir(tmp_path)  # a lesson needs the package and nothing else
    lesson = load(path)
    solutions = solutions_of(lesson)
    run([*needed(lesson.cells, solutions), *solutions], f"lesson {path.stem}")
