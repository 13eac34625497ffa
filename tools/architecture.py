"""Draw the rooms of the package and who imports whom.

    python tools/architecture.py            write tools/architecture.svg
    python tools/architecture.py --check    write nothing; say whether it is stale

The rooms and their order are those of the contract in pyproject.toml, which import-linter holds.
The arrows are the imports that grimp finds in the code, those inside functions included. An arrow
leads from a room to one that it imports: down, since a room imports only those below it. An arrow
upward is drawn in another colour, dashed, and named.
"""

import argparse
import ast
import html
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "pseudolab"
PICTURE = Path(__file__).with_suffix(".svg")
COMMAND = "python tools/architecture.py"

Arrow = tuple[str, str]  # from a room to one that it imports

# What stands alone says here what it is for; a package says it in its docstring
MODULES = {
    "io": "Files written whole or not at all, and features kept on disk.",
    "settings": "settings.ini: which CLIP, which task, which recipe, where to compute.",
}


# ---- what there is to draw


@dataclass(frozen=True)
class Room:
    "A package, or a module that stands alone"

    name: str
    sentence: str  # what it holds


def rooms() -> list[Room]:
    "The rooms from the top down: each imports only those below it"
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = settings["tool"]["importlinter"]["contracts"]
    names = [layer.removeprefix(f"{PACKAGE}.") for layer in contract["layers"]]
    return [Room(name, _sentence(name)) for name in names]


def _sentence(room: str) -> str:
    "The first line of a package's docstring"
    if room in MODULES:
        return MODULES[room]
    file = ROOT / PACKAGE / room / "__init__.py"
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return docstring.split("\n\n")[0].replace("\n", " ").strip()


def arrows() -> set[Arrow]:
    "Every pair of rooms of which the first imports the second"
    import grimp

    sys.path.insert(0, str(ROOT))  # this checkout, whichever is installed
    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    found = set()
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            pair = (_room_of(module), _room_of(imported))
            if all(pair) and pair[0] != pair[1]:
                found.add(pair)
    return found


def _room_of(module: str) -> str:
    "The room of a module; empty for the package itself"
    return (module.split(".") + [""])[1]


def upward(order: list[str], found: set[Arrow]) -> set[Arrow]:
    "The arrows that lead from a room to one above it"
    return {(start, end) for start, end in found if order.index(start) > order.index(end)}


# ---- the picture

LEFT = 150  # of the boxes; before them stands the arrow upward with its words
BOX = (560, 52)  # width and height of a room
STEP = 78  # from one room to the next
TOP = 24
LANE = 26  # between two arcs
END = 4  # between the ends of two arcs
NOTE = ("Run.explore,", "report, export:", "when called")
STYLE = """
  .paper { fill: #ffffff; } .box { fill: #f4f5f7; stroke: #8a9099; }
  text { font-family: system-ui, "Segoe UI", Roboto, "Liberation Sans", sans-serif; fill: #1f2328; }
  .name { font-size: 17px; font-weight: 650; } .sentence { font-size: 13px; }
  .down { stroke: #0072b2; } .down-head { fill: #0072b2; }
  .up { stroke: #c04a00; stroke-dasharray: 6 4; } .up-head { fill: #c04a00; }
  .note { font-size: 12.5px; fill: #a33f00; }
  path { fill: none; stroke-width: 1.6; }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #16191d; } .box { fill: #23282e; stroke: #6d7681; } text { fill: #e6e8eb; }
    .down { stroke: #56b4e9; } .down-head { fill: #56b4e9; }
    .up { stroke: #f0a35e; } .up-head { fill: #f0a35e; } .note { fill: #f0a35e; }
  }
"""


def alt_text(order: list[str], found: set[Arrow]) -> str:
    "The picture in words"
    exceptions = sorted(upward(order, found))
    named = "; ".join(f"{start} to {end}" for start, end in exceptions) or "none"
    return (
        f"The rooms of {PACKAGE} from top to bottom: {', '.join(order)}. Each imports only rooms"
        f" below it. Arrows upward: {named}, inside functions."
    )


def draw(all_rooms: list[Room], found: set[Arrow]) -> str:
    "The picture as SVG"
    order = [room.name for room in all_rooms]
    spans = [abs(order.index(start) - order.index(end)) for start, end in found]
    width = LEFT + BOX[0] + LANE * max(spans) + 40
    height = TOP * 2 + STEP * (len(order) - 1) + BOX[1]
    words = html.escape(alt_text(order, found))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"'
        f' aria-labelledby="words">',
        f'<title id="words">{words}</title>',
        f"<style>{STYLE}</style>",
        _arrow_head("down"),
        _arrow_head("up"),
        f'<rect class="paper" width="{width}" height="{height}" rx="10"/>',
        *(_box(room, order.index(room.name)) for room in all_rooms),
        *(_arrow(order.index(start), order.index(end)) for start, end in sorted(found)),
    ]
    return "\n".join([*parts, "</svg>", ""])


def _arrow_head(kind: str) -> str:
    return (
        f'<marker id="{kind}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7"'
        f' markerHeight="7" orient="auto-start-reverse">'
        f'<polygon class="{kind}-head" points="0,0.5 8,4 0,7.5"/></marker>'
    )


def _box(room: Room, at: int) -> str:
    y = TOP + STEP * at
    width, height = BOX
    return "\n".join(
        [
            f'<rect class="box" x="{LEFT}" y="{y}" width="{width}" height="{height}" rx="7"/>',
            f'<text class="name" x="{LEFT + 14}" y="{y + 22}">{html.escape(room.name)}</text>',
            f'<text class="sentence" x="{LEFT + 14}" y="{y + 41}">{html.escape(room.sentence)}'
            "</text>",
        ]
    )


def _arrow(start: int, end: int) -> str:
    "Down: straight to the next room, around on the right to any other. Up: around on the left"
    if end < start:
        return _arrow_upward(start, end)
    if end == start + 1:
        x = LEFT + BOX[0] / 2
        y = TOP + STEP * start + BOX[1]
        return _path("down", f"M{x:g} {y} V{y + STEP - BOX[1] - 1}")
    # leaving below the middle of a box and arriving above it, so that few ends meet
    span = end - start
    x = LEFT + BOX[0]
    leave = TOP + STEP * start + BOX[1] / 2 + END * (span - 1)
    arrive = TOP + STEP * end + BOX[1] / 2 - END * (span - 1)
    bend = x + LANE * span
    return _path("down", f"M{x} {leave:g} C{bend} {leave:g} {bend} {arrive:g} {x + 1} {arrive:g}")


def _arrow_upward(start: int, end: int) -> str:
    leave = TOP + STEP * start + BOX[1] / 2
    arrive = TOP + STEP * end + BOX[1] / 2
    bend = LEFT - 56
    curve = f"M{LEFT} {leave:g} C{bend} {leave:g} {bend} {arrive:g} {LEFT - 1} {arrive:g}"
    middle = (leave + arrive) / 2 - 14
    place = f'class="note" text-anchor="end" x="{bend + 6}"'
    lines = [
        f'<text {place} y="{middle + 17 * at:g}">{line}</text>' for at, line in enumerate(NOTE)
    ]
    return "\n".join([_path("up", curve), *lines])


def _path(kind: str, curve: str) -> str:
    return f'<path class="{kind}" d="{curve}" marker-end="url(#{kind})"/>'


# ---- the command


def picture() -> str:
    "The picture of today's code"
    return draw(rooms(), arrows())


def main(
    arguments: list[str] | None = None,  # None: those of the command line
) -> int:
    "Draw the rooms of the package, or check that the picture is fresh"
    parser = argparse.ArgumentParser(prog=COMMAND, description=main.__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 if the picture is stale"
    )
    options = parser.parse_args(arguments)
    made = picture()
    fresh = PICTURE.is_file() and PICTURE.read_text(encoding="utf-8") == made
    if options.check:
        print(f"{PICTURE.name} is {'fresh' if fresh else f'stale; draw it with: {COMMAND}'}")
        return int(not fresh)
    PICTURE.write_text(made, encoding="utf-8")
    print(PICTURE.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
