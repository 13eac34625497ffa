"""Every kind of prompt: against open_clip's own output, against the slope of its loss, and against
the interface that all kinds share. The prefix that is encoded once: test_shared_prefix.py.
"""

import json

import numpy as np
import open_clip
import pytest
import torch

from pseudolab.clip.loading import load_clip
from pseudolab.clip.pocket import pocket_model, save_pocket
from pseudolab.data.tasks import load_task
from pseudolab.method.prompts.base import Prompt, TemplatePrompt
from pseudolab.method.prompts.joint import JointNetwork
from pseudolab.method.prompts.multimodal import MultimodalPrompt
from pseudolab.method.prompts.text import TextPrompt
from pseudolab.method.prompts.visual import VisualPrompt
from pseudolab.method.recipe import Recipe
from pseudolab.method.training import Term, fit_prompt
from pseudolab.method.zero_shot import zero_shot
from support.clips import seeded, untrained

NAMES = ["river", "forest", "permanent crop land"]
KINDS = [TextPrompt, VisualPrompt, MultimodalPrompt]


@pytest.fixture(scope="module")
def task():
    return load_task("satellite", n_train=12, n_test=10)


# ---- the textual prompt


def test_prompt_of_word_embeddings_is_encode_text(clip):
    prompt = TextPrompt(clip, NAMES, n_tokens=4)
    sentences = clip.tokenizer([f"a photo of a {name}" for name in NAMES])
    with torch.no_grad():
        prompt.context.copy_(clip.embed_tokens(clip.tokenize(["a photo of a"]))[0, 1:5])
        want = clip.model.encode_text(sentences, normalize=True)
    assert torch.allclose(prompt.class_features(), want, atol=1e-5)


def test_gradient_reaches_the_context_alone_and_clip_stays_bit_equal(clip, task):
    before = {name: value.clone() for name, value in clip.model.state_dict().items()}
    prompt = TextPrompt(clip, task.class_names, generator=seeded())
    start = prompt.context.detach().clone()
    fit_prompt(
        prompt,
        Recipe.pocket().replace(epochs=2, min_steps=0),
        labelled=Term(prompt.inputs(task.train.images), task.train.labels),
        generator=seeded(),
    )
    assert [name for name, _ in prompt.named_parameters()] == ["context"]
    assert not torch.equal(prompt.context, start)
    for name, value in clip.model.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_gradient_is_the_slope(clip):
    prompt = TextPrompt(clip, NAMES, generator=seeded())
    direction = torch.randn(prompt.context.shape, generator=seeded(1))
    target = torch.randn(3, clip.embed_dim, generator=seeded(2))

    def value():
        return (prompt.class_features() * target).sum()

    value().backward()
    step = 1e-3
    start = prompt.context.detach().clone()
    ends = []
    with torch.no_grad():
        for sign in (1, -1):
            prompt.context.copy_(start + sign * step * direction)
            ends.append(value().item())
    slope = (ends[0] - ends[1]) / (2 * step)
    assert np.isclose(slope, (prompt.context.grad * direction).sum().item(), rtol=2e-2)


def test_names_too_long_for_the_context(clip):
    with pytest.raises(ValueError, match="needs? .* positions"):
        TextPrompt(clip, ["river", "very " * 14 + "long river"])
    with pytest.raises(ValueError, match="room for 32"):
        clip.encode_texts(["very " * 40 + "long river"])


def test_unseen_words_are_named(clip):
    with pytest.warns(UserWarning, match="'frog'"):
        TextPrompt(clip, ["river", "frog"])


def test_unseen_words_are_the_same_random_vectors_every_time():
    with pytest.warns(UserWarning):
        one = load_clip("pocket", device="cpu").encode_texts(["a frog"])
        two = load_clip("pocket", device="cpu").encode_texts(["a frog"])
    assert torch.equal(one, two)


# ---- the visual and the multimodal prompt


def test_a_visual_prompt_without_tokens_is_clip(clip, task):
    images = task.test.images[:6]
    prompt = VisualPrompt(clip, task.class_names, n_tokens=0, template=task.template)
    want = zero_shot(clip, images, task.class_names, task.template)
    assert torch.allclose(prompt.logits(images), want, atol=1e-3)


@pytest.mark.parametrize("attention", ["paired", "full"])
def test_joined_tokens_depend_on_those_they_may_see(attention):
    network = JointNetwork(8, 12, attention, seed=0)
    text = torch.randn(3, 8, generator=seeded(1))
    visual = torch.randn(3, 12, generator=seeded(2))
    moved = visual.clone()
    moved[1] += 1
    before, _ = network(text, visual)
    after, _ = network(text, moved)
    changed = (after - before).abs().amax(dim=1) > 1e-6
    assert changed.tolist() == ([False, True, False] if attention == "paired" else [True] * 3)


@pytest.mark.parametrize(
    "kind, wrong, words",
    [
        (TextPrompt, dict(n_tokens=0), "at least one learned token"),
        (VisualPrompt, dict(n_tokens=-1), "0 tokens or more"),
        (VisualPrompt, dict(depth="abyssal"), "depth is 'abyssal'"),
        (MultimodalPrompt, dict(n_tokens=0), "at least one learned token"),
        (MultimodalPrompt, dict(attention="none"), "attention is 'none'"),
    ],
)
def test_options_that_make_no_prompt_are_refused(clip, kind, wrong, words):
    with pytest.raises(ValueError, match=words):
        kind(clip, NAMES, **wrong)


# ---- what all kinds share


@pytest.mark.parametrize("kind", KINDS)
def test_the_start_is_decided_by_the_generator(clip, task, kind):
    one, two = (kind.for_task(clip, task, generator=seeded(3)) for _ in range(2))
    other = kind.for_task(clip, task, generator=seeded(4))
    unsaid, zero = kind.for_task(clip, task), kind.for_task(clip, task, generator=seeded(0))
    for name, value in one.state_dict().items():
        assert torch.equal(value, two.state_dict()[name]), name
        assert torch.equal(unsaid.state_dict()[name], zero.state_dict()[name]), name
    assert any(
        not torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items()
    )


@pytest.mark.parametrize("kind", [TemplatePrompt, *KINDS])
def test_training_and_labelling_see_the_same_logits(clip, task, kind):
    prompt = kind.for_task(clip, task)
    images = task.test.images[:6]
    with torch.no_grad():
        want = prompt.logits(images)
        assert torch.equal(prompt(prompt.inputs(images)), want)
        by_hand = clip.logit_scale.exp() * prompt.image_features(images) @ prompt.class_features().T
    assert torch.allclose(by_hand, want, atol=1e-4)
    pictures = [images[at] for at in range(6)]
    assert torch.allclose(prompt.logits(pictures), want, atol=1e-4)
    assert torch.allclose(prompt.logits(clip.pixels(pictures)), want, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_reach_all_that_is_learned_and_nothing_of_clip(clip, task, kind):
    prompt = kind.for_task(clip, task)
    prompt.logits(task.test.images[:4]).logsumexp(1).sum().backward()
    for name, parameter in prompt.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
    assert all(p.grad is None and not p.requires_grad for p in clip.model.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_says_what_the_loop_must_know(clip, task, kind):
    prompt = kind.for_task(clip, task)
    assert hasattr(Recipe.pocket(), kind.lr_field)
    assert set(kind.option_names) <= set(prompt.options())
    for name in kind.warm_start_parameters:
        assert prompt.get_parameter(name).requires_grad


def test_options_are_checked_before_a_prompt_is_made(clip, task):
    assert TextPrompt.check_options({"n_tokens": 3}) == {"n_tokens": 3}
    with pytest.raises(ValueError) as said:
        TextPrompt.check_options({"depth": "deep", "attention": "full"})
    assert str(said.value) == "A text prompt has no option attention, depth; it has n_tokens."
    with pytest.raises(ValueError, match="A visual prompt has no option attention; it has n_to"):
        VisualPrompt.for_task(clip, task, attention="full")
    with pytest.raises(ValueError, match="A template prompt has no option n_tokens; it has none"):
        TemplatePrompt.for_task(clip, task, n_tokens=3)


def test_checked_options_are_a_copy():
    given = {"n_tokens": 3}
    TextPrompt.check_options(given)["n_tokens"] = 4
    assert given == {"n_tokens": 3}


def test_a_visual_prompt_takes_the_template_of_the_task(clip, task):
    prompt = VisualPrompt.for_task(clip, task, n_tokens=2, depth="deep")
    want = TemplatePrompt.for_task(clip, task).class_features()
    assert prompt.options()["template"] == task.template
    assert prompt.tokens.shape[:2] == (len(clip.require_image_tower().transformer.resblocks), 2)
    assert torch.equal(prompt.class_features(), want)


def test_a_clip_without_a_tower_is_refused_by_the_kinds_that_need_it():
    no_text = untrained(open_clip.CustomTextCLIP, no_causal_mask=True)
    pooler = dict(attentional_pool=True, attn_pooler_queries=4, attn_pooler_heads=2)
    no_image = untrained(vision=pooler)
    for clip, refused, allowed in (
        (no_text, [TextPrompt, MultimodalPrompt], [VisualPrompt, TemplatePrompt]),
        (no_image, [VisualPrompt, MultimodalPrompt], [TextPrompt, TemplatePrompt]),
    ):
        for kind in refused:
            with pytest.raises(ValueError, match="cannot be learned for it"):
                kind.check_clip(clip)
        for kind in allowed:
            kind.check_clip(clip)


def test_features_cannot_be_made_of_patches_by_a_prompt_that_leaves_images_alone(clip, task):
    prompt = TextPrompt.for_task(clip, task)
    with pytest.raises(ValueError, match="A text prompt is fed image features .* not PatchRows"):
        prompt(clip.patches(task.test.images))


def test_a_bare_prompt_has_no_classes(clip):
    with pytest.raises(NotImplementedError, match="Prompt must say what its class features are"):
        Prompt(clip, NAMES).class_features()


# ---- files


@pytest.mark.parametrize(
    "kind, options",
    [
        (TemplatePrompt, dict(template="a drawing of a {}")),
        (TextPrompt, dict(n_tokens=3)),
        (VisualPrompt, dict(n_tokens=3, depth="deep", template="a drawing of a {}")),
        (MultimodalPrompt, dict(n_tokens=3, attention="full")),
    ],
)
def test_every_kind_survives_saving(clip, task, tmp_path, kind, options):
    prompt = kind(clip, task.class_names, **options)
    with torch.no_grad():
        for parameter in prompt.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=seeded(5))
    prompt.save(tmp_path / "p.safetensors")
    again = kind.load(tmp_path / "p.safetensors", clip)
    images = task.test.images[:4]
    assert again.options() == prompt.options()
    assert json.loads(json.dumps(prompt.options())) == prompt.options()
    assert torch.equal(again.class_features(), prompt.class_features())
    assert torch.equal(again.image_features(images), prompt.image_features(images))


def test_prompt_survives_saving_and_refuses_another_clip(clip, tmp_path):
    prompt = TextPrompt(clip, NAMES, generator=seeded(3))
    path = tmp_path / "p.safetensors"
    prompt.save(path)
    assert torch.equal(TextPrompt.load(path, clip).class_features(), prompt.class_features())
    with pytest.raises(ValueError, match="not a TemplatePrompt"):
        TemplatePrompt.load(path, clip)
    save_pocket(pocket_model(seed=5), torch.arange(10), tmp_path / "other.safetensors", {})
    other = load_clip("pocket", tmp_path / "other.safetensors", device="cpu")
    with pytest.raises(ValueError, match="other weights"):
        TextPrompt.load(path, other)
    path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="damaged"):
        TextPrompt.load(path, clip)


def test_a_file_that_is_not_there_is_named(clip, tmp_path):
    with pytest.raises(FileNotFoundError, match="No prompt at .*nowhere"):
        TextPrompt.load(tmp_path / "nowhere.safetensors", clip)
