"""Make the moving picture of README.md: the scene of the front page, round by round.

    python tools/moving_picture.py

plays the front page's run, opens its scene in Chromium with the network cut off, and writes one
frame per round to nbs/images/scene.webp. Where scripts do not run, such as in README.md on a code
host, it stands for the scene.
"""

import io
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, ViewportSize, sync_playwright

from pseudolab import PromptTuner, load_clip, load_task
from pseudolab.views.html import Widget

PICTURE = Path(__file__).resolve().parents[1] / "nbs" / "images" / "scene.webp"
VIEW = ViewportSize(width=1120, height=720)
WIDTH = 960  # pixels of the picture
PAUSE = 900  # ms that a round is shown; the first and the last longer
ENDS = 2400


def played() -> Widget:
    "The scene of the front page's run"
    run = PromptTuner(load_clip(), prompt="text", paradigm="ul", strategy="grip").fit(
        load_task("satellite"), progress=False
    )
    return run.scene(ask="pasture land")


def frames(page: Page, rounds: int) -> Iterator[Image.Image]:
    "The scene in each round, as soon as all tiles have landed"
    for _ in ("the five pictures", "the prediction"):
        page.get_by_role("button", name="Just show me").click()
    scene = page.locator(".plab")
    for number in range(rounds):
        page.get_by_label("Round", exact=True).fill(str(number))
        page.mouse.move(0, 0)
        page.wait_for_timeout(300)
        yield Image.open(io.BytesIO(scene.screenshot()))


def small(frame: Image.Image) -> Image.Image:
    "The frame as wide as the picture is to be"
    height = round(frame.height * WIDTH / frame.width)
    return frame.convert("RGB").resize((WIDTH, height), Image.Resampling.LANCZOS)


def main() -> None:
    scene = played()
    rounds = len(scene.data["runs"][0]["rounds"])
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = scene.save(Path(folder) / "scene.html")
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        context = browser.new_context(offline=True, viewport=VIEW, reduced_motion="reduce")
        page = context.new_page()
        page.goto(path.as_uri())
        page.wait_for_selector(".plab[data-ready]")
        made = [small(frame) for frame in frames(page, rounds)]
        browser.close()
    pauses = [ENDS, *[PAUSE] * (rounds - 2), ENDS]
    made[0].save(
        PICTURE,
        save_all=True,
        append_images=made[1:],
        duration=pauses,
        loop=0,
        quality=55,
        method=6,
    )
    print(f"{PICTURE.name}: {rounds} frames, {PICTURE.stat().st_size / 1000:,.0f} kB")


if __name__ == "__main__":
    main()
