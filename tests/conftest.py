"""What all tests share: one thread for each test process, so that processes running side by side do
not fight over the cores; one way to open Chromium; and the project's own tools.
"""

import os
import shutil
from types import ModuleType

for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import pytest
import torch
from hypothesis import settings

from support import ROOT
from support.scripts import load_script

settings.register_profile("unhurried", deadline=None)  # a busy machine is no failure
settings.load_profile("unhurried")

CHROMIUM = shutil.which("chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # no network but this machine
]


# Not of the session: while it is open an event loop runs in this thread, and asyncio.run in a later
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


@pytest.fixture
def torch_threads():
    "Sets torch's number of threads; afterwards it is what it was"
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def own_cache(tmp_path_factory):
    "Nothing is written to the user's cache, and no settings.ini is near"
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("XDG_CACHE_HOME", "HOME", "LOCALAPPDATA"):
            patch.setenv(name, str(folder))
        patch.chdir(folder)
        yield


@pytest.fixture(scope="module")
def clip():
    "The pocket CLIP; a new one for each file, since tests may switch it"
    from pseudolab.clip.loading import load_clip

    return load_clip("pocket", device="cpu")


@pytest.fixture(scope="session")
def site_builder() -> ModuleType:
    "tools/site.py, under a name that is not the standard library's"
    return load_script("tools/site.py")


@pytest.fixture(scope="session")
def exporter() -> ModuleType:
    "tools/export.py"
    return load_script("tools/export.py")


@pytest.fixture(scope="session")
def architect() -> ModuleType:
    "tools/architecture.py"
    return load_script("tools/architecture.py")


@pytest.fixture(scope="session")
def page_clip() -> ModuleType:
    "tools/page_clip.py"
    return load_script("tools/page_clip.py")


# each of their tests runs a notebook in a process of its own, so any worker can take any of them
LONE_TESTS = {"test_notebooks.py", "test_lab_notebooks.py"}


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items):
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")
        # a file stays with one worker, which makes its fixtures once
        if item.path.name not in LONE_TESTS:
            item.add_marker(pytest.mark.xdist_group(str(item.path.relative_to(ROOT))))
