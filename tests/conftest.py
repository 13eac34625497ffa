"""What all tests share: one thread for each test process, so that processes running side by side do
not fight over the cores; and one way to open Chromium.
"""

import os
import shutil

for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import pytest
from hypothesis import settings

settings.register_profile("unhurried", deadline=None)  # a busy machine is no failure
settings.load_profile("unhurried")

CHROMIUM = shutil.which("chromium")
# no network but this machine
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


# not of the session: while it is open an event loop runs in this thread, and asyncio.run in a later
# test would fail
@pytest.fixture(scope="module")
def browser():
    """Chromium with the network cut off; a test that asks for it is marked `browser`, and skipped
    where there is none
    """
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine; install Debian's package `chromium`")
    api = pytest.importorskip(
        "playwright.sync_api", reason='Playwright is not installed; pip install -e ".[dev]"'
    )
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items):
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")
