"""Folders are read as a person would read them, and what will not do is named."""

import os
import random
import struct
import tarfile
import unicodedata
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pseudolab.data.folder import Part, natural_key, split_classes
from pseudolab.data.images import ImageSet, read_image
from pseudolab.data.paper import DIGIT_NAMES
from pseudolab.data.tasks import load_task
from support import ROOT
from support.photos import folder_of, names_of, picture, quietly

DATA = ROOT.parent / "shared" / "data"

pytestmark = pytest.mark.usefixtures("own_cache")


def folders_of(images: ImageSet) -> list[str]:
    "The class folder of each file"
    return [path.parent.name for path in images.paths]


# --- folders


def test_class_folders_are_split_60_to_40_by_class(tmp_path):
    folder_of(tmp_path, dog=10, cat=5, emu=2)
    task, again, other = (load_task("folder", root=tmp_path, seed=seed) for seed in (0, 0, 1))
    assert task.class_names == ["cat", "dog", "emu"] and task.name == tmp_path.name
    assert np.bincount(task.train.labels).tolist() == [3, 6, 1]
    assert np.bincount(task.test.labels).tolist() == [2, 4, 1]
    assert task.train.paths == again.train.paths != other.train.paths
    assert not set(task.train.paths) & set(task.test.paths)
    assert len(task.train) + len(task.test) == 17
    for part in (task.train, task.test):
        assert folders_of(part) == [task.class_names[label] for label in part.labels]
        in_order = sorted(part.paths, key=lambda path: (path.parent.name, natural_key(path.name)))
        assert part.paths == in_order
    assert load_task(**task.source).train.paths == task.train.paths


@given(sizes=st.lists(st.integers(2, 40), min_size=2, max_size=5), seed=st.integers(0, 2**32 - 1))
def test_a_split_loses_nothing_and_leaves_nobody_out(sizes, seed):
    part = Part({}, [], [])
    for label, size in enumerate(sizes):
        part.by_class[f"class {label}"] = [Path(f"{label}/{i}") for i in range(size)]
    train, test = split_classes(part, seed)
    for name, paths in part.by_class.items():
        assert sorted([*train.by_class[name], *test.by_class[name]]) == sorted(paths)
        assert train.by_class[name] and test.by_class[name]
        assert abs(len(train.by_class[name]) - 0.6 * len(paths)) <= 1


def test_another_class_does_not_move_the_split_of_the_first(tmp_path):
    def dogs_to_train():
        paths = load_task("folder", root=tmp_path).train.paths
        return {path for path in paths if path.parent.name == "dog"}

    folder_of(tmp_path, cat=8, dog=8)
    before = dogs_to_train()
    folder_of(tmp_path, ape=8)
    assert before == dogs_to_train()


@pytest.mark.parametrize("spelling", [("train", "test"), ("Train", "TEST")])
def test_a_split_that_is_there_is_kept(tmp_path, spelling):
    folder_of(tmp_path / spelling[0], cat=3, dog=2)
    folder_of(tmp_path / spelling[1], cat=1, dog=4)
    task = load_task("folder", root=tmp_path)
    assert task.train.labels.tolist() == [0, 0, 0, 1, 1]
    assert task.test.labels.tolist() == [0, 1, 1, 1, 1]


@pytest.mark.parametrize("place", [".", "train"])
def test_photos_without_labels(tmp_path, place):
    for i in (10, 2, 1):
        picture(tmp_path / place / f"{i}.jpg")
    task = load_task("folder", root=tmp_path, class_names=["cat", "dog"])
    assert names_of(task.train) == ["1.jpg", "2.jpg", "10.jpg"]
    assert task.train.labels.tolist() == [-1] * 3
    assert task.class_names == ["cat", "dog"]
    assert len(task.test) == 0
    assert task.test.labels.dtype == np.int64
    with pytest.raises(ValueError, match="class_names=\\[...\\]"):
        load_task("folder", root=tmp_path)


def test_an_unlabelled_pool_with_test_images_of_either_kind(tmp_path):
    picture(tmp_path / "train" / "1.jpg")
    picture(tmp_path / "test" / "2.jpg")
    task = load_task("folder", root=tmp_path, class_names=["cat", "dog"])
    assert task.train.labels.tolist() == task.test.labels.tolist() == [-1]
    (tmp_path / "test" / "2.jpg").unlink()
    folder_of(tmp_path / "test", cat=1, dog=2)
    for class_names in (None, ["dog", "cat"]):
        task = load_task("folder", root=tmp_path, class_names=class_names)
        assert task.train.labels.tolist() == [-1]
        assert task.class_names == (class_names or ["cat", "dog"])
        assert folders_of(task.test) == [task.class_names[label] for label in task.test.labels]


def test_a_loose_pool_beside_a_labelled_test_folder(tmp_path):
    picture(tmp_path / "1.jpg")
    folder_of(tmp_path / "test", cat=1, dog=2)
    task = load_task("folder", root=tmp_path)
    assert task.train.labels.tolist() == [-1] and task.test.labels.tolist() == [0, 1, 1]


@pytest.mark.parametrize("place", [".", "train"])
def test_some_labelled_and_some_not(tmp_path, place):
    folder_of(tmp_path / place, cat=5, dog=5)
    for i in range(4):
        picture(tmp_path / place / f"{i}.jpg")
    task = quietly(load_task, "folder", root=tmp_path, class_names=["cat", "dog", "emu"])
    assert (task.train.labels == -1).sum() == 4
    assert (task.train.labels == 0).sum() == (3 if place == "." else 5)
    assert len(task.test) == (4 if place == "." else 0) and (task.test.labels >= 0).all()


def test_a_class_called_train_is_a_class(tmp_path):
    folder_of(tmp_path, bus=2, car=2, train=2)
    assert load_task("folder", root=tmp_path).class_names == ["bus", "car", "train"]
    folder_of(tmp_path / "two", train=2, test=2)
    two = load_task("folder", root=tmp_path / "two", class_names=["test", "train"])
    assert two.train.labels.tolist() == [0, 1]


def test_names_give_the_order_and_a_dict_renames(tmp_path):
    folder_of(tmp_path, **{"10": 2, "9": 2, "1": 2})
    assert load_task("folder", root=tmp_path).class_names == ["1", "9", "10"]
    renamed = {"10": "ten", "1": "one", "9": "nine"}
    for class_names, wanted in ((list(renamed), list(renamed)), (renamed, list(renamed.values()))):
        task = load_task("folder", root=tmp_path, class_names=class_names)
        assert folders_of(task.train) == ["10", "1", "9"]
        assert task.train.labels.tolist() == [0, 1, 2]
        assert task.class_names == wanted
        assert load_task(**task.source).class_names == task.class_names


NASTY = [
    "<img src=x onerror=alert(1)>".replace("/", ""),
    "قطة",
    "two words",
    "日本 猫",
    "a'b\"c",
    "{}",
    "%s %(x)s",
    "-rf",
    "C++",
    "e\u0301tang",
    "new\nline",
]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_any_name_a_folder_can_have(tmp_path):
    root = tmp_path / "фото and more"
    for name in NASTY:
        folder_of(root, **{name: 2})
    task = load_task("folder", root=root)
    assert load_task("folder", root=root, names_as_they_are=True).class_names == task.class_names
    wanted = {unicodedata.normalize("NFC", name) for name in NASTY}
    assert set(task.class_names) == wanted
    assert all(task.template.format(name).endswith(name) for name in task.class_names)
    taken_apart = [unicodedata.normalize("NFD", name) for name in NASTY]
    again = load_task("folder", root=str(root), class_names=taken_apart)
    assert set(again.class_names) == wanted
    assert len(again.train.images[0].tobytes())


@pytest.mark.skipif(
    not os.path.supports_unicode_filenames and os.name == "nt", reason="names are Unicode here"
)
def test_a_folder_name_that_is_no_text(tmp_path):
    folder_of(tmp_path, cat=2)
    try:
        os.mkdir(os.fsencode(tmp_path) + b"/\xff\xfe")
    except OSError:
        pytest.skip("the file system keeps such names out")
    with pytest.raises(ValueError, match="not valid Unicode"):
        load_task("folder", root=tmp_path)


def test_hidden_files_are_passed_over(tmp_path):
    folder_of(tmp_path, cat=3, dog=3, **{".ipynb_checkpoints": 2, "__MACOSX": 1})
    picture(tmp_path / "cat" / "._0.png")
    (tmp_path / ".DS_Store").touch()
    (tmp_path / "cat" / "notes.txt").touch()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        task = load_task("folder", root=tmp_path)
    assert task.class_names == ["cat", "dog"] and len(task.train) + len(task.test) == 6


def test_the_order_is_natural_and_not_the_file_systems(tmp_path, monkeypatch):
    endings = "jpg JPG Jpeg png webp bmp gif tif TIFF ppm jpg jpg".split()
    names = [f"IMG_{i}.{ending}" for i, ending in enumerate(endings)]
    for name in random.Random(0).sample(names, len(names)):
        picture(tmp_path / name)
    real = Path.iterdir
    chance = random.Random(0)

    def in_any_order(folder):
        paths = sorted(real(folder))
        return iter(chance.sample(paths, len(paths)))

    monkeypatch.setattr(Path, "iterdir", in_any_order)
    for _ in range(3):
        task = load_task("folder", root=tmp_path, class_names=["a", "b"])
        assert names_of(task.train) == names


@given(st.lists(st.text(max_size=6), max_size=8), st.randoms())
def test_natural_order_is_an_order(names, chance):
    shuffled = chance.sample(names, len(names))
    assert sorted(names, key=natural_key) == sorted(shuffled, key=natural_key)


# --- folders that will not do


def refused(match: str, **given):
    with pytest.raises(ValueError, match=match) as caught:
        load_task("folder", **given)
    return str(caught.value)


def test_a_root_that_is_missing_or_no_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no folder") as caught:
        load_task("folder", root=tmp_path / "gone")
    assert str(tmp_path / "gone") in str(caught.value)
    (tmp_path / "x.zip").touch()
    refused("unpack it", root=tmp_path / "x.zip")
    refused("root=", root=None)
    refused("root=", root="")


def test_an_empty_folder_says_what_was_expected_and_seen(tmp_path):
    refused("no image to train on; expected", root=tmp_path)
    refused("no image to train on; expected", root=tmp_path, class_names=["a", "b"])
    (tmp_path / "a.HEIC").touch()
    refused("'.heic': 1.*convert them", root=tmp_path, class_names=["a", "b"])
    folder_of(tmp_path / "inner" / "deep", cat=1, dog=1)
    (tmp_path / "train").mkdir()
    assert "no image" in refused("no image", root=tmp_path)


def test_one_level_too_high_gets_a_hint(tmp_path):
    folder_of(tmp_path / "photos", cat=1, dog=1)
    assert repr(str(tmp_path / "photos")) in refused("deeper down", root=tmp_path)


def test_a_class_with_no_image(tmp_path):
    folder_of(tmp_path, cat=2, dog=0)
    assert "'dog'" in refused("no image of the classes", root=tmp_path)
    assert "not an image" not in refused("no image of the classes", root=tmp_path)
    (tmp_path / "dog" / "x.jpg").write_text("not an image")
    said = refused("no image of the classes \\['dog'\\].*1 file is not an image", root=tmp_path)
    assert "x.jpg" in said


def test_one_class_only(tmp_path):
    folder_of(tmp_path, cat=3)
    refused("two or more", root=tmp_path)
    refused("two or more", root=tmp_path, class_names=["cat"])
    refused("two or more", root=tmp_path, class_names=[])


def test_one_image_cannot_be_split(tmp_path):
    folder_of(tmp_path, cat=1, dog=3)
    refused('"cat" has one image', root=tmp_path)
    (tmp_path / "cat" / "x.jpg").write_text("no image")
    refused('"cat" has one image.*1 file is not an image', root=tmp_path)


def test_names_and_folders_must_agree(tmp_path):
    folder_of(tmp_path, cat=2, dog=2)
    names = ["doge", "emu", "dog", "cat"]
    said = refused(
        "no folder for the classes \\['doge', 'emu'\\]", root=tmp_path, class_names=names
    )
    assert 'Did you mean "dog"?' in said
    said = refused("has no folder for", root=tmp_path, class_names=["cat", "dog", "emu"])
    assert "'emu'" in said
    assert "'dog'" in refused("does not name", root=tmp_path, class_names=["cat", "emu"])
    said = refused("does not name", root=tmp_path, class_names=["cat", "dogs"])
    assert 'Did you mean "dogs"?' in said
    picture(tmp_path / "loose.jpg")
    assert "'dog'" in refused("does not name", root=tmp_path, class_names=["cat", "emu"])
    refused("more than once", root=tmp_path, class_names=["cat", "dog", "cat"])
    refused("more than once", root=tmp_path, class_names={"cat": "pet", "dog": "pet"})
    for wrong in ("cat", {"cat", "dog"}, 3):
        refused("expected a list of names", root=tmp_path, class_names=wrong)


def test_a_class_of_the_test_images_must_be_one_of_training(tmp_path):
    folder_of(tmp_path / "train", cat=2, dog=2)
    folder_of(tmp_path / "test", cat=2, emu=1)
    assert "'emu'" in refused("has no folder for", root=tmp_path)


def test_what_is_passed_over_is_said(tmp_path):
    folder_of(tmp_path / "train", cat=2, dog=2)
    folder_of(tmp_path / "val", cat=2, dog=2)
    picture(tmp_path / "montage.png")
    with pytest.warns(UserWarning) as heard:
        task = load_task("folder", root=tmp_path)
    assert len(heard) == 1
    assert "val" in str(heard[0].message)
    assert "montage.png" in str(heard[0].message)
    assert "nothing to test on" in str(heard[0].message)
    assert len(task.train) == 4 and len(task.test) == 0


# --- files that are no images


def jpeg(path: Path, size=(64, 48)) -> bytes:
    chance = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(chance).save(path)
    return path.read_bytes()


def png_header(width, height) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"\0" * 100)

    def chunk(body):
        return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))

    return b"\x89PNG\r\n\x1a\n" + chunk(body) + chunk(data) + chunk(b"IEND")


def bad_files(root: Path) -> list[Path]:
    whole = jpeg(root / "whole.jpg")
    Image.open(root / "whole.jpg").save(root / "whole.png")
    bad = {
        "text.jpg": b"hello",
        "empty.png": b"",
        "cut.jpg": whole[: len(whole) * 3 // 4],
        "cut.png": (root / "whole.png").read_bytes()[:-200],
        "head.jpg": whole[:4],
        "bomb.png": png_header(60_000, 60_000),
        "large.png": png_header(12_000, 9_000),
        "script.jpg": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        "svg.png": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "random.webp": bytes(range(256)) * 4,
        "zeros.tif": bytes(500),
    }
    for name, data in bad.items():
        (root / name).write_bytes(data)
    Image.open(root / "whole.png").save(root / "another format.jpg", format="PCX")
    return [*(root / name for name in bad), root / "another format.jpg"]


def test_files_that_are_no_images_are_skipped_with_a_count(tmp_path):
    bad = bad_files(tmp_path)
    with pytest.warns(UserWarning, match=f"{len(bad)} files are not an image.*Skipped") as heard:
        task = load_task("folder", root=tmp_path, class_names=["a", "b"])
    assert names_of(task.train) == ["whole.jpg", "whole.png"]
    assert len(heard) == 1
    assert heard[0].filename == __file__
    assert f"{len(bad) - 3} more" in str(heard[0].message)
    with pytest.raises(ValueError, match="not an image"):
        load_task("folder", root=tmp_path, class_names=["a", "b"], strict=True)
    for path in bad:
        with pytest.raises(ValueError, match="cannot be read") as caught, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read_image(path)
        assert str(path) in str(caught.value)


def test_a_folder_of_nothing_but_bad_files(tmp_path):
    (tmp_path / "x.jpg").write_text("no")
    with pytest.raises(ValueError, match="no image to train on.*x.jpg"):
        load_task("folder", root=tmp_path, class_names=["a", "b"])


@pytest.mark.skipif(os.name == "nt", reason="links and pipes are a matter of Unix")
def test_links_and_pipes(tmp_path):
    picture(tmp_path / "real.jpg")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "real.jpg")
    (tmp_path / "broken.jpg").symlink_to(tmp_path / "gone.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    with pytest.warns(UserWarning, match="1 file is not an image.*broken.jpg"):
        task = load_task("folder", root=tmp_path / ".", class_names=["folder.jpg", "b"])
    assert names_of(task.train) == ["real.jpg"]  # the link leads to it


def test_a_file_is_read_as_it_is_now_and_a_lost_one_is_named(tmp_path):
    picture(tmp_path / "a.jpg")
    picture(tmp_path / "b.jpg")
    task = load_task("folder", root=tmp_path, class_names=["a", "b"])
    (tmp_path / "a.jpg").unlink()
    with pytest.raises(ValueError, match="a.jpg"):
        task.train.images[0]
    assert task.train.images[1].mode == "RGB"


# --- real photos


def unpacked(name: str, folder: Path) -> Path:
    archive = DATA / f"{name}.tar"
    if not archive.is_file():
        pytest.skip(f"the photos {archive.name} are not beside this repository")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder / name


def test_real_handwriting_from_a_folder(tmp_path):
    root = unpacked("mnist-small", tmp_path)
    class_names = {str(i): name for i, name in enumerate(DIGIT_NAMES)}
    task = load_task("folder", root=root, class_names=class_names, strict=True)
    assert (len(task.train), len(task.test)) == (2000, 1000)
    assert task.class_names == list(DIGIT_NAMES)
    assert folders_of(task.test) == [str(label) for label in task.test.labels]
    assert task.train.images[0].size == (28, 28)


@pytest.mark.slow
def test_real_photos_with_labels_and_without(tmp_path):
    root = unpacked("satellite-photos", tmp_path)
    task = load_task("folder", root=root, strict=True)
    assert len(task.class_names) == 7
    assert (len(task.train), len(task.test)) == (1680, 1120)
    for at, path in enumerate(task.train.paths):
        path.rename(root / f"{at}.jpg")
    for path in task.test.paths:
        path.unlink()
    for name in task.class_names:
        (root / name).rmdir()
    pool = load_task("folder", root=root, class_names=task.class_names)
    assert len(pool.train) == 1680 and len(pool.test) == 0
    assert (pool.train.labels == -1).all()
