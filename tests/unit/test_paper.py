"""The paper's six data sets: every layout in miniature, every name by hand, every error, and
never a download.
"""

import gzip
import json
import shutil
import socket
import struct
import subprocess
import sys
import tarfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.io import savemat

from pseudolab.data.paper import (
    ABOUT,
    LAYOUTS,
    PLACES,
    class_names,
    draw_test,
    how_to_get,
    listed_path,
    match_names,
    read_dataset,
    read_mat,
    spellings,
    unseen_classes,
)
from pseudolab.data.tasks import load_task, task_names, task_table
from pseudolab.settings import PAPER_TASKS, POCKET_TASKS, TASK_NAMES
from support import ROOT
from support.photos import quietly

DATA = ROOT.parent / "shared" / "data"

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_cache")]

EUROSAT = [
    "AnnualCrop",
    "Forest",
    "HerbaceousVegetation",
    "Highway",
    "Industrial",
    "Pasture",
    "PermanentCrop",
    "Residential",
    "River",
    "SeaLake",
]
SLASHED = {"F-16A-B": "F-16A/B", "F-A-18": "F/A-18"}
FOLDER_OF = {
    "flowers102": lambda name: name.replace(" ", "_"),
    "resisc45": lambda name: name.replace(" ", "_"),
    "eurosat": lambda name: EUROSAT[class_names("eurosat").index(name)],
}


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    "Whoever opens a connection fails"

    def refuse(*given, **options):
        raise AssertionError("the network was asked for")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


# --- miniature copies: the colour of a picture says its class and which half it is of


def picture(path: Path, label: int, part: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (20 * (label % 12), 20 * (label // 12), 80 * part)).save(
        path, **({"quality": 100, "subsampling": 0} if path.suffix == ".jpg" else {})
    )
    return path


def label_seen(image: Image.Image) -> int:
    red, green, _ = image.getpixel((4, 4))
    return round(red / 20) + 12 * round(green / 20)


def flowers(root: Path, **changes) -> Path:
    """As torchvision unpacks it: 2 training, 1 validation and 1 test image a class, numbered in a
    shuffled order
    """
    folder, order = root / "flowers-102", np.random.default_rng(3).permutation(4 * 102)
    labels = order % 102 + 1
    for i, label in enumerate(labels, 1):
        picture(folder / "jpg" / f"image_{i:05d}.jpg", int(label) - 1, int(order[i - 1]) // 102)
    ids = [np.flatnonzero(order // 102 == part) + 1 for part in range(4)]
    setid = {"trnid": np.concatenate(ids[:2]), "valid": ids[2], "tstid": ids[3]} | {
        key: value for key, value in changes.items() if key != "labels"
    }
    savemat(folder / "setid.mat", setid)
    savemat(folder / "imagelabels.mat", {"labels": changes.get("labels", labels.astype(np.uint8))})
    return folder


def aircraft(root: Path) -> Path:
    folder = root / "fgvc-aircraft-2013b" / "data"
    names = class_names("fgvc_aircraft")
    for part, (half, numbers) in enumerate((("trainval", range(200)), ("test", range(300, 400)))):
        for number in numbers:
            picture(folder / "images" / f"{number:07d}.jpg", number % 100, part)
        lines = [
            f"{number:07d} {SLASHED.get(names[number % 100], names[number % 100])}"
            for number in reversed(numbers)
        ]
        (folder / f"images_variant_{half}.txt").write_text("\n".join(lines) + "\n")
    variants = sorted(SLASHED.get(name, name) for name in names)
    (folder / "variants.txt").write_text("\n".join(variants) + "\n")
    return folder


def dtd(root: Path) -> Path:
    folder = root / "dtd" / "dtd"
    names = class_names("dtd")
    (folder / "labels").mkdir(parents=True)
    for part, half in enumerate(("train", "val", "test")):
        for label, name in enumerate(names):
            picture(folder / "images" / name / f"{name}_{part:04d}.jpg", label, part)
        lines = "".join(f"{name}/{name}_{part:04d}.jpg\n" for name in names)
        (folder / "labels" / f"{half}1.txt").write_text(lines)
        (folder / "labels" / f"{half}2.txt").write_text("not to be read\n")
    return folder


def idx(path: Path, array: np.ndarray, magic: int | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    magic = 0x800 + array.ndim if magic is None else magic
    head = struct.pack(f">{1 + array.ndim}I", magic, *array.shape)
    data = head + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def mnist(root: Path, spelling: str = "{}-{}-idx{}-ubyte") -> Path:
    folder = root / "MNIST" / "raw"
    for part, n in (("train", 3), ("t10k", 2)):
        digits = np.random.default_rng(n).permutation(np.tile(np.arange(10), n))
        pixels = np.repeat(20 * digits, 784).reshape(-1, 28, 28)
        idx(folder / spelling.format(part, "images", 3), pixels)
        idx(folder / spelling.format(part, "labels", 1), digits)
    return folder


def unsplit(name: str, folder: Path, each: int) -> Path:
    for label, full in enumerate(class_names(name)):
        one = FOLDER_OF[name](full)
        for i in range(1, each + 1):
            picture(folder / one / f"{one}_{i}.jpg", label)
    return folder


def eurosat(root: Path, each: int = 5) -> Path:
    return unsplit("eurosat", root / "eurosat" / "2750", each)


def resisc45(root: Path, each: int = 5) -> Path:
    return unsplit("resisc45", root / "NWPU-RESISC45", each)


def in_folders(name: str, root: Path, parts=("train", "test"), each: int = 1) -> Path:
    "train/<class>/... and test/<class>/..."
    for at, part in enumerate(parts):
        for label, full in enumerate(class_names(name)):
            folder = root / part / FOLDER_OF.get(name, str)(full)
            for i in range(each):
                picture(folder / f"{part}_{label}_{i}.png", label, at)
    return root


MAKERS = {
    "flowers102": flowers,
    "resisc45": resisc45,
    "fgvc_aircraft": aircraft,
    "mnist": mnist,
    "eurosat": eurosat,
    "dtd": dtd,
}
COUNTS = {
    "flowers102": (306, 102),
    "resisc45": (45, 180),
    "fgvc_aircraft": (200, 100),
    "mnist": (30, 20),
    "eurosat": (40, 10),
    "dtd": (94, 47),
}


def halves(copy):
    "Images and labels of the training half, and those of the test half"
    return (copy.train_images, copy.train_labels), (copy.test_images, copy.test_labels)


def check(copy, name: str, counts: tuple[int, int]):
    "Counts, kinds, no image in both halves, and every label that of the picture"
    assert (len(copy.train_images), len(copy.test_images)) == counts
    assert (len(copy.train_labels), len(copy.test_labels)) == counts
    assert copy.train_labels.dtype == copy.test_labels.dtype == np.int64
    n = ABOUT[name].classes
    assert np.bincount(copy.train_labels, minlength=n).min() >= 1
    assert np.bincount(copy.test_labels, minlength=n).min() >= 1
    if isinstance(copy.train_images, np.ndarray):
        return
    assert not set(copy.train_images) & set(copy.test_images)
    for images, labels in halves(copy):
        assert [label_seen(Image.open(path)) for path in images] == labels.tolist()


# --- names


def test_the_six_are_named_once():
    assert tuple(ABOUT) == PAPER_TASKS
    assert TASK_NAMES == (*POCKET_TASKS, *PAPER_TASKS, "folder")
    assert len(set(TASK_NAMES)) == 13
    assert PLACES.keys() == LAYOUTS.keys() == ABOUT.keys() == MAKERS.keys()
    assert (
        [len(class_names(name)) for name in ABOUT]
        == [102, 45, 100, 10, 10, 47]
        == [about.classes for about in ABOUT.values()]
    )
    assert [about[2:4] for about in ABOUT.values()] == [
        (2040, 6149),
        (6300, 25200),
        (6667, 3333),
        (60000, 10000),
        (22000, 5000),
        (3760, 1880),
    ]


@pytest.mark.parametrize("name", PAPER_TASKS)
@pytest.mark.parametrize("seed", [500, 0, 200])
def test_the_published_splits_are_ours(name, seed):
    from pseudolab.method.splits import seen_classes

    names = class_names(name)
    seen = {names[c] for c in seen_classes(len(names), seed)}
    assert set(names) - seen == set(unseen_classes(name, seed))
    assert len(seen) == int(0.62 * len(names))


def test_there_is_no_split_of_another_seed():
    with pytest.raises(ValueError, match="500, 0, 200"):
        unseen_classes("dtd", 1)
    with pytest.raises(ValueError, match="flowers102"):
        class_names("flowers")


def test_the_shipped_facts_are_those_of_the_design():
    path = ROOT.parent / "shared" / "design" / "classes.json"
    if not path.is_file():
        pytest.skip("the design's classes.json is not beside this repository")
    facts = json.loads(path.read_text())
    for name in PAPER_TASKS:
        assert class_names(name) == facts["classes"][name]
        assert all(
            unseen_classes(name, int(seed)) == unseen
            for seed, unseen in facts["transductive_unseen"][name].items()
        )


@pytest.mark.parametrize(
    ("name", "found", "meant"),
    [
        ("eurosat", "HerbaceousVegetation", "brushland or shrubland"),
        ("eurosat", "SeaLake", "lake or sea"),
        ("eurosat", "PermanentCrop", "permanent crop land"),
        ("eurosat", "Residential", "residential buildings or homes or apartments"),
        ("eurosat", "Highway", "highway or road"),
        ("eurosat", "AnnualCrop", "annual crop land"),
        ("eurosat", "Industrial", "industrial buildings or commercial buildings"),
        ("eurosat", "Pasture", "pasture land"),
        ("eurosat", "River", "river"),
        ("eurosat", "Forest", "forest"),
        ("resisc45", "sea_ice", "sea ice"),
        ("resisc45", "thermal_power_station", "thermal power station"),
        ("resisc45", "airplane", "airplane"),
        ("fgvc_aircraft", "F-16A/B", "F-16A-B"),
        ("fgvc_aircraft", "F/A-18", "F-A-18"),
        ("fgvc_aircraft", "F-A-18", "F-A-18"),
        ("fgvc_aircraft", "BAE 146-200", "BAE 146-200"),
        ("dtd", "polka-dotted", "polka-dotted"),
        ("mnist", "seven", "7"),
        ("mnist", "7", "7"),
        ("flowers102", "1", "pink primrose"),
        ("flowers102", "102", "blackberry lily"),
        ("flowers102", "77", "passion flower"),
        ("flowers102", "globe-flower", "globe flower"),
        ("flowers102", "colt's foot", "colt's foot"),
        ("flowers102", "ball moss", "air plant"),
    ],
)
def test_a_name_found_means_one_class(name, found, meant):
    assert class_names(name)[spellings(name)[found]] == meant


def test_torchvisions_names_of_the_flowers_are_all_known():
    torchvision = pytest.importorskip("torchvision.datasets")
    labels = [spellings("flowers102")[name] for name in torchvision.Flowers102.classes]
    assert labels == list(range(102))


def test_names_must_fit_one_to_one():
    wanted = {name: label for label, name in enumerate(EUROSAT)}
    assert match_names("eurosat", EUROSAT, "x") == wanted
    with pytest.raises(ValueError, match='names Sealake.*Did you mean "SeaLake"'):
        match_names("eurosat", ["Sealake", *EUROSAT], "x")
    with pytest.raises(ValueError, match="one class of EuroSAT"):
        match_names("eurosat", ["lake or sea", *EUROSAT], "x")
    one_of_ten = "nothing of 1 of the 10 classes of EuroSAT: annual crop land"
    with pytest.raises(FileNotFoundError, match=one_of_ten):
        match_names("eurosat", EUROSAT[1:], "x")
    with pytest.raises(FileNotFoundError, match="nothing of 10 of"):
        match_names("eurosat", [], "x")
    with pytest.raises(ValueError, match="names 0,"):
        match_names("flowers102", [str(i) for i in range(103)], "numbered from 0")


# --- layouts


@pytest.mark.parametrize("name", PAPER_TASKS)
def test_the_published_layout_from_above_and_from_within(name, tmp_path):
    folder = MAKERS[name](tmp_path)
    for root in dict.fromkeys((tmp_path, folder.parent, folder, str(folder))):
        copy = read_dataset(name, root)
        check(copy, name, COUNTS[name])
        assert copy.folder == folder.resolve()
        assert any("in the paper" in note for note in copy.notes)


@pytest.mark.parametrize("name", PAPER_TASKS)
def test_a_copy_sorted_into_train_and_test(name, tmp_path):
    n = ABOUT[name].classes
    check(read_dataset(name, in_folders(name, tmp_path)), name, (n, n))
    for part in ("train", "test"):
        (tmp_path / part).rename(tmp_path / part.capitalize())
    in_folders(name, tmp_path, ("Val",))
    check(read_dataset(name, tmp_path), name, (2 * n, n))
    deeper = tmp_path / "all" / PLACES[name][-1]
    deeper.mkdir(parents=True)
    for part in ("Train", "Val", "Test"):
        (tmp_path / part).rename(deeper / part)
    check(read_dataset(name, tmp_path / "all"), name, (2 * n, n))


def test_flowers_in_numbered_folders(tmp_path):
    for part in ("train", "test"):
        for number in range(1, 103):
            picture(tmp_path / part / str(number) / f"{part}{number}.png", number - 1)
    check(read_dataset("flowers102", tmp_path), "flowers102", (102, 102))


def test_the_six_side_by_side(tmp_path):
    for maker in MAKERS.values():
        maker(tmp_path)
    for name in PAPER_TASKS:
        check(read_dataset(name, tmp_path), name, COUNTS[name])


@pytest.fixture
def datasets(monkeypatch):
    "torchvision's data sets, which are told not to look at checksums: they know those of the whole"
    pytest.importorskip("torchvision")
    from torchvision import datasets
    from torchvision.datasets import flowers102

    monkeypatch.setattr(flowers102, "check_integrity", lambda *given: True)
    return datasets


def test_torchvision_reads_the_same_digits(tmp_path, datasets):
    mnist(tmp_path)
    copy = read_dataset("mnist", tmp_path)
    for train, (images, labels) in zip((True, False), halves(copy), strict=True):
        theirs = datasets.MNIST(tmp_path, train=train)
        assert (theirs.data.numpy() == images).all()
        assert theirs.targets.tolist() == labels.tolist()


def test_torchvision_reads_the_same_class_folders(tmp_path, datasets):
    eurosat(tmp_path)
    copy = read_dataset("eurosat", tmp_path)
    ours = {}
    for images, labels in halves(copy):
        ours |= dict(zip(images, labels, strict=True))
    theirs = datasets.EuroSAT(tmp_path)
    assert {Path(path).resolve(): label for path, label in theirs.samples} == ours


@pytest.mark.parametrize(
    ("name", "kind", "pool"),
    [
        ("fgvc_aircraft", "FGVCAircraft", ("trainval",)),
        ("dtd", "DTD", ("train", "val")),
        ("flowers102", "Flowers102", ("train", "val")),
    ],
)
def test_torchvision_reads_the_same_annotations(tmp_path, datasets, name, kind, pool):
    MAKERS[name](tmp_path)
    copy = read_dataset(name, tmp_path)
    read = getattr(datasets, kind)
    for splits, (images, labels) in zip((pool, ("test",)), halves(copy), strict=True):
        their_images, their_labels = [], []
        for split in splits:
            theirs = read(tmp_path, split=split)
            their_images += [Path(path).resolve() for path in theirs._image_files]
            their_labels += [spellings(name)[theirs.classes[label]] for label in theirs._labels]
        assert their_images == images
        assert their_labels == labels.tolist()


@pytest.mark.parametrize(
    "spelling", ["{}-{}-idx{}-ubyte.gz", "{}-{}.idx{}-ubyte", "{}-{}.idx{}-ubyte.gz"]
)
def test_idx_files_are_read_packed_and_in_both_spellings(tmp_path, spelling):
    copy = read_dataset("mnist", mnist(tmp_path / "a", spelling))
    usual = read_dataset("mnist", mnist(tmp_path / "b"))
    assert (copy.train_images == usual.train_images).all()
    assert (copy.test_labels == usual.test_labels).all()
    assert copy.train_images.dtype == np.uint8
    assert copy.train_images.shape == (30, 28, 28)
    assert (copy.train_images[:, 5, 5] == 20 * copy.train_labels).all()


def test_hidden_files_and_other_endings_are_passed_over(tmp_path):
    folder = eurosat(tmp_path)
    (folder / ".DS_Store").touch()
    (folder / "__MACOSX").mkdir()
    (folder / "River" / "Thumbs.db").touch()
    (folder / "River" / "._River_1.jpg").touch()
    check(read_dataset("eurosat", tmp_path), "eurosat", (40, 10))


def test_reading_opens_no_picture(tmp_path, monkeypatch):
    for name in PAPER_TASKS:
        MAKERS[name](tmp_path)
    monkeypatch.setattr(Image, "open", None)
    for name in PAPER_TASKS:
        assert len(quietly(load_task, name, root=tmp_path).train)


# --- splits: lists, and drawn ones


@pytest.mark.parametrize("name", ["eurosat", "resisc45"])
def test_a_drawn_split_is_the_same_for_everybody_and_says_that_it_is_drawn(name, tmp_path):
    MAKERS[name](tmp_path)
    copy, again = read_dataset(name, tmp_path), read_dataset(name, tmp_path)
    assert copy.test_images == again.test_images and copy.train_images == again.train_images
    elsewhere = shutil.copytree(tmp_path, tmp_path.parent / f"{tmp_path.name}-moved")
    assert [path.name for path in read_dataset(name, elsewhere).test_images] == [
        path.name for path in copy.test_images
    ]
    assert len({*copy.train_images, *copy.test_images}) == 5 * ABOUT[name].classes
    for images, labels in halves(copy):
        order = [(label, path.name) for label, path in zip(labels, images, strict=True)]
        assert order == sorted(order)  # and not as the file system lists them
    assert "not the paper's split" in copy.notes[0] and "test.txt" in copy.notes[0]
    with pytest.warns(UserWarning, match="not the paper's split.*in the paper") as heard:
        task = load_task(name, root=tmp_path)
    assert len(heard) == 1 and heard[0].filename == __file__
    assert quietly(load_task, name, root=tmp_path, seed=9).test.paths == task.test.paths


@pytest.mark.parametrize(
    ("name", "each"),
    [
        ("eurosat", [3000, 3000, 3000, 2500, 2500, 2000, 2500, 3000, 2500, 3000]),
        ("resisc45", [700] * 45),
    ],
)
def test_a_drawn_split_of_the_whole_has_the_papers_sizes(name, each):
    about, labels = ABOUT[name], np.repeat(np.arange(len(each)), each)
    test = draw_test(labels, about.classes, about.test / (about.train + about.test))
    assert test.sum() == about.test and (~test).sum() == about.train
    assert set(np.bincount(labels[test])) == {about.test // about.classes}


@given(each=st.lists(st.integers(2, 60), min_size=2, max_size=12), share=st.floats(0.01, 0.99))
def test_a_drawn_split_leaves_nobody_out(each, share):
    labels = np.repeat(np.arange(len(each)), each)
    test = draw_test(labels, len(each), share)
    counts = np.bincount(labels[test], minlength=len(each))
    assert (counts >= 1).all()
    assert (counts < each).all()
    assert (test == draw_test(labels, len(each), share)).all()
    assert all(
        count == min(counts.max(), size - 1) for count, size in zip(counts, each, strict=True)
    )


LINES = {
    "plain": "{0}/{0}_{1}.jpg",
    "with the folder": "2750/{0}/{0}_{1}.jpg",
    "file alone": "{0}_{1}.jpg",
    "archive and number": "train.zip@{0}/{0}_{1}.jpg 3",
    "backslash": "{0}\\{0}_{1}.jpg",
    "a dot first": "./{0}/{0}_{1}.jpg",
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
@pytest.mark.parametrize("beside", [True, False], ids=["beside", "above"])
def test_split_lists_are_followed(tmp_path, line, beside):
    folder = eurosat(tmp_path)
    place = folder if beside else folder.parent
    for part, numbers in (("train", (1,)), ("val", (2, 4)), ("test", (5,))):
        (place / f"{part}.txt").write_text(
            "\n".join(line.format(one, i) for i in numbers for one in reversed(EUROSAT)) + "\n\n"
        )
    copy = read_dataset("eurosat", tmp_path)
    check(copy, "eurosat", (30, 10))
    assert [path.stem.split("_")[1] for path in copy.train_images] == ["1"] * 10 + ["2"] * 10 + [
        "4"
    ] * 10
    assert copy.test_labels.tolist() == list(range(9, -1, -1))
    assert copy.notes[0].startswith("10 images are in no list")
    assert not any("not the paper's split" in note for note in copy.notes)


def test_lists_in_cocos_form(tmp_path):
    folder = resisc45(tmp_path)
    for part, i in (("train", 1), ("val", 2), ("test", 3)):
        names = [name.replace(" ", "_") for name in class_names("resisc45")]
        (folder / f"{part}.json").write_text(
            json.dumps(
                {
                    "images": [
                        {"id": at, "file_name": f"{part}.zip@{one}/{one}_{i}.jpg"}
                        for at, one in enumerate(names)
                    ],
                    "categories": [],
                }
            )
        )
    check(read_dataset("resisc45", tmp_path), "resisc45", (90, 45))


def test_a_test_list_alone_leaves_the_rest_to_the_pool(tmp_path):
    folder = eurosat(tmp_path)
    (folder / "test.txt").write_text("".join(f"{one}/{one}_2.jpg\n" for one in EUROSAT))
    copy = read_dataset("eurosat", tmp_path)
    check(copy, "eurosat", (40, 10))
    assert {path.stem.split("_")[1] for path in copy.test_images} == {"2"} and len(copy.notes) == 1


def test_a_list_above_the_root_is_not_ours(tmp_path):
    folder = eurosat(tmp_path)
    (tmp_path / "test.txt").write_text("something/else.jpg\n")
    assert "drawn" in read_dataset("eurosat", folder).notes[0]


def test_lists_that_will_not_do(tmp_path):
    folder, lines = eurosat(tmp_path), [f"{one}/{one}_1.jpg" for one in EUROSAT]
    test, train = folder / "test.txt", folder / "train.txt"
    test.write_text("\n".join([*lines, "River/River_77.jpg"]))
    with pytest.raises(
        FileNotFoundError, match="test.txt names 1 images that are not there.*River_77"
    ):
        read_dataset("eurosat", tmp_path)
    test.write_text("\n".join([*lines, "River/SeaLake_1.jpg"]))
    with pytest.raises(FileNotFoundError, match="River/SeaLake_1.jpg"):
        read_dataset("eurosat", tmp_path)
    test.write_text("\n".join([*lines, lines[0]]))
    with pytest.raises(ValueError, match="more than once"):
        read_dataset("eurosat", tmp_path)
    test.write_text("\n".join(lines))
    train.write_text("\n".join([line.replace("_1", "_2") for line in lines] + lines[:2]))
    with pytest.raises(ValueError, match="2 images in common.*must not be in the training pool"):
        read_dataset("eurosat", tmp_path)
    train.write_text("\n".join(line.replace("_1", "_2") for line in lines[1:]))
    with pytest.raises(
        FileNotFoundError,
        match="no training image of 1 of the 10 classes of EuroSAT: annual crop land",
    ):
        read_dataset("eurosat", tmp_path)
    test.unlink()
    with pytest.raises(FileNotFoundError, match="train.txt but no test.txt"):
        read_dataset("eurosat", tmp_path)
    for content in (b"", b"\n \n", b"\xff\xfe\x00r"):
        test.write_bytes(content)
        with pytest.raises(ValueError, match="test.txt"):
            read_dataset("eurosat", tmp_path)
    test.unlink()
    train.unlink()
    for content in (
        "{",
        "[]",
        '{"images": 3}',
        '{"images": [{}]}',
        '{"images": [{"file_name": 3}]}',
        "[" * 100000,
    ):
        (folder / "test.json").write_text(content)
        with pytest.raises(ValueError, match="test.json cannot be read as a list"):
            read_dataset("eurosat", tmp_path)


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("a/b.jpg", "a/b.jpg"),
        ("x.zip@a/b c.jpg 12", "a/b c.jpg"),
        ("a/b.JPG\t7", "a/b.JPG"),
        ("b.tif", "b.tif"),
        ("a b/c 1.png", "a b/c 1.png"),
    ],
)
def test_a_line_of_a_list(line, path):
    assert str(listed_path(line)) == path


def test_one_image_cannot_be_split(tmp_path):
    folder = eurosat(tmp_path)
    for path in list((folder / "River").iterdir())[1:]:
        path.unlink()
    with pytest.raises(ValueError, match="one image of 1 classes of EuroSAT: river.*test.txt"):
        read_dataset("eurosat", tmp_path)


@pytest.mark.parametrize("name", ["eurosat", "dtd"])
def test_test_images_never_get_into_the_pool(name, tmp_path):
    in_folders(name, tmp_path)
    one = next(path for path in sorted((tmp_path / "test").rglob("*.png")))
    twin = tmp_path / "train" / one.parent.name / one.name
    picture(twin, 1, 2)
    # of one name, but another picture
    assert twin.read_bytes() != one.read_bytes()
    assert len(read_dataset(name, tmp_path).train_images) == ABOUT[name].classes + 1
    shutil.copy(one, twin)
    with pytest.raises(
        ValueError,
        match=f"1 test images of {ABOUT[name].title} are in the training pool too.*{one.name}",
    ):
        read_dataset(name, tmp_path)


# --- copies that will not do


def refused(kind, said, name, root, **options) -> str:
    with pytest.raises(kind, match=said) as caught:
        load_task(name, root=root, **options)
    return str(caught.value)


@pytest.mark.parametrize("name", PAPER_TASKS)
def test_no_root_and_no_data(name, tmp_path):
    about = ABOUT[name]
    for root in (None, ""):
        said = refused(ValueError, "needs a local copy", name, root)
        assert about.title in said
        assert f'load_task("{name}", root=' in said
        assert how_to_get(name) in said
    said = refused(FileNotFoundError, "There is no folder", name, tmp_path / "gone")
    assert about.title in said and how_to_get(name) in said
    said = refused(FileNotFoundError, "was not found in", name, tmp_path)
    assert all(
        part in said
        for part in (
            about.title,
            str(tmp_path),
            LAYOUTS[name],
            "train/<class>/",
            about.home,
            *PLACES[name],
            "no folders",
        )
    )
    (tmp_path / "some.tar.gz").touch()
    (tmp_path / "data").mkdir()
    assert "unpack them first" in refused(FileNotFoundError, "archives some.tar.gz", name, tmp_path)
    assert refused(ValueError, "is a file.*unpack it first", name, tmp_path / "some.tar.gz")


def test_how_to_get_is_a_line_that_torchvision_understands():
    pytest.importorskip("torchvision")
    from torchvision import datasets

    for name in PAPER_TASKS:
        if name == "resisc45":
            continue
        kind = how_to_get(name).split("import ")[1].split(";")[0]
        assert "download" in getattr(datasets, kind).__init__.__code__.co_varnames
        assert f"{kind}('data', download=True)" in how_to_get(name)


@pytest.mark.parametrize("name", PAPER_TASKS)
def test_train_and_test_of_something_else(name, tmp_path):
    for part in ("train", "test"):
        picture(tmp_path / part / "unicorn" / "1.png", 0)
    refused(FileNotFoundError, "was not found in", name, tmp_path)
    in_folders(name, tmp_path)
    assert "unicorn" in refused(ValueError, "no classes of", name, tmp_path)


@pytest.mark.parametrize("name", PAPER_TASKS)
def test_a_class_folder_that_is_missing_or_empty(name, tmp_path):
    in_folders(name, tmp_path)
    gone = tmp_path / "test" / FOLDER_OF.get(name, str)(class_names(name)[3])
    for path in gone.iterdir():
        path.unlink()
    said = refused(FileNotFoundError, "folders without an image for 1 classes", name, tmp_path)
    gone.rmdir()
    assert class_names(name)[3] in said
    assert class_names(name)[3] in refused(FileNotFoundError, "nothing of 1 of", name, tmp_path)


@pytest.mark.parametrize("name", ["eurosat", "resisc45"])
def test_a_class_folder_too_few_and_one_too_many(name, tmp_path):
    folder = MAKERS[name](tmp_path)
    other = folder / "unicorn"
    gone = (folder / FOLDER_OF[name](class_names(name)[2])).rename(other)
    refused(ValueError, "names unicorn", name, tmp_path)
    shutil.rmtree(gone)
    assert class_names(name)[2] in refused(
        FileNotFoundError, "nothing of 1 of.*Is the copy whole", name, tmp_path
    )


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("flowers102", "setid.mat"),
        ("flowers102", "imagelabels.mat"),
        ("flowers102", "jpg"),
        ("dtd", "labels/val1.txt"),
        ("dtd", "images"),
        ("fgvc_aircraft", "images_variant_test.txt"),
        ("fgvc_aircraft", "images"),
        ("mnist", "t10k-labels-idx1-ubyte"),
        ("mnist", "train-images-idx3-ubyte"),
    ],
)
def test_an_annotation_that_is_missing(name, missing, tmp_path):
    folder = MAKERS[name](tmp_path)
    path = folder / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    said = refused(FileNotFoundError, f"is a copy of {ABOUT[name].title} without", name, tmp_path)
    assert missing in said and LAYOUTS[name] in said and how_to_get(name) in said


@pytest.mark.parametrize("name", ["flowers102", "dtd", "fgvc_aircraft"])
def test_an_image_that_is_listed_and_not_there(name, tmp_path):
    folder = MAKERS[name](tmp_path)
    gone = sorted(folder.rglob("*.jpg"))[7]
    gone.unlink()
    assert gone.name in refused(FileNotFoundError, "1 of which are not there", name, tmp_path)


@pytest.mark.parametrize(
    ("name", "file", "line"),
    [
        ("dtd", "labels/train1.txt", "banded"),
        ("dtd", "labels/test1.txt", "banded/x/y.jpg"),
        ("fgvc_aircraft", "images_variant_test.txt", "0000300"),
        ("fgvc_aircraft", "images_variant_trainval.txt", "../secret 707-320"),
    ],
)
def test_an_odd_line_of_an_annotation(name, file, line, tmp_path):
    path = MAKERS[name](tmp_path) / file
    path.write_text(path.read_text() + line + "\n")
    assert line in refused(ValueError, "has the line.*expected lines such as", name, tmp_path)
    path.write_bytes(b"\xff\xfe\x80")
    refused(ValueError, "cannot be read as a list", name, tmp_path)
    path.write_text("")
    refused(ValueError, "is empty", name, tmp_path)


def test_an_annotation_with_names_that_will_not_do(tmp_path):
    path = aircraft(tmp_path) / "images_variant_test.txt"
    text = path.read_text()
    path.write_text(text.replace("F/A-18", "F/A-19"))
    refused(ValueError, 'F/A-19.*Did you mean "F/A-18"', "fgvc_aircraft", tmp_path)
    path.write_text("".join(line for line in text.splitlines(True) if "Tu-154" not in line))
    refused(
        FileNotFoundError,
        "images_variant_test.txt has nothing of 1 .*Tu-154",
        "fgvc_aircraft",
        tmp_path,
    )
    path.write_text(text + "0000007 737-700\n")
    refused(ValueError, "come more than once.*0000007", "fgvc_aircraft", tmp_path)
    path.write_text(text + text.splitlines(True)[0])
    refused(ValueError, "come more than once", "fgvc_aircraft", tmp_path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"labels": np.arange(408)}, "from 1 to 102"),
        ({"labels": np.full(408, 103)}, "from 1 to 102"),
        ({"labels": np.full(408, 1.5)}, "whole numbers"),
        ({"labels": np.array(["rose"])}, "whole numbers"),
        ({"labels": []}, "whole numbers"),
        ({"trnid": [409]}, "from 1 to 408"),
        ({"tstid": [0]}, "from 1 to 408"),
        ({"labels": np.full(408, np.nan)}, "whole numbers"),
    ],
)
def test_mat_files_with_other_numbers(tmp_path, changes, said):
    flowers(tmp_path, **changes)
    refused(ValueError, said, "flowers102", tmp_path)


def test_mat_files_that_name_an_image_twice_or_leave_a_class_out(tmp_path):
    folder = flowers(tmp_path)
    ids = {key: read_mat(folder / "setid.mat", key, 408) for key in ("trnid", "valid", "tstid")}
    savemat(folder / "setid.mat", ids | {"valid": ids["tstid"]})
    refused(
        ValueError,
        "102 images come more than once.*must not be in the training pool",
        "flowers102",
        tmp_path,
    )
    savemat(folder / "setid.mat", ids | {"tstid": ids["tstid"][1:]})
    refused(FileNotFoundError, "no test image of 1 of the 102", "flowers102", tmp_path)
    savemat(folder / "setid.mat", {"trnid": ids["trnid"]})
    refused(ValueError, "no variable valid", "flowers102", tmp_path)


def test_a_number_type_that_there_is_not_does_not_end_the_process(tmp_path):
    "Byte 184 is the type of the first array's numbers; SciPy's reader looks it up without a check"
    path = tmp_path / "setid.mat"
    savemat(path, {"trnid": np.arange(1, 60), "valid": np.arange(60, 99)})
    data = bytearray(path.read_bytes())
    data[184] = 251
    path.write_bytes(data)
    with pytest.raises(ValueError, match="types"):
        read_mat(path, "trnid", 99)


@settings(max_examples=40)
@given(
    at=st.lists(st.integers(0, 10**6), min_size=1, max_size=8),
    value=st.integers(0, 255),
    cut=st.integers(0, 600),
    packed=st.booleans(),
)
def test_a_damaged_mat_file_is_named_and_nothing_else_happens(
    tmp_path_factory, at, value, cut, packed
):
    path = tmp_path_factory.mktemp("mat") / "setid.mat"
    savemat(path, {"trnid": np.arange(1, 60), "valid": np.arange(60, 99)}, do_compression=packed)
    data = bytearray(path.read_bytes())
    for one in at:
        data[one % len(data)] = value
    path.write_bytes(data[: len(data) - cut] if cut < len(data) else b"")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            assert read_mat(path, "trnid", 10**9).min() >= 1
        except ValueError as error:
            assert str(path) in str(error)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: b"\x89PNG" + data[4:], "magic number is .*expected 2051"),
        (lambda data: data[:-1], "fewer"),
        (lambda data: data + b"\0", "more"),
        (lambda data: data[:7], "requires"),
        (lambda data: b"", "requires"),
        (lambda data: data[:8] + struct.pack(">2I", 27, 28) + data[16:], "27 x 28"),
        (lambda data: data[:4] + struct.pack(">I", 2**32 - 1) + data[8:], "4294967295 x 28 x 28"),
        (lambda data: struct.pack(">I", 2049) + data[4:], "2049"),
    ],
)
def test_an_idx_file_that_is_none(tmp_path, change, said, packed):
    path = mnist(tmp_path) / "train-images-idx3-ubyte"
    data = change(path.read_bytes())
    path.unlink()
    path = path.with_name(path.name + ".gz" * packed)
    path.write_bytes(gzip.compress(data) if packed else data)
    assert path.name in refused(
        ValueError, f"not the idx file of MNIST: .*{said}", "mnist", tmp_path
    )


def test_idx_files_that_do_not_fit(tmp_path):
    folder = mnist(tmp_path)
    idx(folder / "t10k-labels-idx1-ubyte", np.arange(10))
    refused(ValueError, "20 images and .* 10 labels", "mnist", tmp_path)
    idx(folder / "t10k-labels-idx1-ubyte", np.arange(1, 21) % 11)
    refused(ValueError, "label 10", "mnist", tmp_path)
    idx(folder / "t10k-labels-idx1-ubyte", np.arange(20) % 9)
    refused(
        FileNotFoundError, "no test image of 1 of the 10 classes of MNIST: 9", "mnist", tmp_path
    )
    packed = folder / "train-labels-idx1-ubyte.gz"
    packed.write_bytes(gzip.compress((folder / "train-labels-idx1-ubyte").read_bytes())[:-12])
    (folder / "train-labels-idx1-ubyte").unlink()
    refused(ValueError, "train-labels-idx1-ubyte.gz is not", "mnist", tmp_path)
    packed.write_bytes(b"not packed at all")
    refused(ValueError, "train-labels-idx1-ubyte.gz is not", "mnist", tmp_path)


def test_data_sets_with_files_of_the_same_names_are_told_apart(tmp_path):
    folder = mnist(tmp_path)
    idx(folder / "train-images-idx3-ubyte", np.zeros((60000, 28, 28), np.uint8))
    idx(folder / "train-labels-idx1-ubyte", np.arange(60000) % 10)
    refused(ValueError, "6,000 training images of every class.*Fashion-MNIST", "mnist", tmp_path)
    digits = np.arange(60000) % 10
    digits[0] = 1
    idx(folder / "train-labels-idx1-ubyte", digits)
    assert len(quietly(load_task, "mnist", root=tmp_path).train) == 60000


def test_a_damaged_image_is_named_when_it_is_asked_for(tmp_path):
    folder = eurosat(tmp_path)
    for path in (folder / "River").iterdir():
        path.write_text("no image")
    task = quietly(load_task, "eurosat", root=tmp_path)
    at = task.test.labels.tolist().index(8)
    with pytest.raises(ValueError, match="River_.*cannot be read as an image"):
        task.test.images[at]


# --- tasks


@pytest.mark.parametrize("name", PAPER_TASKS)
def test_a_task_and_its_source(name, tmp_path, monkeypatch):
    MAKERS[name](tmp_path)
    monkeypatch.chdir(tmp_path.parent)
    task = quietly(load_task, name, root=tmp_path.name, template="a picture of a {}")
    assert task.name == name
    assert task.class_names == class_names(name)
    assert task.template == "a picture of a {}"
    assert (len(task.train), len(task.test)) == COUNTS[name]
    assert json.loads(json.dumps(task.source)) == task.source
    monkeypatch.chdir(tmp_path)
    again = quietly(load_task, **task.source)
    assert again.train.digest() == task.train.digest() != task.test.digest() == again.test.digest()
    assert again.template == task.template
    assert (again.train.labels == task.train.labels).all() and again.source == task.source
    assert quietly(load_task, name, root=tmp_path).template == "a photo of a {}"
    for part in (task.train, task.test):
        image = part.images[-1]
        assert image.mode == "RGB"
        if name == "mnist":
            assert image.size == (28, 28) and image.getpixel((9, 9)) == (20 * part.labels[-1],) * 3
        else:
            assert label_seen(image) == part.labels[-1]


def test_a_long_tail_is_cut_from_a_data_set_too(tmp_path):
    mnist(tmp_path)
    task = quietly(load_task, "mnist", root=tmp_path)
    tail = task.imbalanced(3)
    assert np.bincount(tail.train.labels).max() == 3
    assert np.bincount(tail.train.labels).min() == 1
    assert tail.test is task.test
    assert task.train.images[[2, 0]].digest() != task.train.images[:2].digest()
    assert np.asarray(tail.train.images[0]).shape == (28, 28, 3)


@pytest.mark.parametrize("name", PAPER_TASKS)
def test_strict_wants_the_papers_copy(name, tmp_path):
    MAKERS[name](tmp_path)
    said = refused(ValueError, "without strict", name, tmp_path, strict=True)
    assert (
        f"{ABOUT[name].train:,} training and {ABOUT[name].test:,} test images in the paper" in said
    )
    assert ("not the paper's split" in said) == (name in ("eurosat", "resisc45"))


def test_options_that_are_for_other_tasks(tmp_path):
    eurosat(tmp_path)
    refused(ValueError, "brings its own class names", "eurosat", tmp_path, class_names=["a", "b"])
    refused(ValueError, "no option n_train", "eurosat", tmp_path, n_train=3)
    refused(ValueError, "exactly one {}", "eurosat", tmp_path, template="a photo")
    refused(ValueError, "brings its own images and classes; root", "satellite", tmp_path)


def test_the_settings_may_name_a_data_set(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "settings.ini").write_text("[pseudolab]\ntask = mnist\n")
    mnist(tmp_path)
    assert quietly(load_task, root=tmp_path).name == "mnist"
    with pytest.raises(ValueError, match="needs a local copy"):
        load_task()


def test_the_table_lists_them_with_their_sizes():
    rows = {row.name: row for row in task_table()}
    assert list(rows) == task_names() == list(TASK_NAMES)
    for name, about in ABOUT.items():
        assert rows[name][1:4] == (about.classes, about.train, about.test)
        assert "needs a local copy" in rows[name].shift
        assert about.title in rows[name].mirrors


def test_the_command_line_knows_them(tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from pseudolab.cli.app import app

    monkeypatch.chdir(tmp_path)
    shown = CliRunner().invoke(app, ["tasks"]).stdout
    assert all(name in shown for name in PAPER_TASKS)
    assert "needs a local copy" in " ".join(shown.split())
    for arguments, said in (
        (["demo", "--task", "eurosat"], "runs on a task that ships"),
        (["run", "--task", "eurosat", "--root", str(tmp_path)], "EuroSAT was not found"),
        (["run", "--task", "dtd"], "needs a local copy"),
    ):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 1
        assert said in " ".join(result.stderr.split())
        assert "Traceback" not in result.stderr
    (tmp_path / "settings.ini").write_text("[pseudolab]\ntask = dtd\n")
    assert "DTD was not found" in " ".join(
        CliRunner().invoke(app, ["run", "--root", str(tmp_path)]).stderr.split()
    )


def test_reading_needs_no_torch_and_no_scipy_until_flowers():
    code = (
        "import sys, pseudolab.data.paper; sys.exit(any(name in sys.modules for name in ('torch',"
        " 'torchvision', 'scipy', 'pseudolab.data.tasks')))"
    )
    assert subprocess.run([sys.executable, "-c", code], stdin=subprocess.DEVNULL).returncode == 0


def test_unsupervised_fpl_on_a_miniature(tmp_path):
    from pseudolab import PromptTuner, Recipe, load_clip

    eurosat(tmp_path)
    task = quietly(load_task, "eurosat", root=tmp_path)
    tuner = PromptTuner(
        load_clip(),
        prompt="text",
        paradigm="ul",
        strategy="fpl",
        recipe=Recipe.pocket().replace(epochs=2, min_steps=0),
        seed=0,
    )
    run = tuner.fit(task, progress=False)
    assert len(run.rounds) == 2 and 0 <= run.score <= 1 and len(run.rounds[1].pseudolabels)
    assert set(tuner.predict(task.test.images)) <= set(task.class_names)


def test_real_digits_sorted_into_folders(tmp_path):
    archive = DATA / "mnist-small.tar"
    if not archive.is_file():
        pytest.skip("mnist-small.tar is not beside this repository")
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path, filter="data")
    with pytest.warns(
        UserWarning,
        match="60,000 training and 10,000 test images in the paper, this copy has 2,000 and 1,000",
    ):
        task = load_task("mnist", root=tmp_path / "mnist-small")
    assert all(
        path.parent.name == task.class_names[label]
        for path, label in zip(task.test.paths, task.test.labels, strict=True)
    )
    assert task.train.images[0].size == (28, 28)


def test_a_folder_of_our_name_where_one_works_is_no_trouble(tmp_path):
    (tmp_path / "pseudolab" / "static").mkdir(parents=True)
    code = "from pseudolab.data.paper import class_names; print(class_names('mnist')[7])"
    assert (
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        ).stdout
        == "7\n"
    )
