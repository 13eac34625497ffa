"What is handed over is what was learned, in the form that its receiver reads."

import json
from collections import Counter
from importlib import util
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError

from pseudolab import PromptTuner, load_task
from pseudolab.method import hand_off
from pseudolab.method.hand_off import export_label_studio, export_onnx
from pseudolab.method.recipe import Recipe
from pseudolab.method.strategies import Strategy
from support.clips import untrained, wrapped
from support.photos import picture, quietly
from support.runs import noise_task

HOSTILE = ['"quoted" & <b>bold</b>', "]]>' {} \\n", "بحيرة 森の湖", "$image"]
BRIEF = Recipe.pocket().replace(epochs=1, min_steps=1)
ONE_ROUND = Strategy.named("grip", rounds=1)


def photos_of(root: Path, n: int) -> Path:
    "Loose photos of different colours, with names that an address has no place for"
    for at in range(n):
        picture(root / f"{at} & ä+%#?.png", (25 * at, 255 - 20 * at, at))
    return root


# ---- Label Studio


@pytest.fixture
def loose(tmp_path, own_cache):
    task = load_task("folder", root=photos_of(tmp_path / "photos", 9), class_names=HOSTILE)
    tuner = PromptTuner(untrained(), strategy=ONE_ROUND, recipe=BRIEF)
    return quietly(tuner.fit, task, progress=False)


def files_in(made: Path, root: Path) -> list[Path]:
    "The file that each task asks the server for"
    asked = [urlsplit(task["data"]["image"]) for task in json.loads(made.read_text("utf-8"))]
    assert {one.path for one in asked} == {"/data/local-files/"}
    assert not any(one.fragment for one in asked)
    return [root / parse_qs(one.query)["d"][0] for one in asked]


def test_every_photo_is_a_task_with_its_label_and_an_address_that_is_its_file(loose, tmp_path):
    made = export_label_studio(loose, tmp_path / "out", root=tmp_path, review=3)
    tasks = json.loads(made.read_text("utf-8"))
    labels = loose.labels().set_index("image")
    files = files_in(made, tmp_path)
    assert sorted(map(str, files)) == sorted(labels.index)
    for task, file in zip(tasks, files, strict=True):
        assert file.is_file()
        [prediction] = task["predictions"]
        [result] = prediction["result"]
        row = labels.loc[str(file)]
        assert result["value"]["choices"] == [row["label"]]
        assert prediction["score"] == pytest.approx(row["first_probability"], abs=1e-4)
        assert task["data"]["doubt"] == pytest.approx(row["doubt"], abs=1e-4)
        assert "annotations" not in task


def test_those_to_check_come_first_in_the_order_of_the_review(loose, tmp_path):
    made = export_label_studio(loose, tmp_path / "out", root=tmp_path, review=3)
    files = [str(file) for file in files_in(made, tmp_path)]
    review = loose.review(3)
    assert files[:3] == review["image"].tolist()
    assert files[3:] == [file for file in loose.labels()["image"] if file not in files[:3]]
    why = [task["data"].get("why") for task in json.loads(made.read_text("utf-8"))]
    assert why[:3] == review["why"].tolist()
    assert why[3:] == [None] * 6


def test_the_interface_names_the_classes_and_what_the_tasks_refer_to(loose, tmp_path):
    made = export_label_studio(loose, tmp_path / "out", root=tmp_path)
    view = ElementTree.parse(made.with_name("interface.xml")).getroot()
    assert [choice.get("value") for choice in view.iter("Choice")] == HOSTILE
    [image], [choices] = view.iter("Image"), view.iter("Choices")
    assert choices.get("toName") == image.get("name")
    for task in json.loads(made.read_text("utf-8")):
        [result] = task["predictions"][0]["result"]
        assert result["from_name"] == choices.get("name")
        assert result["to_name"] == image.get("name")
        assert result["type"] == choices.tag.lower()
        assert image.get("value").removeprefix("$") in task["data"]


def test_a_label_of_a_hand_is_an_annotation(tmp_path, own_cache):
    root = tmp_path / "photos" / "train"
    for name in ("lake", "town"):
        for at in range(2):
            picture(root / name / f"{at}.png", (90 * at, 10, 255 if name == "lake" else 0))
    photos_of(root, 4)
    task = quietly(
        load_task, "folder", root=root.parent, class_names=["lake", "town"], strict=False
    )
    tuner = PromptTuner(untrained(), paradigm="ssl", strategy=ONE_ROUND, recipe=BRIEF)
    run = quietly(tuner.fit, task, progress=False)
    made = export_label_studio(run, tmp_path, root=tmp_path)
    tasks = json.loads(made.read_text("utf-8"))
    given = {}
    for one, file in zip(tasks, files_in(made, tmp_path), strict=True):
        assert ("annotations" in one) != ("predictions" in one)
        if "annotations" in one:
            given[file] = one["annotations"][0]["result"][0]["value"]["choices"]
    assert given == {
        root / name / f"{at}.png": [name] for name in ("lake", "town") for at in (0, 1)
    }


def test_an_address_may_lie_elsewhere(loose, tmp_path):
    made = export_label_studio(
        loose, tmp_path, root=tmp_path / "photos", prefix="https://example.org/"
    )
    addresses = {task["data"]["image"] for task in json.loads(made.read_text("utf-8"))}
    assert "https://example.org/0%20%26%20%C3%A4%2B%25%23%3F.png" in addresses


def test_what_label_studio_cannot_show_is_refused_and_nothing_is_written(loose, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(ValueError, match="does not lie in .*; give as root="):
        export_label_studio(loose, out, root=out)
    # a folder whose name begins alike is another one
    with pytest.raises(ValueError, match="does not lie in"):
        export_label_studio(loose, out, root=tmp_path / "photo")
    with pytest.raises(ValueError, match="0 photos to look at"):
        export_label_studio(loose, out, root=tmp_path, review=0)
    loose.task = None
    with pytest.raises(ValueError, match="images of this run are numbers: give task="):
        export_label_studio(loose, out, root=tmp_path)
    assert not out.exists()


@pytest.mark.parametrize("letter", ["\x00", "\x1b", "\ufffe"])
def test_a_name_that_xml_has_no_place_for_is_refused(loose, tmp_path, letter):
    for names in (loose.settings.task["class_names"], loose.task.class_names):
        names[1] = f"river{letter}"
    with pytest.raises(ValueError, match=r"river\\.* control character"):
        export_label_studio(loose, tmp_path / "out", root=tmp_path)
    assert not (tmp_path / "out").exists()
    assert b"&#09;" in hand_off._interface(["a\tb", "c"])


# ---- ONNX


def tuned(prompt: str, names=HOSTILE, **options) -> tuple[PromptTuner, np.ndarray]:
    "A tuner of a tiny CLIP, and pictures as it sees them"
    # in float64, as the pocket CLIP: what is exported is another copy of it
    clip = wrapped(untrained(vision={"layers": 2}).model, "tiny", 40, precision="fp64")
    tuner = PromptTuner(clip, prompt=prompt, strategy=ONE_ROUND, recipe=BRIEF, **options)
    task = noise_task(names, 12, 12)
    quietly(tuner.fit, task, progress=False)
    return tuner, tuner.clip.pixels(task.test.images).float().numpy()


def run_onnx(path: Path, pixels: np.ndarray) -> np.ndarray:
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(["probabilities"], {"pixels": pixels})[0]


WHY = 'not installed: pip install "pseudolab[hand-off]"'


@pytest.mark.slow
@pytest.mark.parametrize(
    "prompt, options",
    [
        ("text", {"n_tokens": 4}),
        ("visual", {"n_tokens": 3, "depth": "deep"}),
        ("multimodal", {"n_tokens": 2}),
    ],
)
def test_the_file_gives_what_the_tuner_gives(tmp_path, own_cache, prompt, options):
    onnx = pytest.importorskip("onnx", reason=WHY)
    pytest.importorskip("onnxscript", reason=WHY)
    tuner, pixels = tuned(prompt, prompt_options=options)
    before = tuner.predict_proba(torch.from_numpy(pixels))
    path = export_onnx(tuner, tmp_path / "classifier.onnx")
    # for any number of pictures, not only for that of the example
    for n in (1, 2, 12):
        given = run_onnx(path, pixels[:n])
        assert given.dtype == np.float32
        assert np.abs(given - before[:n]).max() < 1e-5
    assert np.array_equal(tuner.predict_proba(torch.from_numpy(pixels)), before), (
        "the tuner itself has changed"
    )
    assert tuner.clip.model.visual.proj.dtype == torch.float64
    model = onnx.load(path)
    onnx.checker.check_model(model)
    about = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(about["class_names"]) == HOSTILE
    assert about["clip"] == repr(tuner.clip)
    assert "Normalize" in about["preprocessing"]
    # of the two encoders one is in it, and nothing of the machine it was made on
    tower = sum(weight.numel() for weight in tuner.clip.model.visual.parameters())
    assert sum(np.prod(one.dims) for one in model.graph.initializer) < 1.2 * tower + 1000
    assert str(Path(hand_off.__file__).parents[2]).encode() not in path.read_bytes()
    assert b"site-packages" not in path.read_bytes()


def test_what_is_missing_is_named(tmp_path, own_cache, monkeypatch):
    tuner, _ = tuned("text")
    known = util.find_spec
    for gone in (["onnx"], ["onnxscript"], ["onnx", "onnxscript"]):

        def without(name, gone=gone):
            return None if name in gone else object()

        monkeypatch.setattr(hand_off, "find_spec", without)
        with pytest.raises(ValueError, match=f"^{' and '.join(gone)} not installed.*hand-off"):
            export_onnx(tuner, tmp_path / "a.onnx")
    assert util.find_spec is known and not list(tmp_path.iterdir())


def test_what_is_too_large_or_not_fitted_is_refused(tmp_path, own_cache, monkeypatch):
    monkeypatch.setattr(hand_off, "find_spec", lambda name: object())
    with pytest.raises(NotFittedError, match="call fit"):
        export_onnx(PromptTuner(untrained()), tmp_path / "a.onnx")
    tuner, _ = tuned("text")
    sizes = Counter(weight.numel() for weight in tuner.clip.model.visual.parameters())
    n_bytes = 4 * sum(size * count for size, count in sizes.items())
    monkeypatch.setattr(hand_off, "MOST_BYTES", n_bytes - 1)
    with pytest.raises(ValueError, match=f"{n_bytes:,} bytes of weights"):
        export_onnx(tuner, tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())
