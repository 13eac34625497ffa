"Notebooks in, a folder of pages out: no kernel, no network, and the same bytes every time."

import argparse
import ast
import contextlib
import hashlib
import html
import json
import os
import re
import shutil
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from importlib.metadata import distribution, version
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Project:
    "What the site needs to know of the project it documents"

    root: Path  # the folder of pyproject.toml
    name: str  # of the package and the site
    description: str  # one sentence
    repository: str  # address of the repository, without a slash at the end
    documentation: str  # address where the site is published, without a slash at the end
    branch: str  # the branch that links point to


# start: a folder of the checkout, or None for the current one
def find_project(start: Path | None = None) -> Project:
    "The nearest project upward that has notebooks in `nbs/` and an nbdev configuration"
    start = Path(start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        toml = folder / "pyproject.toml"
        if toml.is_file() and (folder / "nbs").is_dir():
            settings = tomllib.loads(toml.read_text(encoding="utf-8"))
            if "nbdev" in settings.get("tool", {}):
                return _project(folder, settings)
    raise FileNotFoundError(
        f"No project with notebooks at or above {start}: expected a folder with nbs/ and a"
        " pyproject.toml that has [tool.nbdev]. Run this inside a checkout of the project."
    )


def _project(root, settings):
    facts, urls = settings["project"], settings["project"].get("urls", {})
    for key in ("Repository", "Documentation"):
        if key not in urls:
            raise ValueError(
                f"{root / 'pyproject.toml'}: [project.urls] has {sorted(urls)}, expected {key} too:"
                " the links of the site are made from it"
            )
    return Project(
        root,
        facts["name"],
        facts["description"],
        urls["Repository"].rstrip("/"),
        urls["Documentation"].rstrip("/"),
        settings["tool"]["nbdev"].get("branch", "main"),
    )


# source: a notebook's path inside nbs/
def page_path(source: PurePosixPath | str) -> PurePosixPath:
    """Where the page of a notebook stands inside the site: `lessons/01_clip.ipynb` becomes
    `lessons/clip.html`
    """
    source = PurePosixPath(source)
    return source.with_name(re.sub(r"^\d+[a-z0-9]*_", "", source.name.lower())).with_suffix(".html")


def page_order(source: PurePosixPath | str) -> float:  # source: a notebook's path inside nbs/
    """The number a notebook's name starts with, a little more where a letter stands behind it;
    those without a number come last
    """
    start = re.match(r"(\d+)([a-z]?)", PurePosixPath(source).name)
    if not start:
        return 1000
    return (
        int(start[1]) + ("abcdefghijklmnopqrstuvwxyz".index(start[2]) + 1) / 100
        if start[2]
        else int(start[1])
    )


# source: a notebook's path inside nbs/
def badge_row(project: Project, source: PurePosixPath | str) -> str:
    "Links to a notebook on Colab and in the repository, as HTML"
    place = f"{project.branch}/nbs/{source}"
    path = urlsplit(project.repository).path
    links = {
        "Open in Colab": (
            "play-circle",
            f"https://colab.research.google.com/github{path}/blob/{place}",
        ),
        "Notebook": ("journal-code", f"{project.repository}/blob/{place}"),
    }
    row = " ".join(
        f'<a class="badge-link" href="{html.escape(url)}"><i class="bi bi-{icon}"'
        f' aria-hidden="true"></i> {text}</a>'
        for text, (icon, url) in links.items()
    )
    return f'<p class="badge-row">{row}</p>'


# title, description and the rest; all of it is the rest where there is no title
def split_title(source: str) -> tuple[str, str, str]:
    "Take `# Title` and `> one sentence` off the top of a prose cell"
    head = re.match(
        r"\s*# +(?P<title>[^\n]+?) *(?:\n+(?P<quote>(?:> ?[^\n]*(?:\n|$))+))?(?:\n|$)", source
    )
    if not head:
        return "", "", source
    # it stands where no link can
    quote = re.sub(r"\[([^]]+)\]\([^)]*\)", r"\1", re.sub(r"(?m)^> ?", "", head["quote"] or ""))
    return head["title"], " ".join(quote.split()), source[head.end() :].strip("\n")


LINK = re.compile(r"(\]\()([^)\s:#]+\.ipynb)((?:#[^)\s]*)?\))")  # [text](path/NN_name.ipynb#place)


def relink(markdown: str) -> str:
    "Markdown whose links to notebooks lead to the renamed notebooks"
    return LINK.sub(lambda m: f"{m[1]}{page_path(m[2]).with_suffix('.ipynb')}{m[3]}", markdown)


class Symbols:
    "Where each exported symbol is documented and defined"

    def __init__(self, root: Path, name: str):  # of the checkout  # of the package
        index = root / name / "_modidx.py"
        text = index.read_text(encoding="utf-8")
        self.root, self.package = root, name
        self.modules = ast.literal_eval(text[text.index("d = ") + 4 :])["syms"]

    def place(self, symbol: str, module: str = "") -> str | None:  # page#place inside the site
        """Where `symbol` is documented, looked up in `module` first; None when it is not ours, not
        unique, or a plain word on another page
        """
        found = {
            m: entries[f"{m}.{symbol}"][0]
            for m, entries in self.modules.items()
            if f"{m}.{symbol}" in entries
        }
        telling = re.search(r"[A-Z_.]", symbol) and len(found) == 1
        return found.get(module) or (next(iter(found.values())) if telling else None)

    # file inside the checkout, and line
    def line(self, module: str, symbol: str) -> tuple[str, int] | None:
        """Where the code of a top-level `symbol` of `module` stands; None when it is not exported
        yet
        """
        file = self.root / (module.replace(".", "/") + ".py")
        if not file.is_file():
            return None
        lines = (
            node.lineno
            for node in ast.parse(file.read_text(encoding="utf-8")).body
            if getattr(node, "name", None) == symbol
        )
        line = next(lines, None)
        return line and (file.relative_to(self.root).as_posix(), line)


# `name` or `name()`, not inside a link
NAME = re.compile(r"(?<![\[`])`([A-Za-z_][\w.]*)(\(\))?`(?![\]`])")


def link_names(
    markdown: str, symbols: Symbols, module: str = ""
) -> str:  # the module of the page, whose names come first
    """Markdown in which names of exported symbols in backticks are links; code blocks stay as they
    are
    """

    def link(match):
        place = symbols.place(match[1], module)
        return f"[{match[0]}](/{place})" if place else match[0]

    parts = re.split(r"(?ms)(^```.*?^```)", markdown)
    return "".join(part if i % 2 else NAME.sub(link, part) for i, part in enumerate(parts))


DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def definition(code: str) -> ast.AST | None:
    "The first public function or class in a piece of code"
    try:
        body = ast.parse(code).body
    except SyntaxError:
        return None  # notebook magic
    return next(
        (node for node in body if isinstance(node, DEFINITIONS) and not node.name.startswith("_")),
        None,
    )


def split_exports(code: str) -> list[str]:  # pieces that together are the cell
    """Cut a cell of code in front of each public function and class but the first; what stands
    before a definition stays with it
    """
    lines = code.splitlines()
    public = [
        node
        for node in ast.parse(code).body
        if isinstance(node, DEFINITIONS) and not node.name.startswith("_")
    ]
    cuts = (
        [0]
        + [min([node.lineno] + [d.lineno for d in node.decorator_list]) - 1 for node in public[1:]]
        + [len(lines)]
    )
    pieces = ["\n".join(lines[a:b]).strip("\n") for a, b in zip(cuts, cuts[1:])]
    return [piece for piece in pieces if piece.strip()]


def reference(
    node: ast.AST,  # a function or class
    module: str,  # the module it is exported to
    symbols: Symbols,
    project: Project,
) -> str:
    """The head of one symbol's reference as Markdown: heading, places of its methods, link to the
    source, first paragraph of its docstring
    """
    methods = (
        [child.name for child in node.body if isinstance(child, DEFINITIONS)]
        if isinstance(node, ast.ClassDef)
        else []
    )
    places = "".join(
        f'<span class="symbol-place" id="{node.name.lower()}.{name.lower()}"></span>'
        for name in methods
    )
    where = symbols.line(module, node.name)
    url = where and f"{project.repository}/blob/{project.branch}/{where[0]}#L{where[1]}"
    source = f'<a class="source-link" href="{html.escape(url)}">source</a>' if url else ""
    sentence = (ast.get_docstring(node) or "").split("\n\n")[0]
    return (
        f"### {node.name} {{#{node.name.lower()} .symbol}}\n\n{places}{source}\n\n:::"
        f" {{.symbol-sentence}}\n{link_names(sentence, symbols, module)}\n:::"
    )


# the `#|` lines at the top as name -> value, and the code under them
def cell_directives(code: str) -> tuple[dict[str, str], str]:
    "Read the directives of a code cell"
    lines = code.splitlines()
    count = next((i for i, line in enumerate(lines) if not line.startswith("#|")), len(lines))
    pairs = (re.match(r"#\|\s*([\w-]+):?\s*(.*)", line) for line in lines[:count])
    return {m[1]: m[2].strip() for m in pairs if m}, "\n".join(lines[count:])


def only_imports(code: str) -> bool:
    "Whether a piece of code imports and does nothing else"
    try:
        body = ast.parse(code).body
    except SyntaxError:
        return False  # a line for the notebook alone, such as %pip
    return bool(body) and all(isinstance(node, (ast.Import, ast.ImportFrom)) for node in body)


def prose(text: str) -> dict:
    "A prose cell"
    return {"cell_type": "markdown", "metadata": {}, "source": text}


# module: of the page, for cells that name none
def open_export(cell: dict, module: str, symbols: Symbols, project: Project) -> list[dict]:
    """The cells that show one code cell: an exported one as a head and code for each definition,
    any other as it is
    """
    directives, code = cell_directives(cell["source"])
    if "hide" in directives or not code.strip():
        return [cell]
    if only_imports(code):
        directives |= {"code-fold": "true", "code-summary": "Imports"}
    elif "export" not in directives:
        return [cell]
    kept = "".join(
        f"#| {name}: {value}\n" for name, value in directives.items() if name != "export"
    )
    if "export" not in directives:
        return [{**cell, "source": kept + code}]
    # a lesson may fill a module that another page opens
    if directives["export"]:
        module = f"{project.name}.{directives['export']}"
    cells = []
    for piece in split_exports(code):
        node = definition(piece)
        cells += [prose(reference(node, module, symbols, project))] if node else []
        cells.append({**cell, "source": kept + piece, "outputs": []})
    cells[-1]["outputs"] = cell.get("outputs", [])
    return cells


def exported_module(cells: list[dict], name: str) -> str:  # name: of the package
    "The module that a notebook opens, else the first that it adds to, or the empty string"
    code = "\n".join(cell["source"] for cell in cells if cell["cell_type"] == "code")
    found = re.search(r"(?m)^#\| *default_exp +(\S+)", code) or re.search(
        r"(?m)^#\| *export +(\S+)", code
    )
    return f"{name}.{found[1]}" if found else ""


# source: a notebook's path inside nbs/
def numbered(title: str, source: PurePosixPath | str) -> str:
    "A lesson's title with the number that other pages call it by"
    lesson = re.match(r"lessons/(\d+[a-z]?)_", str(source))
    return f"{lesson[1]} \N{MIDDLE DOT} {title}" if lesson else title


def prepare(
    notebook: dict,  # as read from its file
    source: PurePosixPath | str,  # its path inside nbs/
    project: Project,
    symbols: Symbols,
) -> dict:
    """A notebook ready for nbdev and smalldocs: its title as front matter, links that follow the
    pages, exported code to be shown
    """
    cells = [dict(cell, source="".join(cell["source"])) for cell in notebook["cells"]]
    title, description, rest = (
        split_title(cells[0]["source"])
        if cells and cells[0]["cell_type"] == "markdown"
        else ("", "", "")
    )
    if not title:
        raise ValueError(
            f"nbs/{source}: the first cell is no title; expected a prose cell that starts with '#"
            " Title' and has '> one sentence' under it"
        )
    front = json.dumps(
        {"title": numbered(title, source), "description": description, "order": page_order(source)}
    )
    top = [] if str(source) == "index.ipynb" else [prose(badge_row(project, source))]
    module, body = exported_module(cells, project.name), []
    for cell in [prose(rest), *cells[1:]]:
        if cell["cell_type"] == "markdown":
            body.append(prose(link_names(relink(cell["source"]), symbols, module)))
        if cell["cell_type"] == "code":
            body += open_export(cell, module, symbols, project)
    return {
        "cells": [
            {"cell_type": "raw", "metadata": {}, "source": f"---\n{front}\n---"},
            *top,
            *body,
        ],
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}
        },
    }


def developer_tools():
    "nbdev, smalldocs and latex2mathml, or an error that says how to install them"
    try:
        import latex2mathml.converter, nbdev.processors, nbdev.process, smalldocs.site
    except ImportError as error:
        raise ImportError(
            f"Building the docs needs {error.name}, which is a developer's dependency. Install it"
            ' with: pip install -e ".[dev]"'
        ) from error
    return nbdev, smalldocs, latex2mathml.converter


def apply_directives(
    notebook: dict,  # from `prepare`
    # root: of the checkout, where nbdev finds its configuration
    root: Path,
) -> dict:
    "A notebook without what is hidden on its page"
    nbdev, _, _ = developer_tools()
    from fastcore.nbio import dict2nb

    wanted = (
        "populate_language",
        "strip_ansi",
        "hide_line",
        "filter_stream_",
        "clean_show_doc",
        "rm_export",
        "clean_magics",
        "hide_",
    )
    procs = [getattr(nbdev.processors, name) for name in wanted]
    with contextlib.chdir(root):
        nb = dict2nb(json.loads(json.dumps(notebook)))
        nbdev.process.NBProcessor(nb=nb, procs=procs, rm_directives="quarto").process()
        cells = [
            {
                key: cell[key]
                for key in ("cell_type", "metadata", "source", "outputs")
                if key in cell
            }
            for cell in nb.cells
        ]
    return {**notebook, "cells": json.loads(json.dumps(cells))}


MATH = re.compile(r'<span class="math (inline|display)">\\[(\[](.*?)\\[)\]]</span>', re.S)


def mathml(latex: str, display: bool = False) -> str:  # display: on a line of its own
    "A formula as MathML"
    _, _, converter = developer_tools()
    plain = re.sub(r"\\(begin|end)\{(aligned|align|split)\}", r"\\\1{align*}", latex)
    result = converter.convert(plain, display="block" if display else "inline")
    unknown = re.search(r"<m[io]>(\\[^<]*|&)</m", result)
    if unknown:
        raise ValueError(
            f"The formula {latex!r} has {unknown[1]!r}, which latex2mathml cannot translate: write"
            " it another way"
        )
    return result


def replace_math(page: str, name: str) -> str:  # a page as HTML; name: of the page, for the error
    "A page whose formulas are MathML and which asks for no script to draw them"

    def one(match):
        try:
            return mathml(html.unescape(match[2]).strip(), match[1] == "display")
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error

    page = MATH.sub(one, page)
    return re.sub(
        r"<(?:link|script)[^>]*cdn\.jsdelivr\.net/npm/katex[^>]*>(?:</script>)?", "", page
    )


NAMES = {
    'class="navbar ': "Site",
    'class="quarto-secondary-nav"': "Page",
    'id="quarto-sidebar"': "Pages",
    'id="TOC"': "On this page",
    'class="page-navigation"': "Next and previous page",
    "quarto-title-breadcrumbs": "Breadcrumb above the title",
}
SCROLLERS = """<script>
const reachable = () => { for (const box of document.querySelectorAll("main pre, main .cell-output-display, main table, main math, main .sourceCode")) if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0; };
addEventListener("load", reachable);
addEventListener("resize", reachable);
</script>
"""


def accessible(page: str) -> str:  # a page as HTML
    "A page with names for its regions and a way for the keyboard to every scrolling box"
    for sign, name in NAMES.items():
        page = re.sub(
            rf'<nav (?=[^>]*{re.escape(sign)})([^>]*?)(?: aria-label="[^"]*")?>',
            rf'<nav aria-label="{name}" \1>',
            page,
        )
    page = re.sub(r'(<i class="bi [^"]*") role="img"', r'\1 aria-hidden="true"', page)
    # they fold a section
    page = re.sub(
        r'(<a [^>]*data-bs-target="(#[^"]+)") role="navigation"',
        r'\1 role="button" href="\2"',
        page,
    )
    return page.replace("</body>", f"{SCROLLERS}</body>")


def mark_solutions(page: str) -> str:  # a page as HTML
    "The folded code of a solution as a class of its own"
    return re.sub(
        r'<details class="code-fold">(\s*<summary>Solution</summary>)',
        r'<details class="code-fold solution">\1',
        page,
    )


def to_markdown(notebook: dict) -> str:
    "A notebook as Markdown: prose, fenced code, outputs that are text"
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(re.sub(r'<p class="badge-row">.*?</p>', "", source, flags=re.S))
        if cell["cell_type"] == "code":
            parts += _code_parts(cell, source)
    return "\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n"


def _code_parts(cell, source):
    directives, code = cell_directives(source)
    if {"hide", "default_exp"} & directives.keys() or directives.get("include") == "false":
        return []
    shown = code.strip() and directives.get("echo") != "false"
    return [_fence(code, "python")] * bool(shown) + [
        _output_text(o) for o in cell.get("outputs", []) if directives.get("output") != "false"
    ]


def _output_text(output):
    data = output.get("data", {})
    if "text/markdown" in data:
        return "".join(data["text/markdown"])
    if 'class="plab"' in "".join(data.get("text/html", "")):
        return "*(A figure that moves: it is on the page.)*"
    if {"text/html", "image/png", "image/svg+xml", "image/jpeg"} & data.keys():
        return ""
    return _fence("".join(output.get("text", data.get("text/plain", ""))), "")


def _fence(text, language):
    marks = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{marks}{language}\n{text.strip(chr(10))}\n{marks}" if text.strip() else ""


README_NOTE = (
    "<!-- Made from nbs/index.ipynb by `python -m pseudolab.site`. Edit the notebook, not this"
    " file. -->\n\n"
)


def readme(project: Project) -> str:
    "The text of README.md, from the front page; links and pictures lead into nbs/"
    notebook = json.loads((project.root / "nbs" / "index.ipynb").read_text(encoding="utf-8"))
    text = to_markdown(notebook)
    return README_NOTE + re.sub(r"(\]\()(?![a-z]+:|[#/])([^)\s]+\))", r"\1nbs/\2", text)


def drop_empty_sections(
    config: dict,  # as read from _quarto.yml
    # notebooks after renaming, as paths inside nbs/
    pages: list[str],
) -> dict:
    "The configuration without sections of the sidebar that have no page"

    def has_page(entry):
        return any(
            PurePosixPath(page).match(pattern)
            for pattern in entry.get("contents", [])
            for page in pages
        )

    contents = config["website"]["sidebar"]["contents"]
    config["website"]["sidebar"]["contents"] = [
        e for e in contents if not (isinstance(e, dict) and "section" in e) or has_page(e)
    ]
    return config


def _vendor():
    _, smalldocs, _ = developer_tools()
    return Path(smalldocs.__file__).parent / "assets" / "vendor"


def themes(folder: Path) -> dict[str, str]:  # folder: where light.css and dark.css stand
    """The two style sheets: Bootstrap followed by our colours, and for the dark one with the rules
    of Bootstrap's dark mode holding everywhere
    """
    light = (_vendor() / "bootstrap" / "bootstrap.min.css").read_text(encoding="utf-8")
    bases = {"light.css": light, "dark.css": light.replace("[data-bs-theme=dark]", ":root")}
    return {
        name: f"{base}\n{(folder / name).read_text(encoding='utf-8')}"
        for name, base in bases.items()
    }


def licence_text() -> str:
    "The licences of everything that the pages carry along"
    own = next(
        file
        for file in distribution("smalldocs").files
        if file.name == "LICENSE" and "vendor" not in file.parts
    )
    texts = {
        "smalldocs": own.locate(),
        **{name: _vendor() / name / "LICENSE" for name in ("bootstrap", "bootstrap-icons", "fuse")},
    }
    return (
        "\n\n".join(
            f"{name}\n{'=' * len(name)}\n\n{Path(file).read_text(encoding='utf-8').strip()}"
            for name, file in texts.items()
        )
        + "\n"
    )


def llms_index(project: Project, made: dict[PurePosixPath, dict]) -> str:  # made: from `stage`
    "The text of llms.txt: every page with its sentence, by folder"
    lines = [f"# {project.name}", "", f"> {project.description}"]
    for folder in sorted({source.parent for source in made}, key=lambda p: (str(p) != ".", str(p))):
        lines += ["", f"## {'Start' if str(folder) == '.' else str(folder).capitalize()}", ""]
        for source, front in (
            (s, _front_matter(nb)) for s, nb in made.items() if s.parent == folder
        ):
            lines.append(
                f"- [{front['title']}]({project.documentation}/{page_path(source).with_suffix('.md')}):"
                f" {front['description']}"
            )
    return "\n".join(lines) + "\n"


def _front_matter(notebook):
    import yaml

    return yaml.safe_load(notebook["cells"][0]["source"].strip().strip("-"))


def notebooks(project: Project) -> list[PurePosixPath]:
    "Every notebook of the project, as paths inside nbs/, in the order of the pages"
    found = [
        PurePosixPath(p.relative_to(project.root / "nbs").as_posix())
        for p in (project.root / "nbs").rglob("*.ipynb")
    ]
    return sorted(
        (p for p in found if not any(part[0] in "._" for part in p.parts)),
        key=lambda p: (str(p.parent), page_order(p), p.name),
    )


# processed notebooks by their paths inside nbs/
def stage(project: Project, folder: Path) -> dict[PurePosixPath, dict]:
    "Fill `folder` with what smalldocs renders"
    import yaml

    shutil.copytree(
        project.root / "nbs", folder, ignore=shutil.ignore_patterns("*.ipynb", ".*", "__pycache__")
    )
    made, symbols = {}, Symbols(project.root, project.name)
    for source in notebooks(project):
        notebook = json.loads((project.root / "nbs" / source).read_text(encoding="utf-8"))
        try:
            made[source] = apply_directives(
                prepare(notebook, source, project, symbols), project.root
            )
        except SyntaxError as error:
            raise ValueError(f"nbs/{source}: an exported cell is not Python: {error}") from error
        target = folder / page_path(source).with_suffix(".ipynb")
        if target.exists():
            raise ValueError(
                f"nbs/{source}: another notebook also becomes {page_path(source)}; rename one of"
                " them"
            )
        target.write_text(json.dumps(made[source]), encoding="utf-8")
    settings = (
        (folder / "_quarto.yml")
        .read_text(encoding="utf-8")
        .replace("REPOSITORY", project.repository)
    )
    config = drop_empty_sections(
        yaml.safe_load(settings), [str(page_path(source).with_suffix(".ipynb")) for source in made]
    )
    config["website"] |= {"description": project.description, "repo-url": project.repository}
    texts = {
        "_quarto.yml": yaml.safe_dump(config),
        "licences.txt": licence_text(),
        "llms.txt": llms_index(project, made),
        **themes(folder),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return made


FETCH = 'const r = await fetch(offset + "search.json");\n      index = await r.json();'
SCRIPT = """await new Promise((done, failed) => {
        const script = Object.assign(document.createElement("script"), { src: offset + "search.js", onload: done, onerror: failed });
        document.head.append(script);
      });
      index = window.searchIndex;"""


def render(
    project: Project,
    # out: an empty folder, or one that does not exist; returns what smalldocs warns of
    out: Path,
) -> list[str]:
    "Write the whole site into `out`"
    _, _, _ = developer_tools()
    from smalldocs.config import load
    from smalldocs.site import Site

    with tempfile.TemporaryDirectory() as scratch:
        made = stage(project, Path(scratch) / "nbs")
        site = Site(load(Path(scratch) / "nbs"), quiet=True)
        site.out = Path(out).resolve()
        site.build()
    for page in sorted(Path(out).rglob("*.html")):
        made_text = replace_math(page.read_text(encoding="utf-8"), page.relative_to(out).as_posix())
        page.write_text(mark_solutions(accessible(made_text)), encoding="utf-8")
    _search_as_script(Path(out))
    _plain_copies(made, Path(out))
    (Path(out) / ".nojekyll").touch()
    return site.warnings


def _plain_copies(made, out):
    for source, notebook in made.items():
        front = _front_matter(notebook)
        text = f"# {front['title']}\n\n> {front['description']}\n\n{to_markdown(notebook)}"
        (out / page_path(source).with_suffix(".md")).write_text(text, encoding="utf-8")


def _search_as_script(out):
    script = out / "site_libs" / "smalldocs.js"
    text = script.read_text(encoding="utf-8")
    if FETCH not in text:
        raise ValueError(
            f"smalldocs {version('smalldocs')} loads its search index in another way than expected:"
            f" look at {script.name} and mend `FETCH`"
        )
    script.write_text(text.replace(FETCH, SCRIPT), encoding="utf-8")
    index = (out / "search.json").read_text(encoding="utf-8")
    (out / "search.js").write_text(f"window.searchIndex = {index};\n", encoding="utf-8")
    (out / "search.json").unlink()


TOOLS = (
    "nbdev",
    "fastcore",
    "smalldocs",
    "latex2mathml",
    "markdown-it-py",
    "mdit-py-plugins",
    "pygments",
)


def tools() -> dict[str, str]:
    "The versions of everything that has a say in how a page looks"
    return {
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        **{name: version(name) for name in TOOLS},
    }


def source_digests(project: Project) -> dict[str, str]:  # path inside the project -> digest
    """What the site is made of: everything in nbs/, the index of symbols, and the addresses in
    pyproject.toml
    """
    files = [
        p
        for p in (project.root / "nbs").rglob("*")
        if p.is_file() and not any(part[0] == "." for part in p.relative_to(project.root).parts)
    ]
    files.append(project.root / project.name / "_modidx.py")
    digests = {
        p.relative_to(project.root).as_posix(): _digest(p.read_bytes())
        for p in sorted(files)
        if p.is_file()
    }
    facts = [
        project.name,
        project.description,
        project.repository,
        project.documentation,
        project.branch,
    ]
    return {**digests, "pyproject.toml": _digest(json.dumps(facts).encode())}


def _digest(data):
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _files(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


# every file by its path inside the project, and the warnings
def make(project: Project) -> tuple[dict[str, bytes], list[str]]:
    "Render site and README.md in memory"
    with tempfile.TemporaryDirectory() as scratch:
        warnings = render(project, Path(scratch) / "docs")
        pages = _files(Path(scratch) / "docs")
    note = {
        "tools": tools(),
        "sources": source_digests(project),
        "pages": {name: _digest(data) for name, data in pages.items()},
    }
    pages["build.json"] = (json.dumps(note, indent=1) + "\n").encode()
    return {
        **{f"docs/{name}": data for name, data in pages.items()},
        "README.md": readme(project).encode(),
    }, warnings


def stale(project: Project) -> list[str]:  # one line a file, empty when all is fresh
    "What differs between the committed docs/ and README.md and what would be built now"
    note = project.root / "docs" / "build.json"
    if not note.is_file():
        return ["docs/build.json is missing"]
    noted = json.loads(note.read_text(encoding="utf-8"))
    there = {f"docs/{name}": data for name, data in _files(project.root / "docs").items()}
    there["README.md"] = (
        (project.root / "README.md").read_bytes() if (project.root / "README.md").is_file() else b""
    )
    if noted["tools"] == tools():
        return _differences(there, make(project)[0])
    now = source_digests(project)
    sources = [
        f"{name} has changed since the docs were built"
        for name in sorted(now.keys() | noted["sources"].keys())
        if now.get(name) != noted["sources"].get(name)
    ]
    expected = {
        "README.md": _digest(readme(project).encode()),
        **{f"docs/{name}": value for name, value in noted["pages"].items()},
    }
    return sources + _differences(
        {name: _digest(data) for name, data in there.items() if name != "docs/build.json"}, expected
    )


def _differences(there, expected):
    return (
        [f"{name} is missing" for name in sorted(expected.keys() - there.keys())]
        + [f"{name} is not made from anything" for name in sorted(there.keys() - expected.keys())]
        + [
            f"{name} is stale"
            for name in sorted(expected.keys() & there.keys())
            if expected[name] != there[name]
        ]
    )


def write(project: Project) -> list[str]:  # the files that changed
    "Build docs/ and README.md; files that are no longer made are removed"
    files, warnings = make(project)
    for warning in warnings:
        print(f"smalldocs: {warning}", file=sys.stderr)
    changed = [
        name
        for name, data in files.items()
        if not (project.root / name).is_file() or (project.root / name).read_bytes() != data
    ]
    for name in changed:
        (project.root / name).parent.mkdir(parents=True, exist_ok=True)
        (project.root / name).write_bytes(files[name])
    gone = [name for name in _files(project.root / "docs") if f"docs/{name}" not in files]
    for name in gone:
        (project.root / "docs" / name).unlink()
    return changed + [f"docs/{name} (removed)" for name in gone]


# None: those of the command line; returns the exit status
def main(arguments: list[str] | None = None) -> int:
    "Build docs/ and README.md from the notebooks, or check that they are fresh"
    parser = argparse.ArgumentParser(prog="python -m pseudolab.site", description=main.__doc__)
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; list what is stale and exit with 1 if anything is",
    )
    options = parser.parse_args(arguments)
    try:
        developer_tools()
        project = find_project()
        lines = stale(project) if options.check else write(project)
    except (ImportError, ValueError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print("\n".join(lines) if lines else "docs/ and README.md are fresh")
    if options.check and lines:
        print("Build them with: python -m pseudolab.site", file=sys.stderr)
    return int(options.check and bool(lines))


if __name__ == "__main__" and "__file__" in globals():
    raise SystemExit(main())
