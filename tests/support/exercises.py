"""A lesson's exercises with their folded solutions, and the cells that a solution needs.

A solution is run in a namespace of its lesson that holds only the cells it needs: those that bind,
or change, a name that it reads, and what these need in turn.
"""

import ast
import json
import re
import symtable
import sys
import types
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

HEADING = "## Exercises"
DETAILS = re.compile(
    r"<details>.*?<summary>\s*Solution[^<]*?(\d*)\s*</summary>(.*?)</details>", re.S
)
QUESTION = re.compile(r"(?m)^(?:\*\*)?(\d+)\.(?:\*\*)?\s+\S")
FOLDED = ("#| code-fold: true", '#| code-summary: "Solution')
# functions of the lessons that train what they are given
CHANGES_ITS_FIRST = frozenset({"fit_prompt", "train_epoch"})


# ---- reading


@dataclass
class Exercise:
    "One exercise of a lesson"

    number: int
    solutions: list[str] = field(default_factory=list)  # code


@dataclass
class Lesson:
    "A lesson as its exercises see it"

    cells: list[str]  # the code of the lesson itself, cell by cell, up to the exercises
    exercises: list[Exercise]


def load(path: Path) -> Lesson:
    "Read a lesson from its notebook"
    return read_lesson(json.loads(path.read_text(encoding="utf-8")))


def read_lesson(notebook: dict) -> Lesson:
    "A notebook's code up to its exercises, and these"
    lesson = Lesson([], [])
    at_exercises = False
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            if HEADING in source:
                at_exercises = True
                source = source.split(HEADING, 1)[1]
            if at_exercises:
                _take_prose(source.split("\n## ", 1)[0], lesson.exercises)
        elif at_exercises:
            _take_solution(source, lesson.exercises)
        else:
            lesson.cells.append(_plain(source))
    return lesson


def _take_prose(text: str, exercises: list[Exercise]) -> None:
    "Add the exercises that a prose cell asks, and the solutions that stand in it"
    asked = DETAILS.sub("", text)
    exercises += [Exercise(int(number)) for number in QUESTION.findall(asked)]
    for number, inside in DETAILS.findall(text):
        wanted = exercises[-1]
        if number:
            wanted = next(one for one in exercises if one.number == int(number))
        wanted.solutions += re.findall(r"```python\n(.*?)```", inside, re.S)


def _take_solution(source: str, exercises: list[Exercise]) -> None:
    "Add a cell of code as a solution of the last exercise"
    assert all(mark in source for mark in FOLDED), (
        f"a cell behind the exercises is not folded:\n{source}"
    )
    exercises[-1].solutions.append(_plain(source))


def _plain(source: str) -> str:
    return "\n".join(line for line in source.splitlines() if not line.startswith("#|"))


# ---- running


def run(cells: Iterable[str], name: str) -> dict:
    """Execute pieces of code in one namespace, which is a module while it lasts: a dataclass asks
    for its own
    """
    module = types.ModuleType(name)
    sys.modules[name] = module
    try:
        for at, code in enumerate(cells):
            exec(compile(code, f"{name}, cell {at}", "exec"), module.__dict__)
    finally:
        del sys.modules[name]
    return module.__dict__


# ---- which cells a piece of code needs


@dataclass
class Facts:
    "What one cell does with the names of the module"

    binds: set[str]  # it gives them a value
    replaces: set[str]  # ... whatever they were before
    changes: set[str]  # it changes the object, `name.x = ...`, `name.append(...)`
    reads: set[str]  # when it is run
    later: dict[str, set[str]]  # a function it defines -> what that reads when it is called


def needed(cells: list[str], solutions: list[str]) -> list[str]:
    """The cells that the solutions need, in order: from the last to the first, each that binds or
    changes a name still wanted
    """
    trainers = CHANGES_ITS_FIRST.union(*map(_trainers_in, cells))
    modules = _imported_modules(cells)
    everything = [facts(code, trainers) for code in [*cells, *solutions]]
    later = _merged(one.later for one in everything)
    wanted: set[str] = set()
    imported: set[str] = set()
    chosen: set[int] = set()
    for at in reversed(range(len(everything))):
        one = everything[at]
        in_lesson = at < len(cells)
        gives = (one.binds | (one.changes - modules)) & wanted
        if in_lesson and (not gives or only_imports(cells[at])):
            continue
        if in_lesson:
            chosen.add(at)
        wanted = (wanted - one.replaces) | _with_called(one.reads, later)
        imported |= wanted | _with_called(one.later, later)
    for at, code in enumerate(cells):
        if only_imports(code) and everything[at].binds & imported:
            chosen.add(at)
    return [cells[at] for at in sorted(chosen)]


def facts(code: str, trainers: frozenset[str] = CHANGES_ITS_FIRST) -> Facts:
    "What a cell does; `trainers` are functions that change their first argument"
    tree = ast.parse(code)
    table = symtable.symtable(code, "cell", "exec")
    binds = {
        symbol.get_name()
        for symbol in table.get_symbols()
        if symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()
    }
    replaces: set[str] = set()
    reads: set[str] = set()
    later: dict[str, set[str]] = {}
    for statement in tree.body:
        now, called = _read_by(statement)
        # a function of this cell may be called, or handed on, in it
        now |= set().union(*(later[name] for name in now & later.keys()))
        reads |= now - replaces
        later |= called
        if isinstance(statement, ast.Assign):
            replaces |= _stored(statement.targets)
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            replaces.add(statement.name)
    return Facts(binds, replaces, _changes(tree, trainers), reads, later)


def only_imports(code: str) -> bool:
    "Whether a cell imports and does nothing else"
    return all(isinstance(node, (ast.Import, ast.ImportFrom)) for node in ast.parse(code).body)


def _merged(tables: Iterable[dict[str, set[str]]]) -> dict[str, set[str]]:
    merged: dict[str, set[str]] = {}
    for table in tables:
        for name, read in table.items():
            merged[name] = merged.get(name, set()) | read
    return merged


def _with_called(names: Iterable[str], later: dict[str, set[str]]) -> set[str]:
    "The names, and what functions among them read when they are called"
    whole = set(names)
    more = set(whole)
    while more:
        more = set().union(*(later.get(name, set()) for name in more)) - whole
        whole |= more
    return whole


def _imported_modules(cells: list[str]) -> set[str]:
    """Names that stand for modules: `torch.set_num_threads(1)` changes nothing that a solution
    waits for
    """
    names = set()
    for code in cells:
        for node in ast.parse(code).body:
            if isinstance(node, ast.Import):
                names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    return names


def _trainers_in(code: str) -> set[str]:
    "Functions of a cell that hand their own first argument on to one that trains it"
    functions = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.FunctionDef)]
    return {one.name for one in functions if one.args.args and _trains_its_first(one)}


def _trains_its_first(function: ast.FunctionDef) -> bool:
    first = function.args.args[0].arg
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call) and node.args]
    return any(_base(call) in CHANGES_ITS_FIRST and _base(call.args[0]) == first for call in calls)


def _base(node: ast.AST | None) -> str | None:
    "The name at the root of `name.attribute[index]...`"
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Starred, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def _own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    "The nodes that run with the cell: not those inside a function or class it defines"
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, (ast.FunctionDef, ast.ClassDef, ast.Lambda)):
            yield from _own_nodes(child)


def _global_reads(table: symtable.SymbolTable) -> set[str]:
    "Names of the module that a scope and the scopes inside it read"
    at_top = table.get_type() == "module"
    own = {
        symbol.get_name()
        for symbol in table.get_symbols()
        if symbol.is_referenced() and (at_top or symbol.is_global())
    }
    return own.union(*map(_global_reads, table.get_children()))


def _changes(tree: ast.Module, trainers: frozenset[str]) -> set[str]:
    "Names whose objects the cell changes; who changes one of a list changes the list"
    changed = {_changed(node, trainers) for node in _own_nodes(tree)}
    members = {}
    for node in _own_nodes(tree):
        if isinstance(node, (ast.For, ast.comprehension)):
            members |= dict.fromkeys(_stored([node.target]), _base(node.iter))
    lists = {members[name] for name in changed & members.keys()}
    return {name for name in changed | lists if name is not None}


def _changed(node: ast.AST, trainers: frozenset[str]) -> str | None:
    "The name whose object a node changes"
    if isinstance(node, (ast.Attribute, ast.Subscript)) and isinstance(node.ctx, ast.Store):
        return _base(node)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        if isinstance(node.value.func, ast.Attribute):
            return _base(node.value)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id in trainers and node.args:
            return _base(node.args[0])
    return None


def _stored(nodes: Iterable[ast.AST | None]) -> set[str]:
    "The names that targets of an assignment bind"
    names = set()
    for top in nodes:
        for node in ast.walk(top) if top is not None else ():
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
    return names


def _read_by(statement: ast.stmt) -> tuple[set[str], dict[str, set[str]]]:
    """What a statement reads when it is run; and what a function or class that it defines reads
    later
    """
    table = symtable.symtable(ast.unparse(statement), "statement", "exec")
    own_name = statement.name if isinstance(statement, (ast.FunctionDef, ast.ClassDef)) else None
    now = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced()}
    later = {}
    for child in table.get_children():
        if child.get_name() == own_name:
            later[own_name] = _global_reads(child)
        else:
            now |= _global_reads(child)
    if isinstance(statement, ast.For):
        now -= _stored([statement.target])
    if isinstance(statement, ast.With):
        now -= _stored(item.optional_vars for item in statement.items)
    return now, later
