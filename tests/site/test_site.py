"""tools/site.py, piece by piece: names of pages, links, exported code, formulas, plain text."""

import base64
import io
import json
import re
import sys
from pathlib import PurePosixPath

import numpy as np
import pytest
from PIL import Image

from pseudolab.views.html import Widget, module
from pseudolab.views.prompt_playground import SITE_FOLDER, SITE_TASK
from support import DOCS, ROOT

pytestmark = pytest.mark.slow
PAGE = PurePosixPath("lab/some.html")


@pytest.fixture(scope="module")
def project(site_builder):
    return site_builder.find_project()


@pytest.fixture(scope="module")
def symbols(site_builder, project):
    return site_builder.Symbols(project.root, project.name)


def prose(source):
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def code(source, **more):
    return {"cell_type": "code", "metadata": {}, "outputs": [], "source": source, **more}


# ---- the project


def test_the_project_is_that_of_the_script(project):
    assert project.root == ROOT
    assert project.name == "pseudolab"
    assert (project.nbs / "index.ipynb").is_file()


def test_a_project_is_found_from_a_folder_inside(site_builder, project):
    assert site_builder.find_project(project.nbs / "lessons") == project


def test_outside_a_project_it_says_what_was_expected(site_builder, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"expected a folder with nbs/ and a pyproject"):
        site_builder.find_project(tmp_path)


def test_a_project_may_have_no_address(site_builder, tmp_path):
    (tmp_path / "nbs").mkdir()
    facts = '[project]\nname = "x"\ndescription = "y"\n[tool.nbdev]\n'
    (tmp_path / "pyproject.toml").write_text(facts)
    project = site_builder.find_project(tmp_path)
    assert (project.repository, project.documentation) == ("", "")


# ---- names of pages


@pytest.mark.parametrize(
    ("source", "page"),
    [
        ("index.ipynb", "index.html"),
        ("lessons/01_clip.ipynb", "lessons/clip.html"),
        ("lessons/04b_beyond_top_k.ipynb", "lessons/beyond_top_k.html"),
        ("lab/clip/model.ipynb", "lab/clip/model.html"),
        ("lab/method/prompts/base.ipynb", "lab/method/prompts/base.html"),
    ],
)
def test_a_page_keeps_its_folders_and_loses_its_number(site_builder, source, page):
    assert str(site_builder.page_path(source)) == page


def test_pages_are_ordered_by_number_and_letter(site_builder):
    order = site_builder.page_order
    assert order("lessons/01_clip.ipynb") == 1
    assert order("lab/method/run.ipynb") == site_builder.LAST
    asides = order("lessons/04b_beyond_top_k.ipynb")
    assert order("lessons/04_pseudolabels.ipynb") == 4 < asides < 5


def test_pages_of_the_lab_are_ordered_as_they_import(symbols):
    depth = symbols.depth
    assert depth("pseudolab.settings") == 0
    assert depth("pseudolab.method.schedules") == 0
    assert depth("pseudolab.clip.model") < depth("pseudolab.method.tuner")
    assert depth("pseudolab.method.tuner") < depth("pseudolab.experiments.grid")
    assert depth("pseudolab.no_such_module") == 0


def test_lessons_carry_their_numbers(site_builder):
    assert site_builder.numbered("Small", "lessons/04b_small.ipynb") == "04b · Small"
    assert site_builder.numbered("Small", "guides/04_small.ipynb") == "Small"


def test_links_follow_the_pages(site_builder):
    link = "[CLIP](../lessons/01_clip.ipynb#top)"
    assert site_builder.relink(link) == "[CLIP](../lessons/clip.ipynb#top)"
    other = "[lab](../../lab/clip/model.ipynb) and [web](https://x.org/01_a.ipynb)"
    assert site_builder.relink(other) == other


# ---- the head of a page


def test_the_title_is_taken_off_the_top(site_builder):
    split = site_builder.split_title
    assert split("# Clip\n> Two encoders.\n\nMore.") == ("Clip", "Two encoders.", "More.")
    assert split("# Clip\nMore.") == ("Clip", "", "More.")
    assert split("Only prose") == ("", "", "Only prose")
    assert split("# Clip\n> [Two](a.ipynb#two) encoders.")[1] == "Two encoders."


# ---- exported symbols


def test_a_symbol_has_its_place(symbols):
    assert symbols.place("unified_loss") == "lessons/unified_loss.html#unified_loss"
    assert symbols.place("PromptTuner.fit") == "lab/method/tuner.html#prompttuner.fit"
    assert symbols.place("no_such_thing") is None


def test_a_plain_word_is_a_symbol_only_on_its_own_page(symbols):
    assert symbols.place("audit") is None
    own = symbols.place("audit", "pseudolab.method.pseudolabels")
    assert own == "lessons/pseudolabels.html#audit"


def test_a_symbol_has_its_line(symbols):
    file, line = symbols.line("pseudolab.method.loss", "unified_loss")
    assert file == "pseudolab/method/loss.py"
    text = (ROOT / file).read_text(encoding="utf-8").splitlines()[line - 1]
    assert text.startswith("def unified_loss")
    assert symbols.line("pseudolab.method.loss", "no_such_thing") is None
    assert symbols.line("pseudolab.no_such_module", "unified_loss") is None


def test_names_become_links_but_not_in_code(site_builder, symbols):
    place = "/lessons/unified_loss.html#unified_loss"
    linked = site_builder.link_names("`unified_loss()` and `nobody`", symbols)
    assert linked == f"[`unified_loss()`]({place}) and `nobody`"
    block = "```python\n`unified_loss`\n```"
    assert site_builder.link_names(block, symbols) == block


# ---- exported code


def test_a_cell_is_cut_in_front_of_each_definition(site_builder):
    cell = "A = 1\ndef f(): pass\n\n@cache\ndef g(): pass"
    assert site_builder.split_exports(cell) == ["A = 1\ndef f(): pass", "@cache\ndef g(): pass"]


def test_the_first_public_definition_is_found(site_builder):
    assert site_builder.definition("def _a(): pass\ndef f(): pass").name == "f"
    assert site_builder.definition("A = 1") is None
    assert site_builder.definition("%pip install x") is None


def test_only_imports_is_only_imports(site_builder):
    assert site_builder.only_imports("import ast\nfrom re import sub")
    assert not site_builder.only_imports("import ast\nx = 1")
    assert not site_builder.only_imports("%pip install x")


def test_a_reference_names_symbol_methods_and_source(site_builder, symbols, project):
    cell = 'class Split:\n    "Who is labelled."\n    def of(self): pass'
    node = site_builder.definition(cell)
    text = site_builder.reference(node, "pseudolab.method.splits", symbols, project, PAGE)
    assert text.startswith("### Split {#split .symbol}")
    assert 'id="split.of"' in text
    assert "pseudolab/method/splits.py, line " in text
    assert "Who is labelled." in text


LONG_CLASS = '''@dataclass
class Long:
    """The first paragraph.

    The second."""

    # one that
    # is said above
    width: int
    height: int = 1  # one that is said behind
    _hidden: int = 2

    def __init__(
        self,
        name: str,  # of the thing
    ):
        self.name = name

    def __len__(self):
        "Not shown"
        return 1

    @property
    def size(self) -> int:  # (N,)
        "How large it is"
        return self.width

    def short(self): return 1
'''
OUTLINE = """@dataclass
class Long:
    "The first paragraph."

    # one that
    # is said above
    width: int
    height: int = 1  # one that is said behind

    def __init__(
        self,
        name: str,  # of the thing
    ):

    @property
    def size(self) -> int:  # (N,)
        "How large it is"

    def short(self): return 1"""


def test_an_outline_is_fields_signatures_and_sentences(site_builder):
    node = site_builder.definition(LONG_CLASS)
    assert site_builder.outline(node, LONG_CLASS) == OUTLINE


def test_the_code_of_a_long_class_is_folded(site_builder, symbols, project):
    body = "    x = 1\n" * 50
    cells = site_builder.open_export(
        code(f'#| export\nclass Long:\n    "It is long."\n{body}'), "", symbols, project, PAGE
    )
    assert [cell["cell_type"] for cell in cells] == ["markdown", "markdown", "code"]
    assert cells[1]["source"] == '```python\nclass Long:\n    "It is long."\n```'
    assert cells[2]["source"].startswith("#| code-fold: true\n#| code-summary: Code\nclass Long")


# ---- a notebook made ready


def test_directives_are_read(site_builder):
    cell = "#| export\n#| code-fold: true\nx = 1"
    assert site_builder.cell_directives(cell) == ({"export": "", "code-fold": "true"}, "x = 1")


def test_each_definition_of_an_exported_cell_has_its_head(site_builder, symbols, project):
    cell = code("#| export\ndef f(): pass\ndef g(): pass", outputs=["shown"])
    made = site_builder.open_export(cell, "pseudolab.none", symbols, project, PAGE)
    assert [one["cell_type"] for one in made] == ["markdown", "code", "markdown", "code"]
    assert [one["source"] for one in made[1::2]] == ["def f(): pass", "def g(): pass"]
    assert [one["outputs"] for one in made[1::2]] == [[], ["shown"]]


def test_a_cell_may_name_its_module(site_builder, symbols, project):
    cell = code("#| export method.loss\ndef unified_loss(): pass")
    head, _ = site_builder.open_export(cell, "pseudolab.method.tuner", symbols, project, PAGE)
    assert "pseudolab/method/loss.py, line " in head["source"]


def test_imports_are_folded_and_other_code_stays(site_builder, symbols, project):
    imports = code("import a")
    assert "Imports" in site_builder.open_export(imports, "", symbols, project, PAGE)[0]["source"]
    for cell in (code("import a\na.b()"), code("#| hide\nimport a"), code("#| exporti\nx = 1")):
        assert site_builder.open_export(cell, "", symbols, project, PAGE) == [cell]


SMALL = {
    "cells": [
        prose("# Small\n> A try.\n\nSee [it](02_it.ipynb)."),
        code("#| export\ndef f(): pass\ndef g(): pass"),
    ]
}


def test_a_notebook_is_made_ready(site_builder, symbols, project):
    of_lab = site_builder.prepare(SMALL, "lab/small.ipynb", project, symbols)
    kinds = ["raw", "markdown", "markdown", "markdown", "code", "markdown", "code"]
    assert [cell["cell_type"] for cell in of_lab["cells"]] == kinds
    assert of_lab["cells"][4]["source"] == "def f(): pass"
    # a lesson has no headings of functions
    ready = site_builder.prepare(SMALL, "lessons/00_small.ipynb", project, symbols)
    kinds = ["raw", "markdown", "markdown", "markdown", "code"]
    assert [cell["cell_type"] for cell in ready["cells"]] == kinds
    assert "(it.ipynb)" in ready["cells"][2]["source"]
    front = {"title": "00 · Small", "description": "A try.", "order": 0}
    assert site_builder.front_matter(ready) == front


def test_a_notebook_without_a_title_is_refused(site_builder, symbols, project):
    with pytest.raises(ValueError, match=r"nbs/lessons/00_small.ipynb: the first cell is no title"):
        site_builder.prepare({"cells": [code("1")]}, "lessons/00_small.ipynb", project, symbols)


def test_the_module_of_a_notebook(site_builder):
    adds = code("#| export loss\nx = 1")
    opens = code("#| default_exp tuner\nx = 1")
    assert site_builder.exported_module([], "pseudolab") == ""
    assert site_builder.exported_module([adds], "pseudolab") == "pseudolab.loss"
    assert site_builder.exported_module([adds, opens], "pseudolab") == "pseudolab.tuner"


def test_hidden_cells_are_taken_out(site_builder, project):
    sources = ("#| hide\nx = 1", "#| exporti\nw = 0", "#| echo: false\ny = 2", "z = 3")
    hidden = {"cells": [code(source) for source in sources], "metadata": {}}
    shown = site_builder.apply_directives(hidden, project.root)["cells"]
    assert [cell["source"] for cell in shown] == ["#| echo: false\ny = 2", "z = 3"]


def test_a_missing_tool_is_named_with_how_to_install_it(site_builder, monkeypatch):
    monkeypatch.setitem(sys.modules, "latex2mathml.converter", None)
    with pytest.raises(ImportError, match=r"needs latex2mathml.*pip install -e"):
        site_builder.check_developer_tools()


# ---- formulas and regions


def test_formulas_become_mathml(site_builder):
    assert "<mfrac>" in site_builder.mathml(r"\frac{a}{b}")
    assert 'display="block"' in site_builder.mathml("x", display=True)
    page = '<span class="math inline">\\(a &lt; b\\)</span>'
    assert site_builder.replace_math(page, "x.html").startswith("<math")


def test_a_formula_that_cannot_be_translated_is_refused(site_builder):
    page = '<span class="math inline">\\(\\nosuchcommand{x}\\)</span>'
    with pytest.raises(ValueError, match=r"x\.html: The formula .*nosuchcommand.* another way"):
        site_builder.replace_math(page, "x.html")


@pytest.mark.parametrize(
    ("given", "made"),
    [
        (
            '<nav class="page-navigation">',
            '<nav aria-label="Next and previous page" class="page-navigation">',
        ),
        (
            '<i class="bi bi-github" role="img">',
            '<i class="bi bi-github" aria-hidden="true">',
        ),
        (
            '<a data-bs-target="#part" role="navigation">',
            '<a data-bs-target="#part" role="button" href="#part">',
        ),
    ],
)
def test_regions_have_names_and_icons_none(site_builder, given, made):
    assert site_builder.accessible(given) == made


def test_a_page_has_a_way_past_its_navigation_and_contents_for_phones(site_builder):
    entry = '<li><a href="#a" id="t" class="nav-link">A</a></li>'
    toc = f'<h2 id="toc-title">Here</h2><ul>{entry}</ul></nav>'
    meta = '<div class="quarto-title-meta"></div></header>'
    given = f'<body class="x"><main id="quarto-document-content">{meta}text</main>{toc}'
    made = site_builder.accessible(given)
    folded = '<summary>Here</summary><ul><li><a href="#a">A</a></li></ul></details>text'
    assert f'{meta}<details class="contents">{folded}' in made
    assert '<body class="x"><a class="skip-link" href="#quarto-document-content">' in made
    assert '<main id="quarto-document-content" tabindex="-1">' in made


def test_pictures_keep_each_pixel_and_weigh_less(site_builder):
    pixels = np.random.default_rng(0).integers(0, 9, (40, 60, 4), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    source = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    page = f'<img src="{source}"> and <code>data:image/png;base64,AAAA</code>'
    made = site_builder.light_pictures(page)
    assert len(made) < len(page) and "data:image/png;base64,AAAA<" in made
    webp = re.search(r"data:image/webp;base64,([^\"]+)", made)[1]
    image = Image.open(io.BytesIO(base64.b64decode(webp)))
    assert np.array_equal(np.asarray(image), pixels)


def test_the_clip_lies_where_pages_look_for_it(site_builder, tmp_path):
    assert site_builder.CLIP_FOLDER == SITE_FOLDER
    page = tmp_path / "lab" / "page.html"
    page.parent.mkdir()
    page.write_text("no playground")
    site_builder._own_clip(tmp_path)
    assert not (tmp_path / SITE_FOLDER).exists()
    page.write_text(f'mountAll({{"source":{{"folder":"../../{SITE_FOLDER}"}}}})')
    site_builder._own_clip(tmp_path)
    names = sorted(path.name for path in (tmp_path / SITE_FOLDER).iterdir())
    of_task = [f"clip_pictures_{SITE_TASK}.js", f"clip_task_{SITE_TASK}.js"]
    assert names == ["clip.js", "clip_image_tower.js", *of_task, "clip_weights.js"]


def test_solutions_are_marked(site_builder):
    folded = '<details class="code-fold">\n<summary>{}</summary>'
    assert "solution" in site_builder.mark_solutions(folded.format("Solution"))
    imports = folded.format("Imports")
    assert site_builder.mark_solutions(imports) == imports


# ---- plain text


def result(**data):
    return {"output_type": "execute_result", "data": data}


def test_code_and_outputs_are_fenced(site_builder):
    cell = code("1 + 1", outputs=[result(**{"text/plain": "2"})])
    text = site_builder.to_markdown({"cells": [cell]})
    assert text == "```python\n1 + 1\n```\n\n```\n2\n```\n"


def test_fences_are_longer_than_those_inside(site_builder):
    text = site_builder.to_markdown({"cells": [code("'```'")]})
    assert text == "````python\n'```'\n````\n"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("#| hide\nx", "\n"),
        ("#| exporti\nx", "\n"),
        ("#| include: false\nx", "\n"),
        ("#| echo: false\nx", "```\n2\n```\n"),
        ("#| output: false\nx", "```python\nx\n```\n"),
    ],
)
def test_hidden_parts_stay_hidden(site_builder, source, text):
    cell = code(source, outputs=[result(**{"text/plain": "2"})])
    assert site_builder.to_markdown({"cells": [cell]}) == text


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"text/markdown": "**a**", "text/plain": "a"}, "**a**\n"),
        ({"text/html": "<p>b</p>", "text/plain": "a"}, "b\n"),
        ({"image/png": "AAA", "text/plain": "a"}, "{words}\n"),
        ({"text/html": '<div class="plab"><p>b</p>'}, "{moves}\n\nb\n"),
    ],
)
def test_of_pictures_words_are_kept(site_builder, data, text):
    cell = code("#| echo: false\nx", outputs=[result(**data)])
    expected = text.format(words=site_builder.NO_WORDS, moves=site_builder.MOVES)
    assert site_builder.to_markdown({"cells": [cell]}) == expected


def test_a_picture_is_told_as_its_cell_says(site_builder):
    source = '#| echo: false\n#| fig-alt: "A \\"long\\" row: two"\nx'
    cell = code(source, outputs=[result(**{"image/png": "AAA"})])
    assert site_builder.to_markdown({"cells": [cell]}) == 'Picture: A "long" row: two.\n'


def test_folded_code_stands_under_its_words(site_builder):
    cell = code('#| code-fold: true\n#| code-summary: "The loss"\nx')
    assert site_builder.to_markdown({"cells": [cell]}) == "*The loss:*\n\n```python\nx\n```\n"
    imports = code("#| code-fold: true\n#| code-summary: Imports\nx")
    assert site_builder.to_markdown({"cells": [imports]}) == "```python\nx\n```\n"


def test_tags_in_a_docstring_are_text(site_builder, symbols, project):
    node = site_builder.definition('def f():\n    "Draw an <img> as `<svg>`, 1 < 2."')
    text = site_builder.reference(node, "pseudolab.none", symbols, project, PAGE)
    assert r"Draw an \<img> as `<svg>`, 1 < 2." in text


def test_readme_is_made_from_the_front_page(site_builder, project):
    text = site_builder.readme(project)
    assert text.startswith(site_builder.README_NOTE + "# pseudolab")
    assert "](nbs/lessons/00_whole_game.ipynb)" in text


def page(title, description):
    front = json.dumps({"title": title, "description": description})
    return {"cells": [{"source": f"---\n{front}\n---"}]}


def test_llms_txt_lists_pages_by_folder(site_builder, project):
    pages = {
        PurePosixPath("lessons/01_clip.ipynb"): page("Clip", "Two."),
        PurePosixPath("index.ipynb"): page("Start", "All."),
        PurePosixPath("lab/method/prompts/base.ipynb"): page("Base", "One."),
    }
    listed = site_builder.llms_index(project, pages)
    headings = [line for line in listed.splitlines() if line.startswith("## ")]
    assert headings == ["## Start", "## Lab: method, prompts", "## Lessons"]
    assert listed.endswith("[Clip](lessons/clip.md): Two.\n")


# ---- the stage, and what is fresh


def test_sections_without_a_page_are_dropped(site_builder):
    contents = [
        "index.ipynb",
        {"section": "A", "contents": ["a/*.ipynb"]},
        {"section": "B", "contents": ["b/*.ipynb"]},
        {
            "section": "C",
            "contents": [
                {"section": "C1", "contents": ["c/one/*.ipynb"]},
                {"section": "C2", "contents": ["c/two/*.ipynb"]},
            ],
        },
    ]
    kept = site_builder.drop_empty_sections(contents, ["a/x.ipynb", "c/two/x.ipynb"])
    assert kept == [
        "index.ipynb",
        {"section": "A", "contents": ["a/*.ipynb"]},
        {"section": "C", "contents": [{"section": "C2", "contents": ["c/two/*.ipynb"]}]},
    ]


def test_licences_go_along(site_builder):
    text = site_builder.licence_text()
    assert "MIT License" in text
    assert "bootstrap-icons\n===============" in text


def test_another_search_than_expected_is_named(site_builder, tmp_path):
    (tmp_path / "site_libs").mkdir()
    (tmp_path / "site_libs" / "smalldocs.js").write_text("another script")
    with pytest.raises(ValueError, match="has its search in another place.*OLD_SEARCH"):
        site_builder._own_search(tmp_path)


def test_synonyms_are_groups_of_words(site_builder):
    groups = site_builder.synonyms()
    assert ["install", "set up", "setup", "pip", "uvx", "requirements"] in groups
    assert all(word and word == word.strip() for group in groups for word in group)


def test_what_the_site_is_made_of(site_builder, project):
    digests = site_builder.source_digests(project)
    wanted = {
        "nbs/index.ipynb",
        "nbs/lab/method/run.ipynb",
        "nbs/_quarto.yml",
        "pseudolab/_modidx.py",
        "pseudolab/method/loss.py",
        "pyproject.toml",
        "tools/site.py",
        "tools/html_markdown.py",
        "tools/page/find.js",
        "tools/page/page.js",
        "tools/page/synonyms.txt",
    }
    assert wanted <= digests.keys()
    assert not [name for name in digests if "/." in name or "__pycache__" in name]


def test_differences_are_named(site_builder):
    found = site_builder.differences({"a": 1, "b": 1}, {"b": 2, "c": 1})
    assert found == ["c is missing", "a is not made from anything", "b is stale"]


def test_the_tools_are_named_with_their_versions(site_builder):
    versions = site_builder.tool_versions()
    assert versions["nbdev"]
    assert versions["python"] == f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def tiny_project(site_builder, tmp_path):
    "A project of one notebook, with pages to compare"
    for name in ("_quarto.yml", "site.css", "light.css", "dark.css"):
        target = tmp_path / "nbs" / name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes((ROOT / "nbs" / name).read_bytes())
    for name in ("pyproject.toml", "pseudolab/_modidx.py"):
        target = tmp_path / name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    notebook = {"cells": [prose("# Tiny\n> One page.")], "metadata": {}, "nbformat": 4}
    (tmp_path / "nbs" / "index.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    return site_builder.find_project(tmp_path)


def test_a_site_is_written_once_and_found_stale_when_its_source_changes(
    site_builder, tiny_project, monkeypatch
):
    assert site_builder.stale(tiny_project) == ["docs/build.json is missing"]
    assert "docs/index.html" in site_builder.write(tiny_project)
    assert site_builder.write(tiny_project) == []
    assert site_builder.stale(tiny_project) == []
    (tiny_project.docs / "left_over.html").write_text("old")
    assert site_builder.stale(tiny_project) == ["docs/left_over.html is not made from anything"]
    assert site_builder.write(tiny_project) == ["docs/left_over.html (removed)"]
    index = tiny_project.nbs / "index.ipynb"
    index.write_text(index.read_text(encoding="utf-8").replace("One page", "Another"))
    stale = site_builder.stale(tiny_project)
    assert {"docs/index.html is stale", "README.md is stale"} <= set(stale)
    versions = site_builder.tool_versions() | {"nbdev": "another"}
    monkeypatch.setattr(site_builder, "tool_versions", lambda: versions)
    by_digest = site_builder.stale(tiny_project)
    assert "nbs/index.ipynb has changed since the docs were built" in by_digest
    assert "README.md is stale" in by_digest
    assert "docs/index.html is stale" not in by_digest


def test_a_site_can_be_built_elsewhere(site_builder, tiny_project, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    written = site_builder.write(tiny_project, elsewhere)
    assert {"docs/index.html", "README.md"} <= set(written)
    assert (elsewhere / "docs" / "index.html").is_file()
    assert not tiny_project.docs.exists()


def test_the_same_site_twice_has_the_same_bytes(site_builder, tiny_project):
    assert site_builder.make(tiny_project) == site_builder.make(tiny_project)


def test_pages_that_were_built_for_an_address_are_fresh_without_it(site_builder, tiny_project):
    "A clone has no address in pyproject.toml, and need not have the same remote"
    published = site_builder.at_address(tiny_project, "https://git.example/us/lab")
    assert "nbs/index.ipynb" in site_builder.write(published)
    assert site_builder.stale(tiny_project) == []
    assert "https://git.example/us/lab" in (tiny_project.docs / "index.html").read_text("utf-8")
    elsewhere = site_builder.at_address(tiny_project, "https://git.example/us/other")
    assert "docs/index.html is stale" in site_builder.stale(elsewhere)


def test_two_notebooks_with_one_page_are_refused(site_builder, tiny_project, tmp_path):
    index = tiny_project.nbs / "index.ipynb"
    for name in ("01_same.ipynb", "02_same.ipynb"):
        (tiny_project.nbs / name).write_bytes(index.read_bytes())
    with pytest.raises(ValueError, match=r"nbs/02_same.ipynb: another notebook also becomes"):
        site_builder.stage(tiny_project, tmp_path / "stage")


def test_an_exported_cell_that_is_not_python_is_named(site_builder, tiny_project, tmp_path):
    notebook = json.loads((tiny_project.nbs / "index.ipynb").read_text(encoding="utf-8"))
    notebook["cells"].append(code("#| export\ndef f(:"))
    (tiny_project.nbs / "index.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    with pytest.raises(ValueError, match=r"nbs/index.ipynb: an exported cell is not Python"):
        site_builder.stage(tiny_project, tmp_path / "stage")


# ---- the command


def test_the_command_says_what_is_wrong(site_builder, monkeypatch, capsys):
    def nowhere():
        raise FileNotFoundError("No project")

    monkeypatch.setattr(site_builder, "find_project", nowhere)
    assert site_builder.main(["--check"]) == 2
    assert "error: No project" in capsys.readouterr().err


@pytest.mark.parametrize(("lines", "status"), [([], 0), (["README.md is stale"], 1)])
def test_the_check_ends_with_1_where_something_is_stale(
    site_builder, monkeypatch, capsys, lines, status
):
    monkeypatch.setattr(site_builder, "stale", lambda project: lines)
    assert site_builder.main(["--check"]) == status
    said = capsys.readouterr()
    assert said.out.strip() == (lines[0] if lines else "docs/ and README.md are fresh")
    assert ("python tools/site.py" in said.err) == bool(lines)


# ---- what pages share


def test_figures_of_one_kind_read_one_script(site_builder):
    one, other = Widget("guess", {"a": 1}, "<p>s</p>"), Widget("guess", {"a": 2}, "<p>t</p>")
    shared = {}
    page = f"<body>{one.html()}{other.html()}<p>end</p></body>"
    lean = site_builder.share_scripts(page, PurePosixPath("lab/views/x.html"), shared)
    ((name, script),) = shared.items()
    assert lean.count(f'<script src="../../site_libs/figures/{name}"></script>') == 1
    assert module("guess") in script and "use strict" not in lean
    for widget in (one, other):
        call = re.search(r'mountAll\("\w+", .*, mount\);', widget.html())
        assert call and lean.count(call[0]) == 1
    assert lean.count("<p>s</p>") == lean.count("<p>t</p>") == lean.count("<p>end</p>") == 1


def test_two_kinds_have_two_scripts_and_other_scripts_stay(site_builder):
    shared = {}
    page = (
        Widget("guess", {}, "").html() + Widget("scene_page", {}, "").html() + "<script>x</script>"
    )
    lean = site_builder.share_scripts(page, PurePosixPath("index.html"), shared)
    assert len(shared) == 2 and lean.endswith("<script>x</script>")
    assert lean.count('<script src="site_libs/figures/') == 2


def test_every_figure_of_the_site_finds_its_script():
    asked = set()
    for path in DOCS.rglob("*.html"):
        page = path.read_text(encoding="utf-8")
        assert "function mountAll" not in page, path
        there = re.findall(r'<script src="([^"]*site_libs/figures/[^"]*)"', page)
        used = re.findall(r'plabFigures\["(\w+)"\]\(', page)
        assert {place.rsplit("/", 1)[1] for place in there} == {f"{name}.js" for name in used}
        asked |= {(path.parent / place).resolve() for place in there}
    assert asked == set((DOCS / "site_libs" / "figures").resolve().iterdir())


def test_every_icon_of_the_site_is_in_the_font_and_no_other():
    folder = DOCS / "site_libs" / "bootstrap-icons"
    style = (folder / "bootstrap-icons.min.css").read_text(encoding="utf-8")
    shown = {
        icon
        for path in DOCS.rglob("*.html")
        for icon in re.findall(r'class="bi (bi-[\w-]+)', path.read_text(encoding="utf-8"))
    }
    assert len(shown) > 4 and shown == set(re.findall(r"\.(bi-[\w-]+)::before", style))
    fonts = re.findall(r'url\("(fonts/[^?"]*)', style)
    assert fonts == [path.relative_to(folder).as_posix() for path in (folder / "fonts").iterdir()]
