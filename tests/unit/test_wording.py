"""What CLIP reads for a class: several templates, synonyms and descriptions become one vector, and
zero-shot CLIP, the first labels, files and commands have it from one place.
"""

import csv
import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from pseudolab import PromptTuner, Recipe, Run, TemplatePrompt, TextPrompt, VisualPrompt, load_task
from pseudolab.cli.app import app
from pseudolab.data.checks import TEMPLATE
from pseudolab.data.tasks import Task
from pseudolab.data.wording import TEMPLATE_SETS, Wording, read_names, read_templates, template_set
from pseudolab.method.run_folder import check_settings
from pseudolab.method.selectors import select_top_k
from pseudolab.method.strategies import Strategy
from pseudolab.method.zero_shot import class_features
from pseudolab.views.page_clip import task_data
from support.photos import picture

TEMPLATES = ("a photo of a {}", "{} from orbit", "an aerial picture of {}")
NAMES = {
    "lake": {"synonyms": ["sea"], "descriptions": ["sea seen from space"]},
    "forest": {"descriptions": ["trees from orbit", "woodland seen from space"]},
}
SHORT = Recipe.pocket().replace(epochs=1, min_steps=0)
FPL = Strategy.named("fpl", k=3)
pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task("satellite", n_train=4, n_test=3)


@pytest.fixture(scope="module")
def worded(task) -> Task:
    return task.worded(TEMPLATES, NAMES)


# ---- the texts and their vector


def test_the_texts_of_a_class(worded):
    lake = worded.wording.texts(worded.class_names)[worded.class_names.index("lake")]
    assert lake == [
        "a photo of a lake",
        "a photo of a sea",
        "lake from orbit",
        "sea from orbit",
        "an aerial picture of lake",
        "an aerial picture of sea",
        "sea seen from space",
    ]


def test_a_class_is_the_mean_of_open_clips_own_features(clip, worded):
    found = TemplatePrompt.for_task(clip, worded).class_features()
    for at, name in enumerate(worded.class_names):
        words = [name, *(["sea"] if name == "lake" else [])]
        texts = [template.replace("{}", word) for template in TEMPLATES for word in words]
        texts += NAMES.get(name, {}).get("descriptions", [])
        total = torch.zeros(clip.embed_dim, dtype=torch.float64)
        for text in texts:
            with torch.no_grad():
                row = clip.model.encode_text(clip.tokenize([text]))[0].double()
            total += row / row.norm()
        assert torch.allclose(found[at].double(), total / total.norm(), atol=1e-6)


@pytest.mark.parametrize("template", [TEMPLATE, "a drawing of a {}"])
def test_one_template_is_what_it_was_to_the_last_bit(clip, template):
    plain = load_task("satellite", n_train=1, n_test=1, template=template)
    alone = load_task("satellite", n_train=1, n_test=1, template=[template], names={})
    assert plain.wording is None and alone.wording is None and plain.source == alone.source
    assert "wording" not in alone.describe() and alone.describe() == plain.describe()
    prompt = TemplatePrompt.for_task(clip, alone)
    assert torch.equal(prompt.features, class_features(clip, plain.class_names, template))
    assert prompt.options()["template"] == template


# ---- sets


def test_the_published_sets_by_their_data_sets(clip):
    tasks = [name.partition(":")[2] for name in TEMPLATE_SETS if name.startswith("clip:")]
    assert tasks == ["flowers102", "resisc45", "fgvc_aircraft", "mnist", "eurosat", "dtd"]
    sizes = [len(template_set(name)) for name in TEMPLATE_SETS]
    assert sizes == [1, 18, 2, 1, 3, 8, 80, 7]
    assert template_set("clip:mnist") == ('a photo of the number: "{}".',)
    assert template_set("clip:dtd")[4] == "a photo of the {} texture."
    assert template_set("open_clip:imagenet")[0] == "a bad photo of a {}."


def test_sets_and_templates_make_one_list():
    assert read_templates(["{}", "clip:fgvc_aircraft"]) == (
        "{}",
        *template_set("clip:fgvc_aircraft"),
    )


@pytest.mark.parametrize(
    "given, said",
    [
        ("clip:eurosatt", 'open_clip:imagenet_simple. Did you mean "clip:eurosat"'),
        (["{}", "a photo"], "'a photo' was given; expected a text with exactly one {}"),
        (["{}", "clip:eurosat", "{}"], "{} more than once"),
        ([], "No template"),
        (3, "exactly one {}"),
    ],
)
def test_templates_that_will_not_do(given, said):
    with pytest.raises(ValueError) as caught:
        load_task("digits", template=given)
    assert said in str(caught.value)


# ---- names.yaml


def test_names_are_texts_whatever_yaml_makes_of_them(tmp_path):
    file = tmp_path / "names.yaml"
    file.write_text("no: {synonyms: [1, yes, 1e3]}\n# a comment\n2: {descriptions: [a swan]}\n")
    found = read_names(file, ["no", "2"])
    assert found == {"no": {"synonyms": ("1", "yes", "1e3")}, "2": {"descriptions": ("a swan",)}}


@pytest.mark.parametrize(
    "text, said",
    [
        ("laek: {synonyms: [sea]}", "'laek', which the task lacks.*Did you mean \"lake\""),
        ("lake: {synonyms: sea}", "'sea'; expected a list of texts"),
        ("lake: {synonym: [sea]}", "expected synonyms"),
        ("lake: [sea]", "expected synonyms"),
        ("lake: {synonyms: [sea, sea]}", "sea more than once"),
        ("lake: {synonyms: [sea]}\nlake: {}", "lake more than once"),
        ("lake: {synonyms: [River]}", "'River', which stands for 'river' already"),
        ("lake: {synonyms: [Lake]}", "'Lake', which stands for 'lake' already"),
        ("lake: {synonyms: [sea]}\nriver: {synonyms: [sea]}", "'sea', which stands for 'river'"),
        ("lake: {synonyms: [[sea]]}", "expected a text"),
        ("- lake", "names.yaml holds"),
        ("", "names.yaml holds"),
        ("lake: {", "is not YAML"),
        ("lake: !!python/object/apply:os.getcwd []", "expected synonyms|is not YAML"),
    ],
)
def test_a_names_file_that_will_not_do(task, tmp_path, text, said):
    file = tmp_path / "names.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=said):
        task.worded(names=file)


def test_a_names_file_that_is_not_there(task, tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        task.worded(names=tmp_path / "names.yaml")


# ---- the task


def test_a_task_keeps_its_wording(worded):
    assert worded.template == TEMPLATES[0]
    assert worded.imbalanced(2).wording == worded.wording
    assert load_task(**json.loads(json.dumps(worded.source))).wording == worded.wording
    assert worded.worded("{}").wording.names == worded.wording.names
    assert worded.worded("{}", {}).wording is None
    with pytest.raises(ValueError, match="change both at once"):
        replace(worded, template="{}")


def test_what_knows_one_template_says_so(clip, worded):
    bad = SHORT.replace(malformed_template=True)
    with pytest.raises(ValueError, match="malformed_template knows one template"):
        PromptTuner(clip, strategy=FPL, recipe=bad).fit(worded, progress=False)
    with pytest.raises(ValueError, match="page knows one template"):
        task_data(worded, clip, SHORT)


# ---- runs


def test_the_first_labels_come_from_the_mean(clip, task, worded, tmp_path):
    run = PromptTuner(clip, strategy=FPL, recipe=SHORT).fit(worded, tmp_path, progress=False)
    by_mean = TemplatePrompt.for_task(clip, worded).logits(worded.train.images)
    by_one = TemplatePrompt.for_task(clip, task).logits(task.train.images)
    assert np.array_equal(run.rounds[0].pool_logits, by_mean.numpy().astype(np.float16))
    assert not torch.allclose(by_mean, by_one)
    chosen, expected = run.rounds[1].pseudolabels, select_top_k(by_mean, 3)
    assert np.array_equal(chosen.index, expected.index)
    assert not np.array_equal(chosen.index, select_top_k(by_one, 3).index)
    again = Run.load(tmp_path)
    assert Wording.from_dict(again.settings.task["wording"]) == worded.wording


def test_a_textual_prompt_learns_as_before(clip, task, worded):
    one, other = (TextPrompt.for_task(clip, each, n_tokens=4) for each in (task, worded))
    assert torch.equal(one.class_features(), other.class_features())


def test_a_run_is_gone_on_with_its_own_wording_only(clip, task, worded, tmp_path):
    tuner = PromptTuner(clip, strategy=FPL, recipe=SHORT)
    tuner.fit(worded, tmp_path, progress=False)
    with pytest.raises(ValueError, match="another task"):
        tuner.fit(task, tmp_path, resume=True, progress=False)
    tuner.fit(worded, tmp_path, resume=True, progress=False)


@pytest.mark.parametrize("prompt", ["text", "visual"])
def test_saved_and_loaded_it_answers_alike(clip, worded, tmp_path, prompt):
    tuner = PromptTuner(clip, prompt=prompt, strategy=Strategy.named("zero_shot"))
    tuner.fit(worded, tmp_path / "run", progress=False)
    tuner.save(tmp_path / "saved")
    expected = tuner.predict_proba(worded.test.images)
    for folder in ("run", "saved"):
        loaded = PromptTuner.load(tmp_path / folder, clip)
        assert np.array_equal(loaded.predict_proba(worded.test.images), expected)


def test_a_visual_prompt_keeps_the_mean(clip, worded, tmp_path):
    prompt = VisualPrompt.for_task(clip, worded, n_tokens=2)
    expected = TemplatePrompt.for_task(clip, worded).features
    assert torch.equal(prompt.class_features(), expected)
    prompt.save(tmp_path / "prompt.safetensors")
    again = VisualPrompt.load(tmp_path / "prompt.safetensors", clip)
    assert torch.equal(again.class_features(), expected)
    others = again.with_classes(["lake", "sand"])
    assert torch.allclose(others.class_features()[0], expected[worded.class_names.index("lake")])


@pytest.mark.parametrize(
    "damage",
    [
        {"templates": ["a photo of a {}", "a photo"]},
        {"templates": ["{}"]},
        {"templates": "a photo of a {}"},
        {"names": {"lake": {"synonyms": ["river"]}}},
        {"names": {"lake": {"synonym": ["sea"]}}},
        {"names": []},
    ],
    ids=str,
)
def test_damaged_wording_is_refused(clip, worded, damage):
    about = worded.describe()
    settings = {"clip": {"name": "x"}, "prompt": "text", "paradigm": "ul", "strategy": "grip"}
    check_settings(settings | {"task": about})
    about["wording"] = about["wording"] | damage
    with pytest.raises(ValueError):
        check_settings(settings | {"task": about})


# ---- commands


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for at, name in enumerate(["forest", "lake"] * 4):
        picture(tmp_path / "photos" / name / f"{at}.png", (20 * at, 90, 160))
    (tmp_path / "names.yaml").write_text("lake: {synonyms: [sea]}\n")
    return tmp_path


def call(*arguments: object) -> str:
    "What a command prints; it must end well"
    with warnings.catch_warnings(action="ignore"):
        result = CliRunner().invoke(app, [str(one) for one in arguments])
    assert result.exit_code == 0, result.output
    return result.output


TOLD = ["--template", "clip:eurosat", "--template", "a photo of a {}", "--names", "names.yaml"]
QUICK = ["--epochs", "1", "--rounds", "1", "--quiet"]


def test_run_takes_templates_and_names(photos):
    call("run", "--root", "photos", *TOLD, *QUICK, "--out", "out")
    wording = Run.load("out").settings.task["wording"]
    assert wording["templates"] == [*template_set("clip:eurosat"), "a photo of a {}"]
    assert wording["names"] == {"lake": {"synonyms": ["sea"]}}
    assert "clip" not in wording["templates"][0]
    report = (photos / "out" / "report.html").read_text(encoding="utf-8")
    assert "a centered satellite photo of the {}." in report and "synonyms" in report


def test_label_takes_templates_and_names(photos):
    call("label", "photos", "--class-names", "forest, lake", *TOLD, *QUICK, "--run", "out")
    assert len(Run.load("out").settings.task["wording"]["templates"]) == 4
    with open("labels.csv", encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 8
