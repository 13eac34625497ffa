"""Where the project lives is said once, or not at all; and no address is somebody else's."""

import builtins
import json
import os
import re
import subprocess
import tomllib
from importlib.metadata import version
from pathlib import PurePosixPath
from xml.etree import ElementTree

import pytest
from PIL import Image

from support import DOCS, ROOT
from support.notebooks import notebooks, read_cells, short_name
from support.project import files_of_the_tree, name, settings

HOME = "https://github.com/{OWNER}/pseudolab"  # an owner that nobody can be
PAGES = "https://{owner}.github.io/pseudolab"


@pytest.fixture(scope="module")
def project(site_builder):
    "The project as it is written where no address is known"
    return site_builder.replace(site_builder.find_project(), repository="", documentation="")


@pytest.fixture(scope="module")
def published(site_builder, project):
    return site_builder.replace(project, repository=HOME, documentation=PAGES)


# ---- no address of others

NAMESPACE = re.compile(
    r"(?:github\.com|raw\.githubusercontent\.com|gitlab\.com|bitbucket\.org|codeberg\.org"
    r"|huggingface\.co|kaggle\.com|sr\.ht)[/:]+(?P<owner>[\w~][\w.-]*)(?:/(?P<name>[\w-]+))?"
    r"|(?<![\w-])(?P<site>[\w-]+)\.(?:github|gitlab)\.io",  # long runs are read once
    re.I,
)
OTHERS = {  # pages of other projects that a reader is meant to open
    "docs/hub",
    "docs/trackio",
    "facebookincubator/submitit",
    "mlfoundations/open_clip",
    "openai/CLIP",  # its templates
    "phelber/eurosat",
    "twbs/bootstrap",  # in the licences of what pages carry along
    "twbs/icons",
}


def namespaces(text, own=""):
    "The places on hosts of code that a text names, but for those of `own` and of `OTHERS`"
    found = set()
    for match in NAMESPACE.finditer(text):
        place = match["site"] or "/".join(part for part in (match["owner"], match["name"]) if part)
        ours = own and place.lower().split("/")[0] == own.lower()
        if place not in OTHERS and not ours:
            found.add(match[0])
    return found


@pytest.mark.parametrize(
    "text",
    [
        "git+https://github.com/somebody/pseudolab",
        "git@github.com:somebody/pseudolab.git",
        "https://somebody.github.io/pseudolab/",
        "https://raw.githubusercontent.com/somebody/x/main/a.py",
        "https://huggingface.co/somebody",
        "https://github.com/mlfoundations/another",
    ],
)
def test_a_strangers_place_is_seen(text):
    assert namespaces(text)
    assert not namespaces("https://github.com/mlfoundations/open_clip, https://{owner}.github.io")


def test_our_own_place_is_no_strangers():
    assert not namespaces("https://github.com/Us/pseudolab https://us.github.io/pseudolab", "us")
    assert namespaces("https://github.com/used/pseudolab", "us")


def own_namespace():
    urls = settings()["project"].get("urls", {})
    return urls.get("Repository", "").rstrip("/").split("/")[-2:][0]


def strangers(paths):
    found = []
    for path in paths:
        if "site_libs" in path.parts or path.name == "test_addresses.py":
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{name(path)}: {place}" for place in sorted(namespaces(text, own_namespace()))]
    return found


def files_in(docs):
    files = files_of_the_tree()
    if files is None:
        pytest.skip("not a git checkout, so what belongs to the tree is not known")
    return [path for path in files if (DOCS in path.parents) == docs]


@pytest.mark.slow
def test_no_file_names_a_strangers_place():
    assert not strangers(files_in(docs=False))


@pytest.mark.slow
def test_no_page_names_a_strangers_place():
    assert not strangers(files_in(docs=True))


# ---- the one setting


def test_the_package_says_where_it_lives_in_one_place_or_in_none(site_builder):
    urls = settings()["project"].get("urls", {})
    assert site_builder.find_project().repository == urls.get("Repository", "").rstrip("/")
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert "repository-code" not in citation


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://git.example/us/lab", "https://git.example/us/lab"),
        ("https://git.example/us/lab.git/", "https://git.example/us/lab"),
        ("https://name:secret@git.example/us/lab.git", "https://git.example/us/lab"),
        ("ssh://git@git.example:22/us/lab.git", "https://git.example/us/lab"),
        ("git@git.example:group/us/lab.git\n", "https://git.example/group/us/lab"),
        ("/srv-of-mine/lab.git", ""),
        ("../lab", ""),
        ("file:///lab.git", ""),
        ("https://git.example/a;b", ""),
        ("", ""),
    ],
)
def test_an_address_is_what_a_browser_opens(site_builder, remote, address):
    assert site_builder.web_address(remote) == address


def test_what_is_no_address_is_refused(site_builder, project):
    with pytest.raises(ValueError, match=r"'../lab'; expected an address such as"):
        site_builder.at_address(project, "../lab")


def test_github_publishes_pages_where_it_does(site_builder):
    assert site_builder.pages_address("https://github.com/" + "Us/lab") == "https://us." + (
        "github.io/lab"
    )
    assert site_builder.pages_address("https://git.example/us/lab") == ""


def test_the_remote_of_a_checkout_is_its_address(site_builder, tmp_path):
    assert site_builder.origin(tmp_path) == ""
    for command in (("init", "-q"), ("remote", "add", "origin", "git@git.example:us/lab.git")):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    assert site_builder.origin(tmp_path) == "https://git.example/us/lab"


@pytest.mark.parametrize(
    ("given", "address"),
    [
        (["--repository", "https://git.example/us/lab.git"], "https://git.example/us/lab"),
        ([], "https://git.example/from/origin"),
        (["--check"], ""),
    ],
)
def test_the_command_takes_an_address_or_that_of_the_remote(
    site_builder, project, monkeypatch, capsys, given, address
):
    used = []
    monkeypatch.setattr(site_builder, "find_project", lambda: project)
    monkeypatch.setattr(site_builder, "origin", lambda root: "https://git.example/from/origin")
    monkeypatch.setattr(site_builder, "write", lambda one, out: used.append(one) or [])
    monkeypatch.setattr(site_builder, "stale", lambda one: used.append(one) or [])
    assert site_builder.main(given) == 0
    assert [one.repository for one in used] == [address]


def test_the_command_refuses_what_is_no_address(site_builder, capsys):
    assert site_builder.main(["--repository", "somewhere"]) == 2
    assert "expected an address such as" in capsys.readouterr().err


# ---- what follows it


def test_without_an_address_badges_say_how_to_open_a_notebook(site_builder, project):
    row = site_builder.badge_row(project, "lessons/01_clip.ipynb")
    assert 'href="../../nbs/lessons/01_clip.ipynb"' in row
    assert "upload it" in row
    assert "://" not in row


def test_with_an_address_badges_lead_there(site_builder, published):
    row = site_builder.badge_row(published, "lessons/01_clip.ipynb")
    place = "{OWNER}/pseudolab/blob/main/nbs/lessons/01_clip.ipynb"
    assert f"https://colab.research.google.com/github/{place}" in row
    assert f"https://github.com/{place}" in row


def test_colab_opens_notebooks_of_github_alone(site_builder, project):
    elsewhere = site_builder.at_address(project, "https://git.example/us/lab")
    row = site_builder.badge_row(elsewhere, "lessons/01_clip.ipynb")
    assert "https://git.example/us/lab/blob/main/nbs/lessons/01_clip.ipynb" in row
    assert "colab.research" not in row


@pytest.mark.parametrize("known", [False, True])
def test_a_symbol_leads_to_its_line(site_builder, project, published, known):
    symbols = site_builder.Symbols(ROOT, "pseudolab")
    module, page = "pseudolab.method.loss", PurePosixPath("lessons/unified_loss.html")
    node = site_builder.definition("def unified_loss(): ...")
    _, line = symbols.line(module, "unified_loss")
    text = site_builder.reference(node, module, symbols, published if known else project, page)
    end = "pseudolab/method/loss.py"
    expected = f"{HOME}/blob/main/{end}#L{line}" if known else f"../../{end}"
    assert f'href="{expected}" title="{end}, line {line}"' in text


def test_the_readmes_links_are_whole_where_there_is_an_address(site_builder, project, published):
    beside = site_builder.readme(project)
    whole = site_builder.readme(published)
    assert "](nbs/images/scene.webp)" in beside
    assert f"]({HOME}/raw/main/nbs/images/scene.webp)" in whole
    assert f"]({HOME}/blob/main/nbs/lessons/00_whole_game.ipynb)" in whole
    assert "](nbs/" not in whole
    (row,) = site_builder.readme_badges(published)
    bare = whole.replace(f"{row}\n\n", "")
    assert beside == bare.replace(f"{HOME}/raw/main/", "").replace(f"{HOME}/blob/main/", "")


def test_the_readme_has_badges_where_there_is_an_address(site_builder, project, published):
    assert site_builder.readme_badges(project) == []
    elsewhere = site_builder.at_address(project, "https://git.example/us/lab")
    assert site_builder.readme_badges(elsewhere) == []
    (row,) = site_builder.readme_badges(published)
    assert row.startswith(f"[![Tests]({HOME}/actions/workflows/test.yml/badge.svg)]")
    assert f"]({PAGES}/)" in row and "blob/main/nbs/lessons/00_whole_game.ipynb)" in row
    assert (ROOT / ".github" / "workflows" / "test.yml").is_file()
    assert (ROOT / "nbs" / "lessons" / "00_whole_game.ipynb").is_file()
    lines = site_builder.readme(published).splitlines()
    assert lines.index(row) == lines.index("# pseudolab") + 3


def test_the_repository_is_in_the_menu_where_it_is_known(site_builder, project, published):
    yaml = pytest.importorskip("yaml")
    without = yaml.safe_load(site_builder.configuration(project, []))["website"]
    assert "tools" not in without["navbar"]
    assert "repo-url" not in without
    inside = yaml.safe_load(site_builder.configuration(published, []))["website"]
    assert inside["navbar"]["tools"][0]["href"] == inside["repo-url"] == HOME


def test_the_list_for_language_models_is_relative_or_whole(site_builder, project, published):
    source = PurePosixPath("lessons/01_clip.ipynb")
    front = json.dumps({"title": "CLIP", "description": "Two encoders."})
    pages = {source: {"cells": [{"source": f"---\n{front}\n---"}]}}
    assert "(lessons/clip.md)" in site_builder.llms_index(project, pages)
    assert f"({PAGES}/lessons/clip.md)" in site_builder.llms_index(published, pages)


def test_pages_say_where_they_are_published_where_that_is_known(site_builder, project, published):
    page = '<head><meta charset="utf-8"><title>x</title>'
    for path in ("lab/a.html", "404.html"):
        assert site_builder.with_address(page, PurePosixPath(path), project) == page
    inside = site_builder.with_address(page, PurePosixPath("lab/a.html"), published)
    assert f'<meta charset="utf-8"><link rel="canonical" href="{PAGES}/lab/a.html">' in inside
    front = site_builder.with_address(page, PurePosixPath("index.html"), published)
    assert f'<link rel="canonical" href="{PAGES}/">' in front
    lost = site_builder.with_address(page, PurePosixPath("404.html"), published)
    assert f'<base href="{PAGES}/">' in lost
    assert "canonical" not in lost


def test_a_link_to_a_page_is_shown_with_a_card(site_builder, project, published):
    page = '<head><meta charset="utf-8"><title>A &amp; B</title>'
    page += '<meta name="description" content="&quot;Why?&quot;">'
    path = PurePosixPath("lab/a.html")
    assert "og:" not in site_builder.with_address(page, path, project)
    told = dict(
        re.findall(
            r'property="og:([\w:]+)" content="([^"]*)"',
            site_builder.with_address(page, path, published),
        )
    )
    assert told["title"] == "A &amp; B" and told["description"] == "&quot;Why?&quot;"
    assert told["url"] == f"{PAGES}/lab/a.html" and told["image"] == f"{PAGES}/card.jpg"
    file = ROOT / "tools" / "page" / site_builder.CARD
    assert file.stat().st_size < 150_000
    with Image.open(file) as card:
        assert card.size == (1200, 630)


def test_a_sitemap_lists_every_page(site_builder, published):
    sources = [PurePosixPath("index.ipynb"), PurePosixPath("lessons/01_clip.ipynb")]
    tree = ElementTree.fromstring(site_builder.sitemap(published, sources))
    places = [place.text for place in tree.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")]
    assert places == [f"{PAGES}/", f"{PAGES}/lessons/clip.html"]


def test_without_an_address_there_is_neither(site_builder):
    if address_in_use(site_builder).documentation:
        pytest.skip("the pages were built for an address")
    assert not (DOCS / "sitemap.xml").exists()
    assert "canonical" not in (DOCS / "index.html").read_text(encoding="utf-8")


# ---- the first cell


def address_in_use(site_builder):
    "That of pyproject.toml, else the one with which the pages were built"
    project = site_builder.find_project()
    note = json.loads((DOCS / "build.json").read_text(encoding="utf-8"))
    return site_builder.at_address(project, project.repository or note.get("repository", ""))


@pytest.mark.parametrize("path", notebooks(), ids=short_name)
def test_the_first_cell_of_code_finds_pseudolab(site_builder, path):
    cells = read_cells(path)
    assert cells[1]["id"] == "colab"
    assert cells[1]["source"] == site_builder.first_cell(address_in_use(site_builder))
    assert not cells[1]["outputs"]
    assert [cell["id"] for cell in cells].count("colab") == 1


def run_cell(source, monkeypatch, status):
    "What a first cell asks a terminal for where pseudolab is not, and whether that ends well"
    asked = []

    def without(module, *arguments, **more):
        if module == "pseudolab":
            raise ModuleNotFoundError("No module named 'pseudolab'")
        return builtins.__import__(module, *arguments, **more)

    monkeypatch.setattr(os, "system", lambda command: asked.append(command) or status)
    exec(source, {"__builtins__": {**vars(builtins), "__import__": without}})
    return asked


def test_the_first_cell_leaves_nothing_behind_where_pseudolab_is(site_builder, project):
    names = {}
    exec(site_builder.first_cell(project), names)
    assert set(names) == {"__builtins__"}
    lines = site_builder.first_cell(project).splitlines()
    assert len(lines) < 12
    assert lines[0] == "#| hide"


@pytest.mark.parametrize(
    ("known", "installed", "advice"),
    [(False, '"pseudolab-*.whl', "upload its wheel"), (True, f"git+{HOME}", "network")],
)
def test_the_first_cell_installs_or_says_what_to_do(
    site_builder, project, published, monkeypatch, known, installed, advice
):
    source = site_builder.first_cell(published if known else project)
    (command,) = run_cell(source, monkeypatch, 0)
    assert command.endswith(installed.strip('"'))
    for library in ("torch", "numpy"):
        assert f" {library}=={version(library)} " in command
    with pytest.raises(ImportError, match=advice) as raised:
        run_cell(source, monkeypatch, 1)
    assert raised.value.__suppress_context__


def test_first_cells_are_written_once(site_builder, published):
    notebook = {"cells": [{"id": "a", "cell_type": "markdown", "source": ["# A"]}]}
    once = site_builder.with_first_cell(notebook, published)
    assert [cell["id"] for cell in once["cells"]] == ["a", "colab"]
    assert site_builder.with_first_cell(once, published) == once


def test_the_setting_reaches_a_checkout(site_builder, tmp_path):
    (tmp_path / "nbs").mkdir()
    text = (
        '[project]\nname = "x"\ndescription = "y"\n[tool.nbdev]\n'
        '[project.urls]\nRepository = "https://git.example/us/lab/"\n'
    )
    (tmp_path / "pyproject.toml").write_text(text)
    assert tomllib.loads(text)
    project = site_builder.find_project(tmp_path)
    assert project.repository == "https://git.example/us/lab"
    notebook = {"cells": [{"id": "a", "cell_type": "markdown", "source": ["# A"]}]}
    (tmp_path / "nbs" / "a.ipynb").write_text(json.dumps(notebook))
    assert site_builder.write_first_cells(project) == ["nbs/a.ipynb"]
    assert site_builder.write_first_cells(project) == []
    assert "git+https://git.example/us/lab" in (tmp_path / "nbs" / "a.ipynb").read_text()
