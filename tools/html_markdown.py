"""HTML of a stored output as Markdown: for the copies of the pages in plain text.

Tables stay tables, also those that are folded away. Of a picture its description stays, and of a
figure that moves what it shows without a script. Scripts, styles and pixels are left out. Nothing
but the standard library is needed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

# ---- a tree

VOID = {"area", "br", "col", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
LEFT_OUT = {  # with all that is in them
    *("audio", "button", "canvas", "head", "iframe", "input", "link", "math", "meta", "object"),
    *("script", "select", "style", "template", "textarea", "video"),
}
INLINE = {
    *("a", "abbr", "b", "bdi", "bdo", "br", "cite", "code", "em", "i", "kbd", "label", "mark"),
    *("output", "q", "s", "samp", "small", "span", "strong", "sub", "sup", "time", "u", "var"),
}


@dataclass
class Node:
    "An element: its tag, its attributes, and what is in it"

    tag: str
    given: dict[str, str] = field(default_factory=dict)
    children: "list[Node | str]" = field(default_factory=list)

    def elements(self, *tags: str) -> "Iterator[Node]":
        "The elements inside with one of these tags (none: all), in the order of the page"
        for child in self.children:
            if isinstance(child, Node):
                if not tags or child.tag in tags:
                    yield child
                yield from child.elements(*tags)


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open = [Node("")]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        for depth in range(len(self.open) - 1, 0, -1):
            if self.open[depth].tag == tag:
                del self.open[depth:]
                return

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def parse(html: str) -> Node:
    "HTML as a tree, under a node without a tag"
    builder = _Builder()
    builder.feed(html)
    builder.close()
    return builder.open[0]


# ---- blocks


def to_markdown(html: str) -> str:
    "HTML as Markdown: paragraphs, lists, tables, and words for the pictures"
    return "\n\n".join(_blocks(parse(html)))


def _blocks(node: Node) -> list[str]:
    "What is in an element, block by block; text between blocks is a paragraph of its own"
    blocks: list[str] = []
    run: list[Node | str] = []
    for child in [*node.children, None]:
        if isinstance(child, str) or (child and _is_inline(child)):
            run.append(child)
            continue
        text = _inline(run)
        if text:
            blocks.append(text)
        run = []
        if child:
            blocks += _block(child)
    return blocks


def _is_inline(node: Node) -> bool:
    return node.tag in INLINE and not any(
        one.tag not in INLINE and one.tag not in LEFT_OUT for one in node.elements()
    )


def _block(node: Node) -> list[str]:
    if node.tag in LEFT_OUT or node.tag == "hr" or node.given.get("aria-hidden") == "true":
        return []
    if node.tag in ("img", "svg") or node.given.get("role") == "img":
        return _picture(node)
    if node.tag == "table":
        return _table(node)
    if node.tag == "details":
        return _fold(node)
    if node.tag in ("ul", "ol"):
        return _list(node)
    if node.tag == "pre":
        return [fence(_all_text(node))]
    if node.tag == "blockquote":
        quoted = "\n\n".join(_blocks(node))
        return ["\n".join(f"> {line}".rstrip() for line in quoted.splitlines())]
    if re.fullmatch("h[1-6]|summary|caption|figcaption", node.tag):
        text = _inline(node.children)
        return [f"**{text}**"] if text else []
    if _question(node):
        return _guess(node)
    return _blocks(node)


def _picture(node: Node) -> list[str]:
    "A picture in words; one without a description says nothing"
    words = node.given.get("alt") or node.given.get("aria-label")
    if not words:
        words = " ".join(_all_text(one) for one in node.elements("title"))
    return [picture(words)] if words.strip() else []


def picture(
    words: str,  # what it shows
) -> str:
    "The line that stands for a picture"
    words = _one_line(_escaped(words))
    end = "" if words.endswith((".", "!", "?")) else "."
    return f"Picture: {words}{end}"


def _fold(node: Node) -> list[str]:
    "What is folded away stands open, under the words that are to be clicked"
    heads = [_inline(one.children) for one in node.elements("summary")]
    body = Node("", {}, [child for child in node.children if not _is_summary(child)])
    return [*(f"**{head}**" for head in heads[:1] if head), *_blocks(body)]


def _is_summary(child: Node | str) -> bool:
    return isinstance(child, Node) and child.tag == "summary"


def _list(node: Node) -> list[str]:
    items = [child for child in node.children if isinstance(child, Node) and child.tag == "li"]
    lines = []
    for number, item in enumerate(items, start=1):
        mark = f"{number}. " if node.tag == "ol" else "- "
        text = "\n\n".join(_blocks(item))
        lines.append(mark + text.replace("\n", "\n" + " " * len(mark)))
    return ["\n".join(re.sub(r"(?m)[ ]+$", "", line) for line in lines)] if lines else []


def fence(
    text: str,
    language: str = "",
) -> str:
    "Text that is shown as it is; nothing for nothing"
    if not text.strip():
        return ""
    longest = max(map(len, re.findall("`+", text)), default=0)
    marks = "`" * max(3, longest + 1)
    return f"{marks}{language}\n{text.strip(chr(10))}\n{marks}"


# ---- text in a line

MARKS = {"strong": "**", "b": "**", "em": "*", "i": "*"}


def _inline(children: list[Node | str]) -> str:
    "Text with its emphasis and its links, in one line"
    return _one_line("".join(_piece(child) for child in children))


def _piece(child: Node | str) -> str:
    if isinstance(child, str):
        return _escaped(child)
    if child.tag in LEFT_OUT or child.given.get("aria-hidden") == "true":
        return ""
    if child.tag in ("img", "svg"):
        return _escaped(child.given.get("alt") or child.given.get("aria-label") or "")
    if child.tag == "br":
        return " "
    if child.tag in ("code", "kbd", "samp"):
        return f"`{_one_line(_all_text(child))}`"
    text = "".join(_piece(one) for one in child.children)
    if child.tag in MARKS and text.strip():
        return f"{MARKS[child.tag]}{text.strip()}{MARKS[child.tag]}"
    if child.tag == "a" and re.match(r"https?:|[\w.#/-]+$", child.given.get("href", "")):
        return f"[{text}]({child.given['href']})"
    return text if child.tag in INLINE else f" {text} "


def _all_text(node: Node) -> str:
    return "".join(one if isinstance(one, str) else _all_text(one) for one in node.children)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _escaped(text: str) -> str:
    "Text in which nothing is taken for Markdown, nor for HTML"
    text = re.sub(r"[\\`*<]", r"\\\g<0>", text)
    text = re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", text)  # inside a name it stands for itself
    return text.replace("](", r"]\(")


# ---- tables

Grid = list[list[str]]
NUMBER = re.compile(r"[+\-\N{MINUS SIGN}\N{PLUS-MINUS SIGN}]?\d[\d.,]*\b")


def _table(node: Node) -> list[str]:
    "The caption, and the table with one row of headers"
    captions = [_inline(one.children) for one in node.elements("caption")]
    head, body = table_cells(node)
    lines = [_row(head), _row(_rules(body, len(head))), *map(_row, body)]
    return [*captions, "\n".join(lines)] if head else captions


def table_cells(
    node: Node,  # a table
) -> tuple[list[str], Grid]:  # the headers, and the rows under them
    "The text of each cell. A cell that spans several places stands in each of them"
    rows = list(node.elements("tr"))
    grid = _grid(rows)
    n_heads = 0
    while n_heads < len(rows) and _is_head(rows[n_heads]):
        n_heads += 1
    width = max(map(len, grid), default=0)
    grid = [row + [""] * (width - len(row)) for row in grid]
    columns = [
        list(dict.fromkeys(filter(None, column))) for column in zip(*grid[:n_heads], strict=True)
    ]
    head = [" \N{MIDDLE DOT} ".join(words) for words in columns] or [""] * width
    kept = [i for i in range(width) if head[i] or any(row[i] for row in grid)]
    return [head[i] for i in kept], [[row[i] for i in kept] for row in grid[n_heads:]]


def _is_head(row: Node) -> bool:
    cells = [child.tag for child in row.children if isinstance(child, Node)]
    return bool(cells) and set(cells) == {"th"}


def _grid(rows: list[Node]) -> Grid:
    places: dict[tuple[int, int], str] = {}
    for i, row in enumerate(rows):
        column = 0
        for cell in row.children:
            if not isinstance(cell, Node) or cell.tag not in ("td", "th"):
                continue
            while (i, column) in places:
                column += 1
            down, right = (int(cell.given.get(span) or 1) for span in ("rowspan", "colspan"))
            text = _inline(cell.children)
            for at in ((i + a, column + b) for a in range(down) for b in range(right)):
                places[at] = text
            column += 1
    widths = [max((c + 1 for r, c in places if r == i), default=0) for i in range(len(rows))]
    return [[places.get((i, c), "") for c in range(width)] for i, width in enumerate(widths)]


def _rules(body: Grid, width: int) -> list[str]:
    "The line under the headers, which sets columns of numbers to the right"
    columns = list(zip(*body, strict=True)) or [()] * width
    return ["---:" if _are_numbers(column) else "---" for column in columns]


def _are_numbers(column: tuple[str, ...]) -> bool:
    filled = [cell for cell in column if cell]
    return bool(filled) and all(NUMBER.match(cell) for cell in filled)


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


# ---- guesses
#
# A guess stores its question, and folded under it what happened, as a table: one number, or a row
# for each class or round. Both become sentences, and a table of more than one number stays.

ASKED = "**Question:**"
ANSWERED = "what happened"  # how the words end under which an answer is folded


def _question(node: Node) -> Node | None:
    "The folded answer of a guess; None where an element is none"
    folds = [one for one in node.children if isinstance(one, Node) and one.tag == "details"]
    for fold in folds:
        if any(_all_text(one).endswith(ANSWERED) for one in fold.elements("summary")):
            return fold
    return None


def _guess(node: Node) -> list[str]:
    blocks: list[str] = []
    for child in node.children:
        if not isinstance(child, Node):
            continue
        if child is _question(node):
            blocks += _answer(next(child.elements("table")))
        elif child.tag == "p" and not blocks:
            blocks.append(f"{ASKED} {_one_line(_escaped(_all_text(child)))}")
        else:
            blocks += _block(child)
    return blocks


def _answer(table: Node) -> list[str]:
    head, body = table_cells(table)
    if len(head) == 1:
        return [f"**What happened:** {body[0][0]}"]
    counted = all(NUMBER.fullmatch(row[0]) for row in body)  # rounds, and no classes
    if counted:
        ends = [f"{{}} at {head[0]} {row[0]}" for row in (body[0], body[-1])]
    else:
        ends = [f"{{}} ({row[0]})" for row in (body[0], body[-1])]
    parts = []
    for i in range(1, len(head)):
        first, last = ends[0].format(body[0][i]), ends[1].format(body[-1][i])
        parts.append(f"{head[i]} from {first} to {last}")
    return [f"**What happened:** {'; '.join(parts)}.", *_table(table)]
