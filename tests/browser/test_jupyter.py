"""Explorer and live playground in a real JupyterLab, driven as a person would."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest

from support import NBS

LAB = Path(sys.executable).with_name("jupyter-lab")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not LAB.is_file(), reason='JupyterLab is not installed; pip install -e ".[dev]"'
    ),
]
TOKEN = "only-here"
PATIENCE = 240_000  # milliseconds; a busy machine is no failure

A_RUN = """from pseudolab import PromptTuner, load_clip, load_task
from pseudolab.method.strategies import Strategy

tuner = PromptTuner(load_clip(), strategy=Strategy.named("grip", rounds=3), seed=0)
run = tuner.fit(load_task("satellite"), progress=False)"""
A_PLAYGROUND = """from pseudolab.views.live import LivePlayground

playground = LivePlayground()
playground"""
SETTINGS = Path("lab", "user-settings", "@jupyterlab")
# a notebook of its own for each test: one that is open has a kernel with what the last test left
EXPLORE = [
    A_RUN,
    "run.explore()",
    "live = run.explore(live=True)\nlive",
    "print('IN PYTHON', live.round, live.selected_class)",
    "live.round = 1",
]


def write_notebook(path: Path, *sources: str) -> None:
    cells = [nbformat.v4.new_code_cell(source, id=f"c{i}") for i, source in enumerate(sources)]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(notebook, path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    "What the server shows: three notebooks of ours and a lesson"
    place = tmp_path_factory.mktemp("lab")
    write_notebook(place / "explore.ipynb", *EXPLORE)
    write_notebook(place / "explore_live.ipynb", *EXPLORE)
    write_notebook(
        place / "playground.ipynb",
        A_PLAYGROUND,
        "print('IN PYTHON', len(playground.run.rounds))",
    )
    shutil.copy(NBS / "lessons" / "00_whole_game.ipynb", place)
    return place


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def write_settings(folder: Path) -> None:
    """JupyterLab keeps only the cells in sight in the page unless it is told otherwise; and a
    notebook that it saved by itself opens with outputs, as if it had been run already
    """
    settings = {
        "notebook-extension/tracker": '{"windowingMode": "none"}',
        "docmanager-extension/plugin": '{"autosave": false}',
    }
    for plugin, content in settings.items():
        path = folder / ".config" / SETTINGS / f"{plugin}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(content, encoding="utf-8")


def started(folder: Path, port: int) -> subprocess.Popen:
    "JupyterLab, with folders of its own for all that it keeps"
    own_folders = {
        "JUPYTER_CONFIG_DIR": str(folder / ".config"),
        "JUPYTER_DATA_DIR": str(folder / ".data"),
        "JUPYTER_RUNTIME_DIR": str(folder / ".run"),
        "HF_HUB_OFFLINE": "1",
    }
    command = [
        str(LAB),
        "--no-browser",
        f"--port={port}",
        "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={TOKEN}",
        "--ip=127.0.0.1",
        "--allow-root",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    return subprocess.Popen(
        command,
        cwd=folder,
        env=os.environ | own_folders,
        stdout=subprocess.DEVNULL,
        stderr=(folder / ".log").open("w"),
    )


def answers(address: str) -> bool:
    try:
        urllib.request.urlopen(f"{address}/api/status?token={TOKEN}", timeout=5).read()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def server(folder):
    "The address of JupyterLab"
    write_settings(folder)
    port = free_port()
    process = started(folder, port)
    address = f"http://127.0.0.1:{port}"
    tries = 0
    while not answers(address):
        tries += 1
        if tries == 240:
            process.kill()
            pytest.fail((folder / ".log").read_text()[-2000:])
        time.sleep(0.5)
    yield address
    process.terminate()
    process.wait(30)


IDLE = """() =>
  document
    .querySelector(".jp-Notebook-ExecutionIndicator")
    ?.getAttribute("data-status") === "idle"
"""
# "Python 3 (ipykernel) | Idle"; without a kernel the notebook itself counts as idle
CONNECTED = """() =>
  /ipykernel\\) \\| Idle/.test(document.querySelector("#jp-main-statusbar")?.textContent)
"""
BEGUN = """() =>
  [...document.querySelectorAll(".jp-Notebook .jp-CodeCell .jp-InputPrompt")].some((prompt) =>
    /\\[(\\*|\\d+)\\]/.test(prompt.textContent),
  )
"""


def opened(browser, server, name):
    "The notebook in JupyterLab, run from top to bottom"
    viewport = {"width": 1300, "height": 1000}
    page = browser.new_context(viewport=viewport, reduced_motion="reduce").new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(f"{server}/lab/tree/{name}?token={TOKEN}&reset")
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    page.wait_for_function(CONNECTED)  # else each cell asks for a kernel in a dialog of its own
    assert not page.evaluate(BEGUN), f"{name} was run before"
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.wait_for_function(BEGUN)
    return page


def cell(page, at):
    return page.locator(".jp-Notebook .jp-Cell").nth(at)


def wait_for_text(page, at, selector, text):
    "Until a part of a cell holds a text"
    page.wait_for_function(
        """([at, selector, text]) =>
          document
            .querySelectorAll(".jp-Notebook .jp-Cell")
            [at]?.querySelector(selector)
            ?.textContent.includes(text)
        """,
        arg=[at, selector, text],
    )


def run_again(page, at):
    "Run one cell once more"
    cell(page, at).locator(".jp-InputArea-editor").click()
    page.keyboard.press("Control+Enter")


def test_explorer(browser, server):
    page = opened(browser, server, "explore.ipynb")
    explorer = cell(page, 1).locator(".plab[data-mounted]")
    explorer.wait_for()
    explorer.locator("input[type=range]").fill("0")
    assert "round 0" in explorer.locator(".says").inner_text()
    page.context.close()


def test_the_live_explorer_and_python_hold_the_same_round(browser, server):
    page = opened(browser, server, "explore_live.ipynb")
    live = cell(page, 2).locator(".plab")
    live.locator("input[type=range]").wait_for()
    # the last cell set it from Python
    wait_for_text(page, 2, ".says", "round 1")
    live.locator("input[type=range]").fill("2")
    live.locator("select").select_option(label="forest")
    run_again(page, 3)
    wait_for_text(page, 3, ".jp-OutputArea-output", "IN PYTHON 2 forest")
    page.context.close()


def test_the_live_playground_trains_a_round(browser, server):
    page = opened(browser, server, "playground.ipynb")
    playground = cell(page, 0)
    playground.get_by_role("button", name="New run").click()
    page.wait_for_function("document.body.textContent.includes('Round 0 of 10')")
    playground.get_by_role("button", name="Next round").click()
    page.wait_for_function("document.querySelector('.plab .says')?.textContent.includes('round 1')")
    run_again(page, 1)
    wait_for_text(page, 1, ".jp-OutputArea-output", "IN PYTHON 2")
    page.context.close()


def test_a_lesson_to_its_end(browser, server):
    page = opened(browser, server, "00_whole_game.ipynb")
    page.wait_for_selector(".plab[data-mounted]")
    page.wait_for_function(IDLE)
    errors = ".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.error']"
    assert page.locator(errors).count() == 0
    scene = page.locator(".plab.scene[data-ready]")
    scene.scroll_into_view_if_needed()
    for _ in ("the five pictures", "the prediction"):
        scene.get_by_role("button", name="Just show me").click()
    scene.get_by_label("Round", exact=True).fill("0")
    before = scene.locator("[data-value=accuracy]").inner_text()
    scene.get_by_label("Round", exact=True).fill("10")
    assert scene.locator("[data-value=accuracy]").inner_text() != before
    page.context.close()
