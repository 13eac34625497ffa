"""Tasks: drawn ones are a function of their seed, folders are read as a person would read them, and
bad input is named.
"""

import os
import random
import struct
import tarfile
import unicodedata
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pseudolab.data.folder import Part, natural_key, split_classes
from pseudolab.data.images import Images, ImageSet, read_image
from pseudolab.data.paper import DIGIT_NAMES
from pseudolab.data.pocket import (
    MIRRORS,
    N_DIGITS,
    SHIFT_STRENGTH,
    SPLITS,
    drawing_rng,
    drawn_set,
    load_world,
)
from pseudolab.data.tasks import (
    Task,
    load_task,
    long_tail,
    tail_counts,
    task_names,
    task_table,
)

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
DRAWN = sorted(SHIFT_STRENGTH)


@pytest.fixture(autouse=True, scope="module")
def _cache(tmp_path_factory):
    "Nothing is written to the user's cache"
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("XDG_CACHE_HOME", "HOME", "LOCALAPPDATA"):
            patch.setenv(name, str(folder))
        patch.chdir(folder)
        yield


def picture(path: Path, color=(200, 30, 40), size=(12, 9), **save) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path, **save)
    return path


def folder_of(root: Path, **classes: int) -> Path:
    "A folder with so many pictures per class, each of its own colour"
    for name, count in classes.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            picture(root / name / f"{i}.png", (i, len(name), 50))
    return root


def names_of(images: ImageSet) -> list[str]:
    return [path.name for path in images.paths]


# --- images and image sets


def pixels(n=6):
    return np.random.default_rng(0).integers(0, 256, (n, 5, 4, 3), dtype=np.uint8)


@given(st.lists(st.integers(-6, 5), max_size=8), st.data())
def test_a_view_is_what_numpy_would_take(chosen, data):
    array = pixels()
    view = Images(array)[chosen]
    assert len(view) == len(chosen) and all(
        (np.asarray(view[at]) == array[i]).all() for at, i in enumerate(chosen)
    )
    mask = data.draw(st.lists(st.booleans(), min_size=len(chosen), max_size=len(chosen)))
    again = view[np.array(mask, bool)]
    assert [np.asarray(one).tolist() for one in again] == [
        array[i].tolist() for i, kept in zip(chosen, mask) if kept
    ]
    assert (
        again.digest()
        == Images(array[[i for i, kept in zip(chosen, mask) if kept]].reshape(-1, 5, 4, 3)).digest()
    )


def test_a_number_opens_one_picture():
    images = Images(pixels())
    for at in (2, np.int64(2), np.array(2), -4):
        assert (np.asarray(images[at]) == pixels()[2]).all()
    assert isinstance(images[1], Image.Image) and images[1].mode == "RGB"
    assert (
        len(images[::2]) == 3
        and len(images[[]]) == 0
        and len(images[5:1]) == 0
        and len(list(images)) == 6
    )
    for wrong in (6, -7, [6], [True, False]):
        with pytest.raises(IndexError):
            images[wrong]


def test_an_image_set_wants_one_label_an_image():
    images = ImageSet(Images(pixels()), [0, 1, 2, 0, -1, 1])
    assert images.labels.dtype == np.int64 and len(images) == 6 and images.paths is None
    assert (
        images.subset(images.labels == 1).labels.tolist() == [1, 1] and len(images.subset([])) == 0
    )
    for wrong in ([0, 1], [[0] * 6]):
        with pytest.raises(ValueError, match="one label per image"):
            ImageSet(Images(pixels()), wrong)


def test_a_digest_follows_the_pictures_and_their_order(tmp_path):
    a, b = picture(tmp_path / "a.png", (1, 2, 3)), picture(tmp_path / "b.png", (4, 5, 6))
    moved = picture(tmp_path / "elsewhere" / "c.png", (1, 2, 3))
    assert Images([a, b]).digest() == Images([moved, b]).digest() != Images([b, a]).digest()
    before = Images([a]).digest()
    picture(a, (9, 9, 9))
    os.utime(a, ns=(0, 1))
    assert Images([a]).digest() != before
    assert (
        ImageSet(Images(pixels()), np.zeros(6)).digest()
        == ImageSet(Images(pixels()), np.ones(6)).digest()
    )


# --- a task checks itself


def tiny_task(
    class_names=("a", "b"), template="a photo of a {}", labels=(0, 1, 0, 1, 0, 1)
) -> Task:
    images = ImageSet(Images(pixels()), labels)
    return Task("tiny", class_names, template, images, images)


@pytest.mark.parametrize(
    "template", ["", "a photo", "{} and {}", "{0}", "{name}", "{{}}", "{} {x}", "{", "{}}", None, 3]
)
def test_a_template_needs_one_place_for_the_name(template):
    with pytest.raises(ValueError, match="exactly one {}"):
        tiny_task(template=template)
    if template is not None:
        with pytest.raises(ValueError, match="exactly one {}"):
            load_task("digits", template=template)


@pytest.mark.parametrize(
    "names",
    [
        ["a"],
        [],
        ["a", "a"],
        ["a", " a "],
        ["a", ""],
        ["a", "  "],
        ["a", None],
        ["a", 3],
        ["a", "\udc80"],
        ["\u00e9", "e\u0301"],
    ],
)
def test_class_names_that_will_not_do(names):
    with pytest.raises(ValueError):
        tiny_task(names, labels=(-1,) * 6)


def test_labels_must_be_classes():
    for labels in ((0, 1, 2, 0, 1, 0), (0, 1, -2, 0, 1, 0)):
        with pytest.raises(ValueError, match="labels from"):
            tiny_task(labels=labels)


# --- drawn tasks


@pytest.fixture(params=DRAWN, scope="module")
def world(request):
    if not find_spec(f"pseudolab.data.worlds.{request.param}"):
        pytest.skip(f"the world {request.param} is not drawn yet")
    return request.param


def test_a_drawn_task_is_balanced_shuffled_and_a_function_of_its_seed(world):
    task, again, other = (load_task(world, n_train=3, n_test=2, seed=seed) for seed in (0, 0, 1))
    n = len(task.class_names)
    assert (
        task.name == world
        and task.template == "a photo of a {}"
        and tuple(task.class_names) == load_world(world).classes
    )
    assert (
        np.bincount(task.train.labels).tolist() == [3] * n
        and np.bincount(task.test.labels).tolist() == [2] * n
    )
    assert (np.diff(task.train.labels) < 0).any()
    assert (
        task.train.digest() == again.train.digest() != other.train.digest()
        and (task.train.labels == again.train.labels).all()
    )
    one = task.train.images[0]
    assert one.size == (56, 56) and one.mode == "RGB"
    every = [
        np.asarray(image).tobytes()
        for part in (task.train, task.test, other.train, other.test)
        for image in part.images
    ]
    assert len(set(every)) == len(every)


def test_a_picture_does_not_depend_on_how_many_are_drawn(world):
    few, more = (load_task(world, n_train=n, n_test=1) for n in (2, 4))
    known = {
        np.asarray(image).tobytes(): label
        for image, label in zip(more.train.images, more.train.labels)
    }
    assert all(
        known[np.asarray(image).tobytes()] == label
        for image, label in zip(few.train.images, few.train.labels)
    )


def test_a_label_names_what_is_drawn(world):
    task, drawn = load_task(world, n_train=2, n_test=1), load_world(world)
    for at in (0, 1, len(task.train) - 1):
        label = int(task.train.labels[at])
        candidates = [
            np.asarray(
                drawn.draw(
                    drawing_rng(0, world, "train", label, i),
                    drawn.classes[label],
                    SHIFT_STRENGTH[world],
                )
            )
            for i in range(2)
        ]
        assert any(
            (np.asarray(task.train.images[at]) == candidate).all() for candidate in candidates
        )


def test_the_shift_changes_the_pictures_and_not_the_labels(world):
    plain, moved = (load_task(world, n_train=2, n_test=1, shift=shift) for shift in (0, 1))
    assert (
        plain.train.labels == moved.train.labels
    ).all() and plain.train.digest() != moved.train.digest()


def test_an_edit_of_the_drawing_code_draws_anew(monkeypatch):
    from pseudolab.data import pocket

    world = load_world("satellite")
    before = drawn_set(world, "train", 1, 1.0, 0)
    monkeypatch.setattr(pocket, "drawing_digest", lambda world: f"edited {world.name}")
    drawn = []
    monkeypatch.setattr(
        pocket,
        "draw_split",
        lambda *given: (
            drawn.append(given) or {"pixels": before.images.source, "labels": before.labels}
        ),
    )
    drawn_set(world, "train", 1, 1.0, 0)
    drawn_set(world, "train", 1, 1.0, 0)
    assert len(drawn) == 1


def test_streams_of_chance_never_meet():
    keys = [
        (seed, world, split, label, i)
        for seed in (0, 1)
        for world in MIRRORS
        for split in SPLITS
        for label in (0, 1, 2)
        for i in (0, 1, 2)
    ]
    first = {drawing_rng(*key).integers(2**63) for key in keys}
    assert len(first) == len(keys)


@pytest.mark.parametrize(
    "options",
    [
        {"n_train": 0},
        {"n_test": -1},
        {"n_train": 2.5},
        {"n_train": True},
        {"n_train": "3"},
        {"shift": -1},
        {"shift": "far"},
        {"shift": float("nan")},
        {"seed": -1},
        {"seed": 2**32},
        {"seed": "0"},
        {"shots": 3},
        {"root": "x"},
        {"class_names": ["a", "b"]},
    ],
)
def test_options_of_a_drawn_task_are_checked(options):
    with pytest.raises(ValueError) as caught:
        load_task("satellite", **options)
    assert next(iter(options)) in str(caught.value)


def test_digits_are_scikit_learns_and_their_split_is_fixed():
    from sklearn.datasets import load_digits

    task, other = load_task("digits"), load_task("digits", seed=5)
    assert (
        task.class_names == list(DIGIT_NAMES)
        and len(task.train) + len(task.test) == N_DIGITS == 1797
    )
    assert (
        np.bincount(task.train.labels).tolist() == [60] * 10
        and np.bincount(task.test.labels).min() == 114
    )
    assert task.train.digest() == other.train.digest() != task.test.digest()
    data = load_digits()
    both = np.concatenate([task.train.images.positions, task.test.images.positions])
    assert (
        sorted(both) == list(range(1797))
        and (np.concatenate([task.train.labels, task.test.labels]) == data.target[both]).all()
    )
    for at in range(20):
        small = np.asarray(
            task.train.images[at].convert("L").resize((8, 8), Image.Resampling.BOX), float
        )
        assert (
            np.corrcoef(small.ravel(), data.images[task.train.images.positions[at]].ravel())[0, 1] > 0.9
        )
    with pytest.raises(ValueError, match="no option n_train"):
        load_task("digits", n_train=3)
    assert load_world("digits").classes == DIGIT_NAMES


# --- a long tail


@given(
    counts=st.lists(st.integers(1, 200), min_size=2, max_size=12),
    ratio=st.floats(1, 300),
    seed=st.integers(0, 99),
)
def test_tail_counts_follow_the_formula(counts, ratio, seed):
    counts = np.array(counts)
    kept = tail_counts(counts, ratio, np.random.default_rng(seed))
    assert (1 <= kept).all() and (kept <= counts).all()
    C, n_max = len(counts), counts.max()
    wanted = sorted(max(1, round(n_max * ratio ** (-r / (C - 1)))) for r in range(C))
    level = np.full(C, n_max)
    assert sorted(tail_counts(level, ratio, np.random.default_rng(seed))) == wanted


@given(ratio=st.sampled_from([1, 2, 10, 50.0]), seed=st.integers(0, 50))
def test_a_long_tail_keeps_some_and_in_order(ratio, seed):
    labels = np.random.default_rng(1).permutation(np.repeat(np.arange(6), 40))
    keep = long_tail(labels, 6, ratio, seed)
    assert (np.diff(keep) > 0).all() and (keep == long_tail(labels, 6, ratio, seed)).all()
    kept = np.bincount(labels[keep], minlength=6)
    assert kept.max() == 40 and kept.min() == max(1, round(40 / ratio))


def test_an_imbalanced_task_keeps_its_test_images():
    task = load_task("digits")
    tail = task.imbalanced(10, seed=2)
    assert (
        tail.test is task.test
        and len(tail.train) < len(task.train)
        and tail.source["imbalanced"] == {"ratio": 10, "seed": 2}
    )
    assert sorted(np.bincount(tail.train.labels)) == sorted(
        round(60 * 10 ** (-r / 9)) for r in range(10)
    )
    first = {tuple(np.bincount(task.imbalanced(10, seed=seed).train.labels)) for seed in range(5)}
    assert len(first) > 1
    for ratio in (0.5, 0, -3, float("nan"), float("inf"), "10", None):
        with pytest.raises(ValueError, match="ratio"):
            task.imbalanced(ratio)


def test_a_long_tail_needs_labels():
    for labels in ((-1,) * 6, (0, 1, 0, 1, 0, -1)):
        with pytest.raises(ValueError, match="no label"):
            tiny_task(labels=labels).imbalanced(2)


# --- one way in


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("satelite", '"satellite"'),
        ("Flowers", '"flowers"'),
        ("eurosta", '"eurosat"'),
        ("dtf", '"dtd"'),
        ("", "folder"),
        (3, "folder"),
    ],
)
def test_no_such_task(name, near):
    with pytest.raises(ValueError, match="There is no task") as caught:
        load_task(name)
    assert near in str(caught.value) and all(known in str(caught.value) for known in task_names())


def test_a_folder_given_as_a_name_gets_a_hint(tmp_path):
    with pytest.raises(ValueError, match="root="):
        load_task(str(tmp_path))


def test_the_settings_name_the_task(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "settings.ini").write_text("[pseudolab]\ntask = digits\n")
    assert load_task().name == "digits"
    (tmp_path / "settings.ini").write_text("[pseudolab]\ntask = folder\n")
    with pytest.raises(ValueError, match="root="):
        load_task()


def test_the_table_agrees_with_the_tasks(monkeypatch):
    if any(not find_spec(f"pseudolab.data.worlds.{name}") for name in DRAWN):
        pytest.skip("not all worlds are drawn yet")
    from pseudolab.data import pocket

    with monkeypatch.context() as patch:
        patch.setattr(pocket, "cached_arrays", None)
        rows = {row.name: row for row in task_table()}
    assert list(rows) == task_names() and all(row.shift for row in rows.values())
    for name in ("satellite", "digits"):
        task = load_task(name)
        assert rows[name][1:4] == (len(task.class_names), len(task.train), len(task.test))


# --- folders


def test_class_folders_are_split_60_to_40_by_class(tmp_path):
    folder_of(tmp_path, dog=10, cat=5, emu=2)
    task, again, other = (load_task("folder", root=tmp_path, seed=seed) for seed in (0, 0, 1))
    assert task.class_names == ["cat", "dog", "emu"] and task.name == tmp_path.name
    assert np.bincount(task.train.labels).tolist() == [3, 6, 1] and np.bincount(
        task.test.labels
    ).tolist() == [2, 4, 1]
    assert task.train.paths == again.train.paths != other.train.paths
    assert (
        not set(task.train.paths) & set(task.test.paths) and len(task.train) + len(task.test) == 17
    )
    for part in (task.train, task.test):
        assert [path.parent.name for path in part.paths] == [
            task.class_names[label] for label in part.labels
        ]
        assert part.paths == sorted(
            part.paths, key=lambda path: (path.parent.name, natural_key(path.name))
        )
    assert load_task(**task.source).train.paths == task.train.paths


@given(sizes=st.lists(st.integers(2, 40), min_size=2, max_size=5), seed=st.integers(0, 2**32 - 1))
def test_a_split_loses_nothing_and_leaves_nobody_out(sizes, seed):
    part = Part(
        {f"c{c}": [Path(f"{c}/{i}") for i in range(size)] for c, size in enumerate(sizes)}, [], []
    )
    train, test = split_classes(part, seed)
    for c, size in enumerate(sizes):
        a, b = train.by_class[f"c{c}"], test.by_class[f"c{c}"]
        assert (
            sorted([*a, *b]) == sorted(part.by_class[f"c{c}"])
            and a
            and b
            and abs(len(a) - 0.6 * size) <= 1
        )


def test_another_class_does_not_move_the_split_of_the_first(tmp_path):
    folder_of(tmp_path, cat=8, dog=8)
    before = {
        path for path in load_task("folder", root=tmp_path).train.paths if path.parent.name == "dog"
    }
    folder_of(tmp_path, ape=8)
    assert before == {
        path for path in load_task("folder", root=tmp_path).train.paths if path.parent.name == "dog"
    }


@pytest.mark.parametrize("spelling", [("train", "test"), ("Train", "TEST")])
def test_a_split_that_is_there_is_kept(tmp_path, spelling):
    folder_of(tmp_path / spelling[0], cat=3, dog=2)
    folder_of(tmp_path / spelling[1], cat=1, dog=4)
    task = load_task("folder", root=tmp_path)
    assert task.train.labels.tolist() == [0, 0, 0, 1, 1] and task.test.labels.tolist() == [
        0,
        1,
        1,
        1,
        1,
    ]


@pytest.mark.parametrize("place", [".", "train"])
def test_photos_without_labels(tmp_path, place):
    for i in (10, 2, 1):
        picture(tmp_path / place / f"{i}.jpg")
    task = load_task("folder", root=tmp_path, class_names=["cat", "dog"])
    assert (
        names_of(task.train) == ["1.jpg", "2.jpg", "10.jpg"]
        and task.train.labels.tolist() == [-1] * 3
    )
    assert (
        task.class_names == ["cat", "dog"]
        and len(task.test) == 0
        and task.test.labels.dtype == np.int64
    )
    with pytest.raises(ValueError, match="class_names=\\[...\\]"):
        load_task("folder", root=tmp_path)


def test_an_unlabelled_pool_with_test_images_of_either_kind(tmp_path):
    picture(tmp_path / "train" / "1.jpg")
    picture(tmp_path / "test" / "2.jpg")
    task = load_task("folder", root=tmp_path, class_names=["cat", "dog"])
    assert task.train.labels.tolist() == task.test.labels.tolist() == [-1]
    (tmp_path / "test" / "2.jpg").unlink()
    folder_of(tmp_path / "test", cat=1, dog=2)
    for given in (None, ["dog", "cat"]):
        task = load_task("folder", root=tmp_path, class_names=given)
        assert task.train.labels.tolist() == [-1] and task.class_names == (given or ["cat", "dog"])
        assert [path.parent.name for path in task.test.paths] == [
            task.class_names[label] for label in task.test.labels
        ]


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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        task = load_task("folder", root=tmp_path, class_names=["cat", "dog", "emu"])
    assert (task.train.labels == -1).sum() == 4 and (task.train.labels == 0).sum() == (
        3 if place == "." else 5
    )
    assert len(task.test) == (4 if place == "." else 0) and (task.test.labels >= 0).all()


def test_a_class_called_train_is_a_class(tmp_path):
    folder_of(tmp_path, bus=2, car=2, train=2)
    assert load_task("folder", root=tmp_path).class_names == ["bus", "car", "train"]
    folder_of(tmp_path / "two", train=2, test=2)
    assert load_task(
        "folder", root=tmp_path / "two", class_names=["test", "train"]
    ).train.labels.tolist() == [0, 1]


def test_names_give_the_order_and_a_dict_renames(tmp_path):
    folder_of(tmp_path, **{"10": 2, "9": 2, "1": 2})
    assert load_task("folder", root=tmp_path).class_names == ["1", "9", "10"]
    for given in (["10", "1", "9"], {"10": "ten", "1": "one", "9": "nine"}):
        task = load_task("folder", root=tmp_path, class_names=given)
        assert [path.parent.name for path in task.train.paths] == [
            "10",
            "1",
            "9",
        ] and task.train.labels.tolist() == [0, 1, 2]
        assert task.class_names == (list(given.values()) if isinstance(given, dict) else given)
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
    wanted = {unicodedata.normalize("NFC", name) for name in NASTY}
    assert set(task.class_names) == wanted
    assert all(task.template.format(name).endswith(name) for name in task.class_names)
    renamed = load_task(
        "folder", root=str(root), class_names=[unicodedata.normalize("NFD", name) for name in NASTY]
    )
    assert set(renamed.class_names) == wanted and len(renamed.train.images[0].tobytes())


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


def test_hidden_files_are_none_of_ours(tmp_path):
    folder_of(tmp_path, cat=3, dog=3, **{".ipynb_checkpoints": 2, "__MACOSX": 1})
    picture(tmp_path / "cat" / "._0.png")
    (tmp_path / ".DS_Store").touch()
    (tmp_path / "cat" / "notes.txt").touch()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        task = load_task("folder", root=tmp_path)
    assert task.class_names == ["cat", "dog"] and len(task.train) + len(task.test) == 6


def test_the_order_is_natural_and_not_the_file_systems(tmp_path, monkeypatch):
    names = [
        f"IMG_{i}.{end}"
        for i, end in enumerate(
            ["jpg", "JPG", "Jpeg", "png", "webp", "bmp", "gif", "tif", "TIFF", "ppm", "jpg", "jpg"]
        )
    ]
    for name in random.Random(0).sample(names, len(names)):
        picture(tmp_path / name)
    real = Path.iterdir
    for seed in range(3):
        monkeypatch.setattr(
            Path,
            "iterdir",
            lambda self: iter(
                random.Random(seed).sample(sorted(real(self)), len(list(real(self))))
            ),
        )
        assert names_of(load_task("folder", root=tmp_path, class_names=["a", "b"]).train) == names


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
    assert "x.jpg" in refused(
        "no image of the classes \\['dog'\\].*1 file is not an image", root=tmp_path
    )


def test_one_class_only(tmp_path):
    folder_of(tmp_path, cat=3)
    refused("two or more", root=tmp_path)
    refused("two or more", root=tmp_path, class_names=["cat"])
    refused("two or more", root=tmp_path, class_names=[])


def test_one_image_cannot_be_split(tmp_path):
    folder_of(tmp_path, cat=1, dog=3)
    refused('"cat" has one image', root=tmp_path)


def test_names_and_folders_must_agree(tmp_path):
    folder_of(tmp_path, cat=2, dog=2)
    assert 'Did you mean "dog"?' in refused(
        "no folder for the classes \\['doge', 'emu'\\]",
        root=tmp_path,
        class_names=["doge", "emu", "dog", "cat"],
    )
    assert "'emu'" in refused("has no folder for", root=tmp_path, class_names=["cat", "dog", "emu"])
    assert "'dog'" in refused("does not name", root=tmp_path, class_names=["cat", "emu"])
    assert 'Did you mean "dogs"?' in refused(
        "does not name", root=tmp_path, class_names=["cat", "dogs"]
    )
    picture(tmp_path / "loose.jpg")
    assert "'dog'" in refused("does not name", root=tmp_path, class_names=["cat", "emu"])
    refused("more than once", root=tmp_path, class_names=["cat", "dog", "cat"])
    refused("more than once", root=tmp_path, class_names={"cat": "pet", "dog": "pet"})
    for wrong in ("cat", {"cat", "dog"}, 3):
        refused("expected a list of names", root=tmp_path, class_names=wrong)


def test_train_and_test_must_have_the_same_classes(tmp_path):
    folder_of(tmp_path / "train", cat=2, dog=2)
    folder_of(tmp_path / "test", cat=2)
    assert "'dog'" in refused("test has no folder for", root=tmp_path)
    folder_of(tmp_path / "test", dog=1, emu=1)
    assert "'emu'" in refused("has no folder for", root=tmp_path)


def test_what_is_passed_over_is_said(tmp_path):
    folder_of(tmp_path / "train", cat=2, dog=2)
    folder_of(tmp_path / "val", cat=2, dog=2)
    picture(tmp_path / "montage.png")
    with pytest.warns(UserWarning) as heard:
        task = load_task("folder", root=tmp_path)
    assert (
        len(heard) == 1
        and "val" in str(heard[0].message)
        and "montage.png" in str(heard[0].message)
        and "nothing to test on" in str(heard[0].message)
    )
    assert len(task.train) == 4 and len(task.test) == 0


# --- files that are no images


def jpeg(path: Path, size=(64, 48)) -> bytes:
    chance = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(chance).save(path)
    return path.read_bytes()


def png_header(width, height) -> bytes:
    import zlib

    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"\0" * 100)
    chunk = lambda body: (
        struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    )
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
    assert (
        names_of(task.train) == ["whole.jpg", "whole.png"]
        and len(heard) == 1
        and heard[0].filename == __file__
    )
    assert f"{len(bad) - 3} more" in str(heard[0].message)
    with pytest.raises(ValueError, match="not an image"):
        load_task("folder", root=tmp_path, class_names=["a", "b"], strict=True)
    for path in bad:
        with pytest.raises(ValueError, match="cannot be read") as caught, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read_image(path)
        assert str(path) in str(caught.value)


def test_pillows_limit_is_kept_where_pillow_only_warns(tmp_path, monkeypatch):
    picture(tmp_path / "x.png", size=(12, 12))
    for limit, good in ((143, False), (144, True), (None, True)):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if good:
                assert read_image(tmp_path / "x.png").size == (12, 12)
            else:
                with pytest.raises(ValueError, match="12 x 12 pixels"):
                    read_image(tmp_path / "x.png")


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
    assert names_of(task.train) == ["link.jpg", "real.jpg"]


@settings(max_examples=60)
@given(
    kind=st.sampled_from(["jpeg", "png", "gif", "tiff", "bmp", "webp", "ppm"]),
    at=st.lists(st.integers(0, 10**6), min_size=1, max_size=6),
    value=st.integers(0, 255),
)
def test_a_file_with_broken_bytes_is_an_image_or_named_and_nothing_else(
    tmp_path_factory, kind, at, value
):
    path = tmp_path_factory.mktemp("broken") / f"x.{kind}"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(
        path
    )
    data = bytearray(path.read_bytes())
    for one in at:
        data[one % min(len(data), 120)] = value
    path.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            assert read_image(path).mode == "RGB"
        except ValueError as error:
            assert str(path) in str(error)


def test_every_kind_of_pixel_becomes_rgb(tmp_path):
    ramp = np.linspace(0, 255, 256).astype(np.uint8).reshape(16, 16)
    grey = Image.fromarray(ramp)
    kinds = {
        "grey.png": grey,
        "grey.jpg": grey,
        "palette.png": grey.convert("P"),
        "bits.png": grey.convert("1"),
        "cmyk.jpg": grey.convert("CMYK"),
        "deep.png": Image.fromarray((ramp.astype(np.uint16) << 8)),
        "deep.tif": Image.fromarray((ramp.astype(np.uint16) << 8)),
        "gif.gif": grey.convert("P"),
    }
    for name, image in kinds.items():
        image.save(tmp_path / name)
        read = read_image(tmp_path / name)
        assert (read.mode, read.size) == ("RGB", (16, 16)), name
        if name != "bits.png":
            assert np.abs(np.asarray(read, int) - ramp[..., None]).max() <= (
                25 if name.endswith("jpg") else 1
            ), name


def test_what_is_see_through_is_white(tmp_path):
    Image.new("RGBA", (4, 4), (200, 0, 0, 0)).save(tmp_path / "a.png")
    Image.new("LA", (4, 4), (0, 128)).save(tmp_path / "b.png")
    clear = Image.new("P", (4, 4), 0)
    clear.putpalette([0, 255, 0] * 256)
    clear.save(tmp_path / "c.png", transparency=0)
    Image.new("RGB", (4, 4), (1, 2, 3)).save(tmp_path / "d.png", transparency=(1, 2, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = [read_image(tmp_path / f"{name}.png").getpixel((0, 0)) for name in "abcd"]
    assert found == [(255, 255, 255), (127, 127, 127), (255, 255, 255), (255, 255, 255)]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_stand_upright(tmp_path, orientation):
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :16] = (255, 0, 0)  # red in the top left corner of a wide picture
    undo = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }[orientation]
    note = Image.Exif()
    note[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(undo(upright))).save(tmp_path / "x.png", exif=note)
    assert (np.asarray(read_image(tmp_path / "x.png")) == upright).all()


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
    task = load_task(
        "folder",
        root=root,
        class_names={str(i): name for i, name in enumerate(DIGIT_NAMES)},
        strict=True,
    )
    assert (len(task.train), len(task.test)) == (2000, 1000) and task.class_names == list(
        DIGIT_NAMES
    )
    assert all(
        path.parent.name == str(label) for path, label in zip(task.test.paths, task.test.labels)
    )
    assert task.train.images[0].size == (28, 28)


def test_real_photos_with_labels_and_without(tmp_path):
    root = unpacked("satellite-photos", tmp_path)
    task = load_task("folder", root=root, strict=True)
    assert len(task.class_names) == 7 and (len(task.train), len(task.test)) == (1680, 1120)
    for at, path in enumerate(task.train.paths):
        path.rename(root / f"{at}.jpg")
    for path in task.test.paths:
        path.unlink()
    for name in task.class_names:
        (root / name).rmdir()
    pool = load_task("folder", root=root, class_names=task.class_names)
    assert len(pool.train) == 1680 and (pool.train.labels == -1).all() and len(pool.test) == 0
