"Pairs of a training and a test image that CLIP sees as nearly the same"

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from pseudolab import ImageSet
from pseudolab.cli.app import app
from pseudolab.data.images import Images
from pseudolab.data.tasks import Task
from pseudolab.method.near_duplicates import from_here, near_duplicates
from support.photos import picture


def task_of(n_train: int, n_test: int) -> Task:
    def part(n: int) -> ImageSet:
        return ImageSet(Images(np.zeros((n, 4, 4, 3), np.uint8)), np.zeros(n, np.int64))

    return Task("made up", ["a", "b"], "{}", part(n_train), part(n_test))


def unit(rng: np.random.Generator, n: int) -> torch.Tensor:
    rows = torch.from_numpy(rng.normal(size=(n, 3)))
    return rows / rows.norm(dim=1, keepdim=True)


@settings(max_examples=30)
@given(
    st.integers(1, 9), st.integers(0, 9), st.integers(1, 12), st.integers(1, 4), st.integers(0, 99)
)
def test_as_by_brute_force_whatever_the_chunk(n_train, n_test, nearest, chunk, seed):
    rng = np.random.default_rng(seed)
    task = task_of(n_train, n_test)
    train, test = unit(rng, n_train), unit(rng, n_test)
    clip = SimpleNamespace(image_features=_Features(train, test))
    found = near_duplicates(clip, task, 0.5, nearest, chunk=chunk)
    pairs = [
        (float(test[row] @ train[column]), column, row)
        for row in range(n_test)
        for column in range(n_train)
    ]
    above = sorted((pair for pair in pairs if pair[0] > 0.5), reverse=True)
    assert found.n_pairs == len(above)
    assert found.n_test == len({row for _, _, row in above})
    expected = [cosine for cosine, _, _ in above[:nearest]]
    assert found.nearest["cosine"].tolist() == pytest.approx(expected)
    for row in found.nearest.itertuples():
        assert float(test[row.test] @ train[row.train]) == pytest.approx(row.cosine)


class _Features:
    "First those of the training images, then those of the test images"

    def __init__(self, *answers: torch.Tensor) -> None:
        self.answers = list(answers)

    def __call__(self, images: object) -> torch.Tensor:
        return self.answers.pop(0)


def test_a_threshold_is_not_above_itself():
    row = torch.tensor([[1.0, 0, 0]], dtype=torch.float64)
    clip = SimpleNamespace(image_features=lambda images: row)
    assert near_duplicates(clip, task_of(1, 1), 1.0).n_pairs == 0
    assert near_duplicates(clip, task_of(1, 1), 0.9999).n_pairs == 1


@pytest.mark.parametrize("told", [{"threshold": float("nan")}, {"threshold": -2}, {"nearest": 0}])
def test_arguments_that_will_not_do(told):
    with pytest.raises(ValueError, match=next(iter(told))):
        near_duplicates(SimpleNamespace(), task_of(1, 1), **told)


def test_the_command_names_both_files(tmp_path, monkeypatch, own_cache):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for part in ("train", "test"):
        for name in ("lake", "town"):
            for at in range(2):
                path = picture(tmp_path / "photos" / part / name / f"{at}.png")
                Image.fromarray(rng.integers(0, 256, (40, 40, 3), np.uint8)).save(path)
    copy = Image.open("photos/train/lake/1.png").resize((80, 80), Image.Resampling.NEAREST)
    copy.save("photos/test/lake/copy.png")
    told = ["run", "--root", "photos", "--epochs", "1", "--rounds", "1"]
    result = CliRunner().invoke(app, told, env={"COLUMNS": "2000"})
    assert result.exit_code == 0, result.output
    warned = " ".join(result.stderr.split())
    assert "are nearly the same" in warned
    # as they are seen from where the command was given
    assert " photos/train/lake/1.png = photos/test/lake/copy.png." in warned
    monkeypatch.chdir(tmp_path / "photos" / "train")
    whole = from_here(f"{tmp_path}/photos/test/lake/copy.png")
    assert whole == f"{tmp_path}/photos/test/lake/copy.png"
    assert from_here(f"{tmp_path}/photos/train/lake/1.png") == "lake/1.png"
