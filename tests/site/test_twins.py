"""The copies of the pages in Markdown: what becomes of HTML, and that nothing of a page is lost."""

import re
from pathlib import PurePosixPath

import pytest

from support import DOCS
from support.project import name

pytestmark = pytest.mark.slow

TWINS = sorted(DOCS.rglob("*.md"))
by_twin = pytest.mark.parametrize("twin", TWINS, ids=name)


@pytest.fixture(scope="module")
def converter(site_builder):
    "tools/html_markdown.py"
    return site_builder.html_markdown


# ---- small HTML by hand

PANDAS = """<div>
<style scoped>.dataframe tbody tr th { vertical-align: top; }</style>
<table border="1" class="dataframe">
  <thead>
    <tr style="text-align: right;"><th></th><th>gain</th><th>of</th></tr>
    <tr><th>task</th><th></th><th></th></tr>
  </thead>
  <tbody>
    <tr><th>flowers</th><td>11.2 ±0.4</td><td>3 of 6</td></tr>
    <tr><th>a|b &lt;i&gt;</th><td>−0.7</td><td></td></tr>
  </tbody>
</table>
</div>"""
AS_MARKDOWN = r"""| task | gain | of |
| --- | ---: | ---: |
| flowers | 11.2 ±0.4 | 3 of 6 |
| a\|b \<i> | −0.7 |  |"""

TWO_LEVELS = """<table><thead>
<tr><th></th><th colspan="2">here</th><th>there</th></tr>
<tr><th></th><th>text</th><th>visual</th><th>text</th></tr></thead>
<tbody><tr><th rowspan="2">ul</th><td>a</td><td>1</td><td>2</td></tr>
<tr><td>b</td><td>3</td><td>4</td></tr></tbody></table>"""
FLAT = """|  | here · text | here · visual | there · text |
| --- | --- | ---: | ---: |
| ul | a | 1 | 2 |
| ul | b | 3 | 4 |"""

SMALL = "<table><tr><th>a</th></tr><tr><td>1</td></tr></table>"
FOLDED = f"<details><summary>The numbers</summary><p>Of all.</p>{SMALL}</details>"
STILL = """<style>.plab {{ color: red }}</style><div class="plab" data-plab="x">
<p><strong><bdi>{}</bdi></strong></p>
<details><summary>Say what you expect, then open: what happened</summary>
<p class="quiet">What happened</p><div class="scroll">{}</div></details>{}</div>
<script>mount("<table>", 1 < 2)</script>"""
NUMBER = SMALL.replace("a<", "what happened<").replace(">1<", ">96 %<")
ORDER = """<table><thead><tr><th>class</th><th>accuracy</th></tr></thead><tbody>
<tr><td>lake</td><td>0.7 %</td></tr><tr><td>town</td><td>100.0 %</td></tr></tbody></table>"""
CURVE = """<table><thead><tr><th>round</th><th>accuracy</th><th>right</th></tr></thead><tbody>
<tr><td>0</td><td>60 %</td><td>9 %</td></tr><tr><td>5</td><td>70 %</td><td>8 %</td></tr>
</tbody></table>"""


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        (PANDAS, AS_MARKDOWN),
        (TWO_LEVELS, FLAT),
        (FOLDED, "**The numbers**\n\nOf all.\n\n| a |\n| ---: |\n| 1 |"),
        ('<img alt="Two <b> rows" src="data:image/png;base64,AAAA">', r"Picture: Two \<b> rows."),
        ('<svg role="img" aria-label="A loop."><text>not this</text></svg>', "Picture: A loop."),
        ("<svg><title>A loop</title><rect/></svg>", "Picture: A loop."),
        ('<div role="img" aria-label="Bars"><span>1</span></div>', "Picture: Bars."),
        ('<img src="data:image/png;base64,AAAA">', ""),
        ("<p>1 <em>two</em>\n <b>3</b><br>four</p><p>5</p>", "1 *two* **3** four\n\n5"),
        ("<ul><li>a</li><li>b <code>c*</code></li></ul>", "- a\n- b `c*`"),
        ("<ol><li><p>a</p><p>b</p></li></ol>", "1. a\n\n   b"),
        ("<pre>a\n  *b</pre>", "```\na\n  *b\n```"),
        ('<a href="x.html">to</a> <a href="javascript:y">no</a>', "[to](x.html) no"),
        ("a_name and _this_ and [x](y)", r"a_name and \_this\_ and [x]\(y)"),
        ("<p>a</p><button>Go</button><script>b</script><style>c</style>d", "a\n\nd"),
        (STILL.format("How?", NUMBER, ""), "**Question:** How?\n\n**What happened:** 96 %"),
        (
            STILL.format("Which?", ORDER, '<img class="still" alt="A bar." src="data:,">'),
            "**Question:** Which?\n\n"
            "**What happened:** accuracy from 0.7 % (lake) to 100.0 % (town).\n\n"
            "| class | accuracy |\n| --- | ---: |\n| lake | 0.7 % |\n| town | 100.0 % |\n\n"
            "Picture: A bar.",
        ),
        (
            STILL.format("Draw.", CURVE, ""),
            "**Question:** Draw.\n\n**What happened:** accuracy from 60 % at round 0 to 70 % at"
            " round 5; right from 9 % at round 0 to 8 % at round 5.\n\n"
            "| round | accuracy | right |\n| ---: | ---: | ---: |\n| 0 | 60 % | 9 % |\n"
            "| 5 | 70 % | 8 % |",
        ),
    ],
)  # fmt: skip
def test_html_becomes_markdown(converter, html, markdown):
    assert converter.to_markdown(html) == markdown


def test_prose_loses_its_markup_and_leads_to_the_other_copies(site_builder):
    given = """### Split {#split .symbol}

<span class="symbol-place" id="split.of"></span>
<a class="source-link" href="a.py" title="b">source</a>

::: {.symbol-sentence}
Who is [labelled](/lessons/clip.html#top)?
:::

<details><summary>Why?</summary>

Since [x](../lessons/clip.ipynb), <em>so</em>; [web](https://x.org/a.html).

</details>

```python
"{#split .symbol} <details> [x](a.ipynb)"
```"""
    made = """### Split

[source](a.py)

Who is [labelled](../lessons/clip.md#top)?

**Why?**

Since [x](../lessons/clip.md), *so*; [web](https://x.org/a.html).

```python
"{#split .symbol} <details> [x](a.ipynb)"
```"""
    page = PurePosixPath("lab/some.html")
    assert site_builder.plain_prose(given, page).split() == made.split()


# ---- the copies of our pages


def without_code(text):
    text = re.sub(r"(?ms)^[ >]*(`{3,}).*?^[ >]*\1\s*?$", "", text)
    return re.sub(r"(`+).+?\1", "", text)


@by_twin
def test_a_twin_has_no_markup(twin):
    text = twin.read_text(encoding="utf-8")
    assert not re.search(r"base64,\w{20}|<style|<script", without_code(text))
    assert not re.findall(r"(?<!\\)</?[a-zA-Z][^>\n]*>", without_code(text))
    assert ":::" not in text


@by_twin
def test_links_of_a_twin_lead_somewhere(twin):
    links = re.findall(r"\]\(([^)\s#]+)[^)]*\)", without_code(twin.read_text(encoding="utf-8")))
    inside = [link for link in links if "://" not in link and not link.startswith("mailto:")]
    broken = [link for link in inside if not (twin.parent / link).exists()]
    assert not broken


def tables_of_the_page(twin, converter):
    "The headers and the rows of each table on the page of a twin"
    tree = converter.parse(twin.with_suffix(".html").read_text(encoding="utf-8"))
    (main,) = tree.elements("main")
    return [converter.table_cells(table) for table in main.elements("table")]


def plain(text):
    "Letters and digits, whatever the marks between them and wherever links lead"
    return "".join(re.findall(r"\w", re.sub(r"\]\([^)]*\)", "]", text))).casefold()


@by_twin
def test_every_table_of_a_page_is_in_its_twin(converter, twin):
    text = plain(twin.read_text(encoding="utf-8"))
    for head, body in tables_of_the_page(twin, converter):
        for row in (head, *body):
            assert plain("".join(row)) in text, row


@by_twin
def test_every_picture_with_words_is_in_its_twin(converter, twin):
    text = plain(twin.read_text(encoding="utf-8"))
    tree = converter.parse(twin.with_suffix(".html").read_text(encoding="utf-8"))
    (main,) = tree.elements("main")
    pictures = [one.given for one in main.elements("img", "svg")]
    words = [given.get("alt") or given.get("aria-label") for given in pictures]
    assert not [one for one in words if one and plain(one) not in text]


def test_the_twins_of_the_lessons_tell_questions_and_answers():
    whole_game = (DOCS / "lessons" / "whole_game.md").read_text(encoding="utf-8")
    assert "**Question:** Which classes does CLIP know least, and which best?" in whole_game
    assert "| pasture land | 0.7 % |" in whole_game
    for twin in (DOCS / "lessons").glob("*.md"):
        text = twin.read_text(encoding="utf-8")
        assert text.count("**Question:**") == text.count("**What happened:**") > 0, twin.name
