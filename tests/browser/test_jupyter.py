"""Explorer and live bench in a real JupyterLab, driven as a person would."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAB = Path(sys.executable).with_name("jupyter-lab")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not LAB.is_file(), reason='JupyterLab is not installed; pip install -e ".[dev]"'
    ),
]
TOKEN, PATIENCE = "only-here", 240_000  # milliseconds; a busy machine is no failure
SMALL = """import torch
from pseudolab import PromptTuner, load_clip, load_task
from pseudolab.method.strategies import Strategy
torch.set_num_threads(1)
run = PromptTuner(load_clip(), strategy=Strategy.named("grip", rounds=3), seed=0).fit(load_task("satellite"), progress=False)"""


def notebook(*cells) -> str:
    made = [
        {
            "cell_type": "code",
            "id": f"c{i}",
            "metadata": {},
            "execution_count": None,
            "outputs": [],
            "source": source,
        }
        for i, source in enumerate(cells)
    ]
    return json.dumps(
        {
            "cells": made,
            "metadata": {
                "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}
            },
            "nbformat": 4,
            "nbformat_minor": 5,
        }
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    "What the server shows: two notebooks of ours and a lesson"
    place = tmp_path_factory.mktemp("lab")
    (place / "explore.ipynb").write_text(
        notebook(
            SMALL,
            "run.explore()",
            "live = run.explore(live=True)\nlive",
            "print('IN PYTHON', live.round, live.selected_class)",
            "live.round = 1",
        ),
        encoding="utf-8",
    )
    (place / "bench.ipynb").write_text(
        notebook(
            "import torch\ntorch.set_num_threads(1)\nfrom pseudolab.live_playground import"
            " LivePlayground\nbench = LivePlayground()\nbench",
            "print('IN PYTHON', len(bench.run.rounds))",
        ),
        encoding="utf-8",
    )
    shutil.copy(ROOT / "nbs" / "lessons" / "00_whole_game.ipynb", place)
    return place


@pytest.fixture(scope="module")
def server(folder):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = (
        folder
        / ".config"
        / "lab"
        / "user-settings"
        / "@jupyterlab"
        / "notebook-extension"
        / "tracker.jupyterlab-settings"
    )
    settings.parent.mkdir(parents=True)
    # else only the cells in sight are in the page
    settings.write_text('{"windowingMode": "none"}', encoding="utf-8")
    quiet = os.environ | {
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
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=quiet,
        stdout=subprocess.DEVNULL,
        stderr=(folder / ".log").open("w"),
    )
    address = f"http://127.0.0.1:{port}"
    for _ in range(240):
        try:
            urllib.request.urlopen(f"{address}/api/status?token={TOKEN}", timeout=5).read()
            break
        except OSError:
            time.sleep(0.5)
    else:
        pytest.fail((folder / ".log").read_text()[-2000:])
    yield address
    process.terminate()
    process.wait(30)


def opened(browser, server, name):
    "The notebook in JupyterLab, run from top to bottom"
    page = browser.new_context(
        viewport={"width": 1300, "height": 1000}, reduced_motion="reduce"
    ).new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(f"{server}/lab/tree/{name}?token={TOKEN}&reset")
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    page.wait_for_function(
        "document.querySelector('.jp-Notebook-ExecutionIndicator')?.getAttribute('data-status') ==="
        " 'idle'"
    )
    begun = (
        "[...document.querySelectorAll('.jp-Notebook .jp-CodeCell .jp-InputPrompt')].some(prompt =>"
        " /\\[(\\*|\\d+)\\]/.test(prompt.textContent))"
    )
    # a kernel that is not there yet is asked for in a dialog, and the command is forgotten
    for _ in range(30):
        if page.evaluate(begun):
            return page
        if page.locator(".jp-Dialog .jp-mod-accept").count():
            page.locator(".jp-Dialog .jp-mod-accept").first.click()
        else:
            page.get_by_role("menuitem", name="Run", exact=True).click()
            page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        page.wait_for_timeout(3000)
    pytest.fail("JupyterLab did not begin to run the notebook")


def cell(page, at):
    return page.locator(".jp-Notebook .jp-Cell").nth(at)


def printed(page, at, text):
    page.wait_for_function(
        "([at, text]) => document.querySelectorAll('.jp-Notebook"
        " .jp-Cell')[at]?.querySelector('.jp-OutputArea-output')?.textContent.includes(text)",
        arg=[at, text],
    )


def again(page, at):
    "Run one cell once more"
    cell(page, at).locator(".jp-InputArea-editor").click()
    page.keyboard.press("Control+Enter")


def test_explorer_and_its_live_form(browser, server):
    page = opened(browser, server, "explore.ipynb")
    still = cell(page, 1).locator(".plab[data-mounted]")
    still.wait_for()
    still.locator("input[type=range]").fill("0")
    assert "Round 0 of 3" in still.locator(".round").inner_text()
    live = cell(page, 2).locator(".plab")
    live.locator("input[type=range]").wait_for()
    # the last cell set it from Python
    page.wait_for_function(
        "document.querySelectorAll('.jp-Notebook"
        " .jp-Cell')[2].querySelector('.round')?.textContent.includes('Round 1 of 3')"
    )
    live.locator("input[type=range]").fill("2")
    live.locator("select").select_option(label="forest")
    again(page, 3)
    printed(page, 3, "IN PYTHON 2 forest")
    page.context.close()


def test_the_live_bench_trains_a_round(browser, server):
    page = opened(browser, server, "bench.ipynb")
    bench = cell(page, 0)
    bench.get_by_role("button", name="New run").click()
    page.wait_for_function("document.body.textContent.includes('Round 0 of 10')")
    bench.get_by_role("button", name="Next round").click()
    page.wait_for_function(
        "document.querySelector('.plab .round')?.textContent.includes('Round 1 of 1')"
    )
    again(page, 1)
    printed(page, 1, "IN PYTHON 2")
    page.context.close()


def test_a_lesson_to_its_end(browser, server):
    page = opened(browser, server, "00_whole_game.ipynb")
    page.wait_for_function("document.querySelectorAll('.plab[data-mounted]').length >= 1")
    page.wait_for_function(
        "document.querySelector('.jp-Notebook-ExecutionIndicator')?.getAttribute('data-status') ==="
        " 'idle'"
    )
    assert (
        page.locator(
            ".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.error']"
        ).count()
        == 0
    )
    explorer = page.locator(".plab[data-mounted]:has(input[type=range])").first
    explorer.scroll_into_view_if_needed()
    before = explorer.locator("[data-value=gain]").inner_text()
    explorer.locator("input[type=range]").fill("0")
    assert explorer.locator("[data-value=gain]").inner_text() != before
    page.context.close()
