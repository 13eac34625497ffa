"Features of a large pool: shards written by several jobs, read together, and used by `label`."

import json
import os

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file
from typer.testing import CliRunner

from pseudolab.cli.app import app
from pseudolab.clip.model import Clip
from pseudolab.data.images import Images
from pseudolab.data.shards import FeatureShards
from support.photos import folder_of, picture


def pseudolab(*words, code=0):
    answer = CliRunner().invoke(app, [str(word) for word in words])
    assert answer.exit_code == code, answer.output
    return " ".join(answer.output.split())


@pytest.fixture
def pool(tmp_path, monkeypatch):
    "Seven photos, encoded as three shards"
    monkeypatch.chdir(tmp_path)
    folder_of(tmp_path / "photos", cat=4, dog=3)
    for shard in ("1/3", "2/3", "3/3"):
        pseudolab("encode", "--root", "photos", "--out", "features", "--shard", shard)
    return sorted((tmp_path / "photos").rglob("*.png"))


def change(path, **changes):
    "Another statement in a shard"
    with safe_open(path, framework="np") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        info = json.loads(file.metadata()["pseudolab"]) | changes
    save_file(arrays, path, {"pseudolab": json.dumps(info)})


def shard_files(folder):
    return sorted((folder / "features").iterdir())


def test_all_shards_are_the_pool_in_any_order(pool, clip, tmp_path):
    shards = FeatureShards.read(tmp_path / "features", clip)
    assert len(shards.features) == len(pool) == 7
    turned = Images(pool[::-1])
    assert (shards.find(turned) == clip.encode_images(turned).numpy()).all()
    moved = pool[0].rename(tmp_path / "elsewhere.png")  # a photo is known by what is in it
    assert shards.find(Images([moved])) is not None
    assert shards.find(Images([picture(tmp_path / "new.png")])) is None
    assert shards.find([1, 2]) is None


def test_a_shard_says_its_files_and_its_clip(pool, clip, tmp_path):
    names = []
    for file in shard_files(tmp_path):
        with safe_open(file, framework="np") as shard:
            names += json.loads(shard.get_tensor("files").tobytes())
            assert json.loads(shard.metadata()["pseudolab"])["clip"] == clip.image_digest
    assert sorted(names) == sorted(str(path.relative_to(tmp_path / "photos")) for path in pool)


@pytest.mark.parametrize(
    "spoil, said",
    [
        (lambda files: files[1].unlink(), "lacks the shards 2/3: pseudolab encode"),
        (lambda files: [file.unlink() for file in files], "There are no features in"),
        (lambda files: files[2].write_bytes(b"{}"), "is no whole shard"),
        (
            lambda files: change(files[0], clip="0", about="Clip('other')"),
            "encoded by Clip('other')",
        ),
        (lambda files: change(files[0], pool="0"), "not shards of one pool"),
        (lambda files: change(files[0], of=4), "not shards of one pool"),
        (lambda files: change(files[0], more=1), "is no whole shard"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_sentence(pool, tmp_path, spoil, said):
    spoil(shard_files(tmp_path))
    line = ["label", "photos", "--class-names", "cat,dog", "--features", "features"]
    assert said in pseudolab(*line, code=1)
    assert not (tmp_path / "labels.csv").exists()


def test_a_photo_that_changed_since_is_named(pool, tmp_path):
    picture(pool[3], color=(1, 2, 3))
    line = ["label", "photos", "--class-names", "cat,dog", "--features", "features"]
    said = pseudolab(*line, code=1)
    assert "1 of 7 photos have no features" in said and pool[3].name in said


def test_labels_are_those_without_features_and_nothing_is_encoded(pool, tmp_path, monkeypatch):
    line = ["label", "photos", "--class-names", "cat,dog", "--rounds", "1", "--epochs", "1"]
    encoded = []
    real = Clip.encode_images

    def encode_images(self, images, *rest):
        encoded.append(len(images))
        return real(self, images, *rest)

    monkeypatch.setattr(Clip, "encode_images", encode_images)
    monkeypatch.setattr("pseudolab.io.cache_folder", lambda _=None: tmp_path / "cache")
    pseudolab(*line, "--features", "features", "--out", "with.csv")
    assert 7 not in encoded
    for file in (tmp_path / "cache").glob("features-*"):
        file.unlink()
    pseudolab(*line, "--out", "without.csv")
    assert 7 in encoded
    assert (tmp_path / "with.csv").read_text() == (tmp_path / "without.csv").read_text()


def test_a_shard_that_is_there_is_not_made_again_and_another_is_not_overwritten(pool, tmp_path):
    (first, *_) = shard_files(tmp_path)
    os.utime(first, (1, 1))
    line = ["encode", "--root", "photos", "--out", "features", "--shard", "1/3"]
    assert "is there already" in pseudolab(*line)
    picture(tmp_path / "photos" / "new.png")
    assert "of other photos or of another CLIP" in pseudolab(*line, code=1)
    assert first.stat().st_mtime == 1


def test_a_file_that_is_no_image_is_passed_over_and_a_share_may_be_empty(tmp_path, clip):
    folder_of(tmp_path / "photos", cat=1)
    (tmp_path / "photos" / "bad.png").write_bytes(b"no image")
    for which in range(1, 5):
        line = ["encode", "--root", tmp_path / "photos", "--out", tmp_path / "features"]
        pseudolab(*line, "--shard", f"{which}/4")
    shards = FeatureShards.read(tmp_path / "features", clip)
    assert shards.features.shape == (1, clip.embed_dim)
    assert shards.features.dtype == np.float32


def test_what_encode_refuses(tmp_path):
    (tmp_path / "empty").mkdir()
    line = ["encode", "--out", tmp_path / "features", "--root"]
    assert "is no folder" in pseudolab(*line, tmp_path / "none", code=1)
    assert "There is no image" in pseudolab(*line, tmp_path / "empty", code=1)
    assert "'0/2' was given" in pseudolab(*line, tmp_path / "empty", "--shard", "0/2", code=1)
