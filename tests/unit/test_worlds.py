"""The worlds draw what the pocket CLIP was trained on, and kept drawings follow the code."""

import hashlib
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from pseudolab.clip.pocket import POCKET_WEIGHTS
from pseudolab.data.pocket import draw_split
from pseudolab.data.worlds.brush import drawing_digest, likeness, looks_like
from pseudolab.data.worlds.corpus import WORLDS
from pseudolab.io import read_json

CARD = read_json(POCKET_WEIGHTS.with_suffix(".json"))
BY_NAME = {world.name: world for world in WORLDS}


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_a_world_looks_as_it_did_in_training(world):
    kept = CARD["likeness"][world.name]
    assert looks_like(world, kept)
    other = likeness(world).astype(int)
    other[0, 0, 0] += 2
    assert not looks_like(world, other.astype(np.uint8).tobytes().hex())


# SHA-256 of the pixels of the first pictures of a world
PIXELS = {
    "flowers": "cd0a8056d9d5cc71",
    "landuse": "1d6025f2542e2273",
    "aircraft": "e35a670feca7410f",
    "satellite": "196b70e61eb92087",
    "textures": "b852a927702c0474",
    "digits": "9ff96324703b7432",
}


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_a_world_draws_the_same_pixels_with_every_version(world):
    """With NumPy 1 and 2 and every Pillow that pyproject.toml allows (lowest.sh runs this, too)"""
    digest = hashlib.sha256()
    for label, name in enumerate(world.classes):
        for at, shift in enumerate((0.0, 0.35, 0.7)):
            picture = world.draw(np.random.default_rng([7, label, at]), name, shift)
            digest.update(np.asarray(picture).tobytes())
    assert digest.hexdigest()[:16] == PIXELS[world.name]


def edited(monkeypatch, file: str, change: str):
    "From now on a file of the drawing code reads as if it ended with `change`"
    real = Path.read_text

    def read(path, *given, **options):
        text = real(path, *given, **options)
        return text + change if path.name == file else text

    monkeypatch.setattr(Path, "read_text", read)


@pytest.mark.parametrize(
    ("world", "file"),
    [
        ("flowers", "flowers.py"),
        ("flowers", "brush.py"),
        # a low aeroplane paints with the satellite's scene
        ("landuse", "satellite.py"),
    ],
)
def test_the_digest_of_the_drawings_follows_the_code(monkeypatch, world, file):
    before = drawing_digest(BY_NAME[world])
    edited(monkeypatch, file, "\n# a remark\n")
    assert drawing_digest(BY_NAME[world]) == before
    edited(monkeypatch, file, "\nANOTHER = 1\n")
    assert drawing_digest(BY_NAME[world]) != before


def test_the_digest_of_one_world_leaves_the_others_alone(monkeypatch):
    before = drawing_digest(BY_NAME["textures"])
    edited(monkeypatch, "flowers.py", "\nANOTHER = 1\n")
    assert drawing_digest(BY_NAME["textures"]) == before


# what processors and libraries round differently; sums, products and roots are exact everywhere
ROUNDED = ("sin", "cos", "tan", "arctan2", "hypot", "exp", "log", "power")


class ShakenNumpy(ModuleType):
    "numpy whose functions of `ROUNDED` are off in the last bit, as on another processor"

    def __init__(self):
        super().__init__("numpy")
        self.random_bits = np.random.default_rng(0)

    def __getattr__(self, name):
        function = getattr(np, name)
        return self.shaken(function) if name in ROUNDED else function

    def shaken(self, function):
        def off_by_a_bit(*given, **options):
            exact = np.asarray(function(*given, **options))
            steps = self.random_bits.integers(-1, 2, exact.shape).astype(exact.dtype)
            moved = np.nextafter(exact, exact + steps)
            return np.where(exact == 0, exact, moved)[()]

        return off_by_a_bit


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_the_last_bit_of_a_sine_changes_no_picture(monkeypatch, world):
    "A processor with AVX-512 drew 5 of 150 textures otherwise, as long as they were in float32"
    expected = draw_split(world, "test", 3, 1.0, 0)["pixels"]
    shaken = ShakenNumpy()
    for name, module in list(sys.modules.items()):
        if name.startswith("pseudolab.data.worlds") and hasattr(module, "np"):
            monkeypatch.setattr(module, "np", shaken)
    drawn = draw_split(world, "test", 3, 1.0, 0)["pixels"]
    assert np.array_equal(drawn, expected)
