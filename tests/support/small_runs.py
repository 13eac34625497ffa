"""Small runs of every kind, and what is frozen, as a program: it prints what they gave.

    python -m support.small_runs THREADS KIND...

tests/unit/test_reproducible.py starts it under several instruction sets and compares.
"""

import json
import sys
from hashlib import sha256
from typing import Any

import torch

from pseudolab.clip import model as clip_model
from pseudolab.clip.loading import load_clip
from pseudolab.clip.model import Clip
from pseudolab.data.tasks import Task, load_task
from pseudolab.method.recipe import Recipe
from pseudolab.method.run import Run
from pseudolab.method.strategies import Strategy
from pseudolab.method.tuner import PromptTuner

NAMES = ["a photo of a forest", "a photo of a lake", "a photo of a highway"]


def digest_of(values: Any) -> str:
    "The bytes of an array, in short."
    array = values.numpy() if isinstance(values, torch.Tensor) else values
    return sha256(array.tobytes()).hexdigest()[:16]


def small_task() -> Task:
    return load_task("satellite", n_train=12, n_test=10)


def frozen(clip: Clip, task: Task) -> dict[str, str]:
    "Frozen features, encoded in several ways."
    images = task.test.images[:20]
    fresh = clip.encode_images(images)
    return {
        "texts": digest_of(clip.encode_texts(NAMES)),
        "text alone": digest_of(clip.encode_texts(NAMES[:1])),
        "images": digest_of(fresh),
        "batches of 7": digest_of(clip.encode_images(images, batch_size=7)),
        "batches of 256": digest_of(clip.encode_images(images, batch_size=256)),
        "image alone": digest_of(clip.encode_images(images[3])),
        "third of all": digest_of(fresh[3]),
        "kept": digest_of(clip.image_features(images)),
    }


def run_of(kind: str, clip: Clip, task: Task) -> Run:
    "`prompt paradigm steps`: two rounds of GRIP, each with so many steps."
    prompt, paradigm, steps = kind.split()
    recipe = Recipe.pocket().replace(epochs=1, min_steps=int(steps))
    strategy = Strategy.named("grip", rounds=2)
    tuner = PromptTuner(
        clip, prompt=prompt, paradigm=paradigm, strategy=strategy, recipe=recipe, seed=0
    )
    return tuner.fit(task, progress=False)


def outcome(run: Run) -> dict[str, Any]:
    "What must be equal everywhere, and the last bits, which need not."
    return {
        "scores": [round.score for round in run.rounds],
        "predictions": [digest_of(round.predictions) for round in run.rounds],
        "chosen": [
            "" if round.pseudolabels is None else digest_of(round.pseudolabels.index)
            for round in run.rounds
        ],
        "gap": min(round.gap for round in run.rounds if round.gap is not None),
        "learned": [
            {name: value.ravel()[:4].tolist() for name, value in round.prompt_state.items()}
            for round in run.rounds
        ],
    }


def main(threads: int, kinds: list[str]) -> None:
    clip_model.SMALL = 0  # the library is to take as many threads as it finds
    torch.set_num_threads(threads)
    clip = load_clip("pocket", device="cpu")
    task = small_task()
    found = {
        "capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "frozen": frozen(clip, task),
        "runs": {kind: outcome(run_of(kind, clip, task)) for kind in kinds},
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
