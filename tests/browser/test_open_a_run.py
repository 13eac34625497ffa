"""The page that opens the file of a run: it believes no more of a file than Python does."""

import base64
import json
import re

import numpy as np
import pytest

from pseudolab.method.run import Run
from pseudolab.views.explorer import opener
from pseudolab.views.format import percent
from pseudolab.views.html import STATIC, static_text
from pseudolab.views.run_file import (
    LARGEST_FILE,
    check_run_file,
    page_rules,
    read_run_file,
)
from pseudolab.views.run_page import export, run_page, run_page_data
from support.pages import opened
from support.run_files import damaged_bytes, edited, edits, text_of, without_values
from support.runs import made_up, noise_task

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "أرض زراعية",
    "a" * 200,
    "</script><script>alert(2)</script>",
    "${alert(3)}",
]
TABS = ("Class by class", "Pictures", "Pseudolabels", "Confusion", "Table")


@pytest.fixture(scope="module")
def run():
    return made_up(noise_task(["river", "forest", "town"], 24, 60), 2)


@pytest.fixture(scope="module")
def data(run):
    return run_page_data(run, made_up(run.task, 1, seed=1))


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    return export(run, folder / "run.json", made_up(run.task, 1, seed=1))


# ---- the two checks, side by side


@pytest.fixture(scope="module")
def checker(browser):
    """A page that checks files and draws nothing

    `readAll(files)` takes them in base64, `damage(data, edits)` makes each damage by itself: both
    give a sentence or null for each. `unnoticed(name, expected)` lets a check allow everything, and
    says whether every one of these damages is still found.
    """
    context = browser.new_context(offline=True)
    page = context.new_page()
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    script = f"""(() => {{
      "use strict";
      {static_text("base.js")}
      {static_text("run_file.js")}
      const rules = {json.dumps(page_rules())};
      const fileOf = (letters) =>
        new File([Uint8Array.from(atob(letters), (letter) => letter.charCodeAt(0))], "x.json");
      window.readAll = async (all) => {{
        const found = [];
        for (const letters of all) found.push((await readRunFile(fileOf(letters), rules)).fault);
        return found.map((fault) => fault ?? null);
      }};
      const edited = (data, [kind, place, value]) => {{
        const made = structuredClone(data);
        const at = place.slice(0, -1).reduce((value, step) => value[step], made);
        const name = place[place.length - 1];
        const all = {{ writable: true, enumerable: true, configurable: true }};
        if (kind === "put") Object.defineProperty(at, name, {{ value, ...all }});
        else if (Array.isArray(at)) at.splice(name, 1);
        else delete at[name];
        return made;
      }};
      let made = [];
      const faults = () => made.map((data) => faultOf(data, rules));
      window.damage = ([data, edits]) => {{
        made = JSON.parse(edits).map((edit) => edited(data, edit));
        return faults();
      }};
      window.unnoticed = ([name, expected]) => {{
        const kept = CHECKS[name];
        CHECKS[name] = () => null;
        try {{
          return faults().every((found, i) => found !== null || !expected[i]);
        }} catch {{
          return false; // what comes next believed it, and threw
        }} finally {{
          CHECKS[name] = kept;
        }}
      }};
    }})()"""
    page.add_script_tag(content=script)
    yield page
    assert not complaints
    context.close()


def said_by_python(values):
    try:
        check_run_file(values)
    except ValueError as error:
        return str(error)
    return None


@pytest.fixture(scope="module")
def cases(data):
    "Damages, as a list and as JSON, and what Python says of each"
    made = edits(data)
    return made, text_of(made), [said_by_python(edited(data, edit)) for edit in made]


def of_other_words(sentence):
    "Of a foreign file the page says what it might be"
    return sentence is not None and re.match(r"run( lacks |\.)(kind|schema)\b", sentence)


def test_the_page_and_python_say_the_same_of_every_value(checker, data, cases):
    made, text, expected = cases
    assert len(made) > 1500
    assert sum(sentence is not None for sentence in expected) > 1400
    found = checker.evaluate("damage", [data, text])
    different = [
        (page, python, str(edit)[:200])
        for edit, page, python in zip(made, found, expected, strict=True)
        if (page is None) != (python is None)
        or (python is not None and not of_other_words(python))
        and without_values(page) != without_values(python)
    ]
    assert not different, different[:9]


RULES = sorted(set(re.findall(r'"is": "(\w+)"', json.dumps(page_rules()["rules"]))))


def test_a_check_that_allows_everything_is_noticed(checker, data, cases):
    "The damages above reach every rule"
    _, text, expected = cases
    refused = [sentence is not None for sentence in expected]
    assert len(RULES) > 10
    checker.evaluate("damage", [data, text])
    for name in RULES:
        assert not checker.evaluate("unnoticed", [name, refused]), name


def test_the_page_and_python_refuse_the_same_bytes(checker, exported, tmp_path):
    files = damaged_bytes(exported.read_bytes(), np.random.default_rng(0))
    found = checker.evaluate("readAll", [base64.b64encode(all).decode() for all in files.values()])
    for (name, content), page in zip(files.items(), found, strict=True):
        (tmp_path / "x.json").write_bytes(content)
        with pytest.raises(ValueError, match="cannot be opened") as refused:
            read_run_file(tmp_path / "x.json")
        assert page is not None, name
        assert "cannot be opened" in page, name
        assert ("was changed" in page) == ("was changed" in str(refused.value)), name


def test_the_page_and_python_read_what_was_written(checker, exported, data):
    letters = base64.b64encode(exported.read_bytes()).decode()
    assert checker.evaluate("readAll", [letters]) == [None]
    assert read_run_file(exported) == data
    unsealed = base64.b64encode(text_of(data).encode()).decode()
    assert checker.evaluate("readAll", [unsealed]) == [None]


# ---- the page itself


STATUS = "document.querySelector('[role=status]').textContent"


def shown(browser, folder):
    return opened(browser, opener(), folder, reduced_motion="reduce")


def drop(page, name, content):
    "Give the page a file, and wait for what it says"
    page.evaluate("document.querySelector('[role=status]').textContent = ''")
    file = {"name": name, "mimeType": "application/json", "buffer": content}
    page.locator("input[type=file]").set_input_files(file)
    page.wait_for_function(f"/ (is open|cannot be)/.test({STATUS})")
    if page.get_by_role("tablist").count():
        page.get_by_role("tablist").scroll_into_view_if_needed()
        page.wait_for_timeout(100)
    return page.evaluate(STATUS)


def shows_nothing(page):
    return page.evaluate("document.querySelector('.drop').nextSibling.childNodes.length") == 0


def walk(page):
    "Every run, every round, every tab"
    for name in page.locator(".switch [role=radio]").all():
        name.click()
    last = int(page.locator("input[type=range]").get_attribute("max"))
    for number in range(last + 1):
        page.locator("input[type=range]").fill(str(number))
        for tab in page.get_by_role("tab").all():
            tab.click()


REFUSED = {
    "not JSON": b"{",
    "other": b'{"a": 1}',
    "a run folder's": b'{"schema": 2, "task": {}}',
    "empty": b"",
}


def test_a_file_that_is_no_run_is_refused_with_a_sentence(browser, data, exported, tmp_path):
    files = REFUSED | {
        "old": text_of(data | {"schema": 99}).encode(),
        "cut": exported.read_bytes()[:-1],
        "unseen": text_of(data | {"unseen": [5]}).encode(),
        "hostile": text_of(data | {HOSTILE[0]: 1}).encode(),
    }
    with shown(browser, tmp_path) as page:
        for name, content in files.items():
            assert "is open" in drop(page, "run.json", exported.read_bytes())
            said = drop(page, "other.json", content)
            assert said.startswith("other.json cannot be opened: "), name
            assert said.count(".") <= 4 and "\n" not in said
            assert shows_nothing(page)
            assert page.locator(".plab img").count() == 0


def test_what_python_accepts_is_opened_and_drawn(browser, data, cases, tmp_path):
    "Among the damages some are runs too, such as one of another title"
    made, _, expected = cases
    accepted = [edit for edit, sentence in zip(made, expected, strict=True) if sentence is None]
    assert len(accepted) > 50
    with shown(browser, tmp_path) as page:
        for edit in accepted[:: len(accepted) // 6]:
            text = text_of(edited(data, edit))
            assert drop(page, "run.json", text.encode()) == "run.json is open."
            walk(page)


def test_a_file_is_opened_even_after_another_was_refused(browser, run, exported, tmp_path):
    with shown(browser, tmp_path) as page:
        drop(page, "wrong.json", b"{")
        assert drop(page, "run.json", exported.read_bytes()) == "run.json is open."
        page.locator("input[type=range]").fill("1")
        score = page.locator("[data-value=score]").inner_text()
        assert score == percent(run.rounds[1].score)


def test_only_the_last_of_two_files_is_shown(browser, exported, tmp_path):
    "The first takes longer to read"
    with shown(browser, tmp_path) as page:
        page.evaluate(
            """async (text) => {
              const input = document.querySelector("input[type=file]");
              const give = (file) => {
                const all = new DataTransfer();
                all.items.add(file);
                input.files = all.files;
                input.dispatchEvent(new Event("change"));
              };
              const slow = new File([text], "slow.json");
              const wait = new Promise((resolve) => setTimeout(resolve, 300));
              File.prototype.arrayBuffer = async function () {
                if (this.name === "slow.json") await wait;
                return Blob.prototype.arrayBuffer.call(this);
              };
              give(slow);
              give(new File(["{"], "fast.json"));
              await wait;
            }""",
            exported.read_text(encoding="utf-8"),
        )
        page.wait_for_timeout(300)
        assert page.evaluate(STATUS).startswith("fast.json cannot be opened")
        assert shows_nothing(page)


def test_hostile_names_are_text(browser, tmp_path):
    run = made_up(noise_task(HOSTILE, 60, 60))
    values = run_page_data(run, made_up(run.task, seed=1))
    for name in ("title", "about", "metric", "start"):
        values[name] = HOSTILE[0]
    values["notes"] = HOSTILE
    values["other"] |= {"title": HOSTILE[3], "start": HOSTILE[4], "about": HOSTILE[0]}
    for name in ("title", "notes"):
        values["scene"][name] = values[name]
    for at, one in enumerate(values["scene"]["runs"]):
        one |= {"name": HOSTILE[at], "start": HOSTILE[3], "metric": HOSTILE[4]}
    values["scene"]["reference"]["name"] = HOSTILE[0]
    with shown(browser, tmp_path) as page:
        assert drop(page, HOSTILE[0], text_of(values).encode()) == f"{HOSTILE[0]} is open."
        for tab in TABS:
            page.get_by_role("tab", name=tab).click()
            assert page.locator(".plab img, .plab script").count() == 0
        assert sorted(page.locator(".below tbody th").all_inner_texts()) == sorted(HOSTILE)
        page.wait_for_timeout(200)


def test_a_file_shows_what_the_run_page_shows(browser, run, exported, tmp_path):
    "The pictures and the numbers, of both runs"
    with shown(browser, tmp_path) as page:
        drop(page, "run.json", exported.read_bytes())
        seen = [page.locator(".scene").inner_text()]
        page.get_by_role("radio").nth(1).click()
        seen.append(page.locator(".scene").inner_text())
    widget = run_page(run, made_up(run.task, 1, seed=1))
    with opened(browser, widget, tmp_path, reduced_motion="reduce") as page:
        page.get_by_role("tablist").scroll_into_view_if_needed()
        page.wait_for_timeout(100)
        assert page.locator(".scene").inner_text() == seen[0]
        page.get_by_role("radio").nth(1).click()
        assert page.locator(".scene").inner_text() == seen[1] != seen[0]


def test_a_file_without_pictures_shows_its_numbers(browser, run, tmp_path):
    bare = export(Run(run.settings, run.rounds), tmp_path / "bare.json")
    with shown(browser, tmp_path) as page:
        assert drop(page, "bare.json", bare.read_bytes()) == "bare.json is open."
        walk(page)
        assert page.locator(".scene").count() == 0
        assert "task=" in page.locator(".explorer").inner_text()


def test_the_example_opens_by_the_keyboard(browser, tmp_path):
    with shown(browser, tmp_path) as page:
        page.get_by_role("button", name="Open an example").focus()
        page.keyboard.press("Enter")
        page.wait_for_function(f"{STATUS} === 'The example is open.'")
        page.wait_for_selector(".plab[data-ready]")
        assert "300 pictures of satellite" in page.locator(".scene").inner_text()
        walk(page)


def test_the_example_is_small_and_whole():
    path = STATIC / "example_run.json"
    assert path.stat().st_size <= 400_000
    data = read_run_file(path)
    assert [run["name"] for run in data["scene"]["runs"]] == ["GRIP", "Self-training"]


# ---- sizes


def test_a_file_that_is_too_large_is_refused_at_once(browser, tmp_path):
    with shown(browser, tmp_path) as page:
        milliseconds = page.evaluate(
            """async () => {
              const input = document.querySelector("input[type=file]");
              const all = new DataTransfer();
              all.items.add(new File([new Uint8Array(5e7)], "large.json"));
              input.files = all.files;
              const start = performance.now();
              input.dispatchEvent(new Event("change"));
              await new Promise((resolve) => setTimeout(resolve));
              return performance.now() - start;
            }"""
        )
        assert page.evaluate(STATUS) == (
            "large.json cannot be opened: it has 50,000,000 bytes;"
            f" this page opens files of up to {LARGEST_FILE:,}."
        )
        assert milliseconds < 1000
