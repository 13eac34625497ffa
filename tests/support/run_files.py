"""Files of runs that were damaged: one value at a time, or byte by byte. Python and the page must
say the same of each.
"""

import base64
import json
import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import numpy as np

from pseudolab.views.html import pack
from pseudolab.views.run_file import unpacked

Place = tuple[str | int, ...]
Edit = tuple[str, Place, Any]  # what is done, where, and the value

DEEP: Any = 1
for _ in range(50):
    DEEP = [DEEP]
VALUES = (None, True, -1, 0.5, 7, 10**6, 2**53 + 2, 1e300, "x", "", "\ud800", [], [1], {}, DEEP)


def value_at(data: Any, place: Place) -> Any:
    for step in place:
        data = data[step]
    return data


def places(data: Any, place: Place = ()) -> Iterator[Place]:
    "Every value in a file; of a list the last item alone"
    if place:
        yield place
    if isinstance(data, dict):
        for name in data:
            yield from places(data[name], (*place, name))
    elif isinstance(data, list):
        if data:
            yield from places(data[-1], (*place, len(data) - 1))


def edits(data: dict[str, Any]) -> list[Edit]:
    "Every damage of a single value"
    made: list[Edit] = []
    for place in places(data):
        old = value_at(data, place)
        made += [("put", place, value) for value in VALUES]
        made.append(("drop", place, None))
        if isinstance(old, dict):
            made.append(("put", (*place, "<b>other</b>"), 1))
            made.append(("put", (*place, "__proto__"), {"a": 1}))
        if isinstance(old, list):
            made += [("put", place, old[:-1]), ("put", place, [*old, *old[-1:]])]
            made.append(("put", place, old[::-1]))
        if isinstance(old, (int, float)) and not isinstance(old, bool):
            made += [("put", place, old + step) for step in (-1, 1, 0.25, 1000)]
        if isinstance(old, dict) and set(old) == {"type", "data"}:
            made += [("put", place, wrong) for wrong in _packed_otherwise(old)]
    return made + _cases(data)


def _packed_otherwise(old: dict[str, str]) -> Iterator[dict[str, str]]:
    numbers, kind = unpacked(old), old["type"]
    assert numbers is not None
    for wrong in (numbers[:-1], np.append(numbers, numbers[:1]), numbers[::-1], numbers[:0]):
        yield pack(wrong, kind)
    for number in (0, 1, 100, 127):
        yield pack(np.full_like(numbers, number), kind)
    for text in (old["data"][:-1], old["data"][:-4], "*" + old["data"][1:], old["data"] + "="):
        yield {"type": kind, "data": text}
    for other in ("u1", "u2", "i2", "f4"):
        yield {"type": other, "data": old["data"]}


def _cases(data: dict[str, Any]) -> list[Edit]:
    "What no single wrong value brings about"
    pictures = data["pool"]["pictures"]
    start, _, rest = pictures["src"].partition(",")
    sources = (
        "http://127.0.0.1:9/x.webp",
        "javascript:alert(1)",
        f"{start},{rest[:-8]}",
        f"{start},{rest[:-4]}AAA)",
        f"{start},{'AAAA' * 40}",
        f"data:image/svg+xml;base64,{rest}",
        pictures["src"] + '"); background:url(//x',
        f"{'x' * len(start)},{rest}",
        f"{start},{_other_bytes(rest, 28)}",  # another height
        f"{start},{_other_bytes(rest, 0)}",
    )
    shapes = [{"size": 56}, {"size": pictures["size"] - 1}, {"columns": pictures["columns"] + 1}]
    n_classes = len(data["classes"])
    return [
        *(("put", ("pool", "pictures", "src"), source) for source in sources),
        *(("put", ("pool", "pictures"), pictures | shape) for shape in shapes),
        ("put", ("classes",), ["same"] * n_classes),
        ("put", ("unseen",), [0]),
        ("put", ("unseen",), [0, 0]),
        ("put", ("unseen",), [n_classes]),
        ("put", ("rounds",), [1] * 10_001),
        ("put", ("pool",), None),
        ("put", ("rounds", 1, "low"), [1.0] * n_classes),
        ("put", ("rounds", 1, "high"), [0.0] * n_classes),
        ("put", ("rounds", 1, "accuracy"), [None] * n_classes),
        *(("put", (name,), "a" * 10_001) for name in ("title", "about", "metric", "start")),
    ]


def _other_bytes(letters: str, at: int) -> str:
    "Base64 of the same bytes but one"
    content = bytearray(base64.b64decode(letters))
    content[at] ^= 1
    return base64.b64encode(content).decode()


def edited(data: dict[str, Any], edit: Edit) -> dict[str, Any]:
    "The file with one value changed or taken out"
    kind, place, value = edit
    made = deepcopy(data)
    at = value_at(made, place[:-1])
    if kind == "put":
        at[place[-1]] = value
    else:
        del at[place[-1]]
    return made


def text_of(data: Any) -> str:
    "JSON as somebody who damages a file writes it"
    return json.dumps(data, ensure_ascii=True)


def damaged_bytes(content: bytes, rng: np.random.Generator) -> dict[str, bytes]:
    "What a bad disk, a torn line or another program makes of a file"
    made = {
        "empty": b"",
        "a brace": b"{",
        "a list": b"[1, 2]",
        "null": b"null",
        "a number": b"7",
        "NaN": content.replace(b'"k":0', b'"k":NaN'),
        "infinite": content.replace(b'"k":0', b'"k":1e999'),
        "deep": b"[" * 100_000,
        "deep and closed": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        "utf-16": content.decode().encode("utf-16"),
        "latin-1": '{"kind":"pseudolab run","title":"\xe9"}'.encode("latin-1"),
        "zeros": bytes(1000),
        "a space more": content + b" ",
        "written twice": content + content,
        "pretty": json.dumps(json.loads(content), indent=1).encode(),
        "other seal": re.sub(rb'"seal":"[0-9a-f]{8}"', b'"seal":"00000000"', content),
        "no hexadecimal": re.sub(rb'"seal":"[0-9a-f]{8}"', b'"seal":"zzzzzzzz"', content),
    }
    for at in rng.integers(len(content), size=20):
        made[f"cut to {at}"] = content[:at]
    # the head byte by byte, and places anywhere
    for at in [*range(24), *rng.integers(len(content), size=100)]:
        flipped = bytearray(content)
        flipped[at] ^= 1 << int(rng.integers(8))
        made[f"a bit at {at}"] = bytes(flipped)
    return made


def without_values(sentence: str) -> str:
    "A sentence without the value that was given: each language writes it in its own way"
    sentence = re.sub(r" is .*; expected", " is ...; expected", sentence, flags=re.DOTALL)
    return re.sub(r"has an unknown .*", "has an unknown name", sentence, flags=re.DOTALL)
