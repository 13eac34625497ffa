"""The guides say nothing that the code does not: commands parse, links lead somewhere, published
and measured figures are those of their files, quoted messages are given.
"""

import ast
import html
import json
import re
import shlex
from collections import Counter
from pathlib import Path

import open_clip
import pytest
import typer

from pseudolab.cli.app import app
from pseudolab.experiments.grid import paper_scores
from pseudolab.method.loss import WEIGHTS
from pseudolab.method.recipe import RECIPES
from pseudolab.settings import TASK_NAMES
from pseudolab.method.strategies import STRATEGIES
from pseudolab.method.tuner import PROMPTS, SELECTORS

ROOT = Path(__file__).resolve().parents[2]
NBS = ROOT / "nbs"
GUIDES = sorted((NBS / "guides").glob("*.ipynb"))
PHOTOS, REAL_CLIP, REPRODUCE, CHOOSING, TROUBLE, GLOSSARY, OPENING = GUIDES
REHEARSAL = json.loads(
    (ROOT / "benchmarks" / "results" / "rehearsal.json").read_text(encoding="utf-8")
)


def cells(path: Path, kind: str = "") -> list[dict]:
    "The cells of a notebook, each with its source as one text"
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [
        {**cell, "source": "".join(cell["source"])}
        for cell in found
        if kind in ("", cell["cell_type"])
    ]


def prose(path: Path) -> str:
    return "\n\n".join(cell["source"] for cell in cells(path, "markdown"))


def shown(cell: dict, form: str = "text/plain") -> str:
    "What a cell has put out, as text"
    return "".join(
        "".join(output.get("text", output.get("data", {}).get(form, "")))
        for output in cell["outputs"]
    )


def name(path):
    return path.stem


# --- commands

UsageError = typer.BadParameter.__base__  # click's, wherever typer has it from
ALLOWED = {
    "task": TASK_NAMES,
    "recipe": RECIPES,
    "strategy": STRATEGIES,
    "selector": SELECTORS,
    "prompt": PROMPTS,
    "paradigm": WEIGHTS,
    "clip": ("pocket", *open_clip.list_models()),
}


def parse(line: str) -> dict:  # the options given
    """Parse a command line as the program would, and run nothing. Raises UsageError where it would
    refuse it
    """
    group, (program, *arguments) = typer.main.get_command(app), shlex.split(line)
    assert program == "pseudolab", line
    while hasattr(group, "commands"):
        context = group.make_context(program, arguments[:1])
        program, group, _ = group.resolve_command(context, arguments)
        arguments = arguments[1:]
    return group.make_context(program, arguments).params


def commands(path: Path) -> list[str]:
    "Every command of a guide: in its prose, in `shell(...)`, and those that it has printed"
    fenced = [
        line
        for block in re.findall(r"(?ms)^```bash\n(.*?)^```", prose(path))
        for line in block.splitlines()
    ]
    code = cells(path, "code")
    called = [
        line
        for cell in code
        for line in re.findall(r'shell\("(pseudolab [^"]*)"\)', cell["source"])
    ]
    printed = [
        line for cell in code for line in re.findall(r"(?m)^'?(pseudolab run [^\n']*)", shown(cell))
    ]
    return [line.split(" #")[0].strip() for line in (*fenced, *called, *printed)]


@pytest.mark.parametrize("path", GUIDES[:5], ids=name)
def test_every_command_parses(path):
    lines = commands(path)
    assert lines
    for line in lines:
        options = parse(line)
        wrong = {
            key: options[key]
            for key, allowed in ALLOWED.items()
            if options.get(key) is not None and options[key] not in allowed
        }
        assert not wrong, f"{line}: {wrong}"


def test_the_check_of_commands_can_fail():
    for line in (
        "pseudolab run --roots photos",
        "pseudolab ran",
        "pseudolab run --shots two",
        "pseudolab experiments grid",
        "pseudolab run folder",
    ):
        with pytest.raises(UsageError):
            parse(line)
    assert parse("pseudolab run --task eurosat --shots 3")["shots"] == 3 and parse(
        "pseudolab report a b"
    )["folders"] == [Path("a"), Path("b")]


def test_the_commands_of_the_table_are_all_there():
    printed = [
        line
        for line in commands(REPRODUCE)
        if "--out runs/flowers102" in line and "--seed 1 " in line
    ]
    cells_of = Counter((o["paradigm"], o["strategy"], o["prompt"]) for o in map(parse, printed))
    wanted = {
        (paradigm, strategy, prompt)
        for paradigm in WEIGHTS
        for strategy in STRATEGIES
        for prompt in PROMPTS
    } - {("ul", "labelled", prompt) for prompt in PROMPTS}
    wanted -= {
        key for key in wanted if key[1] == "zero_shot" and (key[2] != "text" or key[0] == "ssl")
    }
    assert set(cells_of) == wanted and set(cells_of.values()) == {1} and len(wanted) == 35


# --- links


def slug(heading: str) -> str:
    "The place that a heading makes on its page: from its first letter on"
    plain = re.sub(r"[^\w\s.-]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower())
    return re.sub(r"\s+", "-", re.sub(r"^[^a-z]+", "", plain.strip()))


def places(path: Path) -> set[str]:
    text = re.sub(r"(?ms)^```.*?^```", "", prose(path))
    return {slug(heading) for heading in re.findall(r"(?m)^#{2,6} +(.+)$", text)}


def dead_links(path: Path) -> list[str]:
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(path)):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, place = link.partition("#")
        target = (path.parent / file) if file else path
        if not target.is_file() or (place and place not in places(target)):
            dead.append(link)
    return dead


@pytest.mark.parametrize("path", [*GUIDES, NBS / "index.ipynb"], ids=name)
def test_links_lead_somewhere(path):
    assert not dead_links(path)


def test_the_front_page_leads_to_every_guide():
    assert {f"guides/{path.name}" for path in GUIDES} <= set(
        re.findall(r"\]\(([^)\s#]+)", prose(NBS / "index.ipynb"))
    )


# --- the glossary


def entries() -> dict[str, str]:  # term -> its text
    parts = re.split(r"(?m)^## (.+)\n", prose(GLOSSARY))
    return dict(zip(parts[1::2], parts[2::2]))


def test_every_term_is_defined_once_and_leads_to_where_it_is_built():
    terms = entries()
    assert (
        list(terms) == sorted(terms, key=str.lower)
        and len({slug(term) for term in terms}) == len(terms) > 50
    )
    assert not [
        term
        for term, text in terms.items()
        if not re.search(r"\]\(\.\./(lessons|lab|pocket)/", text)
    ]
    assert not [
        term
        for term, text in terms.items()
        if len(re.sub(r"\[[Ll]esson.*", "", text, flags=re.S).split()) > 60
    ]


def test_every_lesson_is_in_the_glossary():
    linked = set(re.findall(r"\.\./lessons/(\w+\.ipynb)", prose(GLOSSARY)))
    assert linked >= {path.name for path in (NBS / "lessons").glob("*.ipynb")} - {
        "00_whole_game.ipynb",
        "12_nine_cells.ipynb",
    }


def test_names_in_the_glossary_are_exported():
    index = (ROOT / "pseudolab" / "_modidx.py").read_text(encoding="utf-8")
    exported = {
        symbol.rsplit(".", 1)[-1]
        for module in ast.literal_eval(index[index.index("d = ") + 4 :])["syms"].values()
        for symbol in module
    }
    named = {word for text in entries().values() for word in re.findall(r"\), `(\w+)`\.", text)}
    assert len(named) > 20 and not named - exported


# --- figures


def figures(cell: dict) -> Counter:
    "The numbers in the cells of the table that a cell has put out"
    return Counter(
        float(number)
        for number in re.findall(r"<td>(-?[\d.]+)</td>", html.unescape(shown(cell, "text/html")))
    )


def published(frame) -> Counter:
    return Counter((100 * frame["score"]).round(1))


@pytest.mark.parametrize(
    "path, source, chosen",
    [
        (REPRODUCE, "wide.fillna", "index == index"),
        (
            REAL_CLIP,
            'published.pivot(index=["data", "paradigm", "strategy"]',
            "data in ('flowers102', 'dtd', 'eurosat') and paradigm in ('ul', 'ssl')",
        ),
        (
            REAL_CLIP,
            "published.query",
            (
                "data in ('flowers102', 'dtd', 'eurosat') and paradigm == 'ul' and prompt == 'text'"
                " and strategy == 'zero_shot'"
            ),
        ),
    ],
    ids=["the whole table", "three data sets", "zero-shot"],
)
def test_published_figures_are_those_of_the_file(path, source, chosen):
    (cell,) = (cell for cell in cells(path, "code") if source in cell["source"])
    expected = published(paper_scores().query(chosen))
    assert sum(expected.values()) >= 3 and figures(cell) == expected


@pytest.mark.parametrize("path", [REAL_CLIP, REPRODUCE], ids=name)
def test_measured_step_times_are_those_of_the_rehearsal(path):
    code = "\n".join(cell["source"] for cell in cells(path, "code"))
    (said,) = re.findall(r"CPU_STEP = (\{.*?\})", code)
    assert ast.literal_eval(said) == {
        row["prompt"]: row["step_seconds"] for row in REHEARSAL["prompts"]
    }
    assert f"{REHEARSAL['grip_steps']:_}" in code


def test_what_the_colab_guide_says_of_the_rehearsal():
    rows, text = {row["prompt"]: row for row in REHEARSAL["prompts"]}, prose(REAL_CLIP)
    assert (
        REHEARSAL["machine"]["cores"] == 2
        and REHEARSAL["classes"] == 102
        and REHEARSAL["images"] == 500
    )
    assert f"takes {rows['text']['prepare_seconds'] / 500:.2f} seconds" in text
    assert (
        f"{3 * 224**2:,} for a picture" in text
        and f"{3 * 224**2 * 22_000 / 1e9:.1f} GB for EuroSAT's pool" in text
    )
    assert f"{512 * 4 // 1024} KB each" in text and rows["text"]["inputs_mib"] == round(
        500 * 512 * 4 / 2**20
    )


def test_what_is_not_run_has_no_output():
    unrun = [cell for cell in cells(REAL_CLIP, "code") if "#| eval: false" in cell["source"]]
    assert len(unrun) >= 5 and not [cell for cell in unrun if cell["outputs"]]
    assert not [
        path.stem
        for path in GUIDES
        if path != REAL_CLIP
        for cell in cells(path, "code")
        if "eval: false" in cell["source"]
    ]


# --- messages


def test_every_quoted_message_is_given():
    "Each heading of the third level stands in what the next cell that puts something out has said"
    heading, missing, quoted = None, [], 0
    for cell in cells(TROUBLE):
        if cell["cell_type"] == "markdown":
            found = re.findall(r"(?m)^### (.+)$", cell["source"])
            assert len(found) <= 1 and not (found and heading), (
                f"no message is shown under {heading!r}"
            )
            heading = found[0] if found else heading
        elif heading and cell["outputs"]:
            quoted += 1
            if heading not in " ".join(shown(cell).split()):
                missing.append(heading)
            heading = None
    assert not missing and heading is None and quoted > 40


def test_every_message_is_checked_where_it_is_shown():
    for cell in cells(TROUBLE, "code"):
        if cell["outputs"]:
            assert "says(" in cell["source"] or "assert sentence" in cell["source"], cell["source"]


# --- the decision table


def test_the_decision_table_computes_its_numbers():
    (cell,) = (
        cell
        for cell in cells(CHOOSING, "code")
        if "rows = [" in cell["source"] and "Markdown(" in cell["source"]
    )
    rows = ast.parse(cell["source"].split("]\nMarkdown")[0] + "]").body[0].value.elts
    assert len(rows) >= 8
    for row in rows:
        why = row.elts[2]
        assert not isinstance(why, ast.Constant), ast.unparse(why)
        written = [
            part.value
            for part in ast.walk(why)
            if isinstance(part, ast.Constant) and not isinstance(getattr(part, "value", None), int)
        ]
        assert not [text for text in written if re.search(r"\d", text)], (
            f"a number that is typed, not computed: {written}"
        )
