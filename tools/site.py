"""Build the docs site and README.md: notebooks in, a folder of pages out.

No kernel is started, no network is asked, and the bytes are the same every time. No notebook is
run: what a page shows is the output that was stored with its notebook.

    python tools/site.py                    build docs/ and README.md
    python tools/site.py --check            write nothing; list what is stale
    python tools/site.py --out DIR          build both into another folder
    python tools/site.py --repository URL   the same, for a repository at this address

Two libraries do the heavy work: nbdev applies its directives, smalldocs renders the pages. Both are
for developers only, so they are imported inside the functions that need them.
"""

import argparse
import ast
import base64
import contextlib
import hashlib
import html
import importlib
import io
import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zlib
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import distribution, version
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import html_markdown
from html_markdown import fence

Cell = dict[str, Any]  # of a notebook, as JSON has it
Notebook = dict[str, Any]

COMMAND = "python tools/site.py"


# ---- the project
#
# Where the project lives is said in one place: `Repository` under [project.urls] in pyproject.toml.
# Badges, links to code, the links of README.md and the first cells of notebooks follow it. As long
# as nothing stands there, `--repository` or the remote `origin` of the checkout says it; and where
# there is no address at all, links lead to the files of the checkout.


@dataclass(frozen=True)
class Project:
    "What the site needs to know of the project it documents"

    root: Path  # the folder of pyproject.toml
    name: str  # of the package and the site
    description: str  # one sentence
    repository: str  # its address, without a slash at the end; empty where there is none
    documentation: str  # address where the site is published; empty where it is not known
    branch: str  # the branch that links point to

    @property
    def nbs(self) -> Path:
        "The folder of the notebooks"
        return self.root / "nbs"

    @property
    def docs(self) -> Path:
        "The folder of the pages"
        return self.root / "docs"


def find_project(start: Path | None = None) -> Project:
    """The nearest project at or above `start` (None: the folder of this file) that has notebooks in
    nbs/ and an nbdev configuration. Raises FileNotFoundError if there is none
    """
    start = Path(start or Path(__file__).parent).resolve()
    for folder in (start, *start.parents):
        toml = folder / "pyproject.toml"
        if toml.is_file() and (folder / "nbs").is_dir():
            settings = tomllib.loads(toml.read_text(encoding="utf-8"))
            if "nbdev" in settings.get("tool", {}):
                return _read_project(folder, settings)
    raise FileNotFoundError(
        f"No project with notebooks at or above {start}: expected a folder with nbs/ and a"
        " pyproject.toml that has [tool.nbdev]. Run this inside a checkout of the project."
    )


def _read_project(root: Path, settings: dict[str, Any]) -> Project:
    facts = settings["project"]
    urls = facts.get("urls", {})
    project = Project(
        root=root,
        name=facts["name"],
        description=facts["description"],
        repository="",
        documentation=urls.get("Documentation", "").rstrip("/"),
        branch=settings["tool"]["nbdev"].get("branch", "main"),
    )
    return at_address(project, urls["Repository"]) if "Repository" in urls else project


def at_address(
    project: Project,
    repository: str,  # as `git remote` or a browser names it; empty: none
) -> Project:
    "The project with its repository at an address. Raises ValueError if that is no address"
    if not repository:
        return project
    address = web_address(repository)
    if not address:
        raise ValueError(
            f"The repository is {repository!r}; expected an address such as https://HOST/OWNER/NAME"
        )
    documentation = project.documentation or pages_address(address)
    return replace(project, repository=address, documentation=documentation)


ADDRESS = re.compile(
    r"(?:https?://|ssh://)(?:[^@/]+@)?(?P<host>[\w.-]+)(?::\d+)?/(?P<path>[\w./~-]+?)(?:\.git)?/*"
    r"|[\w.-]+@(?P<host_>[\w.-]+):(?P<path_>[\w~][\w./~-]*?)(?:\.git)?/*"
)


def web_address(
    remote: str,  # https://HOST/OWNER/NAME, ssh://git@HOST/OWNER/NAME, git@HOST:OWNER/NAME.git
) -> str:
    """The address at which a browser finds a repository, without a name or a password that stands
    in it; empty for anything else, such as a folder
    """
    found = ADDRESS.fullmatch(remote.strip())
    if not found:
        return ""
    return f"https://{found['host'] or found['host_']}/{found['path'] or found['path_']}"


def pages_address(
    repository: str,  # from `web_address`
) -> str:
    "Where GitHub publishes the pages of a repository; empty for other hosts"
    parts = urlsplit(repository)
    if parts.netloc != "github.com" or parts.path.count("/") != 2:
        return ""
    owner, name = parts.path.strip("/").split("/")
    return f"https://{owner.lower()}.github.io/{name}"


def origin(
    root: Path,  # of the checkout
) -> str:
    "The web address of the checkout's remote `origin`; empty where it has none"
    command = ["git", "config", "--get", "remote.origin.url"]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    except FileNotFoundError:  # no git
        return ""
    return web_address(done.stdout)


def notebooks(project: Project) -> list[PurePosixPath]:
    "Every notebook of the project, as paths inside nbs/, in the order of the pages"
    inside = [path.relative_to(project.nbs) for path in project.nbs.rglob("*.ipynb")]
    found = [PurePosixPath(path.as_posix()) for path in inside]
    visible = [path for path in found if not any(part[0] in "._" for part in path.parts)]
    return sorted(visible, key=lambda path: (str(path.parent), page_order(path), path.name))


def read_notebook(project: Project, source: PurePosixPath | str) -> Notebook:
    "A notebook by its path inside nbs/"
    return json.loads((project.nbs / source).read_text(encoding="utf-8"))


# ---- names of pages
#
# A notebook's number orders the lessons and is no part of its page's name, so a link to a page
# survives a new order. Pages keep their folders: nbs/lab/clip/model.ipynb becomes
# docs/lab/clip/model.html.


def page_path(
    source: PurePosixPath | str,  # a notebook's path inside nbs/
) -> PurePosixPath:
    """Where the page of a notebook stands inside the site: `lessons/01_clip.ipynb` becomes
    `lessons/clip.html`
    """
    source = PurePosixPath(source)
    name = re.sub(r"^\d+[a-z0-9]*_", "", source.name.lower())
    return source.with_name(name).with_suffix(".html")


LAST = 1000  # the order of a notebook without a number


def page_order(
    source: PurePosixPath | str,  # a notebook's path inside nbs/
) -> float:
    """The number a notebook's name starts with, a little more where a letter stands behind it;
    those without a number come last
    """
    start = re.match(r"(\d+)([a-z]?)", PurePosixPath(source).name)
    if not start:
        return LAST
    number, letter = start.groups()
    if not letter:
        return int(number)
    return int(number) + (ord(letter) - ord("a") + 1) / 100


def numbered(
    title: str,
    source: PurePosixPath | str,  # a notebook's path inside nbs/
) -> str:
    "A lesson's title with the number that other pages call it by; any other title as it is"
    lesson = re.match(r"lessons/(\d+[a-z]?)_", str(source))
    return f"{lesson[1]} \N{MIDDLE DOT} {title}" if lesson else title


LINK = re.compile(r"(\]\()([^)\s:#]+\.ipynb)((?:#[^)\s]*)?\))")  # [text](path/NN_name.ipynb#place)


def relink(markdown: str) -> str:
    "Markdown whose links to notebooks lead to the renamed notebooks"

    def renamed(match: re.Match[str]) -> str:
        start, path, end = match.groups()
        return f"{start}{page_path(path).with_suffix('.ipynb')}{end}"

    return LINK.sub(renamed, markdown)


# ---- the head of a page
#
# A notebook opens with its title and, quoted under it, one sentence. Both move to the head of the
# page; what follows in the same cell stays where it was. Each page but the front page then has a
# row of two links: run it on Colab, or read the notebook. There are no badge pictures, because a
# page must not ask anybody for anything.


def split_title(
    source: str,  # a prose cell
) -> tuple[str, str, str]:  # title, sentence, and the rest of the cell
    "Take `# Title` and `> one sentence` off the top of a cell; where neither is, all is the rest"
    head = re.match(
        r"\s*# +(?P<title>[^\n]+?) *(?:\n+(?P<quote>(?:> ?[^\n]*(?:\n|$))+))?(?:\n|$)", source
    )
    if not head:
        return "", "", source
    quote = re.sub(r"(?m)^> ?", "", head["quote"] or "")
    without_links = re.sub(r"\[([^]]+)\]\([^)]*\)", r"\1", quote)  # it stands where no link can
    return head["title"], " ".join(without_links.split()), source[head.end() :].strip("\n")


def badge_row(
    project: Project,
    source: PurePosixPath | str,  # a notebook's path inside nbs/
) -> str:
    "How to open a notebook, as HTML: links to it, and where these cannot do it, what to do"
    file = f"nbs/{source}"
    parts = [_badge("Notebook", "journal-code", _file_link(project, file, page_path(source)))]
    address = urlsplit(project.repository)
    if address.netloc == "github.com":
        place = f"{address.path}/blob/{project.branch}/{file}"
        colab = f"https://colab.research.google.com/github{place}"
        parts.insert(0, _badge("Open in Colab", "play-circle", colab))
    else:
        parts.append("<span>To run it: <code>jupyter lab</code>, or upload it to Colab.</span>")
    return f'<p class="badge-row">{" ".join(parts)}</p>'


def _file_link(
    project: Project,
    file: str,  # inside the checkout
    page: PurePosixPath,  # inside the site, on which the link stands
) -> str:
    "The address of a file: in the repository, or else in the checkout that the page belongs to"
    if project.repository:
        return f"{project.repository}/blob/{project.branch}/{file}"
    return "../" * len(page.parts) + file


def _badge(text: str, icon: str, url: str) -> str:
    image = f'<i class="bi bi-{icon}" aria-hidden="true"></i>'
    return f'<a class="badge-link" href="{html.escape(url)}">{image} {text}</a>'


# ---- the first cell
#
# A notebook may be opened where pseudolab is not: on Colab, Kaggle or Binder, in an editor. Its
# first cell of code does nothing where pseudolab can be imported. Elsewhere it installs it, from
# the repository or from a wheel beside the notebook, and holds the versions of torch and numpy that
# are there. Where that fails too, it says in one sentence what to do. It needs neither IPython nor
# a name that is left behind.

FIRST_CELL = """#| hide
try:
    __import__("pseudolab")
except ModuleNotFoundError:
    from importlib.metadata import distributions
    from os import system
    from sys import executable

    kept = [f"{d.name}=={d.version}" for d in distributions() if d.name in ("torch", "numpy")]
    if system(" ".join([f'"{executable}" -m pip install -q', *kept, "SOURCE"])):
        raise ImportError("SENTENCE") from None"""
FIRST_CELL_ID = "colab"


def first_cell(project: Project) -> str:
    "The code with which a notebook finds pseudolab, or installs it"
    if project.repository:
        source = f"git+{project.repository}"
        sentence = "pseudolab is not here: switch the network on and run this again"
    else:
        source = "pseudolab-*.whl"
        sentence = "pseudolab is not here: upload its wheel beside this notebook"
    return FIRST_CELL.replace("SOURCE", source).replace("SENTENCE", sentence)


def with_first_cell(
    notebook: Notebook,  # as read from its file
    project: Project,
) -> Notebook:
    "A notebook whose first cell of code finds pseudolab; it stands behind the title"
    cell = {
        "cell_type": "code",
        "execution_count": None,
        "id": FIRST_CELL_ID,
        "metadata": {},
        "outputs": [],
        "source": first_cell(project).splitlines(keepends=True),
    }
    others = [one for one in notebook["cells"] if one.get("id") != FIRST_CELL_ID]
    return {**notebook, "cells": [*others[:1], cell, *others[1:]]}


def write_first_cells(project: Project) -> list[str]:
    "Give every notebook of the project its first cell; returns those that changed"
    changed = []
    for source in notebooks(project):
        notebook = read_notebook(project, source)
        finished = with_first_cell(notebook, project)
        if finished != notebook:
            text = json.dumps(finished, indent=1, ensure_ascii=False, sort_keys=True)
            (project.nbs / source).write_text(text + "\n", encoding="utf-8")
            changed.append(f"nbs/{source}")
    return changed


# ---- exported symbols
#
# nbdev notes every exported symbol in _modidx.py: the place where it is documented and the file it
# goes to. That index turns names in backticks into links, on a page of the same module first.
# Elsewhere a name that several modules use is left alone, and so is a plain word such as `write`,
# which may mean something else there.


class Symbols:
    "Where each exported symbol is documented and defined"

    def __init__(
        self,
        root: Path,  # of the checkout
        name: str,  # of the package
    ) -> None:
        text = (root / name / "_modidx.py").read_text(encoding="utf-8")
        self.root = root
        self.modules: dict[str, dict[str, tuple[str, str]]] = ast.literal_eval(
            text[text.index("d = ") + 4 :]
        )["syms"]
        self._lines: dict[Path, dict[str, int]] = {}
        self._depths: dict[str, int] = {}

    def place(
        self,
        symbol: str,
        module: str = "",  # looked up first
    ) -> str | None:
        """The page and place where `symbol` is documented; None when it is not ours, not unique, or
        a plain word on another page
        """
        if symbol.startswith("_"):  # a helper has no place on a page
            return None
        found = {
            name: entries[f"{name}.{symbol}"][0]
            for name, entries in self.modules.items()
            if f"{name}.{symbol}" in entries
        }
        if module in found:
            return found[module]
        telling = re.search(r"[A-Z_.]", symbol)
        return next(iter(found.values())) if telling and len(found) == 1 else None

    def line(
        self,
        module: str,
        symbol: str,  # of the top level
    ) -> tuple[str, int] | None:
        "The file and line of a symbol's definition; None when it is not exported yet"
        file = self._file(module)
        if not file.is_file():
            return None
        if file not in self._lines:
            body = ast.parse(file.read_text(encoding="utf-8")).body
            self._lines[file] = {
                node.name: node.lineno for node in body if isinstance(node, DEFINITIONS)
            }
        line = self._lines[file].get(symbol)
        return (file.relative_to(self.root).as_posix(), line) if line else None

    def depth(self, module: str) -> int:
        """How far a module stands above those that import none of ours, which have 0: one more than
        the deepest that it imports when it is loaded
        """
        if module not in self._depths:
            self._depths[module] = 0  # for modules that import each other
            file = self._file(module)
            body = ast.parse(file.read_text(encoding="utf-8")).body if file.is_file() else []
            imported = [node.module for node in body if isinstance(node, ast.ImportFrom)]
            ours = [name for name in imported if name in self.modules]
            self._depths[module] = 1 + max((self.depth(name) for name in ours), default=-1)
        return self._depths[module]

    def _file(self, module: str) -> Path:
        return self.root / (module.replace(".", "/") + ".py")


NAME = re.compile(r"(?<![\[`])`([A-Za-z_][\w.]*)(\(\))?`(?![\]`])")  # `name` or `name()`, unlinked


def link_names(
    markdown: str,
    symbols: Symbols,
    module: str = "",  # of the page; its names come first
) -> str:
    "Markdown in which exported names in backticks are links; code blocks stay as they are"

    def link(match: re.Match[str]) -> str:
        place = symbols.place(match[1], module)
        return f"[{match[0]}](/{place})" if place else match[0]

    parts = re.split(r"(?ms)(^```.*?^```)", markdown)
    for at in range(0, len(parts), 2):  # every other part is a code block
        parts[at] = NAME.sub(link, parts[at])
    return "".join(parts)


# ---- exported code
#
# On the page each definition gets a heading, the first paragraph of its docstring and a link to the
# source, and below them its code with the comments on every parameter. An exported cell may define
# several things, so it is cut in front of every definition. Of a long class the outline is shown,
# and the code is folded.

DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
LONG = 40  # lines
FOLDS = IMPORTS, CODE = "Imports", "Code"  # the words under which code is folded unasked


def public_definitions(code: str) -> list[Definition]:
    "The public functions and classes at the top of a piece of code"
    try:
        body = ast.parse(code).body
    except SyntaxError:  # a line for the notebook alone, such as %pip
        return []
    found = [node for node in body if isinstance(node, DEFINITIONS)]
    return [node for node in found if not node.name.startswith("_")]


def definition(code: str) -> Definition | None:
    "The first public function or class in a piece of code"
    return next(iter(public_definitions(code)), None)


def split_exports(
    code: str,  # of an exported cell
) -> list[str]:
    """Pieces that together are the cell: it is cut in front of each public function and class but
    the first, and what stands before a definition stays with it
    """
    lines = code.splitlines()
    cuts = [0, *(_first_line(node) for node in public_definitions(code)[1:]), len(lines)]
    pieces = ["\n".join(lines[start:end]).strip("\n") for start, end in pairwise(cuts)]
    return [piece for piece in pieces if piece.strip()]


def _first_line(node: ast.stmt) -> int:
    "Where a statement starts, counted from 0: at its first decorator, if it has one"
    decorators = getattr(node, "decorator_list", [])
    return min([node.lineno, *(one.lineno for one in decorators)]) - 1


def only_imports(code: str) -> bool:
    "Whether a piece of code imports and does nothing else"
    try:
        body = ast.parse(code).body
    except SyntaxError:  # a line for the notebook alone, such as %pip
        return False
    return bool(body) and all(isinstance(node, (ast.Import, ast.ImportFrom)) for node in body)


def is_long_class(node: Definition) -> bool:
    "Whether a definition is a class with more lines than a page should show unasked"
    lines = (node.end_lineno or node.lineno) - _first_line(node)
    return isinstance(node, ast.ClassDef) and lines > LONG


def outline(
    node: Definition,  # a class
    code: str,  # in which the class stands
) -> str:
    """A class without the inside of its methods, as Python: its fields, the signatures of its
    public methods, and the first paragraph of every docstring
    """
    lines = code.splitlines()
    methods = [child for child in node.body if isinstance(child, DEFINITIONS) and _is_api(child)]
    fields = "\n".join(_field(child, lines) for child in node.body if _is_field(child))
    parts = [_signature(node, lines), fields, *(_signature(one, lines) for one in methods)]
    return "\n\n".join(part for part in parts if part)


def _is_api(method: Definition) -> bool:
    return not method.name.startswith("_") or method.name == "__init__"


def _is_field(node: ast.stmt) -> bool:
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return not node.target.id.startswith("_")
    return False


def _signature(node: Definition, lines: list[str]) -> str:
    "The lines from a definition's decorators to its body, and the start of its docstring"
    shown = lines[_first_line(node) : max(node.body[0].lineno - 1, node.lineno)]
    sentence = (ast.get_docstring(node) or "").split("\n\n")[0]
    if sentence:
        margin = " " * node.body[0].col_offset
        quoted = f'"""{sentence}"""' if "\n" in sentence else f'"{sentence}"'
        shown = shown + [margin + line if line else "" for line in quoted.splitlines()]
    return "\n".join(shown)


def _field(node: ast.stmt, lines: list[str]) -> str:
    "The lines of a field, with the comment above it"
    start = node.lineno - 1
    while lines[start - 1].lstrip().startswith("#"):
        start -= 1
    return "\n".join(lines[start : node.end_lineno])


def reference(
    node: Definition,
    module: str,  # the module it is exported to
    symbols: Symbols,
    project: Project,
    page: PurePosixPath,  # inside the site, on which it stands
) -> str:
    """The head of one symbol's reference as Markdown: heading, places of its methods, link to the
    source, first paragraph of its docstring
    """
    place = node.name.lower()
    sentence = (ast.get_docstring(node) or "").split("\n\n")[0]
    sentence = re.sub(r"(`[^`]*`)|<(?=[a-zA-Z/])", lambda at: at[1] or r"\<", sentence)  # a text
    return "\n\n".join(
        [
            f"### {node.name} {{#{place} .symbol}}",
            _method_places(node) + _source_link(node, module, symbols, project, page),
            f"::: {{.symbol-sentence}}\n{link_names(sentence, symbols, module)}\n:::",
        ]
    )


def _places(node: Definition) -> str:
    "Where links to a definition and to its methods lead"
    return f'<span class="symbol-place" id="{node.name.lower()}"></span>' + _method_places(node)


def _method_places(node: Definition) -> str:
    if not isinstance(node, ast.ClassDef):
        return ""
    names = [child.name for child in node.body if isinstance(child, DEFINITIONS)]
    places = [f"{node.name.lower()}.{name.lower()}" for name in names]
    return "".join(f'<span class="symbol-place" id="{place}"></span>' for place in places)


def _source_link(
    node: Definition, module: str, symbols: Symbols, project: Project, page: PurePosixPath
) -> str:
    where = symbols.line(module, node.name)
    if not where:
        return ""
    file, line = where
    url = _file_link(project, file, page) + (f"#L{line}" if project.repository else "")
    title = html.escape(f"{file}, line {line}")
    return f'<a class="source-link" href="{html.escape(url)}" title="{title}">source</a>'


# ---- a notebook made ready
#
# Directives are the comments that start with `#|`. nbdev takes out what is hidden; here exported
# cells are opened up, and those with nothing but imports are folded.


def cell_directives(
    code: str,
) -> tuple[dict[str, str], str]:  # the directives by name, and the code under them
    "Read the directives of a code cell: the `#|` lines at its top"
    lines = code.splitlines()
    directives = {}
    while lines and lines[0].startswith("#|"):
        found = re.match(r"#\|\s*([\w-]+):?\s*(.*)", lines.pop(0))
        if found:
            directives[found[1]] = found[2].strip()
    return directives, "\n".join(lines)


def prose(text: str) -> Cell:
    "A prose cell"
    return {"cell_type": "markdown", "metadata": {}, "source": text}


def open_export(
    cell: Cell,  # of code
    module: str,  # of the page, for cells that name none
    symbols: Symbols,
    project: Project,
    page: PurePosixPath,  # inside the site, on which they stand
    *,
    headed: bool = True,  # does each definition get a heading? In a lesson, just a place
) -> list[Cell]:
    """The cells that show one code cell: an exported one as a head and code for each definition,
    any other as it is
    """
    directives, code = cell_directives(cell["source"])
    if "hide" in directives or not code.strip():
        return [cell]
    if only_imports(code):
        directives |= _folded(IMPORTS)
    elif "export" not in directives:
        return [cell]
    target = directives.pop("export", None)
    if target is None:
        return [{**cell, "source": _with_directives(code, directives)}]
    if target:  # a notebook may fill a module that another page opens
        module = f"{project.name}.{target}"
    if not headed:
        places = "".join(_places(node) for node in public_definitions(code))
        plain = {**cell, "source": _with_directives(code, directives)}
        return [prose(places), plain] if places else [plain]
    cells = []
    for piece in split_exports(code):
        node = definition(piece)
        shown = directives
        if node:
            cells.append(prose(reference(node, module, symbols, project, page)))
        if node and is_long_class(node):
            cells.append(prose(f"```python\n{outline(node, piece)}\n```"))
            shown = directives | _folded(CODE)
        cells.append({**cell, "source": _with_directives(piece, shown), "outputs": []})
    cells[-1]["outputs"] = cell.get("outputs", [])
    return cells


def _folded(summary: str) -> dict[str, str]:
    return {"code-fold": "true", "code-summary": summary}


def _with_directives(code: str, directives: dict[str, str]) -> str:
    return "".join(f"#| {name}: {value}\n" for name, value in directives.items()) + code


def exported_module(
    cells: list[Cell],
    name: str,  # of the package
) -> str:
    "The module that a notebook opens, else the first that it adds to, or the empty string"
    code = "\n".join(cell["source"] for cell in cells if cell["cell_type"] == "code")
    for directive in ("default_exp", "export"):
        found = re.search(rf"(?m)^#\| *{directive} +(\S+)", code)
        if found:
            return f"{name}.{found[1]}"
    return ""


def prepare(
    notebook: Notebook,  # as read from its file
    source: PurePosixPath | str,  # its path inside nbs/
    project: Project,
    symbols: Symbols,
) -> Notebook:
    """A notebook ready for nbdev and smalldocs: its title as front matter, links that follow the
    pages, exported code to be shown. Raises ValueError if the notebook has no title
    """
    cells = [{**cell, "source": "".join(cell["source"])} for cell in notebook["cells"]]
    is_prose = bool(cells) and cells[0]["cell_type"] == "markdown"
    title, sentence, rest = split_title(cells[0]["source"] if is_prose else "")
    if not title:
        raise ValueError(
            f"nbs/{source}: the first cell is no title; expected a prose cell that starts with '#"
            " Title' and has '> one sentence' under it"
        )
    module = exported_module(cells, project.name)
    order = page_order(source)
    if order == LAST and module:  # pages of the library stand in the order in which they import
        order += symbols.depth(module)
    front = {"title": numbered(title, source), "description": sentence, "order": order}
    is_front_page = str(source) == "index.ipynb"
    if is_front_page:
        front["toc"] = False  # the scene gets its room
    shown = [{"cell_type": "raw", "metadata": {}, "source": f"---\n{json.dumps(front)}\n---"}]
    if not is_front_page:
        shown.append(prose(badge_row(project, source)))
    for cell in [prose(rest), *cells[1:]]:
        if cell["cell_type"] == "markdown":
            shown.append(prose(link_names(relink(cell["source"]), symbols, module)))
        if cell["cell_type"] == "code":
            headed = PurePosixPath(source).parts[0] != "lessons"
            page = page_path(source)
            shown += open_export(cell, module, symbols, project, page, headed=headed)
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    metadata = {"kernelspec": kernel}
    return {"cells": shown, "nbformat": 4, "nbformat_minor": 5, "metadata": metadata}


def front_matter(
    notebook: Notebook,  # from `prepare`
) -> dict[str, Any]:
    "Title, description and order of a page"
    return json.loads(notebook["cells"][0]["source"].strip().strip("-"))


# What nbdev does to a cell before it is shown, in this order. `clean_magics` is left out: there are
# no magics here, and it reads pyproject.toml twice for each cell, most of the time a page took
PROCESSORS = (
    "populate_language",
    "strip_ansi",
    "hide_line",
    "filter_stream_",
    "clean_show_doc",
    "rm_export",
    "hide_",
)


def apply_directives(
    notebook: Notebook,  # from `prepare`
    root: Path,  # of the checkout, where nbdev finds its configuration
) -> Notebook:
    "A notebook without what is hidden on its page"
    check_developer_tools()
    import nbdev.process
    import nbdev.processors
    from fastcore.nbio import dict2nb

    processors = [getattr(nbdev.processors, name) for name in PROCESSORS]
    processor: Any = nbdev.process.NBProcessor
    kept = ("cell_type", "metadata", "source", "outputs")
    with contextlib.chdir(root):
        work: Any = dict2nb(_plain(notebook))
        # directives that are Quarto's own stay in the cell, for smalldocs
        processor(nb=work, procs=processors, rm_directives="quarto").process()
        cells = [{key: cell[key] for key in kept if key in cell} for cell in work.cells]
    return {**notebook, "cells": _plain(cells)}


def _plain(data: Any) -> Any:
    "A copy made of nothing but what JSON knows"
    return json.loads(json.dumps(data))


def check_developer_tools() -> None:
    "Raise ImportError, with how to install it, if a library that builds the docs is missing"
    try:
        for name in ("latex2mathml.converter", "nbdev.process", "smalldocs.site"):
            importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"Building the docs needs {error.name}, which is a developer's dependency. Install it"
            ' with: pip install -e ".[dev]"'
        ) from error


# ---- mathematics without a script
#
# Browsers draw MathML themselves, so formulas are translated when the site is built. A command that
# the translator does not know would end up on the page as it is; that is an error here.

MATH = re.compile(r'<span class="math (inline|display)">\\[(\[](.*?)\\[)\]]</span>', re.S)
KATEX = re.compile(r"<(?:link|script)[^>]*cdn\.jsdelivr\.net/npm/katex[^>]*>(?:</script>)?")


def mathml(
    latex: str,
    display: bool = False,  # on a line of its own
) -> str:
    "A formula as MathML. Raises ValueError if part of it cannot be translated"
    check_developer_tools()
    from latex2mathml.converter import convert

    plain = re.sub(r"\\(begin|end)\{(aligned|align|split)\}", r"\\\1{align*}", latex)
    result = convert(plain, display="block" if display else "inline")
    unknown = re.search(r"<m[io]>(\\[^<]*|&)</m", result)
    if unknown:
        raise ValueError(
            f"The formula {latex!r} has {unknown[1]!r}, which latex2mathml cannot translate: write"
            " it another way"
        )
    return result


def replace_math(
    page: str,  # as HTML
    name: str,  # of the page, for the error
) -> str:
    "A page whose formulas are MathML and which asks for no script to draw them"

    def translated(match: re.Match[str]) -> str:
        kind, formula = match.groups()
        try:
            return mathml(html.unescape(formula).strip(), kind == "display")
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error

    return KATEX.sub("", MATH.sub(translated, page))


# ---- pages for everybody
#
# What smalldocs leaves out: regions of navigation have names, an icon beside a word is none of a
# screen reader's business, a first link leads past the navigation, and the contents of a page can
# be reached on a phone too. What scrolls sideways can be reached by the keyboard (page.js).

REGIONS = {  # what stands in the tag of a region -> the region's name
    'class="navbar ': "Site",
    'class="quarto-secondary-nav"': "Page",
    'id="quarto-sidebar"': "Pages",
    'id="TOC"': "On this page",
    'class="page-navigation"': "Next and previous page",
    "quarto-title-breadcrumbs": "Breadcrumb above the title",
}


def accessible(
    page: str,  # as HTML
) -> str:
    "A page with names for its regions, a way past the navigation, and contents for phones"
    for sign, name in REGIONS.items():
        region = rf'<nav (?=[^>]*{re.escape(sign)})([^>]*?)(?: aria-label="[^"]*")?>'
        page = re.sub(region, rf'<nav aria-label="{name}" \1>', page)
    page = re.sub(r'(<i class="bi [^"]*") role="img"', r'\1 aria-hidden="true"', page)
    folding = r'(<a [^>]*data-bs-target="(#[^"]+)") role="navigation"'
    page = re.sub(folding, r'\1 role="button" href="\2"', page)
    skip = '<a class="skip-link" href="#quarto-document-content">Skip to the text</a>'
    page = re.sub(r"<body[^>]*>", lambda body: body[0] + skip, page)
    page = page.replace(
        'id="quarto-document-content"', 'id="quarto-document-content" tabindex="-1"'
    )
    return _with_contents(page)


# each page links to each other one
SIDE_LINK = re.compile(
    r'<div class="sidebar-item-container">(<a href="[^"]*") class="sidebar-item-text '
    r'(sidebar-link[^"]*">)<span class="menu-text">([^<]*)</span></a></div>'
)


def lean(
    page: str,  # as HTML
) -> str:
    "A page without the wrappers of the links beside it, which are a megabyte of the site"
    return SIDE_LINK.sub(r'\1 class="\2\3</a>', page)


# a picture inside a page; shorter ones are examples in code
PNG = re.compile(r"data:image/png;base64,([A-Za-z0-9+/]{1000,}=*)")


def light_pictures(
    page: str,  # as HTML
) -> str:
    "A page whose PNG pictures are WebP, pixel for pixel the same, where that is smaller"
    return PNG.sub(lambda picture: _as_webp(picture[0], picture[1]), page)


@cache  # pages share pictures
def _as_webp(picture: str, png: str) -> str:
    from PIL import Image

    image = Image.open(io.BytesIO(base64.b64decode(png)))
    written = io.BytesIO()
    image.save(written, "webp", lossless=True, quality=100, method=4, exact=True)
    webp = f"data:image/webp;base64,{base64.b64encode(written.getvalue()).decode()}"
    return min(picture, webp, key=len)


CONTENTS = re.compile(r'<h2 id="toc-title">(.*?)</h2>(<ul>.*?</ul>)</nav>', re.S)


# In a notebook each figure that moves carries its whole script. On the site those of one kind read
# it from one file: two megabytes less, and the next page has it already.
FIGURES = "site_libs/figures"
FIGURE = re.compile(
    r'<script>\(\(\) => \{\n"use strict";\n(?P<module>.*?)\n'
    r'(?P<call>mountAll\("\w+", [^\n]*, mount\);)\n\}\)\(\);</script>',
    re.S,
)
SHARED = """(globalThis.plabFigures ??= {{}})["{name}"] = (use) => {{
"use strict";
{module}
use(mountAll, mount);
}};
"""


def share_scripts(
    page: str,  # as HTML
    path: Path,  # inside the site
    shared: dict[str, str],  # the scripts by the names of their files; what is new is added
) -> str:
    "A page whose figures read their scripts from files of the site"
    up = "../" * (len(path.parts) - 1)
    read: set[str] = set()

    def instead(figure: re.Match[str]) -> str:
        name = _digest(figure["module"].encode())[:12]
        shared[f"{name}.js"] = SHARED.format(name=name, module=figure["module"])
        reader = "" if name in read else f'<script src="{up}{FIGURES}/{name}.js"></script>'
        read.add(name)
        use = f"(mountAll, mount) => {{\n{figure['call']}\n}}"
        return f'{reader}<script>plabFigures["{name}"]({use});</script>'

    return FIGURE.sub(instead, page)


def _with_contents(page: str) -> str:
    "The list of a page's headings once more, folded under its title; the style sheet shows one"
    found = CONTENTS.search(page)
    if not found:
        return page
    bare = re.sub(r' (?:id|class|data-scroll-target)="[^"]*"', "", found[2])
    folded = f'<details class="contents"><summary>{found[1]}</summary>{bare}</details>'
    title, end, text = page.partition('<div class="quarto-title-meta"></div></header>')
    return f"{title}{end}{folded}{text}" if end else page


def mark_solutions(
    page: str,  # as HTML
) -> str:
    """A page on which the folded code of a solution has a class of its own, so that the style sheet
    can hide what it prints until it is opened
    """
    return re.sub(
        r'<details class="code-fold">(\s*<summary>Solution</summary>)',
        r'<details class="code-fold solution">\1',
        page,
    )


# ---- pages for readers of plain text
#
# The same small exporter writes README.md and a Markdown copy of every page, which llms.txt lists
# for language models. Prose stays as it is, code is fenced, text that was printed is shown, and so
# are tables; pictures are told in words (html_markdown.py). Hidden cells stay hidden, and
# `echo: false` hides the code alone.

README_NOTE = (
    f"<!-- Made from nbs/index.ipynb by `{COMMAND}`. Edit the notebook, not this file. -->\n\n"
)
PIXELS = {"image/png", "image/svg+xml", "image/jpeg"}
MOVES = "*(On the page this is a figure to play with.)*"
NO_WORDS = "*(On the page a picture stands here.)*"


def to_markdown(notebook: Notebook) -> str:
    "A notebook as Markdown: prose, fenced code, outputs as text"
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(re.sub(r'<p class="badge-row">.*?</p>', "", source, flags=re.S))
        if cell["cell_type"] == "code":
            parts += _code_parts(cell, source)
    return "\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n"


def _code_parts(cell: Cell, source: str) -> list[str]:
    directives, code = cell_directives(source)
    hidden = {"hide", "default_exp", "exporti"} & directives.keys()
    if hidden or directives.get("include") == "false":
        return []
    parts = []
    if code.strip() and directives.get("echo") != "false":
        parts += [_summary(directives), fence(code, "python")]
    if directives.get("output") != "false":
        words = _described(directives)
        parts += [_output_text(output, words) for output in cell.get("outputs", [])]
    return parts


def _summary(directives: dict[str, str]) -> str:
    "The words under which code is folded, where they tell more than that it is code"
    words = directives.get("code-summary", "").strip("\"'")
    return "" if words in ("", *FOLDS) else f"*{words}:*"


def _described(directives: dict[str, str]) -> str:
    "What `fig-alt` says of a cell's picture"
    import yaml

    return str(yaml.safe_load(directives.get("fig-alt", "''")))


def _output_text(
    output: dict[str, Any],
    words: str,  # for a picture; empty: none were given
) -> str:
    data = {kind: "".join(text) for kind, text in output.get("data", {}).items()}
    if "text/markdown" in data:
        return data["text/markdown"]
    if "text/html" in data:
        text = html_markdown.to_markdown(data["text/html"])
        moves = 'class="plab"' in data["text/html"] and html_markdown.ASKED not in text
        return f"{MOVES}\n\n{text}" if moves else text
    if PIXELS & data.keys():
        return html_markdown.picture(words) if words else NO_WORDS
    return fence("".join(output.get("text", data.get("text/plain", ""))))


INNER_LINK = re.compile(r"(\]\()(?![a-z]+:|[#/])([^)\s]+\))")  # the end of [text](path)


def readme(project: Project) -> str:
    """The text of README.md, from the front page. Its links and pictures lead into nbs/, by their
    whole address where there is one: beside the page of a package stands no file
    """

    def lead(match: re.Match[str]) -> str:
        view = "raw" if re.search(r"\.(png|svg|webp|gif)\)$", match[2]) else "blob"
        start = f"{project.repository}/{view}/{project.branch}/" if project.repository else ""
        return f"{match[1]}{start}nbs/{match[2]}"

    text = INNER_LINK.sub(lead, to_markdown(read_notebook(project, "index.ipynb")))
    head, gap, rest = text.partition("\n\n")
    return README_NOTE + "\n\n".join([head, *readme_badges(project)]) + gap + rest


def readme_badges(project: Project) -> list[str]:
    "A row of badges for README.md: none where the repository is not known, or not on GitHub"
    address = urlsplit(project.repository)
    if address.netloc != "github.com":
        return []
    tests = f"{project.repository}/actions/workflows/test.yml"
    first = f"{address.path}/blob/{project.branch}/nbs/lessons/00_whole_game.ipynb"
    badges = [
        f"[![Tests]({tests}/badge.svg)]({tests})",
        f"[Read the course]({project.documentation}/)",
        f"[Open lesson 00 in Colab](https://colab.research.google.com/github{first})",
    ]
    return [" · ".join(badges)]


def llms_index(
    project: Project,
    pages: dict[PurePosixPath, Notebook],  # from `stage`
) -> str:
    "The text of llms.txt: every page with its sentence, by folder"
    lines = [f"# {project.name}", "", f"> {project.description}"]
    for folder in sorted({source.parent for source in pages}, key=lambda p: (str(p) != ".", p)):
        lines += ["", f"## {_folder_title(folder)}", ""]
        for source, notebook in pages.items():
            if source.parent == folder:
                lines.append(_llms_line(project, source, notebook))
    return "\n".join(lines) + "\n"


def _folder_title(folder: PurePosixPath) -> str:
    "`lab/method` becomes `Lab: method`"
    if str(folder) == ".":
        return "Start"
    first, *inner = folder.parts
    return ": ".join([first.capitalize(), *([", ".join(inner)] if inner else [])])


def _llms_line(project: Project, source: PurePosixPath, notebook: Notebook) -> str:
    front = front_matter(notebook)
    page = page_path(source).with_suffix(".md")
    address = f"{project.documentation}/{page}" if project.documentation else str(page)
    return f"- [{front['title']}]({address}): {front['description']}"


# ---- the stage
#
# The stage is a folder that holds what smalldocs shall see: processed notebooks under their pages'
# names, pictures, the configuration (in which REPOSITORY stands for the address), a light and a
# dark style sheet, the licences of the libraries inside the pages, and llms.txt.


def stage(project: Project, folder: Path) -> dict[PurePosixPath, Notebook]:
    "Fill `folder` with what smalldocs renders; returns the notebooks by their paths inside nbs/"
    unseen = shutil.ignore_patterns("*.ipynb", ".*", "__pycache__")
    shutil.copytree(project.nbs, folder, ignore=unseen)
    symbols = Symbols(project.root, project.name)
    pages = {}
    for source in notebooks(project):
        pages[source] = _processed(project, source, symbols)
        target = folder / page_path(source).with_suffix(".ipynb")
        if target.exists():
            raise ValueError(
                f"nbs/{source}: another notebook also becomes {page_path(source)}; rename one of"
                " them"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(pages[source]), encoding="utf-8")
    shutil.copy(PARTS / "favicon.svg", folder)
    texts = {
        "404.md": NO_PAGE,
        "_quarto.yml": configuration(project, list(pages)),
        "licences.txt": licence_text(),
        "llms.txt": llms_index(project, pages),
        **themes(folder),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return pages


def check_exports(notebook: Notebook) -> None:
    "Raise SyntaxError if a cell that is exported is not Python"
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "code" and re.match(r"#\|\s*export", text):
            ast.parse(text)


def _processed(project: Project, source: PurePosixPath, symbols: Symbols) -> Notebook:
    notebook = read_notebook(project, source)
    try:
        check_exports(notebook)
        ready = prepare(notebook, source, project, symbols)
        return apply_directives(ready, project.root)
    except SyntaxError as error:
        raise ValueError(f"nbs/{source}: an exported cell is not Python: {error}") from error


def configuration(project: Project, sources: list[PurePosixPath]) -> str:
    "nbs/_quarto.yml as smalldocs reads it: with addresses, and without sections that have no page"
    import yaml

    text = (project.nbs / "_quarto.yml").read_text(encoding="utf-8")
    config = yaml.safe_load(text.replace("REPOSITORY", project.repository))
    if not project.repository:
        del config["website"]["navbar"]["tools"]
    pages = [str(page_path(source).with_suffix(".ipynb")) for source in sources]
    sidebar = config["website"]["sidebar"]
    sidebar["contents"] = drop_empty_sections(sidebar["contents"], pages)
    config["website"]["description"] = project.description
    config["website"]["favicon"] = "favicon.svg"
    if project.repository:
        config["website"]["repo-url"] = project.repository
    return yaml.safe_dump(config)


def drop_empty_sections(
    contents: list[Any],  # of the sidebar: pages, patterns, and sections of these
    pages: list[str],  # notebooks after renaming, as paths inside nbs/
) -> list[Any]:
    "The contents without sections, and sections inside them, that have no page"
    kept = []
    for entry in contents:
        if isinstance(entry, dict) and "section" in entry:
            inside = drop_empty_sections(entry.get("contents", []), pages)
            if any(_has_page(one, pages) for one in inside):
                kept.append({**entry, "contents": inside})
        else:
            kept.append(entry)
    return kept


def _has_page(entry: Any, pages: list[str]) -> bool:
    if isinstance(entry, str):
        return any(PurePosixPath(page).match(entry) for page in pages)
    return True  # a link, or a section that was kept


def themes(
    folder: Path,  # where light.css and dark.css stand
) -> dict[str, str]:
    """The two style sheets: Bootstrap followed by our colours, and for the dark one with the rules
    of Bootstrap's dark mode holding everywhere
    """
    light = (_vendor() / "bootstrap" / "bootstrap.min.css").read_text(encoding="utf-8")
    bases = {"light.css": light, "dark.css": light.replace("[data-bs-theme=dark]", ":root")}
    ours = {name: (folder / name).read_text(encoding="utf-8") for name in bases}
    return {name: f"{base}\n{ours[name]}" for name, base in bases.items()}


def licence_text() -> str:
    "The licences of everything that the pages carry along"
    own = next(
        file
        for file in distribution("smalldocs").files or []
        if file.name == "LICENSE" and "vendor" not in file.parts
    )
    files = {"smalldocs": Path(str(own.locate()))}
    for name in ("bootstrap", "bootstrap-icons"):
        files[name] = _vendor() / name / "LICENSE"
    texts = [
        f"{name}\n{'=' * len(name)}\n\n{file.read_text(encoding='utf-8').strip()}"
        for name, file in files.items()
    ]
    return "\n\n".join(texts) + "\n"


def _vendor() -> Path:
    "The folder of the libraries that smalldocs puts into pages"
    check_developer_tools()
    import smalldocs

    return Path(str(smalldocs.__file__)).parent / "assets" / "vendor"


# ---- the pages
#
# After smalldocs has written the pages, a few things are mended: formulas become MathML, regions
# get names, and the search is our own (find.js), which knows synonyms, groups by page, and also
# works when a page is opened from the disk. Then the copies in Markdown are added.

TOOLS_FOLDER = Path(__file__).parent
PARTS = TOOLS_FOLDER / "page"  # what pages need, as it is
SCRIPTS = ("find.js", "page.js")
OLD_SEARCH = re.compile(r"  // ---- search\n.*?(?=  // the keys that focus search)", re.S)
NO_PAGE = """---
title: There is no such page
description: The address may have changed, or a letter of it is wrong.
---

[The front page](/index.ipynb) leads to all the others, and the search finds them by their words.
"""
FUSE = re.compile(r'<script src="([^"]*)fuse/fuse\.min\.js"></script>')


def render(
    project: Project,
    out: Path,  # an empty folder, or one that does not exist
) -> list[str]:
    "Write the whole site into `out`; returns what smalldocs warns of"
    check_developer_tools()
    from smalldocs.config import load
    from smalldocs.site import Site

    out = Path(out).resolve()
    with tempfile.TemporaryDirectory() as scratch:
        pages = stage(project, Path(scratch) / "nbs")
        site = Site(load(Path(scratch) / "nbs"), quiet=True)
        site.out = out
        site.build()
    shared: dict[str, str] = {}
    for path in sorted(out.rglob("*.html")):
        page = path.read_text(encoding="utf-8")
        page = replace_math(page, path.relative_to(out).as_posix())
        scripts = (rf'<script src="\1{name}" defer></script>' for name in SCRIPTS)
        page = FUSE.sub("".join(scripts), page)
        page = with_address(page, path.relative_to(out), project)
        page = light_pictures(lean(mark_solutions(accessible(page))))
        page = share_scripts(page, path.relative_to(out), shared)
        path.write_text(page, encoding="utf-8")
    (out / FIGURES).mkdir(parents=True)
    for name, script in shared.items():
        (out / FIGURES / name).write_text(script, encoding="utf-8")
    _own_clip(out)
    _own_search(out)
    _own_icons(out)
    if project.documentation:
        (out / "sitemap.xml").write_text(sitemap(project, list(pages)), encoding="utf-8")
        shutil.copy(PARTS / CARD, out)
    for source, notebook in pages.items():
        copy = out / page_path(source).with_suffix(".md")
        copy.write_text(plain_copy(notebook, page_path(source)), encoding="utf-8")
    (out / ".nojekyll").touch()
    return site.warnings


def plain_copy(
    notebook: Notebook,  # from `stage`
    page: PurePosixPath,  # inside the site
) -> str:
    "The text of a page's copy in Markdown"
    front = front_matter(notebook)
    cells = [_plain_cell(cell, page) for cell in notebook["cells"]]
    text = to_markdown({**notebook, "cells": cells})
    return f"# {front['title']}\n\n> {front['description']}\n\n{text}"


def _plain_cell(cell: Cell, page: PurePosixPath) -> Cell:
    if cell["cell_type"] == "markdown":
        return prose(plain_prose("".join(cell["source"]), page))
    outputs = [_told(output, page) for output in cell.get("outputs", [])]
    return {**cell, "outputs": outputs}


def _told(output: dict[str, Any], page: PurePosixPath) -> dict[str, Any]:
    "An output without the Markdown that README.md has in place of a figure that moves"
    data = dict(output.get("data", {}))
    markdown = data.pop("text/markdown", None)
    if markdown is None:
        return output
    if "text/html" not in data:
        data["text/markdown"] = plain_prose("".join(markdown), page)
    return {**output, "data": data}


MARKUP = (  # in the prose of a page, and what stands for it in the copy
    (r"(?m)^:::.*\n?", ""),
    (r"(?m)^(#+ .*?) *\{#[^}\n]*\}$", r"\1"),
    (r'<span class="symbol-place"[^>]*></span>', ""),
    (r'<a class="source-link" href="([^"]*)"[^>]*>(.*?)</a>', r"[\2](\1)"),
    (r"<details[^>]*>\s*<summary>(.*?)</summary>", r"**\1**"),
    (r"\s*</details>", ""),
    (r"</?em>", "*"),
    (r"<code>(.*?)</code>", r"`\1`"),
)
PAGE_LINK = re.compile(r"\]\((?![a-z]+:)([^)\s#]*)\.(?:ipynb|html)(#[^)\s]*)?\)")


def plain_prose(
    markdown: str,
    page: PurePosixPath,  # inside the site, on which it stands
) -> str:
    "Prose without markup; its links lead to the copies of the other pages"

    def link(match: re.Match[str]) -> str:
        path, place = match[1], match[2] or ""
        if path.startswith("/"):  # from the top of the site
            path = "../" * (len(page.parts) - 1) + path[1:]
        return f"]({path}.md{place})"

    parts = re.split(r"(?ms)(^```.*?^```)", markdown)
    for at in range(0, len(parts), 2):  # every other part is a code block
        for sign, instead in MARKUP:
            parts[at] = re.sub(sign, instead, parts[at])
        parts[at] = PAGE_LINK.sub(link, parts[at])
    return "".join(parts)


CLIP_FOLDER = "site_libs/clip"  # inside the site: what its prompt playgrounds share


def _own_clip(out: Path) -> None:
    "The CLIP that pages read when a reader first types or draws; only where a page asks for it"
    pages = (path.read_text(encoding="utf-8") for path in sorted(out.rglob("*.html")))
    wanted = re.compile(rf'"folder":"(\.\./)*{CLIP_FOLDER}"')
    if any(wanted.search(page) for page in pages):
        from pseudolab.views.page_clip import write_page_clip
        from pseudolab.views.prompt_playground import SITE_TASK

        write_page_clip(out / CLIP_FOLDER, [SITE_TASK])


def _own_search(out: Path) -> None:
    libs = out / "site_libs"
    script = libs / "smalldocs.js"
    text, found = OLD_SEARCH.subn("", script.read_text(encoding="utf-8"))
    if not found:
        raise ValueError(
            f"smalldocs {version('smalldocs')} has its search in another place than expected: look"
            f" at {script.name} and mend `OLD_SEARCH`"
        )
    script.write_text(text, encoding="utf-8")
    shutil.rmtree(libs / "fuse")
    for name in SCRIPTS:
        shutil.copy(PARTS / name, libs)
    entries = json.loads((out / "search.json").read_text(encoding="utf-8"))
    found = [entry for entry in entries if not entry["href"].startswith("404.html")]
    index = json.dumps(found, ensure_ascii=False)
    groups = json.dumps(synonyms(), ensure_ascii=False)
    data = f"window.searchSynonyms = {groups};\nwindow.searchIndex = {index};\n"
    (out / "search.js").write_text(data, encoding="utf-8")
    (out / "search.json").unlink()


ICON = re.compile(r"\.(bi-[\w-]+)::before\{[^}]*\}")
OLDER_FONT = re.compile(r',url\("[^"]*\.woff\?\w+"\) format\("woff"\)')


def _own_icons(out: Path) -> None:
    "Of two thousand icons those that pages show, in a font of the form that every browser reads"
    folder = out / "site_libs" / "bootstrap-icons"
    texts = [*out.rglob("*.html"), *out.rglob("*.js")]
    used = {
        icon
        for path in texts
        for icon in re.findall(r"\bbi-[a-z0-9-]+", path.read_text(encoding="utf-8"))
    }
    sheet = folder / "bootstrap-icons.min.css"
    style, found = OLDER_FONT.subn("", sheet.read_text(encoding="utf-8"))
    if not found:
        raise ValueError(
            f"smalldocs {version('smalldocs')} brings other icons than expected: look at"
            f" {sheet.name} and mend `OLDER_FONT`"
        )
    kept = ICON.sub(lambda rule: rule[0] if rule[1] in used else "", style)
    sheet.write_text(kept, encoding="utf-8")
    (folder / "fonts" / "bootstrap-icons.woff").unlink()


def page_address(
    page: PurePosixPath | Path,  # inside the site
    project: Project,
) -> str:
    "The whole address of a page; the front page is the folder's"
    return f"{project.documentation}/{'' if str(page) == 'index.html' else page.as_posix()}"


def with_address(
    page: str,  # as HTML
    path: PurePosixPath | Path,  # inside the site
    project: Project,
) -> str:
    """A page that says where it is published, and how a link to it is shown elsewhere; where that
    is not known, as it is. The page for a wrong address, which stands in any folder, leads from
    there to the others
    """
    if not project.documentation:
        return page
    if str(path) == "404.html":
        head = f'<base href="{html.escape(project.documentation)}/">'
    else:
        address = html.escape(page_address(path, project))
        head = f'<link rel="canonical" href="{address}">{_card(page, address, project)}'
    return page.replace('<meta charset="utf-8">', f'<meta charset="utf-8">{head}', 1)


CARD = "card.jpg"  # in tools/page, by tools/moving_picture.py
CARD_WORDS = (
    "Six hundred satellite pictures in ten columns, each where CLIP puts it after ten rounds of"
    " learning from its own labels; wrong ones are ringed."
)


def _card(page: str, address: str, project: Project) -> str:
    "What a link to a page shows elsewhere: its title, its sentence and a picture"
    title = re.search(r"<title>(.*?)</title>", page, re.S)
    sentence = re.search(r'<meta name="description" content="([^"]*)"', page)
    told = {
        "og:type": "website",
        "og:site_name": project.name,
        "og:title": title[1] if title else project.name,
        "og:description": sentence[1] if sentence else html.escape(project.description),
        "og:url": address,
        "og:image": html.escape(f"{project.documentation}/{CARD}"),
        "og:image:alt": html.escape(CARD_WORDS),
    }
    tags = [f'<meta property="{name}" content="{value}">' for name, value in told.items()]
    return "".join([*tags, '<meta name="twitter:card" content="summary_large_image">'])


def sitemap(project: Project, sources: list[PurePosixPath]) -> str:
    "The list of the pages for machines that search the web, as XML"
    places = [page_address(page_path(source), project) for source in sources]
    lines = [f"<url><loc>{html.escape(place)}</loc></url>" for place in places]
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">',
            *lines,
            "</urlset>\n",
        ]
    )


def synonyms() -> list[list[str]]:
    "Groups of words of which a search for one finds the others"
    lines = (PARTS / "synonyms.txt").read_text(encoding="utf-8").splitlines()
    groups = [line for line in lines if line.strip() and not line.startswith("#")]
    return [[word.strip() for word in line.split(",")] for line in groups]


# ---- fresh or stale
#
# build.json notes what the site was made of and with which tools. With the same tools, a check
# renders everything again and compares bytes. With others, whose pages may differ in details that
# are nobody's fault, it compares sources and pages with what was noted. Either way a forgotten
# rebuild is found.

TOOLS = (
    "nbdev",
    "fastcore",
    "smalldocs",
    "latex2mathml",
    "markdown-it-py",
    "mdit-py-plugins",
    "pillow",
    "pygments",
)


OWN = [
    Path(__file__),
    TOOLS_FOLDER / "html_markdown.py",
    *PARTS.iterdir(),
]


def tool_versions() -> dict[str, str]:
    "The versions of everything that has a say in how a page looks"
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    packages = {name: version(name) for name in TOOLS}
    return {"python": python, "zlib": zlib.ZLIB_RUNTIME_VERSION, **packages}


def source_digests(project: Project) -> dict[str, str]:
    """What the site is made of, each with its digest: everything in nbs/, the index of symbols, the
    modules (their lines are linked to), the builder's own files, and the addresses in
    pyproject.toml
    """
    modules = (project.root / project.name).rglob("*.py")
    files = [
        *project.nbs.rglob("*"),
        *(path for path in modules if path.name != "__init__.py"),
        *OWN,
    ]
    digests = {}
    for path in sorted(path for path in files if path.is_file()):
        name = _name(path, project)
        if not any(part.startswith((".", "__pycache__")) for part in name.split("/")):
            digests[name] = _digest(path.read_bytes())
    facts = [
        project.name,
        project.description,
        project.repository,
        project.documentation,
        project.branch,
    ]
    return {**digests, "pyproject.toml": _digest(json.dumps(facts).encode())}


def _name(path: Path, project: Project) -> str:
    "A file by its path inside the project; this script may also serve a project it is not part of"
    if path in OWN:
        return f"tools/{path.relative_to(TOOLS_FOLDER).as_posix()}"
    return path.relative_to(project.root).as_posix()


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _files(folder: Path) -> dict[str, bytes]:
    "Every file of a folder by its path inside"
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def make(project: Project) -> tuple[dict[str, bytes], list[str]]:
    "Every file of the site, and README.md, by its path inside the project; and the warnings"
    with tempfile.TemporaryDirectory() as scratch:
        warnings = render(project, Path(scratch) / "docs")
        pages = _files(Path(scratch) / "docs")
    note = {
        "repository": project.repository,
        "tools": tool_versions(),
        "sources": source_digests(project),
        "pages": {name: _digest(data) for name, data in pages.items()},
    }
    pages["build.json"] = (json.dumps(note, indent=1) + "\n").encode()
    made = {f"docs/{name}": data for name, data in pages.items()}
    made["README.md"] = readme(project).encode()
    return made, warnings


def stale(project: Project) -> list[str]:
    """What differs between the committed docs/ and README.md and what would be built now: one line
    per file, none when all is fresh
    """
    note = project.docs / "build.json"
    if not note.is_file():
        return ["docs/build.json is missing"]
    noted = json.loads(note.read_text(encoding="utf-8"))
    if not project.repository:  # pyproject.toml leaves it open: as it was when they were built
        project = at_address(project, noted.get("repository", ""))
    there = {f"docs/{name}": data for name, data in _files(project.docs).items()}
    readme_file = project.root / "README.md"
    there["README.md"] = readme_file.read_bytes() if readme_file.is_file() else b""
    if noted["tools"] == tool_versions():
        expected, _ = make(project)
        return differences(there, expected)
    return _changed_sources(project, noted) + _changed_pages(project, noted, there)


def _changed_sources(project: Project, noted: dict[str, Any]) -> list[str]:
    now = source_digests(project)
    names = sorted(now.keys() | noted["sources"].keys())
    changed = [name for name in names if now.get(name) != noted["sources"].get(name)]
    return [f"{name} has changed since the docs were built" for name in changed]


def _changed_pages(project: Project, noted: dict[str, Any], there: dict[str, bytes]) -> list[str]:
    expected = {f"docs/{name}": digest for name, digest in noted["pages"].items()}
    expected["README.md"] = _digest(readme(project).encode())
    digests = {name: _digest(data) for name, data in there.items() if name != "docs/build.json"}
    return differences(digests, expected)


def differences(there: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    "One line for each name that is missing, not expected, or other than expected"
    both = sorted(expected.keys() & there.keys())
    return [
        *(f"{name} is missing" for name in sorted(expected.keys() - there.keys())),
        *(f"{name} is not made from anything" for name in sorted(there.keys() - expected.keys())),
        *(f"{name} is stale" for name in both if expected[name] != there[name]),
    ]


def write(
    project: Project,
    out: Path | None = None,  # where docs/ and README.md go; None: into the project
) -> list[str]:
    """Build docs/ and README.md; returns the files that changed, and removes those no longer made.
    In the project itself, notebooks get their first cells too
    """
    changed = write_first_cells(project) if out is None else []
    out = project.root if out is None else Path(out)
    made, warnings = make(project)
    for warning in warnings:
        print(f"smalldocs: {warning}", file=sys.stderr)
    for name, data in made.items():
        path = out / name
        if path.is_file() and path.read_bytes() == data:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        changed.append(name)
    gone = [f"docs/{name}" for name in _files(out / "docs") if f"docs/{name}" not in made]
    for name in gone:
        (out / name).unlink()
    return changed + [f"{name} (removed)" for name in gone]


# ---- the command


def main(
    arguments: list[str] | None = None,  # None: those of the command line
) -> int:
    "Build docs/ and README.md from the notebooks, or check that they are fresh"
    parser = argparse.ArgumentParser(prog=COMMAND, description=main.__doc__)
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; list what is stale and exit with 1 if anything is",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="the folder that gets docs/ and README.md (default: the project)",
    )
    parser.add_argument(
        "--repository",
        metavar="URL",
        default="",
        help="where the project lives (default: what pyproject.toml says, else the remote origin)",
    )
    options = parser.parse_args(arguments)
    try:
        check_developer_tools()
        project = at_address(find_project(), options.repository)
        if not (project.repository or options.check):
            project = at_address(project, origin(project.root))
        lines = stale(project) if options.check else write(project, options.out)
    except (ImportError, ValueError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print("\n".join(lines) if lines else "docs/ and README.md are fresh")
    if options.check and lines:
        print(f"Build them with: {COMMAND}", file=sys.stderr)
    return int(options.check and bool(lines))


if __name__ == "__main__":
    raise SystemExit(main())
