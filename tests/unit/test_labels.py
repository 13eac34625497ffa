"""A label for every photo: the table, the photos to check, what comes back by hand, and the command
that does all of it.
"""

import csv
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from pseudolab import ImageSet, PromptTuner, Recipe, Strategy, load_task
from pseudolab.cli.app import app
from pseudolab.cli.label import write_table
from pseudolab.data.hand_labels import HandLabels, read_labels
from pseudolab.method.labels import doubt_scores, label_table, review_table
from pseudolab.method.splits import make_split, semi_supervised
from pseudolab.views.review import review_page
from support.photos import picture
from support.runs import made_up, noise_task

NAMES = ["river", "lake", "forest", "town"]


@pytest.fixture(scope="module")
def run():
    return made_up(noise_task(NAMES, 120, 20))


def with_logits(run, *logits):
    "The run with these logits of the pool, of shape (U, C), in its rounds"
    played = [
        replace(one, pool_logits=np.asarray(of_round, np.float16), pool_classes=None)
        for one, of_round in zip(run.rounds, logits, strict=False)
    ]
    return replace(run, rounds=played, task=None)


# ---- doubt


def test_doubt_by_hand():
    first = [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1]]
    last = [[0.6, 0.3, 0.1], [0.5, 0.1, 0.4]]
    doubt = doubt_scores(np.array([first, last]), np.array([0, 0]))
    # margins: 0.5, 0.3 and -0.7, 0.1
    assert doubt == pytest.approx([(0.35 + 0.3) / 2, (0.45 + 0.65) / 2])


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 4), st.integers(1, 5), st.integers(2, 5), st.integers(0, 99))
def test_doubt_is_a_share_and_no_order_of_classes_moves_it(rounds, images, classes, seed):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(classes), (rounds, images))
    labels = rng.integers(classes, size=images)
    doubt = doubt_scores(probabilities, labels)
    assert ((doubt >= 0) & (doubt <= 1)).all()
    order = rng.permutation(classes)
    assert doubt_scores(probabilities[..., order], np.argsort(order)[labels]) == pytest.approx(
        doubt
    )


def test_one_that_is_torn_at_the_end_is_more_doubtful_than_one_that_was_torn_at_first():
    sure, torn = [0.9, 0.1], [0.5, 0.5]
    late, early = doubt_scores(np.array([[sure, torn], [torn, sure]]), np.array([0, 0]))
    assert late > early


# ---- the table


def test_a_row_per_photo_says_what_the_last_round_says(run):
    table = label_table(run)
    last = run.rounds[-1]
    assert table["image"].tolist() == list(range(120))
    assert table["label"].tolist() == [NAMES[c] for c in last.pool_predictions]
    shares = np.exp(last.pool_logits.astype(float))
    shares = np.sort(shares / shares.sum(1, keepdims=True))[:, ::-1]
    for rank, title in enumerate(["first", "second", "third"]):
        assert table[f"{title}_probability"].to_numpy() == pytest.approx(shares[:, rank])
    assert table["margin"].to_numpy() == pytest.approx(shares[:, 0] - shares[:, 1])
    titles = table[["first", "second", "third"]].to_numpy().tolist()
    assert all(len(set(row)) == 3 for row in titles)


def test_the_history_is_what_each_round_said(run):
    table = label_table(run)
    classes = np.stack([one.pool_predictions for one in run.rounds], axis=1)
    for history, changes, row in zip(table["history"], table["changes"], classes, strict=True):
        told = []
        for part in history.split("; "):
            rounds, name = part.split(" ", 1)
            low, _, high = rounds.partition("-")
            told += [NAMES.index(name)] * (int(high or low) - int(low) + 1)
        assert told == row.tolist()
        assert changes == sum(a != b for a, b in pairwise(row))


def test_a_tie_in_16_bits_keeps_the_class_that_was_noted(run):
    ties = with_logits(run, np.zeros((120, 4)))
    ties.rounds[-1].pool_classes = np.full(120, 2)
    table = label_table(ties)
    assert set(table["label"]) == set(table["first"]) == {"forest"}
    assert (table["margin"] == 0).all() and table["second"].eq("river").all()


def test_two_classes_have_no_third():
    table = label_table(made_up(noise_task(["a", "b"], 20, 4)))
    assert "third" not in table and table["second_probability"].notna().all()


def test_another_task_and_a_run_without_rounds_are_refused(run):
    with pytest.raises(ValueError, match="not the one of this run"):
        label_table(run, noise_task(NAMES, 119, 20))
    with pytest.raises(ValueError, match="not the one of this run"):
        label_table(run, noise_task(NAMES, 120, 20, seed=1))
    with pytest.raises(ValueError, match="no round yet"):
        label_table(replace(run, rounds=[]))


def test_a_saved_run_gives_the_same_table(run, tmp_path):
    run.save(tmp_path / "run")
    again = type(run).load(tmp_path / "run")
    assert again.labels(run.task).equals(run.labels())
    assert again.labels().drop(columns="image").equals(run.labels().drop(columns="image"))


@pytest.fixture(scope="module")
def tuned(clip):
    "A task of which every fourth image is labelled, and a tuner that was fitted to it"
    task = load_task("satellite", n_train=4, n_test=1)
    labels = np.where(np.arange(40) % 4 == 0, task.train.labels, -1)
    task = replace(task, train=ImageSet(task.train.images, labels))
    recipe = Recipe.pocket().replace(epochs=1, min_steps=1)
    one_round = Strategy.named("grip", rounds=1)
    tuner = PromptTuner(clip, paradigm="ssl", shots_draw="all", strategy=one_round, recipe=recipe)
    tuner.fit(task, progress=False)
    return tuner


def test_labels_by_hand_stay_in_their_rows(tuned):
    task, table = tuned.task_, tuned.run_.labels()
    checked = np.arange(40) % 4 == 0
    assert (table["checked"] == checked).all()
    names = np.array(task.class_names)
    assert (table["label"][checked] == names[task.train.labels[checked]]).all()
    assert table.loc[checked, ["first", "margin", "changes", "doubt"]].isna().all(axis=None)
    assert (table["label"][~checked] == tuned.predict(task.train.images[~checked])).all()
    exact = tuned.predict_proba(task.train.images[~checked]).max(1)
    assert np.abs(table["first_probability"][~checked] - exact).max() < 0.01
    assert not tuned.run_.review(40)["checked"].any()


# ---- the draw of all labelled images


def test_all_labelled_images_are_trained_on(tuned):
    split = tuned.split(tuned.task_)
    assert (split.pool_positions % 4 != 0).all() and len(split.pool) == 30
    assert len(split.labelled) == 10
    again = make_split(tuned.task_, "ssl", shots=7, shots_draw="all")
    assert (again.pool_positions == split.pool_positions).all()


def test_all_of_none_and_all_of_all_are_refused():
    task = noise_task(NAMES, 12, 4)
    with pytest.raises(ValueError, match='the draw "all".*no pool is left'):
        semi_supervised(task, draw="all")
    none = replace(task, train=ImageSet(task.train.images, np.full(12, -1)))
    with pytest.raises(ValueError, match="No training image has a label"):
        semi_supervised(none, draw="all")


def test_the_released_code_s_recipe_takes_all_labelled_images_too(clip):
    tuner = PromptTuner(clip, paradigm="ssl", shots_draw="all", recipe="authors_code")
    assert tuner.shots_draw == "all"


# ---- which photos to look at


def test_classes_take_turns_and_show_their_most_doubtful(run):
    review = review_table(run, 8)
    table = label_table(run)
    assert sorted(review["label"][:4]) == sorted(review["label"][4:]) == sorted(NAMES)
    for name in NAMES:
        of_class = table[table["label"] == name].sort_values(
            "doubt", ascending=False, kind="stable"
        )
        # the made-up run has few kinds of rows; one stands for all that are alike
        assert review[review["label"] == name]["doubt"].iloc[0] == of_class["doubt"].iloc[0]
    assert review.loc[review.index, table.columns].equals(table.loc[review.index])


def test_the_class_in_greatest_doubt_comes_first(run):
    rng = np.random.default_rng(0)
    drawn = with_logits(run, 3 * rng.normal(size=(120, 4)))
    review = review_table(drawn, 4)
    assert review["doubt"].is_monotonic_decreasing and review["label"].is_unique


def test_a_starved_class_shows_what_came_nearest(run):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(120, 4))
    logits[:, 3] -= 20
    logits[17, 3] += 8
    review = review_table(with_logits(run, logits), 4)
    assert review.index[0] == 17 and "no photo was given the class town" in review["why"].iloc[0]


def test_twins_are_shown_once_and_no_photo_twice(run):
    rng = np.random.default_rng(0)
    logits = np.tile(rng.normal(size=(30, 4)), (4, 1))
    review = review_table(with_logits(run, logits), 120)
    assert sorted(review.index % 30) == list(range(30))
    assert review.index.max() < 30


def test_more_than_there_are_is_all_of_them(run):
    rng = np.random.default_rng(0)
    drawn = with_logits(run, rng.normal(size=(120, 4)))
    assert sorted(review_table(drawn, 1000).index) == list(range(120))
    assert len(review_table(drawn, 7)) == 7
    with pytest.raises(ValueError, match="at least 1"):
        review_table(drawn, 0)


def test_the_page_holds_the_photos_of_its_rows(run):
    review = review_table(run, 5)
    page = review_page(review, run.task.train.images, NAMES)
    assert [photo["image"] for photo in page.data["photos"]] == [str(at) for at in review["image"]]
    assert [NAMES[photo["top"][0][0]] for photo in page.data["photos"]] == review["label"].tolist()
    with pytest.raises(ValueError, match="no photo to look at"):
        review_page(review[:0], run.task.train.images, NAMES)
    odd = review.assign(image="caf\udce9.jpg")
    with pytest.raises(ValueError, match="not Unicode"):
        review_page(odd, run.task.train.images, NAMES)


# ---- what comes back by hand


@pytest.fixture
def files(tmp_path):
    return [picture(tmp_path / "photos" / f"{number}.png") for number in range(4)]


def said_in(tmp_path, files, text, names=NAMES, **encoding):
    path = tmp_path / "labels.csv"
    path.write_text(text, **({"encoding": "utf-8"} | encoding))
    return read_labels(path, files, names)


@pytest.mark.parametrize(
    "text",
    [
        "image,label\n0.png,lake\n2.png,town\n3.png,\n",
        "image;label\r\n0.png;lake\r\n2.png;town\r\n",  # of a spreadsheet in Europe
        "\ufeffimage\tlabel\n0.png\tlake\n2.png\ttown\n",
        "image,label,checked\n0.png,lake,yes\n2.png,town,TRUE\n1.png,river,\n3.png,lake,no\n",
        "image,label,checked,first\n0.png,lake,,river\n2.png,town,yes,town\n1.png,lake,,lake\n",
        "label,notes,image\nlake,wet,0.png\ntown,,2.png\n\n",
    ],
)
def test_tables_of_every_kind_are_read(tmp_path, files, text):
    said = said_in(tmp_path, files, text)
    assert said.labels.tolist() == [1, -1, 3, -1] and not said.rejected.any()


def test_a_photo_that_shows_no_class_is_put_aside(tmp_path, files):
    said = said_in(tmp_path, files, "image,label,checked,first\n0.png,,yes,lake\n1.png,,,lake\n")
    assert said.rejected.tolist() == [True, True, False, False]
    assert (said.labels == -1).all()


@pytest.mark.parametrize("how", ["{}", "photos/{0.name}", "/elsewhere/{0.name}", "C:\\x\\{0.name}"])
def test_a_photo_is_found_by_its_path_or_its_name(tmp_path, files, how):
    said = said_in(tmp_path, files, f"image,label\n{how.format(files[2])},lake\n")
    assert said.labels.tolist() == [-1, -1, 1, -1]


def test_a_name_that_two_photos_have_is_not_enough(tmp_path, files):
    twin = picture(tmp_path / "other" / "2.png")
    with pytest.raises(ValueError, match=r"whose names several.*2\.png"):
        said_in(tmp_path, [*files, twin], "image,label\n2.png,lake\n")
    said = said_in(tmp_path, [*files, twin], "image,label\nother/2.png,lake\n")
    assert said.labels.tolist() == [-1, -1, -1, -1, 1]


@pytest.mark.parametrize(
    "text, says",
    [
        ("image,label\n9.png,lake\n", "not among the 4 given"),
        ("image,label\n0.png,lakes\n", 'no class.*Did you mean "lake"'),
        ("image,label\n0.png,lake\nphotos/0.png,town\n", "'lake' and 'town'"),
        ("image,label,checked\n0.png,lake,perhaps\n", "expected yes"),
        ("photo,label\n0.png,lake\n", r"columns \['photo', 'label'\]"),
        ("", r"columns \[\]"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, files, text, says):
    with pytest.raises(ValueError, match=says):
        said_in(tmp_path, files, text)


def test_a_missing_table_is_said_to_be_missing(tmp_path, files):
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_labels(tmp_path / "none.csv", files, NAMES)


def test_later_answers_win():
    first = HandLabels(np.array([0, 1, -1, -1]), np.array([False, False, True, False]))
    later = HandLabels(np.array([2, -1, 3, -1]), np.array([False, True, False, False]))
    both = first.under(later)
    assert both.labels.tolist() == [2, -1, 3, -1]
    assert both.rejected.tolist() == [False, True, False, False]


def test_what_is_written_is_read_back(tmp_path, files):
    "Names that a spreadsheet would compute, with commas and line breaks, in every column"
    names = ["=cmd()", "+1", "a, b", 'say "x"']
    frame = pd.DataFrame({"image": [str(path) for path in files], "label": names})
    frame["checked"] = [True, False, True, True]
    frame["first"] = names
    write_table(tmp_path / "labels.csv", frame[:3], none_of_them=files[3:])
    said = read_labels(tmp_path / "labels.csv", files, names)
    assert said.labels.tolist() == [0, -1, 2, -1]
    assert said.rejected.tolist() == [False, False, False, True]


# ---- the command


@pytest.fixture
def photos(tmp_path, monkeypatch, own_cache):
    "Twelve tiles of three classes, in a folder that is the one to work in"
    monkeypatch.chdir(tmp_path)
    tiles = load_task("satellite", n_train=4, n_test=1)
    (tmp_path / "photos").mkdir()
    for number, tile in enumerate(tiles.train.images[tiles.train.labels < 3]):
        tile.save(f"photos/{number:02d}.png")
    return tiles.class_names[:3]


def labelled(*options, fails=False):
    line = ["label", "photos", "--rounds", "1", "--epochs", "1", "--device", "cpu", *options]
    answer = CliRunner().invoke(app, line, env={"COLUMNS": "100"})
    assert (answer.exit_code != 0) == fails, answer.output
    return answer.output


def rows_of(name):
    with open(name, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_label_review_correct_and_label_again(photos):
    names = ",".join(photos)
    labelled("--class-names", names, "--review", "5", "--run", "kept")
    table, review = rows_of("labels.csv"), rows_of("labels-review.csv")
    assert len(table) == 12 and len(review) == 5
    assert {row["label"] for row in table} <= set(photos)
    assert "12 photos" not in review[0]["why"] and all(row["why"] for row in review)
    page = open("labels-review.html", encoding="utf-8").read()
    assert page.count("data:image/jpeg") == 5 and "labels-checked.csv" in page

    from pseudolab.method.run import Run

    task = load_task("folder", root="photos", class_names=photos)
    kept = Run.load("kept").labels(task)
    assert kept["label"].tolist() == [row["label"] for row in table]
    assert kept["doubt"].round(3).tolist() == [float(row["doubt"]) for row in table]

    # one is corrected, one is confirmed, one shows neither
    wanted = next(name for name in photos if name != table[0]["label"])
    table[0]["label"], table[1]["checked"], table[2]["label"] = wanted, "yes", ""
    with open("mine.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    said = labelled("--class-names", names, "--labels", "mine.csv", "--out", "again.csv")
    assert "11 photos, 3 classes, 2 labels by hand" in said
    again = {row["image"]: row for row in rows_of("again.csv")}
    assert len(again) == 12
    checked = {image: row["label"] for image, row in again.items() if row["checked"] == "yes"}
    expected = {row["image"]: row["label"] for row in table[:3]}
    assert checked == expected
    # what was just written says the same
    files = sorted(Path("photos").iterdir())
    said = read_labels("again.csv", files, photos)
    assert said.rejected.tolist() == [False, False, True] + [False] * 9
    assert [photos[c] for c in said.labels[:2]] == [table[0]["label"], table[1]["label"]]


def test_what_the_command_refuses(photos):
    assert "names alone" in labelled("--class-names", "a=lake,b=town", fails=True)
    said = labelled("--class-names", "lake,town", "--labels", "none.csv", fails=True)
    assert "no such file" in said
    said = labelled("--class-names", "lake,town", "--out", "photos", fails=True)
    assert "is a folder" in said


def test_once_every_photo_is_labelled_there_is_no_pool(photos):
    lines = [f"photos/{number:02d}.png,{photos[0]}" for number in range(12)]
    with open("all.csv", "w", encoding="utf-8") as file:
        file.write("\n".join(["image,label", *lines]))
    said = labelled("--class-names", ",".join(photos), "--labels", "all.csv", fails=True)
    assert "no pool is left" in said.replace("\n", " ")
