"""The habits of scikit-learn's estimators, and what a run says of its test images: confusion,
calibration and the losses of its epochs.
"""

import inspect
import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import confusion_matrix

from pseudolab import ImageSet, PromptTuner, Recipe, Run, Strategy, load_task
from pseudolab.method.calibration import (
    calibration_error,
    fit_temperature,
    reliability,
)
from pseudolab.method.tuner import PARAMETERS

SMALL = Recipe.pocket().replace(epochs=2, min_steps=1)


@pytest.fixture(scope="module")
def task():
    whole = load_task("satellite", n_train=4, n_test=9)
    third = np.arange(90) % 3 == 0
    # some test images have no label
    labels = np.where(np.arange(60) % 10 == 0, -1, whole.test.labels[~third])
    test = ImageSet(whole.test.images[~third], labels)
    return replace(whole, test=test, validation=whole.test.subset(third))


@pytest.fixture(scope="module")
def fitted(clip, task, tmp_path_factory):
    tuner = PromptTuner(clip, strategy=Strategy.named("grip", rounds=1), recipe=SMALL)
    tuner.fit(task, progress=False, out=tmp_path_factory.mktemp("run") / "kept")
    return tuner


@pytest.fixture
def tuner(clip):
    return PromptTuner(clip, prompt="text", strategy="ifpl", seed=3)


# ---- the habits


def test_the_parameters_are_the_arguments(tuner):
    arguments = list(inspect.signature(PromptTuner).parameters)
    assert arguments == PARAMETERS == list(tuner.get_params())
    again = PromptTuner(**tuner.get_params())
    assert again.get_params() == tuner.get_params()


def test_parameters_come_back_as_they_were_given(clip):
    given = PromptTuner(clip, recipe="authors_code", paradigm="ssl")
    assert given.selector == "leaderboard"  # what the recipe makes of it
    params = given.get_params(deep=False)
    assert params["recipe"] == "authors_code" and params["selector"] == "top_k"
    assert params["clip"] is clip


def test_another_prompt_takes_its_own_recipe(tuner, clip):
    tuner.set_params(prompt="visual")
    assert tuner.recipe == PromptTuner(clip, prompt="visual").recipe
    assert tuner.recipe != PromptTuner(clip, prompt="text").recipe


def test_what_does_not_fit_changes_nothing(tuner):
    before = dict(vars(tuner))
    with pytest.raises(ValueError, match="no parameter 'sed'.*seed"):
        tuner.set_params(sed=1)
    with pytest.raises(ValueError, match="labelled-only"):
        tuner.set_params(seed=9, strategy="labelled")
    assert vars(tuner) == before
    assert tuner.set_params(seed=9) is tuner and tuner.seed == 9


def test_a_clone_has_learned_nothing_and_shares_the_clip(fitted):
    copy = clone(fitted)
    assert copy.clip is fitted.clip and copy.get_params() == fitted.get_params()
    assert hasattr(fitted, "classes_") and not hasattr(copy, "classes_")
    assert clone([fitted, copy])[0].get_params() == fitted.get_params()


def test_what_was_not_fitted_says_so(tuner, task):
    for ask in (
        lambda: tuner.predict(task.test.images[:1]),
        lambda: tuner.predict_proba(task.test.images[:1]),
        lambda: tuner.score(task),
        lambda: tuner.save("nowhere"),
    ):
        with pytest.raises(NotFittedError, match=r"call fit\(task\) first"):
            ask()
    assert not hasattr(tuner, "classes_")
    assert issubclass(NotFittedError, ValueError)


def test_classes_are_the_columns(fitted, task):
    assert fitted.classes_.tolist() == list(task.class_names)
    images = task.test.images[:9]
    columns = fitted.predict_proba(images).argmax(1)
    assert (fitted.classes_[columns] == fitted.predict(images)).all()


def test_the_repr_tells_what_is_not_usual(clip, tuner):
    assert repr(tuner) == f"PromptTuner({clip!r}, strategy='ifpl', seed=3)"
    assert repr(PromptTuner(clip)) == f"PromptTuner({clip!r})"


def test_a_pickle_predicts_the_same(fitted, task):
    again = pickle.loads(pickle.dumps(fitted))
    images = task.test.images[:9]
    assert (again.predict_proba(images) == fitted.predict_proba(images)).all()
    assert [one.score for one in again.run_.rounds] == [one.score for one in fitted.run_.rounds]


# ---- losses and logits in the run


def test_the_losses_of_each_epoch_are_kept(fitted):
    assert fitted.run_.rounds[0].losses is None
    losses = fitted.run_.rounds[1].losses
    assert len(losses) == 2 and all(np.isfinite(losses))


def test_a_run_is_read_back_with_losses_and_logits(fitted, tmp_path):
    fitted.run_.save(tmp_path / "run")
    for before, after in zip(fitted.run_.rounds, Run.load(tmp_path / "run").rounds, strict=True):
        assert after.losses == before.losses
        assert (after.test_logits == before.test_logits).all()
        assert (after.validation_logits == before.validation_logits).all()


def test_the_logits_are_those_of_the_prompt(fitted, task):
    last = fitted.run_.rounds[-1]
    for logits, images in (
        (last.test_logits, task.test.images),
        (last.validation_logits, task.validation.images),
    ):
        assert np.abs(softmax(logits, axis=1) - fitted.predict_proba(images)).max() < 0.01


def test_without_validation_images_none_are_kept(fitted, task, clip):
    run = PromptTuner(clip, strategy="zero_shot").fit(
        replace(task, validation=None), progress=False
    )
    assert run.rounds[0].validation_logits is None
    assert run.calibration().temperature is None


# ---- confusion


def test_confusion_against_scikit_learn(fitted, task):
    known = task.test.labels >= 0
    for number in (0, -1):
        found = fitted.run_.confusion(number)
        predicted = fitted.run_.rounds[number].predictions
        expected = confusion_matrix(task.test.labels[known], predicted[known], labels=range(10))
        assert (found.to_numpy() == expected).all()
        assert list(found.index) == list(found.columns) == list(task.class_names)


def test_a_loaded_run_needs_its_own_task(fitted, task, tmp_path):
    fitted.run_.save(tmp_path / "run")
    run = Run.load(tmp_path / "run")
    assert run.confusion(task=task).equals(fitted.run_.confusion())
    with pytest.raises(ValueError, match="A run keeps no labels"):
        run.confusion()
    other = replace(task, test=task.test.subset(slice(5)))
    with pytest.raises(ValueError, match="not the one of this run"):
        run.confusion(task=other)
    nobody = replace(task, test=ImageSet(task.test.images, np.full(60, -1)))
    with pytest.raises(ValueError, match="No test image has a label"):
        run.confusion(task=nobody)


# ---- calibration


def brute_error(sure, right, bins):
    "By the definition, image by image"
    total = 0.0
    for b in range(bins):
        inside = [i for i, p in enumerate(sure) if b / bins < p <= (b + 1) / bins]
        if inside:
            total += abs(sum(sure[i] for i in inside) - sum(right[i] for i in inside))
    return total / len(sure)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 30), st.integers(2, 4), st.integers(1, 12), st.integers(0, 99))
def test_the_error_by_brute_force(images, classes, bins, seed):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(classes), images)
    labels = rng.integers(classes, size=images)
    table = reliability(probabilities, labels, bins)
    assert table["images"].sum() == images
    sure, right = probabilities.max(1), probabilities.argmax(1) == labels
    assert calibration_error(table) == pytest.approx(brute_error(sure, right, bins))


def test_one_that_is_sure_and_right_has_no_error():
    table = reliability(np.eye(3), np.arange(3))
    assert calibration_error(table) == 0 and table["images"].iloc[-1] == 3


def test_the_upper_end_belongs_to_its_bin():
    table = reliability(np.array([[0.5, 0.5], [0.75, 0.25]]), np.array([0, 0]), bins=4)
    assert table["images"].tolist() == [0, 1, 1, 0]


def test_unknown_labels_do_not_count():
    probabilities = np.array([[0.9, 0.1], [0.3, 0.7]])
    one = reliability(probabilities[:1], np.array([0]))
    assert reliability(probabilities, np.array([0, -1])).equals(one)
    with pytest.raises(ValueError, match="No image has a label"):
        reliability(probabilities, np.array([-1, -1]))


def test_the_temperature_is_the_likeliest():
    rng = np.random.default_rng(0)
    logits = 4 * rng.normal(size=(50, 3))
    labels = (logits + 4 * rng.normal(size=(50, 3))).argmax(1)

    def likelihood(temperature):
        return np.log(softmax(logits / temperature, axis=1)[np.arange(50), labels]).mean()

    found = fit_temperature(logits, labels)
    others = np.geomspace(0.1, 100, 2001)
    assert likelihood(found) >= max(likelihood(other) for other in others) - 1e-12
    assert fit_temperature(3 * logits, labels) == pytest.approx(3 * found)


def test_the_temperature_comes_from_the_validation_images_alone(fitted, task):
    found = fitted.run_.calibration()
    logits = fitted.run_.rounds[-1].validation_logits
    assert found.temperature == fit_temperature(logits, task.validation.labels)
    tested = fitted.run_.rounds[-1].test_logits.astype(float)
    softer = reliability(softmax(tested / found.temperature, axis=1), task.test.labels)
    assert found.table_at_temperature.equals(softer)
    assert found.error_at_temperature == calibration_error(softer) != found.error


def test_a_run_without_logits_says_so(fitted):
    rounds = [replace(one, test_logits=None) for one in fitted.run_.rounds]
    with pytest.raises(ValueError, match="kept no logits"):
        replace(fitted.run_, rounds=rounds).calibration()


# ---- other class names


KINDS = [("text", {"n_tokens": 3}), ("visual", {"depth": "deep"}), ("multimodal", {"n_tokens": 2})]


@pytest.fixture(scope="module", params=KINDS, ids=[kind for kind, _ in KINDS])
def learned(request, clip, task):
    kind, options = request.param
    few = replace(task, train=task.train.subset(slice(0, 40, 4)), test=task.test.subset(slice(3)))
    one_round = Strategy.named("fpl", k=1)
    recipe = SMALL.replace(epochs=1)
    tuner = PromptTuner(
        clip, prompt=kind, prompt_options=options, strategy=one_round, recipe=recipe, seed=1
    )
    tuner.fit(few, progress=False)
    return tuner


def test_the_same_names_in_another_order_give_the_same_probabilities(learned, task):
    order = [3, 0, 9, 1, 2, 8, 4, 7, 5, 6]
    images = task.test.images[:6]
    other = learned.with_classes([task.class_names[c] for c in order])
    assert other.predict_proba(images) == pytest.approx(learned.predict_proba(images)[:, order])
    assert (other.predict(images) == learned.predict(images)).all()


def test_some_of_the_names_are_a_softmax_over_these(learned, task):
    images = task.test.images[:6]
    some = learned.with_classes(task.class_names[2:5]).predict_proba(images)
    shares = learned.predict_proba(images)[:, 2:5].astype(float)
    assert some == pytest.approx(shares / shares.sum(1, keepdims=True), abs=1e-5)


def test_new_names_leave_the_old_tuner_as_it_is_and_can_be_saved(learned, task, tmp_path):
    images = task.test.images[:6]
    before = learned.predict_proba(images)
    new = learned.with_classes(["snow", "sand", "harbour"])
    assert new.classes_.tolist() == ["snow", "sand", "harbour"]
    assert not hasattr(new, "run_") and new.clip is learned.clip
    for name, value in new.prompt_.state_dict().items():
        assert (value == learned.prompt_.state_dict()[name]).all()
        value.zero_()
    assert (learned.predict_proba(images) == before).all()
    new = learned.with_classes(["snow", "sand", "harbour"])
    new.save(tmp_path / "new")
    again = PromptTuner.load(tmp_path / "new", new.clip)
    assert (again.predict_proba(images) == new.predict_proba(images)).all()


def test_names_that_will_not_do_are_refused(fitted, tuner):
    for names in (["snow", "snow"], ["one"], ["snow", ""]):
        with pytest.raises(ValueError):
            fitted.with_classes(names)
    with pytest.raises(NotFittedError):
        tuner.with_classes(["snow", "sand"])


def test_seen_and_unseen_are_of_the_old_classes_alone(clip, task):
    tuner = PromptTuner(clip, paradigm="trzsl", strategy="zero_shot")
    tuner.fit(task, progress=False)
    known = task.test.labels >= 0
    right = (
        tuner.predict(task.test.images[known])
        == np.array(task.class_names)[task.test.labels[known]]
    )
    assert tuner.with_classes(task.class_names).score(task.test) == right.mean()
    assert tuner.score(task.test) != right.mean()


# ---- progress


def test_the_bar_knows_how_many_rounds_there_are_and_how_long_they_take(
    clip, task, tmp_path, capsys
):
    tuner = PromptTuner(clip, strategy=Strategy.named("grip", rounds=2), recipe=SMALL)
    rounds = tuner.iter_fit(task, out=tmp_path / "run")
    next(rounds)
    tuner.fit(task, out=tmp_path / "run", resume=True)
    said = capsys.readouterr().err
    assert "| 1/3 [" in said and "| 3/3 [" in said  # the first was there already
    assert "0/3" not in said and "<00:" in said and "score" in said
