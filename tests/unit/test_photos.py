"""Real photos, real habits: whatever pictures come as, and however folders are kept, the answer is
the right one or a sentence that says what to do."""

import csv
import json
import os
import shutil
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torchvision import transforms
from typer.testing import CliRunner

import pseudolab
from pseudolab.cli.app import app
from pseudolab.cli.inputs import check_file, pick_task, read_class_names
from pseudolab.cli.options import TaskOptions
from pseudolab.cli.predict import find_images
from pseudolab.cli.results import write_predictions, write_rows
from pseudolab.clip import pictures
from pseudolab.clip.loading import load_clip
from pseudolab.clip.pictures import THINNEST, read_image, upright_rgb
from pseudolab.data import images as images_module
from pseudolab.data.folder import readable_name
from pseudolab.data.images import Images, ImageSet, is_image_file
from pseudolab.data.tasks import load_task
from pseudolab.method.prompts.base import TemplatePrompt
from pseudolab.method.prompts.multimodal import MultimodalPrompt
from pseudolab.method.prompts.text import TextPrompt
from pseudolab.method.prompts.visual import VisualPrompt
from pseudolab.method.run import load_round, save_round
from pseudolab.settings import read_settings
from support import ROOT
from support.photos import folder_of, picture, quietly

FAILING = ROOT.parent / "shared" / "data" / "failing"

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def clip():
    return pseudolab.load_clip()


def failing(name: str) -> Path:
    "One of the inputs that people brought"
    if not (FAILING / name).exists():
        pytest.skip(f"needs {FAILING / name}")
    return FAILING / name


def said_by(answer: Any) -> str:
    "What a command printed or raised, in one line"
    return f"{answer.output} {answer.exception}".replace("\n", "")


def noise(seed: int = 0, size: tuple[int, int] = (40, 30)) -> np.ndarray:
    "Coarse coloured squares, uint8 (height, width, 3)"
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (4, 5, 3), dtype=np.uint8)
    large = Image.fromarray(small).resize(size, Image.Resampling.NEAREST)
    return np.asarray(large)


def warned(call: Callable, *given: Any, **options: Any) -> tuple[Any, str]:
    "What a call returns, and its warnings in one text"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = call(*given, **options)
    return found, "\n".join(str(one.message) for one in caught)


# --- one path for pictures


def save_turned(path: Path) -> None:
    note = Image.Exif()
    note[0x0112] = 6
    Image.fromarray(noise()).save(path, exif=note)


def save_half_clear(path: Path) -> None:
    rgba = np.dstack([noise(), np.full((30, 40), 60, np.uint8)])
    rgba[:, :20, 3] = 0
    Image.fromarray(rgba).save(path)


def save_clear_colour(path: Path) -> None:
    clear = Image.fromarray(noise()).quantize(16)
    clear.save(path, transparency=bytes([0, 90] * 8))


def save_grey_16(path: Path) -> None:
    grey = noise()[..., 0].astype(np.uint16)
    grey[0, 0] = 255
    Image.fromarray(grey * 257).save(path)


ODD = {
    "turned.png": save_turned,
    "half.png": save_half_clear,
    "clear.png": save_clear_colour,
    "deep.png": save_grey_16,
    "deep.tif": save_grey_16,
}


@pytest.mark.parametrize("name", ODD)
def test_a_file_and_its_opened_picture_are_one_picture_on_every_way(tmp_path, clip, name):
    path = tmp_path / name
    ODD[name](path)
    wanted = np.asarray(read_image(path))
    ways = {
        "the collection": clip.pixels(Images([path])),
        "the path": clip.pixels(path),
        "paths": clip.pixels([str(path)]),
        "opened": clip.pixels(Image.open(path)),
        "opened in a list": clip.pixels([Image.open(path)]),
        "read": clip.pixels(read_image(path)),
        "preprocess": clip.preprocess(Image.open(path))[None].to(clip.dtype),
        "the bytes": clip.pixels({"bytes": path.read_bytes(), "path": None}),
        "as an array": clip.pixels(wanted),
    }
    for way, pixels in ways.items():
        assert torch.equal(pixels, ways["the collection"]), way
    if "deep" not in name:  # and that is not what a plain conversion makes of it
        plain = np.asarray(Image.open(path).convert("RGB"))
        assert plain.shape != wanted.shape or (plain != wanted).any()


def test_patches_take_the_same_path(tmp_path, clip):
    save_half_clear(tmp_path / "half.png")
    from_file = clip.patches(Images([tmp_path / "half.png"])).patches()
    with Image.open(tmp_path / "half.png") as opened:
        assert torch.equal(clip.embed_patches([opened]), from_file)
        assert torch.equal(clip.patches([opened]), from_file)


def test_a_preprocessing_of_ones_own_is_given_upright_rgb(tmp_path, clip, monkeypatch):
    save_half_clear(tmp_path / "half.png")
    known = clip.pixels(tmp_path / "half.png")
    steps = clip.preprocess.transforms
    own = transforms.Compose(steps)
    monkeypatch.setattr(clip, "preprocess", lambda one: own(one))
    with Image.open(tmp_path / "half.png") as opened:
        assert torch.equal(clip.pixels(opened), known)


def test_a_plain_picture_is_passed_on_as_it_is():
    drawn = Image.fromarray(noise())
    assert upright_rgb(drawn) is drawn
    before = drawn.tobytes()
    upright_rgb(Image.fromarray(noise()).convert("RGBA"))
    assert drawn.tobytes() == before


@pytest.mark.parametrize(
    "name", ["transparent.png", "la.png", "pal.png", "gray16.png", "exif6.jpg"]
)
def test_the_odd_files_that_people_brought_have_one_answer(clip, name):
    path = failing("modes") / name
    by_file, opened = clip.encode_images(Images([path])), clip.encode_images(Image.open(path))
    assert torch.equal(by_file, opened)


# --- grey values of fewer bits than their files have room for


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("kind", ["png", "tif", "i32.tif"])
def test_grey_of_any_depth_is_the_picture_and_a_guess_is_warned_of(tmp_path, bits, kind):
    ramp = np.linspace(0, 255, 300).astype(np.uint8).reshape(15, 20)
    deep = ramp.astype(np.int64) << (bits - 8)
    values = deep.astype(np.int32 if kind.startswith("i32") else np.uint16)
    path = tmp_path / f"x.{kind}"
    Image.fromarray(values).save(path)
    found, said = warned(read_image, path)
    assert (np.asarray(found) == ramp[..., None]).all()
    assert (f"{bits} bits" in said) == (bits < 16)
    opened, said = warned(upright_rgb, Image.open(path))
    assert (np.asarray(opened) == ramp[..., None]).all() and bool(said) == (bits < 16)


def test_what_a_tiff_states_of_its_depth_goes_before_a_guess(tmp_path):
    dark = np.full((6, 6), 200, np.uint16)  # a dark picture of 12 bits
    Image.fromarray(dark).save(tmp_path / "x.tif", tiffinfo={281: 4095})
    found, said = warned(read_image, tmp_path / "x.tif")
    assert found.getpixel((0, 0)) == (200 >> 4,) * 3 and not said
    # a file that states less than it holds is not believed
    Image.fromarray(dark * 50).save(tmp_path / "x.tif", tiffinfo={281: 4095})
    found, said = warned(read_image, tmp_path / "x.tif")
    assert found.getpixel((0, 0)) == (10_000 >> 6,) * 3 and "14 bits" in said


def test_black_stays_black_and_impossible_values_are_refused():
    black, said = warned(upright_rgb, Image.fromarray(np.zeros((4, 4), np.uint16)))
    assert black.getpixel((0, 0)) == (0, 0, 0) and not said
    for values in (np.full((4, 4), 65536, np.int32), np.full((4, 4), -1, np.int32)):
        with pytest.raises(ValueError, match="beyond 16 bits"):
            upright_rgb(Image.fromarray(values))


def test_a_folder_counts_the_pictures_whose_depth_was_guessed(tmp_path):
    folder_of(tmp_path, cat=3, dog=3)
    for i in range(2):
        values = np.full((9, 12), 4095 - i, np.uint16)
        Image.fromarray(values).save(tmp_path / "cat" / f"scan {i}.png")
    task, said = warned(load_task, "folder", root=tmp_path)
    assert len(task.train) + len(task.test) == 8
    assert "2 files" in said and "12 bits" in said and "scan 0.png" in said


@pytest.mark.parametrize("name", ["gray12.png", "gray8in16.png", "i32.tif"])
def test_the_scans_that_people_brought_are_not_black(name):
    found, said = warned(read_image, failing("modes") / name)
    assert np.asarray(found).max() > 200 and "bits" in said


# --- thin pictures


@pytest.mark.parametrize("size", [(200_000, 1), (1, 5_000), (10 * THINNEST + 1, 10)])
def test_a_thin_picture_is_refused_before_anything_is_made_of_it(tmp_path, clip, size):
    strip = Image.new("RGB", size)
    strip.save(tmp_path / "strip.png")
    for given in (strip, [strip], tmp_path / "strip.png", Images([tmp_path / "strip.png"])):
        with pytest.raises(ValueError, match=f"{size[0]} x {size[1]} pixels"):
            clip.encode_images(given)
    with pytest.raises(ValueError, match="times as long as wide"):
        clip.preprocess(strip)


def test_thin_pictures_in_a_folder_are_skipped_with_a_count(tmp_path):
    folder_of(tmp_path, cat=3, dog=3)
    for i, size in enumerate([(80_000_000, 1), (1, 20_000)]):
        Image.new("1", size).save(tmp_path / "cat" / f"thin {i}.png")
    task, said = warned(load_task, "folder", root=tmp_path)
    assert len(task.train) + len(task.test) == 6
    assert (
        "2 files are not an image" in said and "80000000 x 1 pixels" in said and "Skipped" in said
    )
    with pytest.raises(ValueError, match="2 files"):
        load_task("folder", root=tmp_path, strict=True)


def test_a_long_picture_within_the_bound_is_seen(clip):
    assert clip.encode_images(Image.new("RGB", (10 * THINNEST, 10))).shape == (1, clip.embed_dim)


# --- links, pipes, and what else lies in folders


def test_a_link_that_leads_up_adds_nothing_and_ends(tmp_path):
    folder_of(tmp_path, lake=3, river=3)
    (tmp_path / "again").symlink_to(tmp_path)
    (tmp_path / "lake" / "up").symlink_to(tmp_path)
    (tmp_path / "river" / "here").symlink_to(tmp_path / "river")
    assert len(find_images([tmp_path])) == 6
    assert len(find_images([tmp_path, tmp_path / "again" / "lake"])) == 6
    task, said = warned(load_task, "folder", root=tmp_path)
    assert task.class_names == ["lake", "river"] and not said
    assert len(task.train) + len(task.test) == 6


def test_the_linked_loop_that_people_brought(tmp_path):
    shutil.copytree(failing("symlink_loop"), tmp_path / "loop")
    (tmp_path / "loop" / "again").symlink_to(".")
    assert len(find_images([tmp_path / "loop"])) == 4


def test_two_folders_that_link_to_each_other_end(tmp_path):
    folder_of(tmp_path, a=2, b=2)
    (tmp_path / "a" / "other").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "other").symlink_to(tmp_path / "a")
    assert len(find_images([tmp_path])) == 4
    assert len(find_images([tmp_path / "a"])) == 4


def test_a_file_and_a_link_to_it_are_one_picture(tmp_path):
    folder_of(tmp_path, cat=4, dog=4)
    (tmp_path / "cat" / "first.png").symlink_to(tmp_path / "cat" / "3.png")
    (tmp_path / "tomcat").symlink_to(tmp_path / "cat")
    task, said = warned(load_task, "folder", root=tmp_path)
    assert task.class_names == ["cat", "dog"] and "tomcat" in said
    assert len(task.train) + len(task.test) == 8
    assert len(find_images([tmp_path])) == 8


def test_links_to_files_elsewhere_are_pictures(tmp_path):
    folder_of(tmp_path / "store", all=4)
    for i, name in enumerate(["cat", "cat", "dog", "dog"]):
        (tmp_path / "photos" / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / name / f"{i}.png").symlink_to(
            tmp_path / "store" / "all" / f"{i}.png"
        )
    task = load_task("folder", root=tmp_path / "photos")
    assert len(task.train) + len(task.test) == 4


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_is_not_waited_for(tmp_path):
    folder_of(tmp_path, cat=3, dog=3)
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "cat" / "link.png").symlink_to(tmp_path / "pipe.png")
    (tmp_path / "cat" / "nothing.png").symlink_to(tmp_path / "gone.png")
    task, said = warned(load_task, "folder", root=tmp_path)
    assert len(task.train) + len(task.test) == 6 and "nothing.png" in said
    for name in ("pipe.png", "cat/link.png"):
        with pytest.raises(ValueError, match="not a regular file"):
            read_image(tmp_path / name)


def test_what_programs_leave_behind_is_no_class(tmp_path):
    folder_of(tmp_path, cat=3, dog=3)
    for junk in ("__pycache__", "@eaDir", ".ipynb_checkpoints", "__MACOSX"):
        picture(tmp_path / junk / "1.jpg")
        picture(tmp_path / "cat" / junk / "1.jpg")
    (tmp_path / "Thumbs.db").write_bytes(b"no image")
    task, said = warned(load_task, "folder", root=tmp_path)
    assert task.class_names == ["cat", "dog"] and not said
    assert len(task.train) + len(task.test) == len(find_images([tmp_path])) == 6


# --- files that are images and do not look like it, and the reverse


def test_files_without_a_usable_ending_are_read_by_their_first_bytes(tmp_path):
    folder_of(tmp_path, cat=2, dog=2)
    picture(tmp_path / "cat" / "plain", format="JPEG")
    picture(tmp_path / "cat" / "photo.jpg?w=200", (1, 1, 1), format="PNG")
    (tmp_path / "cat" / "README").write_text("about cats")
    (tmp_path / "cat" / "list.txt?w=1").write_text("no image")
    (tmp_path / "cat" / "empty").touch()
    task = load_task("folder", root=tmp_path)
    assert len(task.train) + len(task.test) == 6
    for name, wanted in (("plain", True), ("README", False), ("empty", False)):
        assert is_image_file(tmp_path / "cat" / name) == wanted


@pytest.fixture
def no_plugins(monkeypatch):
    "As if Pillow could read neither HEIC nor JPEG XL nor AVIF"
    known = tuple(name for name in pictures.FORMATS if name not in ("HEIF", "JXL", "AVIF"))
    for module in (pictures, images_module):
        monkeypatch.setattr(module, "readable_formats", lambda: known)


def test_photos_that_need_a_package_are_counted_with_its_name(tmp_path, no_plugins):
    folder_of(tmp_path, cat=2, dog=2)
    for name in ("IMG_1.HEIC", "IMG_2.heic", "a.jxl", "b.AVIF", "raw.CR2"):
        (tmp_path / "cat" / name).write_bytes(b"some photo")
    task, said = warned(load_task, "folder", root=tmp_path)
    assert len(task.train) + len(task.test) == 4
    assert "2 files ending in .heic cannot be read here" in said
    assert 'pip install "pillow-heif"' in said and 'pip install "pillow-jxl-plugin"' in said
    assert "1 file ending in .avif" in said and "'.cr2': 1" in said


def test_a_folder_of_nothing_but_heic_says_what_to_install(tmp_path, no_plugins):
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "IMG_1.HEIC").write_bytes(b"some photo")
    with pytest.raises(ValueError, match="pillow-heif"):
        load_task("folder", root=tmp_path, class_names=["cat", "dog"])


def test_heic_is_read_where_its_package_is_there(tmp_path, monkeypatch):
    "A plugin that registers a reader, as pillow-heif does"

    class Plugin:
        @staticmethod
        def register_heif_opener():
            from PIL.PngImagePlugin import PngImageFile

            Image.register_open("HEIF", PngImageFile, lambda start: start[:4] == b"\x89PNG")

    monkeypatch.setattr(pictures, "find_spec", lambda name: name == "pillow_heif")
    monkeypatch.setattr(pictures, "import_module", lambda name: Plugin)
    pictures.readable_formats.cache_clear()
    try:
        folder_of(tmp_path, cat=2, dog=2)
        picture(tmp_path / "cat" / "IMG_1.HEIC", (9, 9, 9), format="PNG")
        task, said = warned(load_task, "folder", root=tmp_path)
        assert len(task.train) + len(task.test) == 5 and not said
    finally:
        monkeypatch.undo()
        Image.OPEN.pop("HEIF", None)
        Image.ID.remove("HEIF")
        pictures.readable_formats.cache_clear()


def test_the_heic_that_people_brought(no_plugins):
    task, said = warned(load_task, "folder", root=failing("heic_mixed"))
    assert "3 files ending in .heic" in said and len(task.train) + len(task.test) == 4


# --- a test set without a rare class


@pytest.mark.parametrize("is_there", [False, True])
@pytest.mark.parametrize("loose", [False, True])
def test_a_test_set_may_lack_a_rare_class(tmp_path, clip, is_there, loose):
    for name in ("forest", "lake", "river"):
        folder_of(tmp_path / "train", **{name: 3})
        if name != "forest":
            folder_of(tmp_path / "test", **{name: 2})
    if is_there:
        (tmp_path / "test" / "forest").mkdir()
    if loose:
        picture(tmp_path / "test" / "loose.jpg")
    task, said = warned(load_task, "folder", root=tmp_path)
    assert "no image of the classes ['forest']" in said and "NaN" in said
    tuner = pseudolab.PromptTuner(clip, strategy="zero_shot")
    run = tuner.fit(task, progress=False)
    accuracy = run.rounds[0].per_class_accuracy
    assert np.isnan(accuracy).tolist() == [True, False, False] and run.score is not None
    run.report(tmp_path / "report.html")
    frame = run.to_frame()
    assert frame["accuracy"].isna().tolist() == [True, False, False]


def test_a_test_set_may_lose_its_only_image_of_a_class(tmp_path):
    folder_of(tmp_path / "train", cat=2, dog=2)
    folder_of(tmp_path / "test", cat=2, dog=1)
    (tmp_path / "test" / "dog" / "0.png").write_bytes(b"broken")
    task, said = warned(load_task, "folder", root=tmp_path)
    assert task.test.labels.tolist() == [0, 0] and "['dog']" in said


def test_training_images_may_not_lack_a_class(tmp_path):
    folder_of(tmp_path / "train", cat=2)
    folder_of(tmp_path / "test", cat=2, dog=1)
    with pytest.raises(ValueError, match="dog"):
        load_task("folder", root=tmp_path)


def test_the_test_set_that_people_brought():
    task, said = warned(load_task, "folder", root=failing("test_lacks_class"))
    assert "['forest']" in said and set(task.test.labels.tolist()) == {1, 2}


# --- the same picture twice


def test_a_picture_in_train_and_test_is_named_with_both_places(tmp_path):
    folder_of(tmp_path / "train", cat=3, dogs=3)
    folder_of(tmp_path / "test", cat=1, dogs=1)
    _, said = warned(load_task, "folder", root=tmp_path)
    assert not said
    leak = tmp_path / "test" / "cat" / "leak.png"
    leak.write_bytes((tmp_path / "train" / "cat" / "1.png").read_bytes())
    _, said = warned(load_task, "folder", root=tmp_path)
    assert "1 picture is in train and in test alike" in said and "two classes" not in said
    assert f"{tmp_path / 'train' / 'cat' / '1.png'} = {leak}" in said


def test_a_picture_in_two_classes_is_named_with_both_places(tmp_path):
    folder_of(tmp_path, cat=3, dogs=3)
    twin = tmp_path / "dogs" / "twin.png"
    twin.write_bytes((tmp_path / "cat" / "1.png").read_bytes())
    _, said = warned(load_task, "folder", root=tmp_path)
    assert "1 picture is in two classes" in said and str(twin) in said
    assert str(tmp_path / "cat" / "1.png") in said


def test_an_unlabelled_copy_is_no_second_class(tmp_path):
    folder_of(tmp_path / "train", cat=2, dogs=2)
    copy = picture(tmp_path / "train" / "copy.png")
    copy.write_bytes((tmp_path / "train" / "cat" / "1.png").read_bytes())
    _, said = warned(load_task, "folder", root=tmp_path)
    assert "two classes" not in said and "alike" not in said


def test_the_leak_that_people_brought():
    _, said = warned(load_task, "folder", root=failing("leak"))
    assert "in train and in test alike" in said
    assert str(Path("leak") / "train") in said and str(Path("leak") / "test") in said


# --- validation images


@pytest.mark.parametrize("name", ["valid", "val", "validation", "Val"])
def test_a_validation_folder_is_seen_and_named(tmp_path, name):
    folder_of(tmp_path / "train", cat=2, dogs=2)
    folder_of(tmp_path / name, cat=3, dogs=1)
    task, said = warned(load_task, "folder", root=tmp_path)
    assert "4 validation images" in said and "nothing to test on" in said
    assert task.validation is not None and task.validation.labels.tolist() == [0, 0, 0, 1]
    assert len(task.train) == 4 and len(task.test) == 0 and task.class_names == ["cat", "dogs"]


def test_loose_validation_images_do_not_make_classes_of_train_and_val(tmp_path):
    for part in ("train", "val"):
        picture(tmp_path / part / "1.jpg")
    task = quietly(load_task, "folder", root=tmp_path, class_names=["cat", "dog"])
    assert len(task.train) == 1 and task.validation.labels.tolist() == [-1]


def test_a_class_called_val_is_a_class(tmp_path):
    folder_of(tmp_path, bus=2, val=2)
    assert load_task("folder", root=tmp_path).class_names == ["bus", "val"]
    assert load_task("folder", root=tmp_path).validation is None
    folder_of(tmp_path, train=2)
    assert load_task("folder", root=tmp_path).class_names == ["bus", "train", "val"]


def test_a_validation_folder_with_an_unknown_class_is_refused(tmp_path):
    folder_of(tmp_path / "train", cat=2, dogs=2)
    folder_of(tmp_path / "val", cats=2)
    with pytest.raises(ValueError, match='mean "cat"'):
        load_task("folder", root=tmp_path)


def test_the_validation_folder_that_people_brought():
    task, said = warned(load_task, "folder", root=failing("valid_folder"))
    assert task.validation is not None and len(task.validation) and "validation images" in said


# --- readable class names


NAMES = {
    "golden_retriever": "golden retriever",
    "cat-dog": "cat dog",
    "n01440764_tench": "tench",
    "n02099601-golden_retriever": "golden retriever",
    "AnnualCrop": "annual crop",
    "HerbaceousVegetation": "herbaceous vegetation",
    "001.Black_footed_Albatross": "Black footed Albatross",
    "3": "3",
    "2023": "2023",
    "n01440764": "n01440764",
    "McDonald": "McDonald",
    "SUV": "SUV",
    "T-shirt": "T shirt",
    "annual crop land": "annual crop land",
    "Straßen_Bahn": "Straßen Bahn",
    "___": "___",
    "747-400": "747 400",
}


@pytest.mark.parametrize("folder", NAMES)
def test_folder_names_become_words(folder):
    assert readable_name(folder) == NAMES[folder]


def test_what_was_made_of_which_folder_is_said_and_can_be_switched_off(tmp_path):
    folder_of(tmp_path, AnnualCrop=2, golden_retriever=2, lake=2)
    task, said = warned(load_task, "folder", root=tmp_path)
    assert task.class_names == ["annual crop", "golden retriever", "lake"]
    assert "AnnualCrop -> annual crop" in said and "lake" not in said
    assert "--names-as-they-are" in said
    again, said = warned(load_task, **task.source)
    assert again.class_names == task.class_names and not said
    assert again.train.paths == task.train.paths
    plain, said = warned(load_task, "folder", root=tmp_path, names_as_they_are=True)
    assert plain.class_names == ["AnnualCrop", "golden_retriever", "lake"] and not said
    assert plain.train.paths == task.train.paths  # the split does not follow the names
    given = load_task("folder", root=tmp_path, class_names=list(plain.class_names))
    assert given.class_names == plain.class_names


def test_two_folders_never_become_one_name(tmp_path):
    folder_of(tmp_path, a_b=2, c_d=2)
    folder_of(tmp_path, **{"A-b": 2})
    assert quietly(load_task, "folder", root=tmp_path).class_names == ["A-b", "a_b", "c d"]


# --- classes that are one text


SAME = [["river", "River"], ["annual crop", "annual  crop", "lake"], ["Cat", "lake", "CAT"]]


@pytest.mark.parametrize("names", SAME)
@pytest.mark.parametrize("strategy", ["zero_shot", "fpl"])
def test_classes_that_clip_reads_as_one_text_are_refused_and_named(clip, names, strategy):
    one, other = (names[0], names[1 if len(names) == 2 or "  " in names[1] else 2])
    images = ImageSet(Images(np.stack([noise(i) for i in range(4)])), [-1] * 4)
    task = pseudolab.Task("pets", names, "a photo of a {}", images, images)
    tuner = pseudolab.PromptTuner(clip, strategy=strategy)
    with pytest.raises(ValueError, match="one text") as caught:
        tuner.fit(task, progress=False)
    assert repr(one) in str(caught.value) and repr(other) in str(caught.value)


@pytest.mark.parametrize("kind", [TextPrompt, VisualPrompt, MultimodalPrompt, TemplatePrompt])
def test_every_kind_of_prompt_compares_its_texts(clip, kind):
    with pytest.raises(ValueError, match="one text"):
        kind(clip, ["river", "lake", "River"])
    kind(clip, ["river", "lake", "river lake"])


def test_the_same_texts_that_people_brought(clip):
    task = quietly(load_task, "folder", root=failing("same_text"))
    with pytest.raises(ValueError, match="'River' and 'river'"):
        pseudolab.PromptTuner(clip, strategy="zero_shot").fit(task, progress=False)


# --- whatever is given, in the order given


@pytest.fixture(scope="module")
def tuner(clip):
    "Zero-shot CLIP on two of the pocket tasks' classes"
    task = load_task("satellite", n_train=2, n_test=3)
    tuner = pseudolab.PromptTuner(clip, strategy="zero_shot")
    tuner.fit(task, progress=False)
    return tuner


@pytest.fixture(scope="module")
def shots(tuner):
    "PIL images, of different classes"
    return list(tuner.task_.test.images[:7])


class Pairs(torch.utils.data.Dataset):
    "A dataset of torch: it has no end but its length"

    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, at):
        return self.rows[at % len(self.rows)], at


class Column:
    "A column of Hugging Face's datasets"

    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, at):
        if not isinstance(at, int):
            raise TypeError("a column is asked for numbers")
        return self.rows[at]


def kinds_of(shots: list[Image.Image], folder: Path, clip: Any) -> dict[str, Any]:
    "The same pictures in every way that they may come"
    files = [folder / f"{at}.png" for at in range(len(shots))]
    for path, shot in zip(files, shots, strict=True):
        path.parent.mkdir(exist_ok=True)
        shot.save(path)
    arrays = np.stack([np.asarray(shot) for shot in shots])
    ready = [clip.preprocess(shot) for shot in shots]
    shuffled = np.random.default_rng(0).permutation(len(shots))
    as_bytes = [{"bytes": path.read_bytes(), "path": None} for path in files]
    return {
        "list": shots,
        "tuple": tuple(shots),
        "generator": (shot for shot in shots),
        "series": pd.Series(shots, index=shuffled),
        "series of paths": pd.Series([str(path) for path in files], index=shuffled),
        "column of a frame": pd.DataFrame({"image": files}, index=shuffled)["image"],
        "array of objects": np.array([str(path) for path in files]),
        "paths": files,
        "texts": [str(path) for path in files],
        "folder": folder,
        "folder as text": str(folder),
        "NHWC": arrays,
        "list of HWC": list(arrays),
        "NCHW": arrays.transpose(0, 3, 1, 2),
        "bytes in torch": torch.from_numpy(arrays.transpose(0, 3, 1, 2).copy()),
        "rows of torch": [torch.from_numpy(one.transpose(2, 0, 1).copy()) for one in arrays],
        "Images": Images(arrays),
        "ImageSet": ImageSet(Images(arrays), np.full(len(shots), -1)),
        "ImageSet of files": ImageSet(Images(files), np.full(len(shots), -1)),
        "preprocessed": torch.stack(ready),
        "list of preprocessed": ready,
        "list of batches": [torch.stack(ready[:3]), torch.stack(ready[3:])],
        "preprocessed in numpy": torch.stack(ready).numpy(),
        "in 64 bits": torch.stack(ready).double(),
        "torch dataset": Pairs(shots),
        "torch dataset, ready": Pairs(ready),
        "loader": torch.utils.data.DataLoader(Pairs(ready), batch_size=3),
        "hf column": Column(shots),
        "hf rows": Column([{"image": shot, "label": 0} for shot in shots]),
        "hf bytes": Column(as_bytes),
        "map": map(Image.Image.copy, shots),
        "dict values": dict(enumerate(shots)).values(),
        "mixed": [shots[0], files[1], str(files[2]), arrays[3], *shots[4:]],
    }


@pytest.mark.parametrize("prompt", ["text", "visual"])
def test_every_kind_of_pictures_gets_its_answers_in_order(tmp_path, clip, shots, tuner, prompt):
    if prompt == "visual":
        kind = VisualPrompt(clip, tuner.prompt_.class_names, n_tokens=2)
        tuner = pseudolab.PromptTuner(clip, prompt="visual", strategy="zero_shot")
        tuner.prompt_ = kind
    wanted = tuner.predict_proba(shots)
    assert len({tuple(row) for row in wanted.round(6).tolist()}) == len(shots)
    names = tuner.predict(shots).tolist()
    for way, given in kinds_of(shots, tmp_path / "photos", clip).items():
        if way in ("generator", "map"):
            given = list(given)
        assert np.abs(tuner.predict_proba(given) - wanted).max() < 1e-6, way
        assert tuner.predict(given).tolist() == names, way


def test_a_generator_is_read_once(shots, tuner):
    assert tuner.predict(shot for shot in shots).tolist() == tuner.predict(shots).tolist()
    assert tuner.predict(iter([])).shape == (0,) and tuner.predict_proba([]).shape[0] == 0


def test_one_picture_is_one_row(tmp_path, clip, shots, tuner):
    shots[2].save(tmp_path / "one.png")
    wanted = tuner.predict_proba([shots[2]])
    array = np.asarray(shots[2])
    for given in (
        shots[2],
        tmp_path / "one.png",
        str(tmp_path / "one.png"),
        array,
        torch.from_numpy(array.transpose(2, 0, 1).copy()),
        clip.preprocess(shots[2]),
        (tmp_path / "one.png").read_bytes(),
        {"image": shots[2]},
    ):
        assert np.abs(tuner.predict_proba(given) - wanted).max() < 1e-6
    half = tuner.predict_proba(clip.preprocess(shots[2]).half())
    assert half.shape == wanted.shape and np.abs(half - wanted).max() < 0.05


def test_score_takes_pictures_with_labels_in_any_form(tuner):
    test = tuner.task_.test
    names = [tuner.task_.class_names[label] for label in test.labels]
    wanted = tuner.score()
    order = np.random.default_rng(0).permutation(len(test))
    assert wanted is not None and 0 < wanted < 1
    assert tuner.score(test) == tuner.score(test.images, test.labels) == wanted
    shuffled = pd.DataFrame({"image": list(test.images), "label": names}).iloc[order]
    assert tuner.score(shuffled["image"], shuffled["label"]) == wanted
    assert tuner.score(list(test.images), [None] * len(test)) is None
    for wrong, said in (
        ((list(test.images), ["no such class"] * len(test)), "no class"),
        ((list(test.images), names[:-1]), "one for each"),
        ((list(test.images),), "labels="),
    ):
        with pytest.raises(ValueError, match=said):
            tuner.score(*wrong)


WRONG = {
    "None": None,
    "number": 3,
    "numbers": [1, 2],
    "set": {1, 2},
    "frame": pd.DataFrame({"image": [1], "label": [2]}),
    "float picture": np.zeros((9, 9, 3)),
    "five dimensions": np.zeros((1, 1, 9, 9, 3), np.uint8),
    "another size": torch.zeros(2, 3, 9, 9),
    "whole numbers": torch.zeros(2, 3, 56, 56, dtype=torch.int64),
    "two colours": np.zeros((9, 9, 2), np.uint8),
    "shapes": [torch.zeros(3, 56, 56), torch.zeros(3, 9, 9)],
    "kinds": [torch.zeros(3, 56, 56), "a.png"],
    "no file": "nothing/there.png",
    "no image": b"no image",
    "row": {"text": "a cat"},
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_no_picture_is_refused_in_a_sentence(tuner, kind):
    with pytest.raises(ValueError) as caught:
        tuner.predict(WRONG[kind])
    assert (
        "expected" in str(caught.value)
        or "give" in str(caught.value).lower()
        or ("cannot be read" in str(caught.value) or "no image file" in str(caught.value))
    )


def test_a_task_an_empty_folder_and_numbers_that_are_none_are_refused(tmp_path, tuner):
    with pytest.raises(ValueError, match="task.test"):
        tuner.predict(tuner.task_)
    with pytest.raises(ValueError, match="no image in the folder"):
        tuner.predict(tmp_path)
    with pytest.raises(ValueError, match="preprocessed pictures hold NaN"):
        tuner.predict(torch.full((1, 3, 56, 56), float("nan")))


# --- the classes of the pool


class NearTies(pseudolab.PromptTuner):
    "A tuner whose logits differ in what 16 bits cannot hold"

    def _logits(self, fit, prompt):
        n = len(fit.split.pool)
        logits = torch.full((n, len(fit.task.class_names)), 20.0, dtype=torch.float64)
        logits[torch.arange(n), torch.arange(n) % logits.shape[1]] += 1e-4
        return logits, super()._logits(fit, prompt)[1]


def test_the_classes_of_the_pool_are_those_of_the_run(tmp_path, clip):
    task = load_task("satellite", n_train=2, n_test=1)
    tuner = NearTies(clip, strategy="zero_shot")
    run = tuner.fit(task, out=tmp_path / "run", progress=False)
    n, n_classes = len(task.train), len(task.class_names)
    wanted = [at % n_classes for at in range(n)]
    assert len(set(run.rounds[0].pool_logits.argmax(1).tolist())) == 1  # what 16 bits say
    for found in (run, pseudolab.Run.load(tmp_path / "run")):
        assert found.rounds[0].pool_predictions.tolist() == wanted
        assert found.rounds[0].pool_predictions.dtype == np.int64
        assert found.rounds[0].given_to(n_classes).tolist() == [n // n_classes] * n_classes


def test_a_round_of_before_is_read_by_its_logits(tmp_path, clip):
    run = pseudolab.PromptTuner(clip, strategy="zero_shot").fit(
        load_task("satellite", n_train=2, n_test=1), progress=False
    )
    old = replace(run.rounds[0], pool_classes=None)
    save_round(tmp_path, old)
    again = load_round(tmp_path, 0)
    assert again.pool_classes is None
    assert (again.pool_predictions == old.pool_logits.argmax(1)).all()
    nothing = replace(old, pool_logits=old.pool_logits[:0])
    assert nothing.given_to(3).tolist() == [0, 0, 0]


# --- what fit left


@pytest.mark.parametrize("prompt", ["text", "visual"])
@pytest.mark.parametrize("rounds", [0, 1])
def test_what_fit_left_predicts(tmp_path, clip, prompt, rounds):
    task = load_task("satellite", n_train=2, n_test=2)
    strategy = "fpl" if rounds else "zero_shot"
    recipe = pseudolab.Recipe.pocket().replace(epochs=1, min_steps=0)
    options: dict[str, Any] = {"prompt_options": {"n_tokens": 2}, "recipe": recipe, "seed": 3}
    tuner = pseudolab.PromptTuner(clip, prompt=prompt, strategy=strategy, **options)
    tuner.fit(task, out=tmp_path, progress=False)
    again = pseudolab.PromptTuner.load(tmp_path, clip)
    wanted = tuner.predict_proba(task.test.images)
    assert np.array_equal(again.predict_proba(task.test.images), wanted)
    assert again._arguments() == tuner._arguments() and again.score(task) == tuner.score()
    picture(tmp_path / "photos" / "1.png")
    answer = CliRunner().invoke(app, ["predict", str(tmp_path), str(tmp_path / "photos"), "--json"])
    assert answer.exit_code == 0 and json.loads(answer.stdout)[0]["class"] in task.class_names


def test_a_run_of_another_clip_or_without_a_round_is_refused(tmp_path, clip):
    task = load_task("satellite", n_train=2, n_test=1)
    pseudolab.PromptTuner(clip, strategy="zero_shot").fit(task, out=tmp_path, progress=False)
    single = load_clip("pocket", device="cpu", precision="fp32")
    with pytest.raises(ValueError, match="Load that CLIP"):
        pseudolab.PromptTuner.load(tmp_path, single)
    for path in (tmp_path / "rounds").iterdir():
        path.unlink()
    with pytest.raises(ValueError, match="0 rounds"):
        pseudolab.PromptTuner.load(tmp_path, clip)
    with pytest.raises(FileNotFoundError, match="run.json"):
        pseudolab.PromptTuner.load(tmp_path / "rounds", clip)


# --- predictions in a file


ZERO_SHOT = ["run", "--task", "satellite", "--strategy", "zero_shot", "--device", "cpu"]


def test_predictions_that_cannot_be_written_are_refused_before_anything_is_done(
    tmp_path, monkeypatch
):
    def too_late(*given, **options):
        raise AssertionError("the run began")

    monkeypatch.setattr("pseudolab.cli.run.pick_task", too_late)
    picture(tmp_path / "a.png")
    impossible = [tmp_path, tmp_path / "a.png" / "b.csv"]
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    if not os.access(locked, os.W_OK):
        impossible.append(locked / "new" / "b.csv")
    for place in impossible:
        answer = CliRunner().invoke(app, [*ZERO_SHOT, "--predictions", str(place)])
        assert answer.exit_code != 0 and not isinstance(answer.exception, AssertionError)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(ValueError, match="cannot be written to"):
        check_file("--predictions", tmp_path / "b.csv")


def test_rows_are_written_into_what_is_there(tmp_path):
    real, link = tmp_path / "real" / "b.csv", tmp_path / "link.csv"
    real.parent.mkdir()
    real.write_text("old")
    link.symlink_to(real)
    write_rows(link, ["a"], [["b"]])
    assert link.is_symlink() and real.read_text().split() == ["a", "b"]
    write_rows(Path(os.devnull), ["a"], [["b"]])
    assert Path(os.devnull).is_char_device()
    os.mkfifo(tmp_path / "pipe")
    reader = ThreadPoolExecutor(1)
    read = reader.submit((tmp_path / "pipe").read_text)
    write_rows(tmp_path / "pipe", ["a"], [["b"]])
    assert read.result(timeout=10).split() == ["a", "b"] and (tmp_path / "pipe").is_fifo()
    reader.shutdown()


FORMULAS = ["=cmd()", "+1", "@sum", "-2+3", "\tx", "\rx"]


def test_formulas_are_shown_and_not_computed(tmp_path):
    plain = ["cat", "a=b", "0.5", "1+1"]
    write_rows(tmp_path / "a.csv", ["x"], [[cell] for cell in (*FORMULAS, *plain)])
    with (tmp_path / "a.csv").open(newline="") as file:
        cells = [row[0] for row in csv.reader(file)][1:]
    assert cells == [*(f"'{cell}" for cell in FORMULAS), *plain]


def test_paths_are_listed_once_and_not_for_each_row(tmp_path, clip, monkeypatch):
    folder_of(tmp_path, forest=6, river=6)
    task = load_task("folder", root=tmp_path)
    tuner = pseudolab.PromptTuner(clip, strategy="zero_shot")
    tuner.fit(task, progress=False)
    listed = []
    known = Images.paths.fget
    assert known is not None
    monkeypatch.setattr(Images, "paths", property(lambda self: listed.append(1) or known(self)))
    write_predictions(tmp_path / "a.csv", tuner, task)
    assert len(listed) <= 4
    lines = (tmp_path / "a.csv").read_text().splitlines()
    assert len(lines) == 13 and sum(f"{tmp_path}/" in line for line in lines) == 12


# --- names and folders on the command line


def test_class_names_of_any_length_and_from_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    many = [f"class number {at}" for at in range(500)]
    assert read_class_names(", ".join(many)) == many
    assert read_class_names("x" * 300) == ["x" * 300]
    assert read_class_names("a\0b, c") == ["a\0b", "c"]
    files = {
        "a.txt": ("# pets\ncat\n\n dog, big \n", ["cat", "dog, big"]),
        "b.txt": ("3=three\n4=four", {"3": "three", "4": "four"}),
        "a.csv": ("river,lake\n", ["river", "lake"]),
        "b.csv": ("# comment\nname\nriver\nlake\n", ["river", "lake"]),
        "c.csv": ('folder,name\n3,"three, or III"\n4,four\n', {"3": "three, or III", "4": "four"}),
        "a.json": ('["river", "lake"]', ["river", "lake"]),
        "b.json": ('{"3": "three"}', {"3": "three"}),
    }
    for name, (text, wanted) in files.items():
        (tmp_path / name).write_text(text)
        assert read_class_names(name) == read_class_names(str(tmp_path / name)) == wanted
    for missing in ("gone.txt", "gone.csv", "no/gone.json"):
        with pytest.raises(FileNotFoundError, match="no such file"):
            read_class_names(missing)
    for wrong in ("{", '"river"'):
        (tmp_path / "wrong.json").write_text(wrong)
        with pytest.raises(ValueError, match=r"wrong.json.*expected"):
            read_class_names("wrong.json")


def test_the_names_that_people_brought():
    assert read_class_names(str(failing("names.csv"))) == ["river", "lake"]


def test_a_folder_as_task_and_a_root_too_high_answer_with_the_option(tmp_path):
    folder_of(tmp_path / "photos" / "animals", cat=2, dog=2)
    answer = CliRunner().invoke(app, ["run", "--task", str(tmp_path / "photos")])
    assert answer.exit_code != 0 and f"--root {tmp_path / 'photos'}" in said_by(answer)
    for root in (tmp_path, tmp_path / "photos"):
        answer = CliRunner().invoke(app, ["run", "--root", str(root)])
        assert answer.exit_code != 0
        assert f"--root {tmp_path / 'photos' / 'animals'}" in said_by(answer)


def test_a_folder_that_is_called_like_a_task_does_not_hide_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    assert pick_task(read_settings(), TaskOptions(task="digits")).name == "digits"


@pytest.mark.parametrize("as_they_are", [False, True])
def test_export_finds_the_pictures_of_a_run_with_a_task_seed(tmp_path, as_they_are):
    root = folder_of(tmp_path / "photos", dark_forest=6, river=6)
    options = ["--names-as-they-are"] if as_they_are else []
    run = ["run", "--root", str(root), "--strategy", "zero_shot", "--task-seed", "4", *options]
    out = str(tmp_path / "run")
    answer = quietly(CliRunner().invoke, app, [*run, "--out", out, "--device", "cpu"])
    assert answer.exit_code == 0, answer.output
    export = ["export", out, "--root", str(root)]
    answer = quietly(CliRunner().invoke, app, [*export, "--task-seed", "4"])
    assert answer.exit_code == 0 and "left out" not in answer.output, answer.output
    answer = quietly(CliRunner().invoke, app, export)
    assert answer.exit_code != 0 and "--task-seed" in said_by(answer)


# --- tasks from lists, tables, datasets, and names of files


def shades(n: int) -> list[Image.Image]:
    "Pictures of different colours"
    return [Image.new("RGB", (9, 7), (20 * at, 100, 30)) for at in range(n)]


LABELS = ["sky", "sea", "sky", "sea", "sky", "sea", None, "sky"]


def test_a_task_from_lists_is_split_as_a_folder_is(tmp_path, clip):
    for at, (shade, label) in enumerate(zip(shades(8), LABELS, strict=True)):
        path = tmp_path / (label or ".") / f"{at}.png"
        path.parent.mkdir(exist_ok=True)
        shade.save(path)
    folder = load_task("folder", root=tmp_path)
    files = [tmp_path / (label or ".") / f"{at}.png" for at, label in enumerate(LABELS)]
    listed = pseudolab.Task.from_lists(files, LABELS)
    assert listed.class_names == folder.class_names == ["sea", "sky"]
    for part in ("train", "test"):
        one, other = getattr(listed, part), getattr(folder, part)
        facts = [set(zip(some.paths, some.labels.tolist(), strict=True)) for some in (one, other)]
        assert facts[0] == facts[1]
    numbers = [None if label is None else ["sea", "sky"].index(label) for label in LABELS]
    again = pseudolab.Task.from_lists(map(str, files), numbers, class_names=["sea", "sky"])
    assert again.train.digest() == listed.train.digest()
    seeds = {pseudolab.Task.from_lists(files, LABELS, seed=s).test.digest() for s in range(5)}
    assert len(seeds) > 1


@pytest.mark.parametrize("way", ["pil", "arrays", "frame", "torch", "hf"])
def test_a_task_of_pictures_in_memory_is_fitted(tmp_path, clip, way):
    pictures_, labels = shades(6), [0, 1, 0, 1, 0, 1]
    names = ["sea", "sky"]
    if way == "pil":
        task = pseudolab.Task.from_lists(pictures_, labels, class_names=names)
    elif way == "arrays":
        arrays = np.stack([np.asarray(one) for one in pictures_])
        task = pseudolab.Task.from_lists(arrays, labels, class_names=names)
    elif way == "frame":
        words = [names[label] for label in labels]
        index = [5, 3, 1, 0, 2, 4]
        frame = pd.DataFrame({"photo": pictures_, "kind": words}, index=index)
        task = pseudolab.Task.from_frame(frame, image="photo", label="kind")
    elif way == "torch":
        rows: Any = Pairs(pictures_)
        rows.targets, rows.classes = torch.tensor(labels), names
        task = pseudolab.Task.from_dataset(rows)
    else:
        task = pseudolab.Task.from_dataset(hugging_face(pictures_, labels, names))
    known = pseudolab.Task.from_lists(pictures_, labels, class_names=names)
    assert task.class_names == names and task.train.paths is None
    assert task.train.labels.tolist() == known.train.labels.tolist()
    assert (task.train.digest(), task.test.digest()) == (known.train.digest(), known.test.digest())
    assert task.train.digest() != task.test.digest()
    run = pseudolab.PromptTuner(clip, strategy="zero_shot").fit(task, progress=False)
    assert run.score is not None and len(run.rounds[0].predictions) == len(task.test)


def hugging_face(rows: list, labels: list[int], names: list[str]) -> Any:
    "What a dataset of Hugging Face looks like from outside"

    class Dataset(Column):
        features = {"image": None, "label": SimpleNamespace(names=names)}

        def __getitem__(self, at):
            return {"image": Column(rows), "label": Column(labels)}[at]

    return Dataset(rows)


def test_a_table_may_say_what_to_test_on_and_where_its_files_lie(tmp_path):
    for at, shade in enumerate(shades(4)):
        shade.save(tmp_path / f"{at}.png")
    frame = pd.DataFrame(
        {
            "image": [f"{at}.png" for at in range(4)],
            "label": ["sea", "sky", "sky", np.nan],
            "part": ["train", "Test", "train", "train"],
        },
        index=[3, 2, 1, 0],
    )
    task = pseudolab.Task.from_frame(frame, split="part", root=tmp_path)
    assert [path.name for path in task.train.paths] == ["0.png", "2.png", "3.png"]
    assert task.train.labels.tolist() == [0, 1, -1] and task.test.labels.tolist() == [1]
    for options, said in (
        ({"image": "photo"}, "no column 'photo'"),
        ({"split": "label"}, "expected 'train' or 'test'"),
        ({"label": None}, "class_names"),
    ):
        with pytest.raises(ValueError, match=said):
            pseudolab.Task.from_frame(frame, root=tmp_path, **options)


def test_lists_that_do_not_fit_are_refused_and_broken_files_are_left_out(tmp_path):
    pictures_ = shades(4)
    for labels, options, said in (
        (["a", "b"], {}, "one label per image"),
        (["a", "b", "b", "b"], {}, "one image"),
        (["a", "b", "a", "c"], {"class_names": ["a", "b"]}, "no class"),
        ([0, 0, 1, 2], {"class_names": ["a", "b"]}, "labels from"),
        ([0, 0, 1, 1], {}, "class_names"),
        (["a", "a", "a", "a"], {}, "two or more"),
    ):
        with pytest.raises(ValueError, match=said):
            pseudolab.Task.from_lists(pictures_, labels, **options)
    with pytest.raises(ValueError, match="Preprocessed"):
        pseudolab.Task.from_lists(torch.zeros(2, 3, 8, 8), ["a", "b"])
    for at, shade in enumerate(pictures_):
        shade.save(tmp_path / f"{at}.png")
    (tmp_path / "torn.png").write_bytes(b"torn")
    files = [tmp_path / name for name in ("0.png", "torn.png", "1.png", "2.png", "3.png")]
    task, said = warned(pseudolab.Task.from_lists, files, ["a", "b", "b", "a", "b"])
    assert "torn.png" in said and len(task.train) + len(task.test) == 4
    for part in (task.train, task.test):
        for path, label in zip(part.paths, part.labels.tolist(), strict=True):
            assert label == {"0.png": 0, "1.png": 1, "2.png": 0, "3.png": 1}[path.name]


def test_labels_are_taken_from_names_of_files(tmp_path):
    for at, name in enumerate(["beagle_1", "beagle_2", "great_dane_3", "great_dane_4", "5"]):
        picture(tmp_path / f"{name}.jpg", (at, 1, 1))
    pattern = r"^([a-z_]+)_[0-9]+"
    task = quietly(load_task, "folder", root=tmp_path, label_pattern=pattern)
    assert task.class_names == ["beagle", "great dane"]
    assert sorted(task.train.labels.tolist()) == [-1, 0, 1] and len(task.test) == 2
    for part in (task.train, task.test):
        for path, label in zip(part.paths, part.labels.tolist(), strict=True):
            assert label == -1 or path.name.startswith(("beagle", "great")[label])
    again = quietly(load_task, **task.source)
    assert again.train.paths == task.train.paths and again.class_names == task.class_names
    options = TaskOptions(root=tmp_path, label_pattern=pattern)
    assert quietly(pick_task, read_settings(), options).class_names == task.class_names
    for wrong, said in (("(", "no regular expression"), ("a", "0 groups"), ("(a)(b)", "2 groups")):
        with pytest.raises(ValueError, match=said):
            load_task("folder", root=tmp_path, label_pattern=wrong)
