"""How far does one round of training carry a difference in the last bit?

One round is trained twice: from a start, and from the same start with a tiny nudge. What the nudge
has become is compared with what it was. Pictures are drawn for this purpose: another draw than the
course's, so that nothing is chosen by what the course is measured on.

    python benchmarks/amplification.py --tasks satellite --prompts text --set max_grad_norm=0.3
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import torch

from pseudolab.clip.loading import load_clip
from pseudolab.clip.model import Clip
from pseudolab.data.tasks import Task, load_task
from pseudolab.method.loss import term_weights
from pseudolab.method.prompts.base import Prompt
from pseudolab.method.recipe import Recipe
from pseudolab.method.selectors import select_top_k
from pseudolab.method.splits import Split
from pseudolab.method.training import Term, fit_prompt, rng_for
from pseudolab.method.tuner import ORDER, PROMPTS, START, PromptTuner
from pseudolab.method.zero_shot import zero_shot

TASKS = ("satellite", "digits", "flowers", "landuse", "textures", "aircraft")
DRAW = 123  # of the pictures


@dataclass(frozen=True)
class Amplified:
    "What a nudge of the start has become at the end of a round."

    task: str
    prompt: str
    paradigm: str
    k: int  # pseudolabels per class
    labelled: int  # labelled images
    growth: float  # length of the difference of the parameters, end over start
    parameters: float  # largest difference at the end
    class_features: float
    image_features: float
    logits: float
    loss: float  # on all images of the round, after training
    loss_start: float  # and before
    seconds: float  # of the processor, for one training


def nudge_(prompt: Prompt, size: float, seed: int) -> None:
    "Move the parameters in a random direction, by `size` in all."
    generator = torch.Generator().manual_seed(seed)
    moves = []
    for parameter in prompt.parameters():
        moves.append(torch.randn(parameter.shape, dtype=torch.float64, generator=generator))
    length = torch.stack([move.norm() for move in moves]).norm()
    with torch.no_grad():
        for parameter, move in zip(prompt.parameters(), moves, strict=True):
            parameter += move * (size / length)


def flat(prompt: Prompt) -> torch.Tensor:
    "All parameters in one row."
    return torch.cat([parameter.detach().flatten() for parameter in prompt.parameters()])


@dataclass(frozen=True)
class Seen:
    "What a prompt says of the images of a round."

    parameters: torch.Tensor
    class_features: torch.Tensor  # (C, D)
    image_features: torch.Tensor  # (N, D)
    logits: torch.Tensor  # (N, C)

    @classmethod
    @torch.no_grad()
    def by(cls, prompt: Prompt, inputs: Any) -> "Seen":
        classes = prompt.class_features()
        images = prompt.encode_all(inputs, 64)
        logits = prompt.clip.logit_scale.exp() * images @ classes.T
        return cls(flat(prompt), classes, images, logits)


def gap(a: torch.Tensor, b: torch.Tensor) -> float:
    "The largest difference."
    return float((a - b).abs().max())


def ks(split: Split) -> list[int]:
    "K of an early and of the last round."
    most = len(split.pool) // len(split.allowed)
    return sorted({min(16, most), most})


@dataclass(frozen=True)
class Bench:
    "A task with labels from zero-shot CLIP, ready to be trained on."

    clip: Clip
    task: Task
    tuner: PromptTuner
    nudge: float

    def rows(self) -> Iterator[Amplified]:
        "One row for each K."
        split = self.tuner.split(self.task)
        images = split.pool.images
        logits = zero_shot(self.clip, images, self.task.class_names, self.task.template)
        for k in ks(split):
            yield self._row(split, logits, k)

    def _row(self, split: Split, logits: torch.Tensor, k: int) -> Amplified:
        chosen = select_top_k(logits, k, allowed=split.allowed.tolist())
        start = self._prompt()
        pseudolabelled = Term(start.inputs(split.pool.images)[chosen.index], chosen.label)
        labelled = None
        if len(split.labelled):
            labelled = Term(start.inputs(split.labelled.images), split.labelled.labels)
        before = self._loss(start, labelled, pseudolabelled)
        began = time.process_time()
        plain = self._train(start, labelled, pseudolabelled)
        seconds = time.process_time() - began
        other = self._prompt()
        nudge_(other, self.nudge, seed=1)
        moved = float((flat(other) - flat(self._prompt())).norm())
        other = self._train(other, labelled, pseudolabelled)
        a, b = (Seen.by(prompt, pseudolabelled.inputs) for prompt in (plain, other))
        return Amplified(
            task=self.task.name,
            prompt=self.tuner.prompt,
            paradigm=self.tuner.paradigm,
            k=k,
            labelled=len(split.labelled),
            growth=float((a.parameters - b.parameters).norm()) / moved,
            parameters=gap(a.parameters, b.parameters),
            class_features=gap(a.class_features, b.class_features),
            image_features=gap(a.image_features, b.image_features),
            logits=gap(a.logits, b.logits),
            loss=self._loss(plain, labelled, pseudolabelled),
            loss_start=before,
            seconds=seconds,
        )

    def _prompt(self) -> Prompt:
        generator = rng_for(0, 1, START)
        return PROMPTS[self.tuner.prompt].for_task(self.clip, self.task, generator=generator)

    def _weights(self, labelled: Term | None, pseudolabelled: Term) -> tuple[float, float]:
        n_labelled = 0 if labelled is None else len(labelled)
        return term_weights(self.tuner.paradigm, n_labelled, len(pseudolabelled))

    def _train(self, prompt: Prompt, labelled: Term | None, pseudolabelled: Term) -> Prompt:
        gamma, lam = self._weights(labelled, pseudolabelled)
        fit_prompt(
            prompt,
            self.tuner.recipe,
            labelled=labelled,
            pseudolabelled=pseudolabelled,
            gamma=gamma,
            lam=lam,
            generator=rng_for(0, 1, ORDER),
        )
        return prompt

    @torch.no_grad()
    def _loss(self, prompt: Prompt, labelled: Term | None, pseudolabelled: Term) -> float:
        "gamma * CE(labelled) + lambda * CE(pseudolabelled), over all images at once."
        weights = self._weights(labelled, pseudolabelled)
        total = 0.0
        for term, weight in zip((labelled, pseudolabelled), weights, strict=True):
            if term is not None and weight > 0:
                logits = Seen.by(prompt, term.inputs).logits
                target = torch.from_numpy(term.labels).to(logits.device)
                total += weight * float(torch.nn.functional.cross_entropy(logits, target))
        return total


def changes(texts: list[str]) -> dict[str, Any]:
    "NAME=VALUE, the value as JSON."
    return {name: json.loads(value) for name, value in (text.split("=") for text in texts)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description="How far does a round of training carry a difference in the last bit?"
    )
    parser.add_argument("--tasks", nargs="+", default=TASKS)
    parser.add_argument("--prompts", nargs="+", default=["text"])
    parser.add_argument("--paradigms", nargs="+", default=["ul", "ssl", "trzsl"])
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", dest="switches")
    parser.add_argument("--nudge", type=float, default=1e-14)
    parser.add_argument("--draw", type=int, default=DRAW, help="seed of the pictures")
    parser.add_argument("--precision", default="fp64")
    parser.add_argument("--out", help="a file of JSON lines to add to")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    clip = load_clip("pocket", precision=asked.precision)
    recipe = Recipe.pocket().replace(**changes(asked.switches))
    for name, prompt, paradigm in product(asked.tasks, asked.prompts, asked.paradigms):
        task = load_task(name, seed=asked.draw)
        tuner = PromptTuner(clip, prompt=prompt, paradigm=paradigm, recipe=recipe)
        for row in Bench(clip, task, tuner, asked.nudge).rows():
            print(
                f"{row.task:10} {row.prompt:10} {row.paradigm:5} K={row.k:<3}"
                f" growth {row.growth:8.1f}  logits {row.logits:.1e}"
                f"  loss {row.loss_start:.3f} -> {row.loss:.4f}  {row.seconds:.1f} s",
                flush=True,
            )
            if asked.out:
                with open(asked.out, "a", encoding="utf-8") as file:
                    about = {"set": " ".join(asked.switches) or "as is", "nudge": asked.nudge}
                    file.write(json.dumps(about | asdict(row)) + "\n")


if __name__ == "__main__":
    main()
