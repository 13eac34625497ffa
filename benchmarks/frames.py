"""Row (k): what one frame costs the page while the pictures of the scene fly from round to round,
6,000 of them beside 600, in Chromium without a graphics card. The floor is a sixtieth of a second,
which a screen leaves for a frame.
"""

import shutil
import tempfile
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np
from measure import Line, Options

from pseudolab.clip.loading import load_clip
from pseudolab.data.images import Images, ImageSet
from pseudolab.data.tasks import Task
from pseudolab.method.recipe import Recipe
from pseudolab.method.run import Run
from pseudolab.method.strategies import Strategy
from pseudolab.method.tuner import PromptTuner
from pseudolab.views.scene import scene

SIZES = (600, 6000)
CLASSES = ["forest", "river", "lake", "highway", "pasture land", "residential buildings"]
FRAME = 1 / 60  # seconds
# goes to a round, and answers with the milliseconds of every frame's script on the way, and of
# every frame from one to the next
FLIGHT = """number => new Promise((landed) => {
  const root = document.querySelector(".plab");
  const slider = document.querySelector("input[type=range]");
  const frames = [];
  let flies = true;
  const look = (now) => {
    frames.push(now);
    if (flies) requestAnimationFrame(look);
  };
  const done = ({ detail }) => {
    flies = false;
    landed({ scripts: detail.times, steps: frames.slice(1).map((now, i) => now - frames[i]) });
  };
  root.addEventListener("plab-landed", done, { once: true });
  slider.value = number;
  slider.dispatchEvent(new Event("input"));
  requestAnimationFrame(look);
})"""


def played(n: int, device: str) -> Run:
    "A run on so many pictures of noise"
    rng = np.random.default_rng(0)
    pictures = Images(rng.integers(0, 256, (n + 60, 56, 56, 3), dtype=np.uint8))
    labels = rng.integers(0, len(CLASSES), n + 60)
    train, test = (ImageSet(pictures[at], labels[at]) for at in (slice(n), slice(n, None)))
    task = Task("noise", CLASSES, "a photo of a {}.", train, test)
    recipe = Recipe.pocket().replace(epochs=1, min_steps=1)
    tuner = PromptTuner(
        load_clip("pocket", device=device),
        recipe=recipe,
        strategy=Strategy.named("grip", rounds=3),
    )
    return tuner.fit(task, progress=False)


def moved(run: Run) -> int:
    "How many pictures stand in another column after the last round"
    first, last = run.rounds[0], run.rounds[-1]
    return int((first.pool_predictions != last.pool_predictions).sum())


def flights(page: Any, turns: int) -> dict[str, list[float]]:
    "Seconds of the frames, there and back"
    found: dict[str, list[float]] = {"scripts": [], "steps": []}
    for _ in range(turns):
        for number in (3, 0):
            for name, times in page.evaluate(FLIGHT, number).items():
                found[name] += [time / 1000 for time in times]
    return found


def measure(options: Options) -> list[Line]:
    from playwright.sync_api import sync_playwright

    runs = {n: played(n, str(options.device)) for n in SIZES}
    found: dict[int, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory(dir=options.folder) as place, sync_playwright() as player:
        # the system's Chromium, if it has one; no sandbox of its own, which root cannot have
        path = shutil.which("chromium")
        browser = player.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for n in SIZES:
            address = scene(runs[n]).save(Path(place) / f"{n}.html").as_uri()
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(address)
            page.wait_for_selector(".plab[data-mounted]")
            for _ in range(2):  # both guesses
                page.get_by_role("button", name="Just show me", exact=True).click()
            found[n] = flights(page, options.repetitions)
            page.close()
        browser.close()
    few, many = (median(found[n]["scripts"]) for n in SIZES)
    slowest = {n: quantiles(found[n]["steps"], n=20)[-1] for n in SIZES}
    frames = ", ".join(f"{n:,} pictures {1000 * slowest[n]:.0f} ms" for n in SIZES)
    fly = " and ".join(f"{moved(runs[n]):,}" for n in SIZES)
    return [
        Line(
            row="k",
            what="script of a frame of the scene, 600 pictures that fly; against 6,000",
            ours=few,
            plain=many,
            ratio=many / few,
            floor=FRAME,
            over_floor=few / FRAME,
            note=f"{fly} of them change column; from frame to frame, 19 of 20 within: {frames}",
            details={"seconds": found},
        )
    ]
