"""What those who read a run folder get: a report, an export, predictions, a resumed run."""

import shutil
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pseudolab.clip.loading import load_clip
from pseudolab.clip.model import Clip
from pseudolab.data.tasks import Task, load_task
from pseudolab.method.recipe import Recipe
from pseudolab.method.run import Run, load_settings
from pseudolab.method.strategies import Strategy
from pseudolab.method.tuner import PromptTuner
from pseudolab.views.report import write_report
from support.damage import DAMAGES

RIGHT, SENTENCE, TRACEBACK, WRONG = "right", "sentence", "traceback", "silent wrong result"


@dataclass
class Bench:
    "A small run, and what is made of it"

    place: Path
    clip: Clip
    task: Task
    wanted: dict[str, Any]  # by action: what it gives for the whole folder

    def tuner(self, seed: int = 0) -> PromptTuner:
        recipe = Recipe.pocket().replace(epochs=1, min_steps=1)
        strategy = Strategy.named("grip", rounds=2)
        return PromptTuner(self.clip, recipe=recipe, strategy=strategy, seed=seed)

    @property
    def actions(self) -> dict[str, Callable[[Path], Any]]:
        return {
            "report": self.report,
            "export": self.export,
            "predict": self.predict,
            "resume": self.resume,
        }

    def report(self, folder: Path) -> str:
        return write_report([Run.load(folder)], self.place / "report.html").read_text()

    def export(self, folder: Path) -> str:
        return Run.load(folder).export(self.place / "export.json").read_text()

    def predict(self, folder: Path) -> str:
        names = load_settings(folder).task["class_names"]
        tuner = PromptTuner.load(folder, self.clip)
        if tuner.prompt_.class_names != names:
            raise ValueError("The prompt has other classes than the run.")
        return repr(tuner.predict_proba(self.task.test.images[:3]).tolist())

    def resume(self, folder: Path) -> str:
        "The last round again, after the others"
        again = self.place / "again"
        shutil.rmtree(again, ignore_errors=True)
        shutil.copytree(folder, again, copy_function=_copy)
        for path in [*(again / "rounds").glob("02.*")]:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        run = self.tuner().fit(self.task, out=again, resume=True, progress=False)
        return repr([(one.score, one.predictions.tolist()) for one in run.rounds])


def _copy(source: str, target: str) -> None:
    "Pipes are not copied, and holes in a file stay holes"
    if Path(source).is_file() and Path(source).stat().st_size < 2**30:
        shutil.copy(source, target)
    elif Path(source).is_file():
        with Path(target).open("wb") as file:
            file.truncate(Path(source).stat().st_size)


@contextmanager
def bench() -> Iterator[Bench]:
    "A run with a tuner, `whole`, and one of another seed, `other`, in a folder that vanishes"
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        task = load_task("satellite", n_train=3, n_test=2)
        made = Bench(place, load_clip("pocket", device="cpu"), task, {})
        for name, seed in (("whole", 0), ("other", 1)):
            tuner = made.tuner(seed)
            tuner.fit(task, out=place / name, progress=False)
            tuner.save(place / name)
        made.wanted = {name: act(place / "whole") for name, act in made.actions.items()}
        yield made


def outcome(act: Callable[[Path], Any], folder: Path, wanted: Any) -> tuple[str, str]:
    "What came of one action, and what it said"
    try:
        found = act(folder)
    except (ValueError, FileNotFoundError) as error:
        said = str(error)
        return (SENTENCE if said and "\n" not in said else TRACEBACK), said
    except Exception:
        return TRACEBACK, traceback.format_exc()
    return (RIGHT if found == wanted else WRONG), ""


def play(made: Bench, number: int) -> tuple[str, str, str]:
    "Damage one folder: what came of it, what was done to it, what was said"
    rng = np.random.default_rng(number)
    folder = made.place / "case"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(made.place / "whole", folder)
    done = DAMAGES[number % len(DAMAGES)](folder, rng)
    found = {name: outcome(act, folder, made.wanted[name]) for name, act in made.actions.items()}
    kinds = [kind for kind, _ in found.values()]
    said = "; ".join(f"{name}: {kind} {text}" for name, (kind, text) in found.items())
    for worst in (TRACEBACK, WRONG):
        if worst in kinds:
            return worst, done, said
    return (SENTENCE if SENTENCE in kinds else WRONG), done, said
