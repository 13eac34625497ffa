"""Write the prompt, learn the prompt: what a reader types is measured as Python measures it, at the
speed of typing, and what the page learns is what Python learns.

Pages are opened from the disk, with the network cut off.
"""

import re
from dataclasses import replace

import numpy as np
import pytest

from pseudolab.data.tasks import load_task
from pseudolab.method.strategies import Strategy
from pseudolab.method.tuner import PromptTuner
from pseudolab.method.zero_shot import per_class_accuracy, zero_shot
from pseudolab.views.format import percent
from pseudolab.views.page_clip import write_page_clip
from pseudolab.views.prompt_playground import (
    clip_source,
    learning_playground,
    prompt_playground,
    template_result,
)
from support.pages import opened, texts_of, watched

pytestmark = pytest.mark.slow

TASK = "satellite"
LEARNED = 0.74
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "أرض زراعية",
    "</script><b>bold",
    "\u202eright to left",
    "a class name that is much longer than any place where it could ever be shown in full",
]


@pytest.fixture(scope="module")
def task():
    return load_task(TASK)


@pytest.fixture(scope="module")
def writing(clip, task):
    return prompt_playground(clip, task, learned=LEARNED)


@pytest.fixture(scope="module")
def grip(clip, task):
    "Python's run of lesson 06"
    tuner = PromptTuner(clip, prompt="text", paradigm="ul", strategy="grip", seed=0)
    return tuner.fit(task, progress=False)


def field(page):
    return page.get_by_label("Your template")


def score(page):
    return page.locator(".big.score").inner_text()


def wait_for_answer(page):
    "Until a question asked from now on is answered"
    page.wait_for_function("document.querySelector('.plab').dataset.took", timeout=60_000)
    took = page.evaluate("document.querySelector('.plab').dataset.took")
    page.evaluate("delete document.querySelector('.plab').dataset.took")
    return float(took)


def write(page, template):
    "A whole template at once; returns the milliseconds until its numbers stood there"
    field(page).fill(template)
    return wait_for_answer(page)


def of_python(clip, task, template, names=None):
    "Predictions for a template"
    images = task.test.images
    logits = zero_shot(clip, images, names or task.class_names, template=template)
    return logits.argmax(1).cpu().numpy()


# ---- in Python alone


def test_counts_are_those_of_the_template(clip, task):
    found = template_result(clip, task)
    predictions = of_python(clip, task, task.template)
    for truth, row in enumerate(found["counts"]):
        of_class = predictions[task.test.labels == truth]
        assert row == np.bincount(of_class, minlength=len(task.class_names)).tolist()
    assert found["score"] == (predictions == task.test.labels).mean()


def test_unlabelled_pictures_are_refused(clip, task):
    test = replace(task.test, labels=np.full(len(task.test), -1))
    with pytest.raises(ValueError, match="have no label"):
        template_result(clip, replace(task, test=test))


def test_another_clip_is_refused(clip, task):
    with pytest.raises(ValueError, match="only hold the pocket CLIP"):
        clip_source(replace_name(clip, "ViT-B-32"), task)


def replace_name(clip, name):
    class Named:
        def __repr__(self):
            return name

    other = Named()
    other.name = name
    return other


# ---- write


TEMPLATES = ["{}", "a photo of a {}", "somebody saw {} from orbit", "lovely {}"]


def test_a_typed_template_has_pythons_accuracy(browser, clip, task, writing, tmp_path):
    with opened(browser, writing, tmp_path) as page:
        assert score(page) == percent(template_result(clip, task)["score"])
        for template in TEMPLATES:
            write(page, template)
            predictions = of_python(clip, task, template)
            assert score(page) == percent((predictions == task.test.labels).mean())
            shares = per_class_accuracy(predictions, task.test.labels, len(task.class_names))
            rows = texts_of(page, ".class-row")
            shown = [re.findall(r"(.*)\n+(\d+) %", row)[0] for row in rows]
            order = np.argsort(shares, kind="stable")
            assert shown == [
                (task.class_names[c], str(int(np.floor(100 * shares[c] + 0.5)))) for c in order
            ]


def test_own_class_names_are_measured(browser, clip, task, writing, tmp_path):
    names = ["sea" if name == "lake" else name for name in task.class_names]
    with opened(browser, writing, tmp_path) as page:
        page.get_by_text("The class names").click()
        page.get_by_label("lake", exact=True).fill("sea")
        wait_for_answer(page)
        predictions = of_python(clip, task, task.template, names)
        assert score(page) == percent((predictions == task.test.labels).mean())


def test_the_commonest_confusions_are_told(browser, clip, task, writing, tmp_path):
    with opened(browser, writing, tmp_path) as page:
        write(page, "lovely {}")
        predictions = of_python(clip, task, "lovely {}")
        wrong = predictions != task.test.labels
        pairs, counts = np.unique(
            np.stack([task.test.labels, predictions])[:, wrong], axis=1, return_counts=True
        )
        truth, taken = pairs[:, counts.argmax()]
        told = page.locator(".confusions").inner_text()
        pictures = f"{counts.max()} of {(task.test.labels == truth).sum()} pictures"
        of_class = f"{task.class_names[truth]} are taken for {task.class_names[taken]}"
        assert f"{pictures} of {of_class}" in told


def test_a_key_is_answered_while_one_types(browser, writing, tmp_path):
    with opened(browser, writing, tmp_path) as page:
        write(page, "a {}")
        took = []
        for letter in " from above the land":
            field(page).press("End")
            field(page).press_sequentially(letter)
            page.wait_for_function(
                "document.querySelector('.plab').dataset.took"
                " || document.querySelector('.plab.stale')"
            )
            if not page.locator(".plab.stale").count():
                took.append(wait_for_answer(page))
        assert len(took) >= 4, "words of which CLIP has seen every piece"
        print(f"keys answered in {np.median(took):.1f} ms (median), {max(took):.1f} at most")
        assert np.median(took) < 50


def test_hasty_typing_ends_at_the_last_word(browser, clip, task, writing, tmp_path):
    with opened(browser, writing, tmp_path) as page:
        write(page, "a {}")
        set_all = """(templates) => {
          const field = document.querySelector("input.template");
          for (const template of templates) {
            field.value = template;
            field.dispatchEvent(new Event("input"));
          }
        }"""
        page.evaluate(set_all, [*TEMPLATES, "image of {}"])
        expected = (of_python(clip, task, "image of {}") == task.test.labels).mean()
        page.wait_for_function(
            "(text) => document.querySelector('.score').textContent === text",
            arg=percent(expected),
            timeout=20_000,
        )


def test_unseen_words_are_marked_and_give_no_number(browser, writing, tmp_path):
    with opened(browser, writing, tmp_path) as page:
        write(page, "a photo of a {}")
        before = score(page)
        field(page).fill("a Zeppelin over {}, xylophone")
        page.wait_for_selector("mark")
        assert page.locator("mark").all_inner_texts() == ["Zeppelin", "xylophone"]
        assert "“xylophone”, “zeppelin”" in page.locator(".note").inner_text()
        assert score(page) == before
        assert field(page).get_attribute("aria-invalid") == "true"
        assert page.get_by_role("button", name="Keep this try").is_disabled()
        write(page, "{}")
        assert page.locator("mark").count() == 0
        assert page.locator(".note").is_hidden()


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("a photo", "Write {} once"),
        ("{} and {}", "Write {} once"),
        ("{a {}", "Write {} once"),
        ("a " * 40 + "{}", "room for 32"),
        ("a \N{PILE OF POO} {}", "has \u201c\N{PILE OF POO}\u201d"),
        ("a photo of a {}.", "has \u201c.\u201d"),
    ],
)
def test_what_is_wrong_with_a_template_is_said(browser, writing, tmp_path, template, said):
    with opened(browser, writing, tmp_path) as page:
        field(page).fill(template)
        page.wait_for_selector(".note:not([hidden])")
        assert said in page.locator(".note").inner_text()


def test_the_board_is_filled_by_keyboard_alone(browser, clip, task, writing, tmp_path):
    with opened(browser, writing, tmp_path) as page:
        page.keyboard.press("Tab")
        assert field(page).evaluate("(node) => node === document.activeElement")
        for template in ("a photo of a {}", "{}", "a photo of a {}"):
            page.keyboard.press("Control+A")
            page.keyboard.insert_text(template)
            page.keyboard.press("Enter")
            page.get_by_role("rowheader", name=template, exact=True).wait_for()
        rows = [text.split("\t") for text in texts_of(page, "tbody tr")]
        scores = {
            name: (of_python(clip, task, name) == task.test.labels).mean()
            for name in ("a photo of a {}", "{}")
        }
        scores |= {"Learned prompt": LEARNED}
        scores |= {"Published template": template_result(clip, task)["score"]}
        ranked = sorted(scores, key=lambda name: -scores[name])
        assert [[cell.strip() for cell in row[:2]] for row in rows] == [
            [name, percent(scores[name])] for name in ranked
        ]
        live = page.locator(".plab > [aria-live=polite]")
        page.wait_for_function("document.querySelector('.plab > [aria-live]').textContent")
        assert "Kept" in live.inner_text() or "%" in live.inner_text()
        again = page.get_by_role("button", name="Take up again: {}", exact=True)
        again.focus()
        page.keyboard.press("Enter")
        assert field(page).input_value() == "{}"


def tries(page):
    "The templates on the board, without the scores to beat"
    return set(page.locator("tbody th:not(:has(i))").all_inner_texts())


def test_a_try_is_kept_though_one_types_on(browser, writing, tmp_path):
    "Enter keeps what stood there when it was pressed, also if its answer was not there yet"
    templates = ["a photo of a {}", "{}", "a picture of a {}", "the {}"]
    with opened(browser, writing, tmp_path) as page:
        page.evaluate(
            """(templates) => {
              const input = document.querySelector(".writing input.template");
              for (const template of templates) {
                input.value = template;
                input.dispatchEvent(new Event("input"));
                input.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" }));
                input.value = `${template} of`;
                input.dispatchEvent(new Event("input"));
              }
            }""",
            templates,
        )
        page.get_by_role("rowheader", name="the {}", exact=True).wait_for()
        assert tries(page) == set(templates)


@pytest.mark.parametrize("template", ["a photo", "{} and {}", "a xylophone {}"])
def test_a_template_that_is_not_measured_is_not_kept(browser, writing, tmp_path, template):
    with opened(browser, writing, tmp_path) as page:
        write(page, "a photo of a {}")
        field(page).fill(template)
        page.keyboard.press("Enter")
        page.wait_for_selector(".note:not([hidden])")
        field(page).fill("{}")
        page.keyboard.press("Enter")
        page.get_by_role("rowheader", name="{}", exact=True).wait_for()
        assert tries(page) == {"{}"}


def test_hostile_names_are_text(browser, clip, task, tmp_path):
    names = [*HOSTILE, *task.class_names[len(HOSTILE) :]]
    source = prompt_playground(clip, task)
    bad = replace(source, data=source.data | {"names": names})
    with opened(browser, bad, tmp_path) as page:
        page.get_by_text("The class names").click()
        for name in HOSTILE:
            assert page.locator(".class-list bdi").get_by_text(name, exact=True).count() == 1
        field(page).fill("{}<img src=x onerror=alert(2)>")
        page.wait_for_selector("mark")
        assert page.locator(".plab img, .plab b:has-text('bold')").count() == 0
        width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert width <= 0


# ---- learn


def learn(page, until="done"):
    page.get_by_role("button", name="Learn").click()
    wait = "(text) => document.querySelector('.status').textContent.startsWith(text)"
    page.wait_for_function(wait, arg=until, timeout=120_000)


def table_of(page):
    page.get_by_text("The rounds as a table").click()
    page.wait_for_selector("tbody tr")
    return [row.split("\t") for row in texts_of(page, "tbody tr")]


def test_learning_gives_pythons_scores(browser, clip, task, grip, tmp_path):
    scores = [round.score for round in grip.rounds]
    widget = learning_playground(clip, task, scores=scores)
    with opened(browser, widget, tmp_path) as page:
        learn(page)
        assert "these are the scores that Python gets" in page.locator(".verdict").inner_text()
        expected = [percent(round.score) for round in grip.rounds]
        rows = table_of(page)
        assert [row[3].strip() for row in rows] == expected
        assert [row[1].strip() for row in rows[1:]] == [str(round.k) for round in grip.rounds[1:]]
        assert score(page) == expected[-1]


def test_scores_that_differ_from_pythons_are_told(browser, clip, task, grip, tmp_path):
    scores = [round.score for round in grip.rounds]
    scores[1] += 1 / len(task.test)
    with opened(browser, learning_playground(clip, task, scores=scores), tmp_path) as page:
        page.get_by_text("Another run").click()
        page.get_by_role("slider", name="Rounds").fill("10")
        learn(page, until="round 3")
        assert "do not agree" in page.locator(".verdict").inner_text()
        page.get_by_role("button", name="Stop").click()
        page.wait_for_function("document.querySelector('.status').textContent.startsWith('stop')")


def test_another_run_is_pythons_too(browser, clip, task, tmp_path):
    strategy = Strategy.named("ifpl", k=5, rounds=2)
    options = {"paradigm": "ul", "seed": 3, "selector": "argmax_top_k"}
    run = PromptTuner(clip, prompt="text", strategy=strategy, **options).fit(task, progress=False)
    with opened(browser, learning_playground(clip, task), tmp_path) as page:
        page.get_by_text("Another run").click()
        page.get_by_role("radio", name="stays (FPL, IFPL)").click()
        page.get_by_role("slider", name="K, pictures per class").fill("5")
        page.get_by_role("slider", name="Rounds").fill("2")
        page.get_by_role("radio", name="argmax-only top-K").click()
        page.get_by_label("Seed").fill("3")
        page.get_by_label("Seed").blur()
        learn(page)
        assert [row[3].strip() for row in table_of(page)] == [
            percent(round.score) for round in run.rounds
        ]


def test_stop_stops_and_the_page_answers(browser, clip, task, tmp_path):
    with opened(browser, learning_playground(clip, task), tmp_path) as page:
        learn(page, until="round 2")
        page.evaluate("""() => {
          window.drawn = 0;
          const look = () => {
            window.drawn += 1;
            requestAnimationFrame(look);
          };
          requestAnimationFrame(look);
        }""")
        page.wait_for_timeout(300)
        page.get_by_role("button", name="Stop").click()
        page.wait_for_function("document.querySelector('.status').textContent.startsWith('stop')")
        assert page.evaluate("window.drawn") >= 3, "the worker computes, and the page moves"
        stopped = page.locator(".status").inner_text()
        assert re.fullmatch(r"stopped after round [1-8]", stopped)
        page.wait_for_timeout(400)
        assert page.locator(".status").inner_text() == stopped
        page.get_by_text("Another run").click()
        page.get_by_role("slider", name="Rounds").fill("1")
        learn(page)
        assert page.get_by_text("your earlier runs").is_visible()


def test_a_threshold_that_takes_nothing_is_told(browser, clip, task, tmp_path):
    nothing = learning_playground(clip, task)
    with opened(browser, nothing, tmp_path) as page:
        page.get_by_text("Another run").click()
        page.get_by_role("radio", name="threshold").click()
        page.get_by_role("slider", name="Threshold").fill("99")
        page.evaluate("""() => {
          const old = Worker.prototype.postMessage;
          Worker.prototype.postMessage = function (message) {
            if (message.call === "train") message.given.threshold = 1.5;
            return old.call(this, message);
          };
        }""")
        page.get_by_role("button", name="Learn").click()
        page.wait_for_selector(".note:not([hidden])")
        assert "There is no image to train on" in page.locator(".note").inner_text()
        assert page.get_by_role("button", name="Learn").is_enabled()


# ---- where the CLIP lies


def test_a_folder_beside_the_page_is_read_when_it_is_needed(browser, clip, task, tmp_path):
    write_page_clip(tmp_path / "clip", [TASK])
    widget = prompt_playground(clip, task, folder="clip")
    assert len(widget.html()) < 75_000
    path = widget.save(tmp_path / "page.html")
    context = browser.new_context(offline=True)
    page = context.new_page()
    complaints = watched(page, tmp_path.as_uri())
    asked = []
    page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    page.goto(path.as_uri())
    page.wait_for_selector(".plab[data-mounted]")
    page.wait_for_timeout(200)
    assert asked == ["page.html"]
    write(page, "lovely {}")
    scripts = [name for name in asked if name.endswith(".js")]
    assert scripts == ["clip.js", "clip_weights.js", f"clip_task_{TASK}.js"]
    expected = (of_python(clip, task, "lovely {}") == task.test.labels).mean()
    assert score(page) == percent(expected)
    context.close()
    assert not complaints, complaints


def test_a_folder_that_is_not_there_is_named(browser, clip, task, tmp_path):
    path = prompt_playground(clip, task, folder="away").save(tmp_path / "page.html")
    page = browser.new_page()
    page.goto(path.as_uri())
    field(page).fill("a {}")
    page.wait_for_selector(".note:not([hidden])")
    said = page.locator(".note").inner_text()
    assert "away/clip.js could not be read" in said and "leave `folder` out" in said
    page.close()


def test_without_a_script_a_table_stands_there(browser, writing, tmp_path):
    path = writing.save(tmp_path / "page.html")
    context = browser.new_context(offline=True, java_script_enabled=False)
    page = context.new_page()
    page.goto(path.as_uri())
    told = page.locator(".plab").inner_text()
    assert percent(writing.data["published"]["score"]) in told
    assert page.locator("tbody tr").count() == len(writing.data["names"])
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["write", "learn"])
def test_axe_finds_nothing_serious(browser, clip, task, writing, grip, tmp_path, kind, scheme):
    api = pytest.importorskip("axe_playwright_python.sync_playwright")
    scores = [round.score for round in grip.rounds]
    widget = writing if kind == "write" else learning_playground(clip, task, scores=scores)
    with opened(browser, widget, tmp_path, color_scheme=scheme) as page:
        for summary in page.locator("summary").all():
            summary.click()
        if kind == "write":
            write(page, "lovely {}")
            page.keyboard.press("Enter")
            page.wait_for_selector("tbody")
            field(page).fill("a zeppelin over {}")
            page.wait_for_selector("mark")
        page.wait_for_timeout(200)
        found = api.Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    grave = [rule for rule in found if rule["impact"] in ("serious", "critical")]
    assert not [(rule["id"], node["html"]) for rule in grave for node in rule["nodes"]]


@pytest.mark.parametrize("kind", ["write", "learn"])
@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_is_wider_than_the_page(browser, clip, task, writing, tmp_path, kind, width):
    widget = writing if kind == "write" else learning_playground(clip, task)
    options = {"viewport": {"width": width, "height": 800}, "color_scheme": "dark"}
    with opened(browser, widget, tmp_path, **options) as page:
        for summary in page.locator("summary").all():
            summary.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator(".plab").get_attribute("data-theme") == "dark"
