"""A real CLIP: which architectures take which prompts, what is loaded and what is refused, and the
prompts on ViT-B-32 against open_clip's own forward pass.
"""

import pickle
import subprocess
import sys
from collections import Counter
from copy import deepcopy

import numpy as np
import open_clip
import pytest
import torch
import torch.nn.functional as F
from open_clip.hf_model import HFTextEncoder
from open_clip.tokenizer import SimpleTokenizer
from open_clip.transformer import LayerScale, ResidualAttentionBlock
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from pseudolab.clip import loading
from pseudolab.clip.loading import checkpoint_shapes, load_clip, prompt_support, resolve_device
from pseudolab.clip.model import Clip, autocast_dtype
from pseudolab.clip.pocket import pocket_model
from pseudolab.method.prompts.multimodal import MultimodalPrompt
from pseudolab.method.recipe import Recipe
from pseudolab.method.prompts.text import TextPrompt
from pseudolab.method.training import Term, fit_prompt
from pseudolab.method.tuner import PromptTuner
from pseudolab.method.prompts.visual import VisualPrompt

NAMES = ["river", "forest", "permanent crop land", "highway"]
WORDS = "a photo of a"
TOLERANCE = 1e-5


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def pictures(clip, n=3, seed=0):
    return torch.randn(n, 3, clip.image_size, clip.image_size, generator=seeded(seed))


# ---- oracles: open_clip's forward pass by hand
# -------------------------------------------------------------------------------------------------


@torch.no_grad()
def text_oracle(clip, names, context):
    """The learned vectors are put behind the start token, all rows of the context go through the
    tower, and the row of the end token is read
    """
    model = clip.model
    tower = getattr(model, "text", model)
    ids, M, rows = clip.tokenizer(names), len(context), clip.context_length
    end = torch.tensor([row.tolist().index(clip.tokenizer.eot_token_id) for row in ids]) + M
    words = tower.token_embedding(ids)
    x = (
        torch.cat([words[:, :1], context.expand(len(ids), -1, -1), words[:, 1:]], dim=1)[:, :rows]
        + tower.positional_embedding
    )
    x = tower.ln_final(tower.transformer(x, attn_mask=tower.attn_mask))[torch.arange(len(ids)), end]
    return F.normalize(
        (
            tower.text_projection(x)
            if isinstance(tower.text_projection, nn.Linear)
            else x @ tower.text_projection
        ),
        dim=-1,
    )


@torch.no_grad()
def image_oracle(clip, images, layers):
    """conv1, class embedding, positions, the tokens between class token and patches, ln_pre, the
    blocks with new tokens in front of each, pooling, projection
    """
    tower = clip.model.visual
    x = tower.conv1(images)
    x = x.reshape(x.shape[0], x.shape[1], -1).permute(0, 2, 1)
    x = (
        torch.cat([tower.class_embedding.expand(len(x), 1, -1), x], dim=1)
        + tower.positional_embedding
    )
    patches, m = x.shape[1] - 1, layers[0].shape[0]
    x = tower.ln_pre(torch.cat([x[:, :1], layers[0].expand(len(x), -1, -1), x[:, 1:]], dim=1))
    for at, block in enumerate(tower.transformer.resblocks):
        if 0 < at < len(layers):
            x = torch.cat([x[:, :1], layers[at].expand(len(x), -1, -1), x[:, -patches:]], dim=1)
        x = block(x)
    # what the learned tokens have become is read nowhere
    x = torch.cat([x[:, :1], x[:, 1 + m :]], dim=1)
    pooled = {"tok": lambda x: x[:, 0], "avg": lambda x: x[:, 1:].mean(1)}[tower.pool_type]
    x = tower.ln_post(pooled(x)) if tower.final_ln_after_pool else pooled(tower.ln_post(x))
    return F.normalize(x @ tower.proj, dim=-1)


def differ(features):
    return (torch.cdist(features, features) + 9 * torch.eye(len(features))).min().item()


def check_text(clip):
    """The oracles of the textual side; first, that they can fail: other names, other words and
    other tokens give other features
    """
    sentences = [f"{WORDS} {name}" for name in NAMES]
    prompt = TextPrompt(clip, NAMES, n_tokens=4, generator=seeded(1))
    with torch.no_grad():
        want = clip.model.encode_text(clip.tokenizer(sentences))
        want = F.normalize(want, dim=-1)
        before = prompt.class_features()
        assert torch.allclose(before, text_oracle(clip, NAMES, prompt.context), atol=TOLERANCE)
        prompt.context.copy_(clip.embed_tokens(clip.tokenize([WORDS]))[0, 1:5])
        got = prompt.class_features()
    assert min(differ(want), (before - got).norm(dim=1).min()) > 100 * TOLERANCE
    assert torch.allclose(got, want, atol=TOLERANCE) and torch.allclose(
        clip.encode_texts(sentences), want, atol=TOLERANCE
    )


def check_visual(clip):
    "The oracles of the visual side, shallow and deep; zero-valued tokens are not the same as none"
    images, tower = pictures(clip), clip.model.visual
    with torch.no_grad():
        want = clip.model.encode_image(images)
        want = F.normalize(want[0] if isinstance(want, tuple) else want, dim=-1)
    assert differ(want) > 100 * TOLERANCE and torch.allclose(
        clip.encode_images(images), want, atol=TOLERANCE
    )
    width, blocks = tower.class_embedding.shape[0], len(tower.transformer.resblocks)
    patches = clip.embed_patches(images)
    assert torch.allclose(clip.encode_patches(patches), want, atol=TOLERANCE)
    for n in (1, blocks):
        tokens = torch.randn(n, 3, width, generator=seeded(n))
        got = clip.encode_patches(patches, tokens)
        assert (
            torch.allclose(got, image_oracle(clip, images, tokens), atol=TOLERANCE)
            and (got - want).abs().max() > 100 * TOLERANCE
        )
    assert (
        clip.encode_patches(patches, torch.zeros(16, width)) - want
    ).abs().max() > 100 * TOLERANCE


# ---- the real ViT-B-32 and the pocket CLIP
# -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    "ViT-B-32 with random weights from a fixed seed, as a local float16 checkpoint"
    path = tmp_path_factory.mktemp("real") / "vit_b_32.safetensors"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = open_clip.create_model("ViT-B-32", load_weights=False)
    assert sum(p.numel() for p in model.parameters()) == 151_277_313
    save_file({name: value.half().contiguous() for name, value in model.state_dict().items()}, path)
    del model
    yield path
    path.unlink()  # 300 MB


@pytest.fixture(scope="module")
def real(checkpoint):
    return load_clip("ViT-B-32", pretrained=checkpoint, device="cpu")


@pytest.fixture(scope="module", params=["ViT-B-32", "pocket"])
def clip(request):
    return (
        request.getfixturevalue("real")
        if request.param == "ViT-B-32"
        else load_clip("pocket", device="cpu")
    )


def test_real_clip_is_as_the_file_says(real, checkpoint):
    assert (
        repr(real) == f"Clip('ViT-B-32', pretrained={str(checkpoint)!r}, 224 px, D=512, context=77,"
        " quick_gelu=False, cpu fp32)"
    )
    assert not real.model.training and not any(p.requires_grad for p in real.model.parameters())
    assert {p.dtype for p in real.model.parameters()} == {torch.float32}
    picture = Image.fromarray(
        np.random.default_rng(0).integers(0, 256, (300, 260, 3), dtype=np.uint8)
    )
    assert torch.equal(
        real.preprocess(picture), open_clip.image_transform(224, is_train=False)(picture)
    )
    features = real.encode_images([picture, picture.rotate(90)])
    assert features.shape == (2, 512) and torch.allclose(features.norm(dim=1), torch.ones(2))


def test_text_side_is_open_clips_own(clip):
    check_text(clip)


def test_image_side_is_open_clips_own(clip):
    check_visual(clip)


def test_visual_prompt_without_tokens_is_encode_image(clip):
    images = pictures(clip)
    prompt = VisualPrompt(clip, NAMES, n_tokens=0)
    with torch.no_grad():
        want = F.normalize(clip.model.encode_image(images), dim=-1)
    assert torch.allclose(prompt.image_features(images), want, atol=TOLERANCE)


@pytest.mark.parametrize("depth", ["shallow", "deep"])
def test_visual_prompt_by_hand(clip, depth):
    images, prompt = (
        pictures(clip),
        VisualPrompt(clip, NAMES, n_tokens=5, depth=depth, generator=seeded(2)),
    )
    assert len(prompt.tokens) == (
        1 if depth == "shallow" else len(clip.model.visual.transformer.resblocks)
    )
    got = prompt.image_features(images)
    assert torch.allclose(got, image_oracle(clip, images, prompt.tokens), atol=TOLERANCE)
    assert torch.allclose(
        prompt.class_features(),
        clip.encode_texts([f"a photo of a {name}" for name in NAMES]),
        atol=TOLERANCE,
    )
    want = clip.logit_scale.exp() * got @ prompt.class_features().T
    assert torch.allclose(prompt.logits(images), want, atol=1e-4)
    if depth == "deep":
        assert (got - image_oracle(clip, images, prompt.tokens[:1])).abs().max() > 100 * TOLERANCE


@pytest.mark.parametrize("attention, others", [("paired", False), ("full", True)])
def test_who_sees_whom_in_the_joint_network(clip, attention, others):
    prompt = MultimodalPrompt(clip, NAMES, attention=attention, generator=seeded(3))
    with torch.no_grad():
        text, visual = prompt.joint(prompt.text_tokens, prompt.visual_tokens)
        for i in range(4):
            moved = prompt.text_tokens.clone()
            moved[i] += torch.randn(moved.shape[1], generator=seeded(i))
            other_text, other_visual = prompt.joint(moved, prompt.visual_tokens)
            for before, after in ((text, other_text), (visual, other_visual)):
                changed = (before - after).abs().amax(1) > 1e-6
                assert changed.tolist() == [others or j == i for j in range(4)]


class ByHand(nn.Module):
    "In the place of the joint network: says what the tokens are"

    attention = "paired"

    def __init__(self, *tokens):
        super().__init__()
        self.tokens = tokens

    def forward(self, text, visual):
        return self.tokens


def test_multimodal_prompt_with_joint_output_by_hand(clip):
    images, prompt = pictures(clip), MultimodalPrompt(clip, NAMES, generator=seeded(4))
    joined = prompt.joint(prompt.text_tokens, prompt.visual_tokens)
    for text, visual in (
        joined,
        tuple(torch.randn(tokens.shape, generator=seeded(5)) for tokens in joined),
    ):
        if text is not joined[0]:
            prompt.joint = ByHand(text, visual)
        assert torch.allclose(
            prompt.class_features(), text_oracle(clip, NAMES, text), atol=TOLERANCE
        )
        assert torch.allclose(
            prompt.image_features(images), image_oracle(clip, images, [visual]), atol=TOLERANCE
        )


LEARNED = {
    TextPrompt: {"context"},
    VisualPrompt: {"tokens"},
    MultimodalPrompt: {"text_tokens", "visual_tokens", "joint"},
}


@pytest.mark.parametrize("kind", LEARNED, ids=lambda kind: kind.__name__)
def test_training_moves_the_prompt_alone_and_it_survives_saving(clip, kind, tmp_path):
    images, before = (
        pictures(clip, 4),
        {name: value.clone() for name, value in clip.model.state_dict().items()},
    )
    prompt = kind(clip, NAMES, generator=seeded(6))
    start = {name: value.detach().clone() for name, value in prompt.named_parameters()}
    assert {name.split(".")[0] for name in start} == LEARNED[kind]
    # two steps
    recipe = Recipe.paper().replace(epochs=1, batch_size=2, weight_decay=0.0, warmup=0.0)
    with torch.no_grad():
        inputs = prompt.inputs(images)
    fit_prompt(prompt, recipe, labelled=Term(inputs, np.arange(4)), generator=seeded())
    still = {name for name, value in prompt.named_parameters() if torch.equal(value, start[name])}
    assert not still, f"no gradient reached {still}"
    assert all(torch.equal(value, before[name]) for name, value in clip.model.state_dict().items())
    assert (
        all(p.grad is None and not p.requires_grad for p in clip.model.parameters())
        and not clip.model.training
    )
    prompt.save(tmp_path / "prompt.safetensors")
    again = kind.load(tmp_path / "prompt.safetensors", clip)
    assert again.options() == prompt.options() and torch.equal(
        again.class_features(), prompt.class_features()
    )
    assert torch.equal(again.image_features(images), prompt.image_features(images))
    assert (tmp_path / "prompt.safetensors").stat().st_size < 5e6


def test_bfloat16_computes_in_half_and_learns_in_float32():
    exact, half = (
        load_clip("pocket", device="cpu", precision=precision) for precision in ("fp32", "bf16")
    )
    images = pictures(exact)
    assert "cpu bf16" in repr(half) and half.digest != exact.digest
    for got, want in (
        (half.encode_images(images), exact.encode_images(images)),
        (half.encode_texts(NAMES), exact.encode_texts(NAMES)),
    ):
        assert got.dtype == torch.float32 and 0 < (got - want).abs().max() < 0.05
    prompt = MultimodalPrompt(half, NAMES, generator=seeded())
    prompt.logits(images).sum().backward()
    assert {p.dtype for q in prompt.parameters() for p in (q, q.grad)} == {torch.float32} and {
        p.dtype for p in half.model.parameters()
    } == {torch.float32}


@pytest.mark.parametrize(
    "wrong",
    [
        torch.zeros(2, 3, 56, 56),
        torch.zeros(3, 224, 224),
        torch.zeros(2, 3, 224, 224, dtype=torch.uint8),
    ],
)
def test_tensors_that_are_not_preprocessed_are_refused(real, wrong):
    with pytest.raises(ValueError, match=r"float tensor \(N, 3, 224, 224\)"):
        real.encode_images(wrong)


# ---- which architectures take which prompts
# ----------------------------------------------------------------------------------------------------

EXAMPLES = {  # text, visual: what the reason says, or None
    "ViT-B-32": (None, None),
    "ViT-L-14": (None, None),
    "ViT-B-32-quickgelu": (None, None),
    "ViT-M-16-alt": (None, None),
    "EVA02-B-16": (None, "TimmModel"),
    "PE-Core-B-16": (None, "TimmModel"),
    "ViTamin-L": (None, "TimmModel"),
    "MobileCLIP-B": (None, "TimmModel"),
    "MobileCLIP-S1": ("causal", "TimmModel"),
    "ViT-B-16-SigLIP": ("causal", "TimmModel"),
    "ViT-B-16-SigLIP2": ("causal", "TimmModel"),
    "ViT-L-14-CLIPA": ("causal", None),
    "coca_ViT-B-32": ("token of its own", "attention pooler"),
    "coca_base": ("token of its own", None),
    "coca_roberta-ViT-B-32": ("HFTextEncoder", None),
    "roberta-ViT-B-32": ("HFTextEncoder", None),
    "nllb-clip-base": ("HFTextEncoder", None),
    "nllb-clip-base-siglip": ("HFTextEncoder", "TimmModel"),
    "xlm-roberta-base-ViT-B-32": ("HFTextEncoder", None),
    "ViT-H-14-worldwide": ("'eos'", None),
    "RN50": (None, "ModifiedResNet"),
    "RN50-quickgelu": (None, "ModifiedResNet"),
    "convnext_base": (None, "TimmModel"),
    "swin_base_patch4_window7_224": (None, "TimmModel"),
    "vit_relpos_medium_patch16_cls_224": (None, "TimmModel"),
}
SUPPORTED_SINCE_3_3 = Counter({"text": 85, "visual": 54, "multimodal": 32})  # of 144
BOTH = """ViT-B-16 ViT-B-16-plus ViT-B-16-plus-240 ViT-B-16-quickgelu ViT-B-32 ViT-B-32-256 ViT-B-32-plus-256 ViT-B-32-quickgelu ViT-bigG-14 ViT-bigG-14-quickgelu ViT-e-14
ViT-g-14 ViT-H-14 ViT-H-14-378 ViT-H-14-378-quickgelu ViT-H-14-quickgelu ViT-H-16 ViT-L-14 ViT-L-14-280 ViT-L-14-336 ViT-L-14-336-quickgelu ViT-L-14-quickgelu ViT-L-16
ViT-L-16-320 ViT-M-16 ViT-M-16-alt ViT-M-32 ViT-M-32-alt ViT-S-16 ViT-S-16-alt ViT-S-32 ViT-S-32-alt""".split()


def test_the_whole_list():
    names = open_clip.list_models()
    table = {name: prompt_support(name) for name in names}
    supported = Counter(
        prompt for reasons in table.values() for prompt, why in reasons.items() if why is None
    )
    assert [name for name in names if table[name]["multimodal"] is None] == BOTH
    if len(names) == 144:
        assert supported == SUPPORTED_SINCE_3_3
    for name, reasons in table.items():
        assert (reasons["multimodal"] is None) == (
            reasons["text"] is None and reasons["visual"] is None
        ), name
        if any(
            word in name
            for word in ("SigLIP", "coca", "CLIPA", "roberta", "nllb", "mt5", "worldwide")
        ):
            assert reasons["text"], name
        if any(
            word in name
            for word in ("SigLIP", "RN", "convnext", "EVA", "Mobile", "PE-Core", "ViTamin", "swin")
        ):
            assert reasons["visual"], name
    assert set(prompt_support("pocket").values()) == {None}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_architecture_takes_these_prompts(name):
    reasons = prompt_support(name)
    for prompt, expected in zip(("text", "visual"), EXAMPLES[name]):
        assert reasons[prompt] is None if expected is None else expected in reasons[prompt]
    assert all(
        reason in reasons["multimodal"] for reason in (reasons["text"], reasons["visual"]) if reason
    )


def test_unknown_architecture_gets_a_hint():
    with pytest.raises(ValueError, match="No CLIP is called 'ViT-B/32'. Did you mean 'ViT-B-32'"):
        prompt_support("ViT-B/32")


TIMM = {"EVA02-B-16": "eva02_tiny_patch14_224", "convnext_base": "convnext_atto"}
SMALL = [
    "ViT-B-32",
    "ViT-B-32-quickgelu",
    "ViT-M-16-alt",
    "ViT-L-14-CLIPA",
    "ViT-B-16-SigLIP",
    "ViT-B-16-SigLIP2",
    "coca_ViT-B-32",
    "coca_base",
    "RN50",
    "convnext_base",
    "EVA02-B-16",
    "PE-Core-B-16",
    "ViTamin-L",
    "MobileCLIP-B",
    "MobileCLIP-S1",
    "ViT-H-14-worldwide",
    "nllb-clip-base",
    "roberta-ViT-B-32",
]


class AnotherTokenizer:
    "Stands for a tokenizer of Hugging Face: the same ids as CLIP's own, from another class"

    clean_fn = staticmethod(lambda text: text)

    def __init__(self, length):
        self.own, self.eot_token_id = (
            SimpleTokenizer(context_length=length),
            SimpleTokenizer().eot_token_id,
        )

    def __call__(self, texts):
        return self.own(texts)

    def tokenizer(self, text):
        ids = [self.own.sot_token_id, *self.own.encode(text), self.own.eot_token_id]
        return type("Encoded", (), {"input_ids": ids})


class ForeignText(HFTextEncoder):
    "A text tower of Hugging Face's kind without its library"

    def __init__(self, width):
        nn.Module.__init__(self)
        self.embed, self.context_length = nn.Embedding(49408, width), 77

    def forward(self, ids):
        return self.embed(ids).mean(1)


ForeignText.__name__ = "HFTextEncoder"


def shrunken(name):
    "The same kind of model, with few layers and narrow widths"
    config = deepcopy(open_clip.get_model_config(name))
    text, vision = config["text_cfg"], config["vision_cfg"]
    config["embed_dim"] = 32
    foreign = text.get("hf_model_name")
    text |= dict(width=64, heads=2, layers=2, vocab_size=49408)
    if foreign:
        config["text_cfg"] = {
            key: value for key, value in text.items() if not key.startswith("hf_")
        }
    if vision.get("timm_model_name"):
        vision |= dict(
            timm_model_name=TIMM.get(name, "vit_tiny_patch16_224"),
            timm_pool="avg",
            timm_proj="linear",
            image_size=224,
        )
    elif isinstance(vision["layers"], list):
        vision |= dict(layers=[1, 1, 1, 1], width=16, image_size=64)
    else:
        vision |= dict(
            width=64,
            layers=2,
            head_width=32,
            mlp_ratio=2.0,
            image_size=4 * vision.get("patch_size", 16),
        )
    if "multimodal_cfg" in config:
        config["multimodal_cfg"] |= dict(width=64, heads=2, layers=1, vocab_size=49408)
    return config, foreign, text.get("hf_tokenizer_name")


def small_clip(name, monkeypatch):
    config, foreign, tokens = shrunken(name)
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, f"{name}-small", config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = open_clip.create_model(f"{name}-small", load_weights=False)
        if foreign:
            model = open_clip.CustomTextCLIP(
                **{key: value for key, value in config.items() if key != "custom_text"}
            )
            model.text = ForeignText(32)
        # at 1e-4 no block would be seen
        for scale in (module for module in model.modules() if isinstance(module, LayerScale)):
            nn.init.constant_(scale.gamma, 0.5)
    length = model.context_length
    return Clip(
        model,
        AnotherTokenizer(length) if tokens else SimpleTokenizer(context_length=length),
        open_clip.image_transform(64, is_train=False),
        name=name,
        pretrained=None,
        device=torch.device("cpu"),
    )


@pytest.mark.parametrize("name", SMALL)
def test_what_is_said_of_an_architecture_is_what_its_towers_do(name, monkeypatch):
    clip, reasons = small_clip(name, monkeypatch), prompt_support(name)
    for prompt, tower, check in (
        ("text", clip.require_text_tower, check_text),
        ("visual", clip.require_image_tower, check_visual),
    ):
        if reasons[prompt] is None:
            check(clip)
        else:
            with pytest.raises(ValueError) as refusal:
                tower()
            assert name in str(refusal.value) and reasons[prompt] in str(refusal.value)
    if reasons["text"] or reasons["visual"]:
        with pytest.raises(ValueError, match=name):
            MultimodalPrompt(clip, NAMES)
    kinds = {"text": TextPrompt, "visual": VisualPrompt}
    for prompt, kind in kinds.items():
        if reasons[prompt]:
            with pytest.raises(ValueError, match=name):
                kind(clip, NAMES)
    # zero-shot serves all
    assert clip.encode_texts(NAMES).shape == (len(NAMES), clip.embed_dim) and clip.encode_images(
        pictures(clip)
    ).shape == (3, clip.embed_dim)


def test_a_tuner_refuses_at_once_what_its_clip_cannot_learn(monkeypatch):
    clip = small_clip("RN50", monkeypatch)
    for prompt in ("visual", "multimodal"):
        with pytest.raises(ValueError, match="RN50: the image tower"):
            PromptTuner(clip, prompt=prompt)
        # nothing is learned
        assert PromptTuner(clip, prompt=prompt, strategy="zero_shot").prompt == prompt
    assert PromptTuner(clip, prompt="text").clip is clip
    clip.tokenizer = AnotherTokenizer(77)
    with pytest.raises(ValueError, match="RN50: the text tower"):
        PromptTuner(clip)


def test_end_token_of_another_tokenizer_is_not_guessed(monkeypatch):
    clip = small_clip("ViT-B-32", monkeypatch)
    clip.tokenizer = AnotherTokenizer(77)
    with pytest.raises(ValueError, match="ViT-B-32: .* known for CLIP's own tokenizer alone"):
        TextPrompt(clip, NAMES)
    # no tokenizer cuts in silence
    with pytest.raises(ValueError, match="room for 77"):
        clip.encode_texts(["very " * 76 + "long"])
    assert len(clip.tokenize(["very " * 74 + "long"])) == 1


def test_blocks_of_another_kind_pass_the_oracles(monkeypatch):
    config, *_ = shrunken("ViT-B-32")
    for tower in ("text_cfg", "vision_cfg"):
        config[tower] |= dict(scale_fc=True, ls_init_value=0.5)
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "blocks", config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        model = open_clip.create_model("blocks", load_weights=False)
    assert not isinstance(model.visual.transformer.resblocks[0], ResidualAttentionBlock)
    clip = Clip(
        model,
        SimpleTokenizer(context_length=77),
        None,
        name="blocks",
        pretrained=None,
        device=torch.device("cpu"),
    )
    check_text(clip), check_visual(clip)


# ---- loading: what is refused, and how
# -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def tiny(monkeypatch):
    "A small ViT-B-32 under a name that load_clip knows, and its weights"
    config, *_ = shrunken("ViT-B-32")
    for name in ("tiny", "tiny-quickgelu"):
        monkeypatch.setitem(
            open_clip.factory._MODEL_CONFIGS,
            name,
            config | ({"quick_gelu": True} if "gelu" in name else {}),
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return open_clip.create_model("tiny", load_weights=False)


def load(name, path, **options):
    return load_clip(name, pretrained=path, device="cpu", **options)


def wrapped(state):
    return {
        "epoch": 3,
        "name": "run",
        "state_dict": {f"module.{name}": value for name, value in state.items()},
        "optimizer": {"lr": 0.1},
    }


@pytest.mark.parametrize(
    "suffix, save",
    [
        (".pt", torch.save),
        (".bin", torch.save),
        (".safetensors", lambda state, path: save_file(dict(state), path)),
        (".pt", lambda state, path: torch.save(wrapped(state), path)),
        (".pt", lambda state, path: torch.save(state, path, _use_new_zipfile_serialization=False)),
    ],
)
def test_local_checkpoints_of_every_kind(tiny, tmp_path, suffix, save):
    path = tmp_path / f"weights{suffix}"
    save(tiny.state_dict(), path)
    clip = load("tiny", path)
    assert all(
        torch.equal(value, tiny.state_dict()[name])
        for name, value in clip.model.state_dict().items()
    )
    assert checkpoint_shapes(path)["visual.conv1.weight"] == (64, 3, 32, 32)


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("protocol", [2, 4, "zip", "old", "hidden"])
@pytest.mark.parametrize("suffix", [".pt", ".bin"])
def test_nothing_is_executed_that_a_file_asks_for(tiny, tmp_path, suffix, protocol):
    path, mark = tmp_path / f"weights{suffix}", tmp_path / "executed"
    bad = Malicious(mark)
    if protocol == "hidden":
        torch.save(wrapped(tiny.state_dict()) | {"callback": bad}, path)
    elif protocol == "zip":
        torch.save({"a": bad}, path)
    elif protocol == "old":
        torch.save({"a": bad}, path, _use_new_zipfile_serialization=False)
    else:
        path.write_bytes(pickle.dumps({"state_dict": bad}, protocol=protocol))
    with pytest.raises(ValueError, match="cannot be read as weights.*never unpickled"):
        load("tiny", path)
    assert not mark.exists()
    if isinstance(protocol, int):  # the file does harm where it is opened without care
        pickle.loads(path.read_bytes())["state_dict"].close()
        assert mark.exists()


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_programs_and_whole_models_are_refused(tiny, tmp_path):
    torch.save(tiny, tmp_path / "whole.pt")
    with pytest.raises(ValueError, match="never unpickled"):
        load("tiny", tmp_path / "whole.pt")
    torch.jit.script(nn.Linear(2, 2)).save(str(tmp_path / "program.pt"))
    with pytest.raises(ValueError, match="TorchScript program.*state_dict"):
        load("tiny", tmp_path / "program.pt")


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize(
    "harm",
    [
        lambda b: b[:-50],
        lambda b: b[: len(b) // 2],
        lambda b: b[:100],
        lambda b: b"",
        lambda b: b"\xff" * 999,
        lambda b: b"text, not weights",
    ],
)
def test_damaged_files_are_an_error_with_a_remedy(tiny, tmp_path, suffix, harm):
    path = tmp_path / f"weights{suffix}"
    torch.save(tiny.state_dict(), path) if suffix == ".pt" else save_file(tiny.state_dict(), path)
    path.write_bytes(harm(path.read_bytes()))
    with pytest.raises(ValueError, match="cannot be read as weights.*fetch it again"):
        load("tiny", path)


@pytest.mark.parametrize(
    "content", [[], {}, {"a": 1}, torch.zeros(3), {"state_dict": {}}, {3: torch.zeros(1)}]
)
def test_files_without_weights_are_an_error(tiny, tmp_path, content):
    torch.save(content, tmp_path / "weights.pt")
    with pytest.raises(ValueError, match="no state dict|no tensors"):
        load("tiny", tmp_path / "weights.pt")


def test_weights_of_another_architecture_are_refused(tiny, tmp_path, monkeypatch):
    state = tiny.state_dict()
    without = {name: value for name, value in state.items() if name != "visual.ln_pre.weight"}
    cases = {
        "missing": without,
        "unexpected": state | {"logit_bias": torch.zeros(())},
        "shape": state | {"visual.conv1.weight": torch.zeros(64, 3, 16, 16)},
    }
    for name, other in cases.items():
        torch.save(other, tmp_path / f"{name}.pt")
        with pytest.raises(ValueError, match="does not fit tiny .*name the architecture"):
            load("tiny", tmp_path / f"{name}.pt")
    save_file(pocket_model().state_dict(), tmp_path / "pocket.safetensors")
    with pytest.raises(ValueError, match="does not fit tiny"):
        load("tiny", tmp_path / "pocket.safetensors")
    with pytest.raises(ValueError, match="damaged or holds something other"):
        load("pocket", tmp_path / "shape.pt")


@pytest.mark.parametrize(
    "tower, change", [("vision_cfg", {"image_size": 192}), ("text_cfg", {"context_length": 32})]
)
def test_weights_of_another_resolution_or_context_are_not_stretched(
    tiny, tmp_path, monkeypatch, tower, change
):
    config = deepcopy(open_clip.factory._MODEL_CONFIGS["tiny"])
    config[tower] |= change
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "other", config)
    torch.save(tiny.state_dict(), tmp_path / "weights.pt")
    with pytest.raises(ValueError, match="positional_embedding .* another resolution or context"):
        load("other", tmp_path / "weights.pt")
    # open_clip stretches them and says nothing
    open_clip.create_model("other", pretrained=str(tmp_path / "weights.pt"))


def test_quick_gelu_of_a_file_is_what_one_says_and_repr_shows_it(tiny, tmp_path):
    path = tmp_path / "weights.pt"
    torch.save(tiny.state_dict(), path)
    plain, quick, named = (
        load("tiny", path),
        load("tiny", path, quick_gelu=True),
        load("tiny-quickgelu", path),
    )
    assert ["quick_gelu=True" in repr(clip) for clip in (plain, quick, named)] == [
        False,
        True,
        True,
    ]
    for clip, kind in (
        (plain, nn.GELU),
        (quick, open_clip.transformer.QuickGELU),
        (named, open_clip.transformer.QuickGELU),
    ):
        assert {
            type(block.mlp.gelu)
            for tower in (clip.model.visual, clip.model)
            for block in tower.transformer.resblocks
        } == {kind}
    features = [clip.encode_texts(NAMES) for clip in (plain, quick, named)]
    assert torch.equal(features[1], features[2]) and not torch.allclose(
        features[0], features[1], atol=TOLERANCE
    )
    assert len({plain.digest, quick.digest}) == 2
    with pytest.raises(ValueError, match="leave quick_gelu out"):
        load("tiny-quickgelu", path, quick_gelu=False)
    with pytest.raises(ValueError, match="leave quick_gelu out"):
        load_clip("pocket", quick_gelu=True)


def pretend_published(monkeypatch, path, name="tiny", **changes):
    "Tags of ViT-B-32 for a small model, whose file is fetched from `path`"
    tags = open_clip.pretrained._PRETRAINED
    monkeypatch.setitem(tags, name, {tag: cfg | changes for tag, cfg in tags["ViT-B-32"].items()})
    monkeypatch.setattr(open_clip, "download_pretrained", lambda cfg: str(path))


@pytest.mark.parametrize(
    "tag, quick",
    [
        ("openai", True),
        ("laion400m_e32", True),
        ("metaclip_400m", True),
        ("laion2b_s34b_b79k", False),
    ],
)
def test_published_weights_get_the_activation_they_were_trained_with(
    tiny, tmp_path, monkeypatch, tag, quick
):
    torch.save(tiny.state_dict(), tmp_path / "weights.pt")
    pretend_published(monkeypatch, tmp_path / "weights.pt")
    clip = load("tiny", tag)
    assert (
        clip.quick_gelu is quick
        and f"pretrained={tag!r}" in repr(clip)
        and f"quick_gelu={quick}" in repr(clip)
    )
    assert isinstance(
        clip.model.visual.transformer.resblocks[0].mlp.gelu,
        open_clip.transformer.QuickGELU if quick else nn.GELU,
    )
    assert load("tiny", tag, quick_gelu=quick).quick_gelu is quick
    with pytest.raises(ValueError, match=f"trained with quick_gelu={quick}"):
        load("tiny", tag, quick_gelu=not quick)


def test_every_published_openai_weight_gets_quick_gelu():
    found = [
        name
        for name in open_clip.list_models()
        if "openai" in open_clip.list_pretrained_tags_by_model(name)
    ]
    assert {"ViT-B-32", "ViT-B-16", "ViT-L-14", "ViT-L-14-336", "RN50"} <= set(found)
    assert all(loading._uses_quick_gelu(name, "openai", None) for name in found)


def test_preprocessing_is_the_models_own(tiny, tmp_path, monkeypatch):
    path, half = tmp_path / "weights.pt", (0.5, 0.5, 0.5)
    torch.save(tiny.state_dict(), path)
    picture = Image.fromarray(
        np.random.default_rng(1).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    )
    openai, squashed = (
        open_clip.image_transform(128, is_train=False),
        open_clip.image_transform(128, is_train=False, mean=half, std=half, resize_mode="squash"),
    )
    # nothing published: OpenAI's
    assert torch.equal(load("tiny", path).preprocess(picture), openai(picture))
    pretend_published(monkeypatch, path, mean=half, std=half, resize_mode="squash")
    for source in ("openai", path):
        assert torch.equal(load("tiny", source).preprocess(picture), squashed(picture))
    open_clip.pretrained._PRETRAINED["tiny"]["openai"]["std"] = (0.25, 0.25, 0.25)
    with pytest.warns(UserWarning, match="differ in their preprocessing"):
        load("tiny", path)


def test_a_failed_download_is_a_clear_error(tiny, monkeypatch):
    pretend_published(monkeypatch, None)
    for error in (
        FileNotFoundError("Failed to download file"),
        RuntimeError("checksum"),
        ConnectionError("no route"),
    ):
        monkeypatch.setattr(
            open_clip, "download_pretrained", lambda cfg: (_ for _ in ()).throw(error)
        )
        with pytest.raises(
            FileNotFoundError,
            match="'openai' of tiny .* could not be fetched .*Go online once, or give",
        ):
            load("tiny", "openai")


def test_nothing_is_fetched_that_was_not_named(tiny, tmp_path, monkeypatch):
    def forbidden(*args, **kwargs):
        raise AssertionError("a download was tried")

    monkeypatch.setattr(open_clip, "download_pretrained", forbidden)
    monkeypatch.setattr(open_clip.pretrained, "hf_hub_download", forbidden)
    monkeypatch.setattr("urllib.request.urlopen", forbidden)
    torch.save(tiny.state_dict(), tmp_path / "weights.pt")
    load("tiny", tmp_path / "weights.pt")
    with pytest.raises(ValueError, match="needs weights: pretrained=None"):
        load_clip("ViT-B-32")
    with pytest.raises(ValueError, match="needs weights.*'openai'"):
        load("ViT-B-32", "openia")
    for missing in ("weights/none.pt", "none.safetensors", tmp_path / "none"):
        with pytest.raises(FileNotFoundError, match="needs weights"):
            load("ViT-B-32", missing)
    with pytest.raises(ValueError, match="needs weights"):
        load("ViT-B-32", tmp_path.name)


def test_a_tokenizer_that_is_missing_is_named(tiny, tmp_path, monkeypatch):
    monkeypatch.setitem(
        open_clip.factory._MODEL_CONFIGS["tiny"]["text_cfg"], "hf_tokenizer_name", "somebody/tokens"
    )
    torch.save(tiny.state_dict(), tmp_path / "weights.pt")
    for error, raised, words in (
        (
            ImportError("No module named 'transformers'"),
            ValueError,
            "somebody/tokens.*pip install transformers",
        ),
        (OSError("no route"), FileNotFoundError, "somebody/tokens.*Go online"),
    ):
        monkeypatch.setattr(open_clip, "get_tokenizer", lambda name: (_ for _ in ()).throw(error))
        with pytest.raises(raised, match=words):
            load("tiny", tmp_path / "weights.pt")


def test_a_device_without_room(tiny, tmp_path, monkeypatch):
    # open_clip builds with device=, load_clip moves the whole model
    def to(self, *device, **others):
        if device:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return nn.Module.to(self, **others)

    torch.save(tiny.state_dict(), tmp_path / "weights.pt")
    monkeypatch.setattr(open_clip.CLIP, "to", to)
    with pytest.raises(ValueError, match="no room for the .* MiB of tiny's weights.*device='cpu'"):
        load("tiny", tmp_path / "weights.pt")


@pytest.mark.parametrize("wrong", ["abacus", "cuda:-1", "cuda:x", "cuda:99", "meta", ""])
def test_devices_that_are_not_there(wrong):
    with pytest.raises(ValueError, match="device .* use one of .*'cpu'"):
        resolve_device(wrong)


def test_a_gpu_that_is_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("auto") == torch.device("cuda") and resolve_device(
        "cuda:1"
    ) == torch.device("cuda:1")
    with pytest.raises(
        ValueError, match=r"'cuda:2' is not available here; use one of \['cuda', 'cuda:1'"
    ):
        resolve_device("cuda:2")


def test_precision(monkeypatch):
    gpu, cpu = torch.device("cuda"), torch.device("cpu")
    dtype = autocast_dtype
    assert (
        dtype("auto", cpu) is dtype("fp32", cpu) is dtype("fp32", gpu) is None
        and dtype("bf16", cpu) is torch.bfloat16
    )
    for has, expected in ((True, torch.bfloat16), (False, torch.float16)):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: has)
        assert dtype("auto", gpu) is expected
    for wrong, words in (("fp16", "needs a GPU"), ("fp8", "must be 'auto' or one of")):
        with pytest.raises(ValueError, match=words):
            load_clip("pocket", device="cpu", precision=wrong)


def test_settings_name_a_checkpoint_beside_them(tiny, tmp_path, monkeypatch):
    (tmp_path / "lab" / "notes").mkdir(parents=True)
    (tmp_path / "lab" / "settings.ini").write_text(
        "[pseudolab]\nbackbone = tiny weights/own clip.pt\ndevice = cpu\n"
    )
    (tmp_path / "lab" / "weights").mkdir()
    torch.save(tiny.state_dict(), tmp_path / "lab" / "weights" / "own clip.pt")
    monkeypatch.chdir(tmp_path / "lab" / "notes")
    clip = load_clip()
    assert clip.name == "tiny" and torch.equal(clip.model.visual.proj, tiny.visual.proj)
    (tmp_path / "lab" / "settings.ini").write_text("[pseudolab]\nbackbone = pocket\n")
    assert load_clip().name == "pocket"
    (tmp_path / "lab" / "settings.ini").write_text("[pseudolab]\nbackbone = tiny weights/gone.pt\n")
    with pytest.raises(FileNotFoundError, match="weights/gone.pt"):
        load_clip()


def test_importing_the_package_imports_no_model_library():
    code = (
        "import sys, pseudolab; assert pseudolab.__version__ and not {'open_clip', 'torch', 'timm'}"
        " & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
