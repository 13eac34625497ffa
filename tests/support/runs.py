"""Tasks and runs that nobody drew or trained, for tests of what is made from a run."""

from dataclasses import replace

import numpy as np

from pseudolab.data.images import Images, ImageSet
from pseudolab.data.tasks import Task
from pseudolab.method.pseudolabels import PseudoLabels, audit
from pseudolab.method.run import Round, Run, RunSettings
from pseudolab.method.zero_shot import per_class_accuracy


def noise_task(names: list[str], n_train: int, n_test: int, side: int = 28, seed: int = 0) -> Task:
    "A task whose pictures are four by four coloured blots"
    rng = np.random.default_rng(seed)

    def part(count: int) -> ImageSet:
        blots = rng.integers(0, 255, (count, 4, 4, 3), dtype=np.uint8)
        pixels = np.repeat(np.repeat(blots, side // 4, axis=1), side // 4, axis=2)
        return ImageSet(Images(pixels), np.arange(count) % len(names))

    return Task("made up", list(names), "a photo of a {}", part(n_train), part(n_test))


class _Guesser:
    "Draws what a model of a given skill might say of the images of a task"

    def __init__(self, truth: np.ndarray, n_classes: int, seed: int):
        self.truth = truth
        self.n_classes = n_classes
        self.rng = np.random.default_rng(seed)

    def predictions(self, labels: np.ndarray, number: int) -> np.ndarray:
        "Right with a chance that grows with the round's number and from class to class"
        skill = np.linspace(0.1, 0.9, self.n_classes)[labels] * 0.8 + 0.02 * number
        right = self.rng.random(len(labels)) < skill
        return np.where(right, labels, self.rng.integers(self.n_classes, size=len(labels)))

    def pseudolabels(self, k: int) -> PseudoLabels:
        "`k` images for each class, seven of ten with their own label"
        draws = [self.rng.choice(len(self.truth), k, replace=False) for _ in range(self.n_classes)]
        index = np.concatenate(draws)
        right = self.rng.random(len(index)) < 0.7
        others = self.rng.integers(self.n_classes, size=len(index))
        label = np.where(right, self.truth[index], others)
        return PseudoLabels(index, label, self.rng.random(len(index)))


def _made_up_round(task: Task, guesser: _Guesser, number: int, k: int) -> Round:
    n_classes = guesser.n_classes
    truth = task.train.labels
    predictions = guesser.predictions(task.test.labels, number)
    chosen = guesser.pseudolabels(k) if k else None
    by_zero_shot = guesser.pseudolabels(k) if k else None
    pool_predictions = guesser.predictions(truth, number)
    return Round(
        number=number,
        k=k,
        score=float((predictions == task.test.labels).mean()),
        per_class_accuracy=per_class_accuracy(predictions, task.test.labels, n_classes),
        predictions=predictions,
        pseudolabels=chosen,
        audit=audit(chosen, truth, n_classes) if chosen else None,
        audit_zero_shot=audit(by_zero_shot, truth, n_classes) if by_zero_shot else None,
        seconds=1.0,
        pool_logits=np.eye(n_classes, dtype=np.float16)[pool_predictions],
    )


def made_up(task: Task, rounds: int = 3, seed: int = 0) -> Run:
    """A run that nobody trained: its predictions are right with a chance that grows from round to
    round and differs from class to class
    """
    truth = task.train.labels
    n_classes = len(task.class_names)
    guesser = _Guesser(truth, n_classes, seed)
    ks = [number * len(truth) // (max(1, rounds) * n_classes) for number in range(rounds + 1)]
    played = [_made_up_round(task, guesser, number, k) for number, k in enumerate(ks)]
    about = {
        "name": task.name,
        "class_names": list(task.class_names),
        "template": task.template,
        "n_train": len(task.train),
        "n_test": len(task.test),
        "source": None,
        "train_digest": task.train.digest(),
        "test_digest": task.test.digest(),
        "test_counts": np.bincount(task.test.labels, minlength=n_classes).tolist(),
    }
    settings = RunSettings(
        task=about,
        clip={"name": "none"},
        prompt="text",
        paradigm="ul",
        strategy="grip",
        k=ks[1:],
        seed=seed,
    )
    return Run(settings, played, task)


def without_labels(run: Run) -> Run:
    "The run, as if no image had a label"
    assert run.task is not None
    unknown = np.full(len(run.class_names), np.nan)
    blank = {"score": None, "per_class_accuracy": unknown, "audit": None, "audit_zero_shot": None}
    train = ImageSet(run.task.train.images, np.full(len(run.task.train), -1))
    test = ImageSet(run.task.test.images, np.full(len(run.task.test), -1))
    task = Task(run.task.name, run.task.class_names, run.task.template, train, test)
    return replace(run, rounds=[replace(one, **blank) for one in run.rounds], task=task)
