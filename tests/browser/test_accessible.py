"""axe-core finds no serious fault on a page of the docs, in a report and in an explorer that
somebody was sent.
"""

import pytest

from pseudolab.views.explorer import explore
from pseudolab.views.report import write_report
from pseudolab.views.run_page import run_page
from pseudolab.views.scene import scene
from support import DOCS
from support.runs import made_up, noise_task

SERIOUS = ("serious", "critical")
# one that moves, one with formulas
LESSONS = ("lessons/whole_game.html", "lessons/unified_loss.html", "404.html")
# two directions of writing, and a tag
NAMES = ["river", "<img src=x onerror=alert(1)>", "بحيرة كبيرة", "town"]

in_both_schemes = pytest.mark.parametrize("scheme", ["light", "dark"])


@pytest.fixture(scope="module")
def axe():
    api = pytest.importorskip(
        "axe_playwright_python.sync_playwright",
        reason='axe-core is not installed; pip install -e ".[dev]"',
    )
    return api.Axe()


@pytest.fixture(scope="module")
def run():
    return made_up(noise_task(NAMES, 120, 200))


def faults(
    browser, axe, address: str, scheme: str = "light", awaited: str = "main", tab: str | None = None
) -> dict[str, list[str]]:
    "What axe-core finds on a page: each rule with its impact, and where"
    context = browser.new_context(
        color_scheme=scheme,
        offline=True,
        reduced_motion="reduce",
        viewport={"width": 1200, "height": 900},
    )
    page = context.new_page()
    page.goto(address, wait_until="load")
    page.wait_for_selector(awaited)
    if tab:
        page.get_by_role("tab", name=tab).click()
    page.wait_for_timeout(300)  # what scripts do after loading
    found = axe.run(page, options={"resultTypes": ["violations"]}).response["violations"]
    context.close()
    return {f"{rule['id']} ({rule['impact']})": places_of(rule) for rule in found}


def places_of(rule: dict) -> list[str]:
    "Where a rule is broken"
    return [f"{node['target']}: {node['html'][:160]}" for node in rule["nodes"]]


def serious(found: dict[str, list[str]]) -> dict[str, list[str]]:
    "Those faults that keep somebody out"
    endings = tuple(f"({impact})" for impact in SERIOUS)
    return {rule: places for rule, places in found.items() if rule.endswith(endings)}


def test_axe_sees_what_is_wrong(browser, axe, tmp_path):
    "Else all that follows would hold of anything"
    path = tmp_path / "bad.html"
    path.write_text(
        '<html><body><main><img src="data:,">'
        '<p style="color:#aaa;background:#fff">pale</p><button></button></main></body></html>',
        encoding="utf-8",
    )
    expected = {
        "image-alt (critical)",
        "color-contrast (serious)",
        "button-name (critical)",
        "html-has-lang (serious)",
    }
    assert expected <= serious(faults(browser, axe, path.as_uri())).keys()


@in_both_schemes
@pytest.mark.parametrize("page", LESSONS)
def test_lesson(browser, axe, page, scheme):
    assert not serious(faults(browser, axe, f"{DOCS.as_uri()}/{page}", scheme))


@in_both_schemes
def test_contents_on_a_phone(browser, axe, scheme):
    context = browser.new_context(
        color_scheme=scheme, offline=True, viewport={"width": 390, "height": 844}, has_touch=True
    )
    page = context.new_page()
    page.goto(f"{DOCS.as_uri()}/lessons/text_prompts.html", wait_until="load")
    page.locator("details.contents summary").click()
    found = axe.run(page, options={"resultTypes": ["violations"]}).response["violations"]
    context.close()
    assert not serious({f"{rule['id']} ({rule['impact']})": places_of(rule) for rule in found})


@in_both_schemes
def test_search(browser, axe, scheme):
    context = browser.new_context(color_scheme=scheme, offline=True, reduced_motion="reduce")
    page = context.new_page()
    page.goto(f"{DOCS.as_uri()}/lessons/clip.html", wait_until="load")
    page.get_by_role("combobox").fill("set up")
    page.get_by_role("option").first.wait_for()
    page.keyboard.press("ArrowDown")
    found = axe.run(page, options={"resultTypes": ["violations"]}).response["violations"]
    context.close()
    assert not serious({f"{rule['id']} ({rule['impact']})": places_of(rule) for rule in found})


@in_both_schemes
@pytest.mark.parametrize("several", [False, True], ids=["one run", "two runs"])
def test_report(browser, axe, run, tmp_path, several, scheme):
    "Nor does a heading skip a level"
    runs = [run, made_up(run.task, seed=1)] if several else [run]
    path = write_report(runs, tmp_path / "report.html")
    found = faults(browser, axe, path.as_uri(), scheme)
    assert not serious(found), found
    assert "heading-order (moderate)" not in found, found


@in_both_schemes
@pytest.mark.parametrize("tab", ["Pictures", "Pseudolabels", "Confusion", "Table"])
def test_saved_explorer(browser, axe, run, tmp_path, scheme, tab):
    path = explore(run, made_up(run.task, seed=1)).save(tmp_path / "explorer.html")
    assert not serious(faults(browser, axe, path.as_uri(), scheme, ".plab[data-mounted]", tab))


@in_both_schemes
@pytest.mark.parametrize("tab", ["Class by class", "Pictures"])
def test_run_page(browser, axe, run, tmp_path, scheme, tab):
    path = run_page(run, made_up(run.task, seed=1)).save(tmp_path / "page.html")
    found = faults(browser, axe, path.as_uri(), scheme, ".plab[data-ready]", tab)
    assert not serious(found), found


@in_both_schemes
@pytest.mark.parametrize("part", ["", "#scene&round=2"], ids=["questions", "rounds"])
def test_scene(browser, axe, run, tmp_path, scheme, part):
    path = scene(run, made_up(run.task, seed=1)).save(tmp_path / "scene.html")
    found = faults(browser, axe, path.as_uri() + part, scheme, ".plab[data-ready]")
    assert not serious(found), found
