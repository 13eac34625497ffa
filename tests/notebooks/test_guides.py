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
import pandas as pd
import pytest
import typer

from pseudolab.cli.app import app
from pseudolab.experiments.grid import paper_scores
from pseudolab.method.loss import WEIGHTS
from pseudolab.method.recipe import RECIPES
from pseudolab.method.selectors import SELECTORS
from pseudolab.method.strategies import STRATEGIES
from pseudolab.method.tuner import PROMPTS
from pseudolab.settings import TASK_NAMES
from support import NBS, ROOT
from support.notebooks import notebooks, read_cells, sources
from support.scripts import load_script

GUIDES = notebooks("guides")
(
    PHOTOS,
    REAL_CLIP,
    REPRODUCE,
    CHOOSING,
    TROUBLE,
    GLOSSARY,
    OPENING,
    FINDINGS,
    MACHINES,
    HAND_OFFS,
) = GUIDES
REHEARSAL = json.loads(
    (ROOT / "benchmarks" / "results" / "rehearsal.json").read_text(encoding="utf-8")
)


def prose(path: Path) -> str:
    return "\n\n".join(sources(path, "markdown"))


def shown(cell: dict, form: str = "text/plain") -> str:
    "What a cell has put out, as text"
    texts = [output.get("text", output.get("data", {}).get(form, "")) for output in cell["outputs"]]
    return "".join("".join(text) for text in texts)


def name(path: Path) -> str:
    return path.stem


# ---- commands

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


def parse(line: str) -> dict:
    """The options of a command line, parsed as the program would, without running anything. Raises
    UsageError where the program would refuse it
    """
    group = typer.main.get_command(app)
    program, *arguments = shlex.split(line)
    assert program == "pseudolab", line
    while hasattr(group, "commands"):
        context = group.make_context(program, arguments[:1])
        program, group, _ = group.resolve_command(context, arguments)
        arguments = arguments[1:]
    return group.make_context(program, arguments).params


def commands(path: Path) -> list[str]:
    "Every command of a guide: in its prose, in `shell(...)`, and those that it has printed"
    lines = []
    for block in re.findall(r"(?ms)^```bash\n(.*?)^```", prose(path)):
        lines += block.splitlines()
    for cell in read_cells(path, "code"):
        lines += re.findall(r'shell\("(pseudolab [^"]*)"\)', cell["source"])
        lines += re.findall(r"(?m)^'?(pseudolab run [^\n']*)", shown(cell))
    return [line.split(" #")[0].strip() for line in lines]


@pytest.mark.parametrize("path", [*GUIDES[:5], FINDINGS, MACHINES], ids=name)
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


@pytest.mark.parametrize(
    "line",
    [
        "pseudolab run --roots photos",
        "pseudolab ran",
        "pseudolab run --shots two",
        "pseudolab experiments grid",
        "pseudolab run folder",
    ],
)
def test_the_check_of_commands_can_fail(line):
    with pytest.raises(UsageError):
        parse(line)


def test_the_check_of_commands_reads_options_and_arguments():
    assert parse("pseudolab run --task eurosat --shots 3")["shots"] == 3
    assert parse("pseudolab report a b")["folders"] == [Path("a"), Path("b")]


def test_the_commands_of_the_table_are_all_there():
    printed = [
        parse(line)
        for line in commands(REPRODUCE)
        if "--out runs/flowers102" in line and "--seed 1 " in line
    ]
    found = Counter((one["paradigm"], one["strategy"], one["prompt"]) for one in printed)
    wanted = set()
    for paradigm in WEIGHTS:
        for strategy in STRATEGIES:
            for prompt in PROMPTS:
                wanted.add((paradigm, strategy, prompt))
    # nothing is labelled where nothing is supervised, and zero-shot CLIP has no prompt to learn
    wanted -= {("ul", "labelled", prompt) for prompt in PROMPTS}
    wanted -= {
        key for key in wanted if key[1] == "zero_shot" and (key[2] != "text" or key[0] == "ssl")
    }
    assert len(wanted) == 35
    assert set(found) == wanted
    assert set(found.values()) == {1}


# ---- links


def slug(heading: str) -> str:
    "The place that a heading makes on its page: from its first letter on"
    without_links = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    plain = re.sub(r"[^\w\s.-]", "", without_links.lower())
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
        if not target.is_file():
            dead.append(link)
        elif place and target.suffix == ".ipynb" and place not in places(target):
            dead.append(link)
    return dead


@pytest.mark.parametrize("path", [*GUIDES, NBS / "index.ipynb"], ids=name)
def test_links_lead_somewhere(path):
    assert not dead_links(path)


def test_the_front_page_leads_to_every_guide():
    links = re.findall(r"\]\(([^)\s#]+)", prose(NBS / "index.ipynb"))
    assert {f"guides/{path.name}" for path in GUIDES} <= set(links)


# ---- the glossary


def entries() -> dict[str, str]:
    "Every term of the glossary with its text"
    parts = re.split(r"(?m)^## (.+)\n", prose(GLOSSARY))
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_terms_are_in_order_and_each_stands_once():
    terms = list(entries())
    assert terms == sorted(terms, key=str.lower)
    assert len({slug(term) for term in terms}) == len(terms) > 50


def test_every_term_leads_to_where_it_is_built_and_is_short():
    for term, text in entries().items():
        assert re.search(r"\]\(\.\./(lessons|lab|pocket)/", text), term
        definition = re.sub(r"\[[Ll]esson.*", "", text, flags=re.S)
        assert len(definition.split()) <= 60, term


def test_every_lesson_is_in_the_glossary():
    linked = set(re.findall(r"\.\./lessons/(\w+\.ipynb)", prose(GLOSSARY)))
    without_terms = {"00_whole_game.ipynb", "12_nine_cells.ipynb"}
    assert linked >= {path.name for path in notebooks("lessons")} - without_terms


def exported_names() -> set[str]:
    index = (ROOT / "pseudolab" / "_modidx.py").read_text(encoding="utf-8")
    modules = ast.literal_eval(index[index.index("d = ") + 4 :])["syms"]
    return {symbol.rsplit(".", 1)[-1] for module in modules.values() for symbol in module}


def test_names_in_the_glossary_are_exported():
    named = {word for text in entries().values() for word in re.findall(r"\), `(\w+)`\.", text)}
    assert len(named) > 20
    assert not named - exported_names()


# ---- figures


def figures(cell: dict) -> Counter:
    "The numbers in the cells of the table that a cell has put out"
    table = html.unescape(shown(cell, "text/html"))
    return Counter(float(number) for number in re.findall(r"<td>(-?[\d.]+)</td>", table))


def published(frame: pd.DataFrame) -> Counter:
    return Counter((100 * frame["score"]).round(1))


THREE = "data in ('flowers102', 'dtd', 'eurosat')"


@pytest.mark.parametrize(
    ("path", "source", "chosen"),
    [
        pytest.param(REPRODUCE, "wide.fillna", "index == index", id="the whole table"),
        pytest.param(
            REAL_CLIP,
            'index=["data", "paradigm", "strategy"], columns="prompt"',
            f"{THREE} and paradigm in ('ul', 'ssl')",
            id="three data sets",
        ),
        pytest.param(
            REAL_CLIP,
            "published.query",
            f"{THREE} and paradigm == 'ul' and prompt == 'text' and strategy == 'zero_shot'",
            id="zero-shot",
        ),
    ],
)
def test_published_figures_are_those_of_the_file(path, source, chosen):
    (cell,) = (cell for cell in read_cells(path, "code") if source in cell["source"])
    expected = published(paper_scores().query(chosen))
    assert sum(expected.values()) >= 3
    assert figures(cell) == expected


@pytest.mark.parametrize("path", [REAL_CLIP, REPRODUCE], ids=name)
def test_measured_step_times_are_those_of_the_rehearsal(path):
    code = "\n".join(sources(path, "code"))
    (said,) = re.findall(r"CPU_STEP = (\{.*?\})", code)
    measured = {row["prompt"]: row["step_seconds"] for row in REHEARSAL["prompts"]}
    assert ast.literal_eval(said) == measured
    assert f"{REHEARSAL['grip_steps']:_}" in code


def test_what_the_colab_guide_says_of_the_rehearsal():
    text = prose(REAL_CLIP)
    row = next(row for row in REHEARSAL["prompts"] if row["prompt"] == "text")
    assert REHEARSAL["machine"]["cores"] == 2
    assert REHEARSAL["classes"] == 102
    assert REHEARSAL["images"] == 500
    assert f"takes {row['prepare_seconds'] / 500:.2f} seconds" in text
    assert f"{3 * 224**2:,} for a picture" in text
    assert f"{3 * 224**2 * 22_000 / 1e9:.1f} GB for EuroSAT's pool" in text
    assert f"{512 * 4 // 1024} KB each" in text
    assert row["inputs_mib"] == round(500 * 512 * 4 / 2**20)


def not_run(path: Path) -> list[dict]:
    return [cell for cell in read_cells(path, "code") if "#| eval: false" in cell["source"]]


def test_what_is_not_run_has_no_output():
    unrun = not_run(REAL_CLIP)
    assert len(unrun) >= 5
    assert not [cell["id"] for cell in unrun if cell["outputs"]]
    assert not [path.stem for path in GUIDES if path != REAL_CLIP and not_run(path)]


# ---- messages


def test_every_quoted_message_is_given():
    "Each heading of the third level stands in what the next cell that puts something out has said"
    heading = None
    missing = []
    quoted = 0
    for cell in read_cells(TROUBLE):
        if cell["cell_type"] == "markdown":
            found = re.findall(r"(?m)^### (.+)$", cell["source"])
            assert len(found) <= 1, f"two messages in one cell: {found}"
            assert not (found and heading), f"no message is shown under {heading!r}"
            heading = found[0] if found else heading
        elif heading and cell["outputs"]:
            quoted += 1
            if heading not in " ".join(shown(cell).split()):
                missing.append(heading)
            heading = None
    assert not missing
    assert heading is None
    assert quoted > 40


def test_every_message_is_checked_where_it_is_shown():
    for cell in read_cells(TROUBLE, "code"):
        if cell["outputs"]:
            assert "says(" in cell["source"] or "assert sentence" in cell["source"], cell["source"]


# ---- the decision table


def assigned(target: str) -> list[ast.expr]:
    "What guide 04 assigns to that name, or to what begins with it"
    return [
        node.value
        for source in sources(CHOOSING, "code")
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).startswith(target)
    ]


def test_the_decision_table_computes_its_numbers():
    (answers,) = assigned("answers")
    assert isinstance(answers, ast.List) and len(answers.elts) >= 8
    for row in answers.elts:
        assert isinstance(row, ast.Tuple)
        situation, first, why = row.elts
        assert re.fullmatch(r"facts\['\w+'\]", ast.unparse(why)), ast.unparse(why)
        assert "|" not in ast.unparse(situation)
    facts = assigned("facts[")
    assert len(facts) == len(answers.elts)
    for fact in facts:
        computed = [part for part in ast.walk(fact) if isinstance(part, ast.FormattedValue)]
        assert computed, ast.unparse(fact)


def test_what_corrections_bring_is_what_was_measured():
    bench = load_script("benchmarks/corrected_labels.py")
    runs = pd.read_csv(ROOT / "benchmarks" / "results" / "corrected_labels.csv")
    assert len(runs) == 6 * 5 * 4
    table = bench.summary(runs).set_index(["photos", "gamma"])
    text = "".join(sources(PHOTOS, "markdown"))
    told = re.search(r"by (\S+) points \(95 % over the tasks: (\S+) to (\S+); .* run (\S+)\)", text)
    assert told
    ours = table.loc["review", "1"]
    assert ours["unseen"] == f"{told[1]} ({told[2]} to {told[3]})"
    assert ours["least unseen"] == told[4]
    (cost,) = re.findall(r"the same forty cost (\S+) points", text)
    assert table.loc["review", "|U|/|L|"]["unseen"].startswith(f"-{cost} ")
