"The search of the pages: what it finds, and how it is used with keys, from the disk and offline."

import pytest

from support import DOCS
from support.pages import watched


@pytest.fixture(scope="module")
def page(browser):
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.complaints = watched(page, DOCS.as_uri())
    page.goto(f"{DOCS.as_uri()}/lessons/clip.html", wait_until="load")
    yield page
    assert not page.complaints
    context.close()


def field(page):
    return page.get_by_role("combobox", name="Search")


def note(page):
    return page.locator(".find-note")


def searched(page, query):
    "The pages found, in their order, each with the headings found on it"
    field(page).fill("")
    page.wait_for_function("!document.querySelector('.smalldocs-search-results.show')")
    field(page).fill(query)
    page.locator(".smalldocs-search-results.show").wait_for()
    groups = page.get_by_role("listbox").get_by_role("group").all()
    return {
        group.get_attribute("aria-label"): group.locator(
            ".find-section .find-title"
        ).all_inner_texts()
        for group in groups
    }


@pytest.mark.parametrize(
    ("query", "title", "heading"),
    [
        ("install", "pseudolab", "The first five minutes"),
        ("Set up", "pseudolab", "The first five minutes"),  # another word for it
        ("fine-tuning", "05 · A prompt that is learned", None),
        ("fine tuning", "Training a prompt", "fit_prompt"),
        ("learning rate", "Training a prompt", "learning_rate"),
        ("step size", "Training a prompt", "learning_rate"),
        ("lr", "Training a prompt", "learning_rate"),
        ("why did accuracy drop", "Troubleshooting", "No message at all"),
        ("why did the accuracy drop?", "14 · When it breaks", None),
        ("labels wrong", "03 · The first generation", None),
        ("few-shot", "08 · Two labels per class", None),
        ("few shot", "Glossary", "Shot"),
        ("my own images", "Your own photos", None),
        ("CUDA out of memory", "Troubleshooting", "There is not enough memory"),
        ("class imbalance", "14 · When it breaks", None),
        ("fit_prompt", "Training a prompt", "fit_prompt"),
        ("Canvas in unit coordinates", "Drawing a small world", "A canvas in unit coordinates"),
        ("what is a selector", "Glossary", "Selector"),
    ],
)
def test_a_question_finds_its_page(page, query, title, heading):
    "Among the first four pages, as a reader without the words of these pages would type it"
    found = dict(list(searched(page, query).items())[:4])
    assert title in found
    assert heading is None or heading in found[title]


def test_a_whole_name_comes_first(page):
    assert next(iter(searched(page, "PromptTuner"))) == "The prompt tuner"
    assert list(searched(page, "Run"))[:2] == ["Glossary", "The run and its record"]


def test_a_rare_word_tells_more_than_a_frequent_one(page):
    assert list(searched(page, "images sinkhorn"))[:2] == ["Selectors", "Glossary"]


def n_pages(page, query):
    searched(page, query)
    return int(note(page).inner_text().split()[0])


def test_words_that_are_joined_stay_together(page):
    assert n_pages(page, "fit_probe") < 10 < n_pages(page, "fit probe")
    assert "Drawing a small world" in searched(page, "unit-canvas")


def test_pages_with_few_of_many_words_are_left_out(page):
    assert n_pages(page, "canvas in unit coordinates") < 10 < n_pages(page, "unit")


@pytest.mark.parametrize(
    ("typed", "meant", "title"),
    [
        ("pseudolable", "pseudolabel", "Glossary"),
        ("Sinkhron", "sinkhorn", "Selectors"),
        ("calibraton", "calibration", "Glossary"),
    ],
)
def test_a_slip_is_mended_and_said(page, typed, meant, title):
    assert title in searched(page, typed)
    assert note(page).inner_text() == f"Nothing for “{typed}”. For “{meant}”:"


@pytest.mark.parametrize("query", ["xqzvwj", "<img src=x onerror=alert(1)>qqqqq", "((("])
def test_nothing_is_said_to_be_nothing(page, query):
    found = searched(page, query)
    assert "<img" not in page.locator(".smalldocs-search-results").inner_html()
    assert found or note(page).inner_text() == f"Nothing for “{query}”."


def test_what_was_found_is_marked(page):
    searched(page, "set up")
    marked = {text.casefold() for text in page.locator(".find-text mark").all_inner_texts()}
    assert "install" in marked
    assert "installed" in marked


def test_a_page_is_named_once_with_at_most_three_sections(page):
    found = searched(page, "prompt")
    assert len(found) == 8
    assert max(map(len, found.values())) == 3


def test_keys_choose_and_open(page):
    searched(page, "canvas in unit coordinates")
    options = page.get_by_role("option")
    chosen = page.locator("[role=option][aria-selected=true]")
    assert chosen.count() == 0
    field(page).press("ArrowUp")
    assert chosen.get_attribute("id") == options.last.get_attribute("id")
    field(page).press("ArrowDown")
    field(page).press("ArrowDown")
    assert chosen.get_attribute("id") == options.nth(1).get_attribute("id")
    assert field(page).get_attribute("aria-activedescendant") == chosen.get_attribute("id")
    assert field(page).get_attribute("aria-expanded") == "true"
    field(page).press("Escape")
    assert field(page).get_attribute("aria-expanded") == "false"
    assert not page.locator(".smalldocs-search-results").is_visible()
    assert field(page).input_value() == "canvas in unit coordinates"
    field(page).press("ArrowDown")
    page.locator(".smalldocs-search-results.show").wait_for()
    field(page).press("ArrowDown")
    field(page).press("ArrowDown")
    field(page).press("Enter")
    page.wait_for_url("**/pocket/brush.html#a-canvas-in-unit-coordinates")
    page.go_back()


def test_a_key_leads_to_the_field_and_tab_leaves(page):
    page.locator("main").click(position={"x": 2, "y": 2})
    page.keyboard.press("/")
    page.keyboard.type("sinkhorn")
    page.get_by_role("option").first.wait_for()
    page.keyboard.press("Tab")
    assert not page.locator(".smalldocs-search-results").is_visible()


def test_a_click_opens(page):
    searched(page, "gini coefficient")
    page.locator(".find-section").first.click()
    page.wait_for_url("**/guides/glossary.html#gini-coefficient")
    page.go_back()


def test_each_group_of_words_leads_somewhere(page, site_builder):
    "Else a line of synonyms.txt is of no use"
    text = (DOCS / "search.js").read_text(encoding="utf-8").casefold().replace("-", " ")
    for group in site_builder.synonyms():
        known = [word for word in group if word.casefold().replace("-", " ") in text]
        assert len(group) > 1 and known, group
