"""What corrections are worth, by the weight that they get.

    python benchmarks/corrected_labels.py --out corrected.csv

plays what `pseudolab label` does with somebody who never errs: an unsupervised run, the photos of
`run.review` or as many drawn at random, their true labels, and a run with them, once with the
paper's gamma, |U|/|L|, and once with gamma = 1. Accuracy is of the photos that nobody looked at and
of the test images, in points beyond the unsupervised run. What is done already in --out is not done
again.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pseudolab.clip.loading import load_clip
from pseudolab.clip.model import Clip
from pseudolab.data.images import ImageSet
from pseudolab.data.tasks import Task, load_task
from pseudolab.method.equity import bootstrap_interval
from pseudolab.method.run import Run
from pseudolab.method.tuner import PromptTuner
from pseudolab.settings import POCKET_TASKS

WEIGHTS: dict[str, float | None] = {"|U|/|L|": None, "1": 1.0}
SCORES = ("unseen", "test")


def with_labels(task: Task, rows: np.ndarray) -> Task:
    "The task with the true labels of some training images alone"
    labels = np.full(len(task.train), -1)
    labels[rows] = task.train.labels[rows]
    return replace(task, train=ImageSet(task.train.images, labels))


def predictions(tuner: PromptTuner, task: Task) -> np.ndarray:  # int (n,)
    "The class that each training image is taken for"
    return tuner.predict_proba(task.train.images).argmax(1)


def scores(run: Run, said: np.ndarray, task: Task, looked_at: np.ndarray) -> dict[str, float]:
    "Accuracy on the training images that nobody looked at, and on the test images"
    right = np.delete(said == task.train.labels, looked_at)
    return {"unseen": float(right.mean()), "test": float(run.score or 0)}


def corrected(clip: Clip, name: str, seed: int, n: int) -> list[dict[str, Any]]:
    "A row per draw and weight: what the labels of `n` photos brought"
    task = load_task(name)
    tuner = PromptTuner(clip, seed=seed)
    run = tuner.fit(with_labels(task, np.array([], int)), progress=False)
    said = predictions(tuner, task)
    draws = {
        "review": run.review(n).index.to_numpy(),
        "random": np.random.default_rng(seed).choice(len(task.train), n, replace=False),
    }
    rows: list[dict[str, Any]] = []
    for draw, looked_at in draws.items():
        before = scores(run, said, task, looked_at)
        labelled = with_labels(task, looked_at)
        for weight, gamma in WEIGHTS.items():
            again = PromptTuner(clip, paradigm="ssl", shots_draw="all", seed=seed, gamma=gamma)
            fitted = again.fit(labelled, progress=False)
            after = scores(fitted, predictions(again, task), task, looked_at)
            gains = {score: 100 * (after[score] - before[score]) for score in SCORES}
            rows.append({"task": name, "seed": seed, "photos": draw, "gamma": weight, **gains})
    return rows


def summary(table: pd.DataFrame) -> pd.DataFrame:
    "Mean gain over tasks and seeds, the 95 % interval over the tasks, and the least gain"
    rows: list[dict[str, Any]] = []
    for (draw, weight), of_way in table.groupby(["photos", "gamma"], sort=False):
        row: dict[str, Any] = {"photos": draw, "gamma": weight}
        for score in SCORES:
            by_task = of_way.groupby("task")[score].mean().to_numpy()
            low, high = bootstrap_interval(np.mean, by_task, generator=np.random.default_rng(0))
            row[score] = f"{by_task.mean():+.1f} ({low:+.1f} to {high:+.1f})"
            row[f"least {score}"] = f"{of_way[score].min():+.1f}"
        rows.append(row)
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="CSV file, a row per run")
    parser.add_argument("--photos", type=int, default=40, help="that are looked at")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--tasks", nargs="+", default=list(POCKET_TASKS))
    options = parser.parse_args()
    table = pd.read_csv(options.out) if options.out.exists() else pd.DataFrame()
    done = set() if table.empty else set(zip(table["task"], table["seed"], strict=True))
    clip = load_clip()
    for seed in range(options.seeds):
        for name in options.tasks:
            if (name, seed) not in done:
                rows = corrected(clip, name, seed, options.photos)
                table = pd.concat([table, pd.DataFrame(rows)], ignore_index=True)
                table.to_csv(options.out, index=False)
                print(pd.DataFrame(rows).round(1).to_string(index=False), flush=True)
    if table["task"].nunique() > 1:
        print(summary(table).to_string(index=False))


if __name__ == "__main__":
    main()
