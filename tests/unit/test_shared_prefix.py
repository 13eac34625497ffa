"""The beginning that all texts of a prompt share is encoded once. Held to the plain way, forward
and backward, on every kind of text tower.
"""

import open_clip
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudolab.clip.loading import load_clip
from pseudolab.method.prompts.class_texts import ClassTexts
from pseudolab.method.prompts.multimodal import MultimodalPrompt
from pseudolab.method.prompts.shared_prefix import (
    SharedPrefixTexts,
    encode_after_prefix,
    first_views,
    make_class_texts,
    name_rows,
    why_not_shared,
)
from pseudolab.method.prompts.text import TextPrompt
from support.clips import rows_of_linear_layers, seeded, untrained, wrapped

pytestmark = pytest.mark.slow

# of different lengths
NAMES = ["river", "residential buildings", "permanent crop land", "highway", "annual crop land"]
FEATURES, GRADIENTS = 1e-5, 1e-4  # absolute; relative
TINY = untrained()
CLIPS = {
    "pocket": lambda: load_clip("pocket", device="cpu"),
    "ViT-B-32": lambda: wrapped(open_clip.create_model("ViT-B-32", load_weights=False), "ViT-B-32"),
    "custom text": lambda: untrained(open_clip.CustomTextCLIP),
    "custom text, projection with bias": lambda: untrained(
        open_clip.CustomTextCLIP, proj_bias=True
    ),
    "quick GELU": lambda: untrained(quick_gelu=True),
    "layer scale": lambda: untrained(ls_init_value=0.3),
    "one block": lambda: untrained(layers=1),
}


@pytest.fixture(scope="module", params=CLIPS)
def clip(request):
    return CLIPS[request.param]()


def with_foreign_blocks():
    "A CLIP whose text tower has blocks that are not open_clip's standard ones"
    clip = untrained(open_clip.CustomTextCLIP)
    transformer = open_clip.transformer.Transformer(width=32, layers=2, heads=4, scale_attn=True)
    clip.model.text.transformer = transformer.eval().requires_grad_(False)
    return clip


def both_ways(clip, run):
    "What `run()` returns with the prefix shared, and without"
    results = []
    for clip.share_prefix in (True, False):
        results.append(run())
    clip.share_prefix = True
    return results


def close(got, want):
    "Is a gradient the same, up to rounding?"
    return (got - want).norm() < GRADIENTS * want.norm()


# ---- both ways agree


def features_and_gradients(prompt):
    "Class features, and the gradients that a random direction sends back to what is learned"
    features = prompt.class_features()
    prompt.zero_grad()
    direction = torch.randn(features.shape, generator=seeded(9))
    (features * direction).sum().backward()
    gradients = {
        name: parameter.grad.clone()
        for name, parameter in prompt.named_parameters()
        if parameter.grad is not None
    }
    return features.detach(), gradients


def check(clip, prompt):
    assert why_not_shared(clip) is None
    (fast, fast_gradients), (plain, plain_gradients) = both_ways(
        clip, lambda: features_and_gradients(prompt)
    )
    apart = torch.cdist(plain, plain) + 9 * torch.eye(len(plain))
    assert apart.min() > 100 * FEATURES  # the comparison can fail
    assert (fast - plain).abs().max() < FEATURES
    assert set(fast_gradients) == set(plain_gradients) != set()
    for name, want in plain_gradients.items():
        assert want.norm() > 0 and close(fast_gradients[name], want), name


def test_textual_prompt_equals_the_plain_way(clip):
    check(clip, TextPrompt(clip, NAMES, n_tokens=16, generator=seeded(1)))


@pytest.mark.parametrize("attention", ["paired", "full"])
def test_multimodal_prompt_equals_the_plain_way(attention):
    clip = CLIPS["pocket"]()
    check(clip, MultimodalPrompt(clip, NAMES, attention=attention, generator=seeded(1)))


def test_the_subclass_equals_its_base_class(clip):
    "Forward and backward, as modules that know nothing of each other"
    fast = SharedPrefixTexts(clip, NAMES, 4)
    plain = ClassTexts(clip, NAMES, 4)
    context = 0.1 * torch.randn(4, plain.width, generator=seeded(2))
    direction = torch.randn(len(NAMES), clip.embed_dim, generator=seeded(3))
    features, gradients = [], []
    for texts in (fast, plain):
        learned = context.clone().requires_grad_()
        made = texts(learned)
        (made * direction).sum().backward()
        features.append(made.detach())
        gradients.append(learned.grad)
    assert (features[0] - features[1]).abs().max() < FEATURES
    assert gradients[1].norm() > 0 and close(*gradients)


@settings(max_examples=60)
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=12),
    n_tokens=st.integers(0, 6),
    seed=st.integers(0, 99),
)
def test_any_number_of_classes_lengths_and_tokens(lengths, n_tokens, seed):
    """Below the prompt: random vectors for start, context and names; a length of 1 is an end token
    alone
    """
    generator = seeded(seed)
    lengths = torch.tensor(lengths)
    prefix = (torch.randn(1 + n_tokens, 32, generator=generator) * 0.3).requires_grad_()
    names = torch.randn(len(lengths), int(lengths.max()), 32, generator=generator) * 0.3
    fast = encode_after_prefix(TINY, prefix, names, name_rows(lengths))
    whole = torch.cat([prefix.expand(len(names), -1, -1), names], dim=1)
    plain = TINY.encode_embedded(whole, n_tokens + lengths)
    direction = torch.randn(fast.shape, generator=generator)
    (got,) = torch.autograd.grad((fast * direction).sum(), prefix)
    (want,) = torch.autograd.grad((plain * direction).sum(), prefix)
    assert (fast - plain).abs().max() < FEATURES
    assert (got - want).norm() < GRADIENTS * want.norm() + 1e-6


def test_gradients_reach_the_tokens_alone(clip):
    prompt = TextPrompt(clip, NAMES, n_tokens=4)
    prompt.class_features().sum().backward()
    assert [name for name, _ in prompt.named_parameters()] == ["context"]
    assert prompt.context.grad.abs().amin(dim=1).min() > 0
    assert all(p.grad is None and not p.requires_grad for p in clip.model.parameters())


def test_gradients_reach_names_too_where_they_are_asked_for():
    names = (torch.randn(3, 4, 32, generator=seeded(1)) * 0.3).requires_grad_()
    prefix = torch.randn(5, 32, generator=seeded(2)) * 0.3
    direction = torch.randn(3, 24, generator=seeded(3))
    lengths = torch.tensor([4, 2, 3])
    fast = encode_after_prefix(TINY, prefix, names, name_rows(lengths))
    whole = torch.cat([prefix.expand(3, -1, -1), names], dim=1)
    plain = TINY.encode_embedded(whole, 4 + lengths)
    (got,) = torch.autograd.grad((fast * direction).sum(), names)
    (want,) = torch.autograd.grad((plain * direction).sum(), names)
    assert want.norm() > 0 and close(got, want)


def test_bfloat16_stays_as_near_as_the_plain_way():
    exact = load_clip("pocket", device="cpu")
    half = load_clip("pocket", device="cpu", precision="bf16")
    want = TextPrompt(exact, NAMES).class_features()
    fast, plain = both_ways(half, lambda: TextPrompt(half, NAMES).class_features())
    allowed = max(0.02, 3 * (plain - want).abs().max())
    assert fast.dtype == torch.float32
    assert 0 < (fast - want).abs().max() < allowed


# ---- the rows, and what is done only once


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12))
def test_rows_of_the_names(lengths):
    layout = name_rows(torch.tensor(lengths))
    longest = max(lengths)
    want = [c * longest + s for c, n in enumerate(lengths) for s in range(n)]
    assert layout.places.tolist() == want
    assert (layout.places[layout.last] % longest + 1).tolist() == lengths
    for row, place in enumerate(want):
        assert layout.rows[place // longest, place % longest] == row
    assert (~layout.hidden).sum(1).tolist() == lengths


def test_no_class_disturbs_another():
    names = torch.randn(3, 4, 32, generator=seeded(1))
    prefix = torch.randn(5, 32, generator=seeded(2))
    layout = name_rows(torch.tensor([4, 2, 3]))
    before = encode_after_prefix(TINY, prefix, names, layout)
    names[1] += torch.randn(4, 32, generator=seeded(3))  # another name
    names[2, 3] += 9 * torch.randn(32, generator=seeded(4))  # behind the end of the third
    after = encode_after_prefix(TINY, prefix, names, layout)
    assert torch.allclose(before[[0, 2]], after[[0, 2]], atol=1e-6)
    assert not torch.allclose(before[1], after[1], atol=1e-2)


def test_what_names_bring_to_the_first_block_is_computed_once(clip, monkeypatch):
    "And serves every prefix: after a step the features are those of a prompt that computes it anew"
    asked = []

    def counted(*given):
        asked.append(given)
        return first_views(*given)

    monkeypatch.setattr("pseudolab.method.prompts.shared_prefix.first_views", counted)
    prompt = TextPrompt(clip, NAMES, n_tokens=4, generator=seeded(1))
    before = prompt.class_features().detach()
    with torch.no_grad():
        prompt.context += torch.randn(prompt.context.shape, generator=seeded(2))
    after = prompt.class_features()
    fresh = TextPrompt(clip, NAMES, n_tokens=4)
    with torch.no_grad():
        fresh.context.copy_(prompt.context)
    assert torch.equal(after, fresh.class_features())
    assert not torch.allclose(after, before, atol=1e-3)
    assert len(asked) == 2
    views = prompt.texts.views
    assert not any(getattr(views, name).requires_grad for name in ("x", "q", "near", "v"))


def test_the_work_is_that_of_the_prefix_and_the_names():
    """17 rows of the prefix once, and of each name the tokens that it has; in the last block the
    end tokens alone
    """
    clip = CLIPS["pocket"]()
    prompt = TextPrompt(clip, NAMES)
    C, S = prompt.texts.names.shape[:2]
    rows = len(prompt.texts.layout.places)
    assert rows == int((prompt.texts.end - 16).sum()) < C * S
    tower = clip.require_text_tower()
    fast, plain = both_ways(clip, lambda: rows_of_linear_layers(tower, prompt.class_features))
    assert fast == [17 + rows] * (len(fast) - 1) + [C]
    assert plain == [C * (17 + S)] * len(plain)


# ---- where it does not fit, the plain way


@pytest.mark.parametrize("kind", [ClassTexts, SharedPrefixTexts])
def test_each_class_may_have_vectors_of_its_own(kind):
    texts = kind(untrained(), NAMES, 4)
    shared = torch.randn(4, 32, generator=seeded()) * 0.1
    own = shared.repeat(len(NAMES), 1, 1)
    assert torch.allclose(texts(own), texts(shared), atol=FEATURES)
    own[1] += torch.randn(4, 32, generator=seeded(1))
    moved = (texts(own) - texts(shared)).abs().amax(dim=1) > 1e-3
    assert moved.tolist() == [False, True, False, False, False]


def test_blocks_of_another_kind_go_the_plain_way():
    clip = with_foreign_blocks()
    assert "CustomResidualAttentionBlock" in why_not_shared(clip)
    prompt = TextPrompt(clip, NAMES, n_tokens=4)
    assert type(prompt.texts) is ClassTexts
    assert "encoded with each class: the blocks" in repr(prompt)
    fast, plain = both_ways(clip, prompt.class_features)
    assert torch.equal(fast, plain)


def test_blocks_of_another_kind_are_refused_where_the_prefix_must_be_shared():
    with pytest.raises(ValueError, match="standard ones, so the prefix .* Use ClassTexts"):
        SharedPrefixTexts(with_foreign_blocks(), NAMES, 4)


def test_the_switch_is_heard_at_every_call():
    clip = untrained()
    clip.share_prefix = False
    texts = make_class_texts(clip, NAMES, 4)
    assert type(texts) is SharedPrefixTexts
    context = torch.randn(4, 32, generator=seeded()) * 0.1
    tower = clip.require_text_tower()
    fast, plain = both_ways(clip, lambda: rows_of_linear_layers(tower, lambda: texts(context)))
    assert sum(fast) < sum(plain)


def test_repr_says_which_way(clip):
    prompt = TextPrompt(clip, NAMES, n_tokens=4)
    fast, plain = both_ways(clip, lambda: repr(prompt))
    assert "5 classes, prefix encoded once" in fast
    assert "5 classes, prefix encoded with each class: clip.share_prefix is off" in plain
    assert (
        repr(ClassTexts(clip, NAMES, 4)) == "ClassTexts(5 classes, prefix encoded with each class)"
    )


@pytest.mark.parametrize(
    "change, words",
    [(dict(no_causal_mask=True), "not causal"), (dict(embed_cls=True), "token of its own")],
)
def test_towers_without_textual_prompts_are_refused_as_before(change, words):
    clip = untrained(open_clip.CustomTextCLIP, **change)
    with pytest.raises(ValueError, match=words):
        TextPrompt(clip, NAMES, n_tokens=4)


@pytest.mark.parametrize("kind", [ClassTexts, SharedPrefixTexts, make_class_texts])
def test_no_tokens_are_refused_as_before(kind):
    with pytest.raises(ValueError, match="at least one learned token"):
        kind(TINY, NAMES, 0)
