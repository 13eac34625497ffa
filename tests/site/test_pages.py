"""The pages of the site: they ask for nothing from outside, their links lead somewhere, they are
small, and names of classes are text on them.
"""

import json
import re
import shutil
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pandas as pd
import pytest

from pseudolab.views.html import still_table
from support import DOCS, NBS, ROOT
from support.notebooks import notebooks
from support.project import name
from support.runs import made_up, noise_task

pytestmark = pytest.mark.slow

PAGES = sorted(DOCS.rglob("*.html"))
# with which they were built
ADDRESS = json.loads((DOCS / "build.json").read_text(encoding="utf-8"))["repository"]
by_page = pytest.mark.parametrize("path", PAGES, ids=name)


# ---- what a page asks for


class Page(HTMLParser):
    "What a page loads by itself, where its links lead, and the places that links can lead to"

    LOADS = {
        "script": ("src",),
        "img": ("src", "srcset"),
        "iframe": ("src",),
        "source": ("src", "srcset"),
        "video": ("src", "poster"),
        "audio": ("src",),
        "embed": ("src",),
        "object": ("data",),
        "track": ("src",),
        "image": ("href", "xlink:href"),
        "use": ("href", "xlink:href"),
        "input": ("src",),
        "link": ("href",),
    }

    def __init__(self, path):
        super().__init__()
        self.loads = []
        self.links = []
        self.places = set()
        self.styles = []
        self.wordless = 0  # pictures that say nothing to who cannot see them
        self._in_style = False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.loads += [given[key] for key in self.LOADS.get(tag, ()) if given.get(key)]
        if tag == "img" and not given.get("alt"):
            self.wordless += 1
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        self.places |= {given[key] for key in ("id", "name") if given.get(key)}
        if given.get("style"):
            self.styles.append(given["style"])
        self._in_style = tag == "style"

    def handle_data(self, data):
        if self._in_style:
            self.styles.append(data)


read_page = cache(Page)


CSS_ADDRESS = re.compile(r"""url\(\s*['"]?([^'")\s]+)|@import\s+['"]([^'"]+)""")


def is_outside(address):
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme not in ("", "data")


def css_addresses(text):
    return [a or b for a, b in CSS_ADDRESS.findall(text)]


@by_page
def test_page_asks_for_nothing_outside(path):
    page = read_page(path)
    addresses = list(page.loads)
    for style in page.styles:
        addresses += css_addresses(style)
    assert not [address for address in addresses if is_outside(address)]


@by_page
def test_what_a_page_loads_is_there(path):
    missing = [
        address
        for address in read_page(path).loads
        if not is_outside(address)
        and not address.startswith(("data:", "#"))
        and not (path.parent / unquote(urlsplit(address).path)).is_file()
    ]
    assert not missing, missing


@by_page
def test_every_picture_has_words(path):
    assert not read_page(path).wordless


def test_a_picture_without_words_is_seen(tmp_path):
    page = tmp_path / "page.html"
    page.write_text('<img src="a.png"><img src="b.png" alt="A lake"><img src="c.png" alt="">')
    assert Page(page).wordless == 2


def test_style_sheets_ask_for_nothing_outside():
    asked = [
        f"{name(path)}: {address}"
        for path in DOCS.rglob("*.css")
        for address in css_addresses(path.read_text(encoding="utf-8"))
        if is_outside(address)
    ]
    assert not asked, asked


# ---- where links lead


def places(path):
    "Where links into a page can lead"
    return read_page(path).places


def leads_somewhere(path, link):
    """Into the site; or, as long as the project has no address, to a file of the checkout, where
    the code and the notebooks of a page are
    """
    parts = urlsplit(link)
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if target.is_dir():
        target = target / "index.html"
    within = DOCS if ADDRESS else ROOT
    if not target.is_file() or within not in target.parents:
        return False
    if parts.fragment and target.suffix == ".html":
        return unquote(parts.fragment) in places(target)
    return True


@by_page
def test_links_inside_the_site_lead_somewhere(path):
    inside = [link for link in read_page(path).links if urlsplit(link)[:2] == ("", "")]
    broken = [link for link in inside if not leads_somewhere(path, link)]
    assert not broken, broken


def test_links_of_the_readme_lead_somewhere():
    links = re.findall(r"\]\(([^)\s]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    inside = [urlsplit(link).path for link in links if not urlsplit(link).scheme]
    assert not [path for path in inside if not (ROOT / path).exists()]


# ---- the whole site


def test_pages_and_site_are_small():
    large = {name(path): path.stat().st_size for path in PAGES if path.stat().st_size > 1_500_000}
    assert not large, f"expected at most 1.5 MB a page: {large}"
    total = sum(path.stat().st_size for path in DOCS.rglob("*") if path.is_file())
    assert total <= 30_000_000, f"the site has {total:,} bytes, expected at most 30,000,000"


def test_every_notebook_has_its_pages(site_builder):
    listed = (DOCS / "llms.txt").read_text(encoding="utf-8")
    search = (DOCS / "search.js").read_text(encoding="utf-8")
    for notebook in notebooks():
        page = site_builder.page_path(notebook.relative_to(NBS).as_posix())
        assert (DOCS / page).is_file(), page
        assert (DOCS / page.with_suffix(".md")).is_file(), page
        assert re.search(rf"[/(]{re.escape(str(page.with_suffix('.md')))}\)", listed), page
        assert f'"{page}' in search, page


def test_every_notebook_is_in_the_sidebar(site_builder):
    front_page = read_page(DOCS / "index.html")
    for notebook in notebooks():
        page = site_builder.page_path(notebook.relative_to(NBS).as_posix())
        assert {f"./{page}", str(page)} & set(front_page.links), page


def test_formulas_need_no_script():
    drawn_by_script = re.compile(r'<span class="math (inline|display)"')
    found = [
        name(path) for path in PAGES if drawn_by_script.search(path.read_text(encoding="utf-8"))
    ]
    assert not found, found


@pytest.mark.slow
def test_smalldocs_finds_no_fault(site_builder, tmp_path):
    site_builder.stage(site_builder.find_project(), tmp_path / "nbs")
    done = subprocess.run(
        [Path(sys.executable).with_name("smalldocs"), "check"],
        cwd=tmp_path / "nbs",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


# ---- hostile names

TAG = "<img src=x onerror=alert(1)>"
ARABIC = "بحيرة كبيرة"
NEEDED = (
    "nbs/_quarto.yml",
    "nbs/site.css",
    "nbs/light.css",
    "nbs/dark.css",
    "pyproject.toml",
    "pseudolab/_modidx.py",
)


def stored_output(html):
    data = {"text/html": html, "text/plain": "explorer"}
    return {"output_type": "display_data", "metadata": {}, "data": data}


@pytest.fixture(scope="module")
def hostile_page(site_builder, tmp_path_factory):
    """A site of one notebook, whose stored outputs, an explorer and a table, have classes with a
    tag and with Arabic for a name; rendered as all the others are
    """
    root = tmp_path_factory.mktemp("project")
    for path in NEEDED:
        (root / path).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / path, root / path)
    names = [TAG, ARABIC, "town"]
    shown = [
        made_up(noise_task(names, 60, 90)).explore().html(),
        still_table(pd.DataFrame({"class": names}), TAG),
    ]
    title = "# Names\n\n> What is in a name?"
    cells = [
        {"cell_type": "markdown", "id": "a000", "metadata": {}, "source": title},
        {
            "cell_type": "code",
            "id": "a001",
            "metadata": {},
            "execution_count": None,
            "source": "run.explore()",
            "outputs": [stored_output(html) for html in shown],
        },
    ]
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (root / "nbs" / "index.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    site_builder.render(site_builder.find_project(root), root / "docs")
    return root / "docs" / "index.html"


class Tags(HTMLParser):
    "Every tag with its attributes, and every text outside scripts"

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.texts = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_data(self, data):
        if self.found and self.found[-1][0] not in ("script", "style"):
            self.texts.append(data.strip())


def test_names_of_classes_are_text_on_a_page(hostile_page):
    read = Tags(hostile_page.read_text(encoding="utf-8"))
    assert {TAG, ARABIC} <= set(read.texts)
    assert not [given for _, given in read.found if given.get("src") == "x" or "onerror" in given]


def test_names_of_classes_are_text_in_a_browser(browser, hostile_page):
    page = browser.new_context(offline=True).new_page()
    said = []

    def on_dialog(dialog):
        said.append(dialog.message)
        dialog.dismiss()

    def on_console(message):
        if message.type == "error":
            said.append(message.text)

    page.on("dialog", on_dialog)
    page.on("console", on_console)
    page.goto(hostile_page.as_uri(), wait_until="load")
    page.wait_for_selector(".plab[data-mounted]")
    seen = page.locator(".plab").inner_text()  # without the table
    assert TAG in seen
    assert ARABIC in seen
    assert not said
    assert page.locator("img[src=x]").count() == 0
    page.context.close()
