"""Real photos, real habits: whatever pictures come as, and however folders are kept, the answer is
the right one or a sentence that says what to do."""

import os
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import pseudolab
from pseudolab.cli.predict import find_images
from pseudolab.clip import pictures
from pseudolab.clip.pictures import THINNEST, read_image, upright_rgb
from pseudolab.data import images as images_module
from pseudolab.data.folder import readable_name
from pseudolab.data.images import Images, ImageSet, is_image_file
from pseudolab.data.tasks import load_task
from pseudolab.method.prompts.base import TemplatePrompt
from pseudolab.method.prompts.multimodal import MultimodalPrompt
from pseudolab.method.prompts.text import TextPrompt
from pseudolab.method.prompts.visual import VisualPrompt
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
    own = pictures.transforms.Compose(steps)
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
