"""Make the moving picture of README.md, the scene of the front page round by round, and the card
that stands for the site where somebody links to it.

    python tools/moving_picture.py

plays the front page's run, opens its scene in Chromium with the network cut off, and writes one
frame per round to nbs/images/scene.webp. Where scripts do not run, such as in README.md on a code
host, it stands for the scene. The last frame is in tools/page/card.jpg.
"""

import base64
import io
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from playwright.sync_api import BrowserContext, Page, ViewportSize, sync_playwright

from pseudolab import PromptTuner, load_clip, load_task
from pseudolab.views.html import Widget

TOOLS = Path(__file__).resolve().parent
PICTURE = TOOLS.parent / "nbs" / "images" / "scene.webp"
CARD = TOOLS / "page" / "card.jpg"
VIEW = ViewportSize(width=1120, height=720)
WIDTH = 960  # pixels of the picture
PAUSE = 900  # ms that a round is shown; the first and the last longer
ENDS = 2400

# a card of 1200 x 630 pixels, the size that is asked for where links are shown with a picture
CARD_VIEW = ViewportSize(width=1200, height=630)
CARD_PAGE = """
<style>
  body {{ margin: 0; padding: 44px 56px 0; background: #fff; color: #111;
         font-family: system-ui, sans-serif; }}
  h1 {{ margin: 0; font-size: 76px; line-height: 1; }}
  p {{ margin: 16px 0 26px; font-size: 31px; line-height: 1.3; color: #333; }}
  img {{ width: 100%; }}
</style>
<h1>pseudolab</h1>
<p>What happens when CLIP learns from its own labels?<br>
   A course and a library, in notebooks that run on a laptop.</p>
<img src="data:image/png;base64,{frame}" alt="">
"""


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


def tiles(page: Page) -> bytes:
    "The columns of the scene alone, as PNG"
    return page.locator(".plab canvas").first.screenshot()


def write_card(context: BrowserContext, frame: bytes) -> None:
    "Lay the card out, and take its picture"
    page = context.new_page()
    page.set_viewport_size(CARD_VIEW)
    page.set_content(CARD_PAGE.format(frame=base64.b64encode(frame).decode("ascii")))
    page.wait_for_function("document.images[0].complete")
    CARD.write_bytes(page.screenshot(type="jpeg", quality=80))
    page.close()


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
        write_card(context, tiles(page))
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
    print(f"{CARD.name}: {CARD.stat().st_size / 1000:,.0f} kB")


if __name__ == "__main__":
    main()
