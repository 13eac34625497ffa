"""Drawn tasks are a function of their seed, a task checks itself, and there is one way in."""

import json
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pseudolab.data import pocket
from pseudolab.data.images import Images, ImageSet
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
from pseudolab.data.tasks import Task, load_task, long_tail, tail_counts, task_names, task_table

DRAWN = sorted(SHIFT_STRENGTH)

pytestmark = pytest.mark.usefixtures("own_cache")


def pixels(n=6):
    return np.random.default_rng(0).integers(0, 256, (n, 5, 4, 3), dtype=np.uint8)


def bytes_of(images: ImageSet) -> list[bytes]:
    "The pixels of each picture"
    return [image.tobytes() for image in images.images]


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


def test_a_task_describes_itself():
    task = tiny_task(labels=(0, 1, 1, -1, -1, 1))
    about = task.describe()
    assert list(about) == [
        "name",
        "source",
        "class_names",
        "template",
        "n_train",
        "n_test",
        "train_digest",
        "test_digest",
        "test_counts",
    ]
    assert about["source"] is None and about["test_counts"] == [1, 3]
    assert about["train_digest"] == task.train.digest()
    digits = load_task("digits").imbalanced(10, seed=3)
    about = digits.describe()
    assert about["source"] == digits.source and about["n_train"] == len(digits.train)
    assert json.loads(json.dumps(about)) == about


# --- drawn tasks


@pytest.fixture(params=DRAWN, scope="module")
def world(request):
    return request.param


def test_a_drawn_task_is_balanced_shuffled_and_a_function_of_its_seed(world):
    task, again, other = (load_task(world, n_train=3, n_test=2, seed=seed) for seed in (0, 0, 1))
    n = len(task.class_names)
    assert task.name == world
    assert task.template == "a photo of a {}"
    assert tuple(task.class_names) == load_world(world).classes
    assert np.bincount(task.train.labels).tolist() == [3] * n
    assert np.bincount(task.test.labels).tolist() == [2] * n
    assert (np.diff(task.train.labels) < 0).any()
    assert task.train.digest() == again.train.digest() != other.train.digest()
    assert (task.train.labels == again.train.labels).all()
    one = task.train.images[0]
    assert one.size == (56, 56) and one.mode == "RGB"
    every = []
    for part in (task.train, task.test, other.train, other.test):
        every += bytes_of(part)
    assert len(set(every)) == len(every)


def test_a_picture_does_not_depend_on_how_many_are_drawn(world):
    few, more = (load_task(world, n_train=n, n_test=1) for n in (2, 4))
    label_of = dict(zip(bytes_of(more.train), more.train.labels, strict=True))
    assert [label_of[one] for one in bytes_of(few.train)] == few.train.labels.tolist()


def test_a_label_names_what_is_drawn(world):
    task = load_task(world, n_train=2, n_test=1)
    draw, shift = load_world(world).draw, SHIFT_STRENGTH[world]
    for at in (0, 1, len(task.train) - 1):
        label = int(task.train.labels[at])
        candidates = []
        for i in range(2):
            rng = drawing_rng(0, world, "train", label, i)
            candidates.append(draw(rng, task.class_names[label], shift).tobytes())
        assert task.train.images[at].tobytes() in candidates


def test_the_shift_changes_the_pictures_and_not_the_labels(world):
    plain, moved = (load_task(world, n_train=2, n_test=1, shift=shift) for shift in (0, 1))
    assert (plain.train.labels == moved.train.labels).all()
    assert plain.train.digest() != moved.train.digest()


def test_an_edit_of_the_drawing_code_draws_anew(monkeypatch):
    world = load_world("satellite")
    before = drawn_set(world, "train", 1, 1.0, 0)
    monkeypatch.setattr(pocket, "drawing_digest", lambda world: f"edited {world.name}")
    drawn = []

    def draw_split(*given):
        drawn.append(given)
        return {"pixels": before.images.source, "labels": before.labels}

    monkeypatch.setattr(pocket, "draw_split", draw_split)
    drawn_set(world, "train", 1, 1.0, 0)
    drawn_set(world, "train", 1, 1.0, 0)
    assert len(drawn) == 1


def test_streams_of_chance_never_meet():
    keys = list(product((0, 1), MIRRORS, SPLITS, (0, 1, 2), (0, 1, 2)))
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
    assert task.class_names == list(DIGIT_NAMES)
    assert len(task.train) + len(task.test) == N_DIGITS == 1797
    assert np.bincount(task.train.labels).tolist() == [60] * 10
    assert np.bincount(task.test.labels).min() == 114
    assert task.train.digest() == other.train.digest() != task.test.digest()
    data = load_digits()
    both = np.concatenate([task.train.images.positions, task.test.images.positions])
    assert sorted(both) == list(range(1797))
    assert (np.concatenate([task.train.labels, task.test.labels]) == data.target[both]).all()
    for at in range(20):
        small = task.train.images[at].convert("L").resize((8, 8), Image.Resampling.BOX)
        scan = data.images[task.train.images.positions[at]]
        assert np.corrcoef(np.asarray(small, float).ravel(), scan.ravel())[0, 1] > 0.9
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
    wanted = sorted(max(1, round(n_max * ratio ** (-rank / (C - 1)))) for rank in range(C))
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
    assert tail.test is task.test
    assert len(tail.train) < len(task.train)
    assert tail.source["imbalanced"] == {"ratio": 10, "seed": 2}
    wanted = sorted(round(60 * 10 ** (-rank / 9)) for rank in range(10))
    assert sorted(np.bincount(tail.train.labels)) == wanted
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
    said = str(caught.value)
    assert near in said and all(name in said for name in task_names())


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


@pytest.mark.slow
def test_the_table_agrees_with_the_tasks(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(pocket, "cached_arrays", None)
        rows = {row.name: row for row in task_table()}
    assert list(rows) == task_names() and all(row.shift for row in rows.values())
    for name in ("satellite", "digits"):
        task = load_task(name)
        assert rows[name][1:4] == (len(task.class_names), len(task.train), len(task.test))
