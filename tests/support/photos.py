"""Small pictures as files, and folders of them."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zlib import crc32

from PIL import Image

from pseudolab.data.images import ImageSet


def picture(path: Path, color=(200, 30, 40), size=(12, 9), **save: Any) -> Path:
    "A picture of one colour; its folder is made if it is missing"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path, **save)
    return path


def folder_of(root: Path, **classes: int) -> Path:
    "A folder with so many pictures per class, each of its own colour"
    for name, count in classes.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            colour = crc32(f"{root.name}/{name}".encode()) % 256
            picture(root / name / f"{i}.png", (i, colour, len(name)))
    return root


def names_of(images: ImageSet) -> list[str]:
    "What the files are called"
    assert images.paths is not None, "these images are no files"
    return [path.name for path in images.paths]


def quietly(call: Callable, *given: Any, **options: Any) -> Any:
    "What a call returns, without its warnings"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(*given, **options)
