"""Runs on distorted images: what each epoch shows, and what stays as it is."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import naive
import numpy as np
import pytest
from helpers import SMALL, Ended, is_refused
from numpy.testing import assert_array_equal

from qagrel import Dataset, InputError, RunSpec, kernels, network, sweep, train

SIDE = 5
SPEC = SMALL.replace(dataset="squares", distortion="affine", hidden=(3,), validation_every=1)


class Shown:
    """Notes what images training hands to the kernels, as grey levels in double precision."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.orders: list[Any] = []
        self.uniforms: list[Any] = []
        self.trained: list[Any] = []
        self.judged: list[tuple[Any, Any]] = []
        self.rooms: list[int] = []
        train_epoch, choose = kernels.train_epoch, kernels.choose

        def note_epoch(net: Any, work: Any, images: Any, draws: Any, *others: Any) -> None:
            self.orders.append(draws.order)
            self.uniforms.append((draws.explore.tolist(), draws.choose.tolist()))
            self.trained.append(levels_of(images, draws.order))
            self.rooms.append(images.pixel.ctypes.data)
            train_epoch(net, work, images, draws, *others)

        def note_choices(net: Any, work: Any, images: Any, order: Any, choices: Any) -> None:
            self.judged.append((order, levels_of(images, order)))
            choose(net, work, images, order, choices)

        monkeypatch.setattr(kernels, "train_epoch", note_epoch)
        monkeypatch.setattr(kernels, "choose", note_choices)


def levels_of(images: kernels.Images, order: Any) -> Any:
    return np.rint(255 * network.dense(images, order, SIDE**2)).astype(np.uint8)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    return Shown(monkeypatch)


# --- what is shown --------------------------------------------------------------------------


@pytest.mark.parametrize("reach", [0.15, 0.4])
def test_each_epoch_shows_what_the_slow_author_makes(
    shown: Shown, squares: Dataset, reach: float
) -> None:
    """From a stream of its own, six numbers for each sample in the order of training."""
    train(SPEC.replace(seed=3, distortion_range=reach, max_epochs=2), squares)
    stream = np.random.default_rng(np.random.SeedSequence(3).spawn(6)[5])
    for order, images in zip(shown.orders, shown.trained, strict=True):
        uniforms = stream.random((6, order.size)).T.tolist()
        for sample, image, u in zip(order, images, uniforms, strict=True):
            original = squares.train_images[sample].reshape(SIDE, SIDE).tolist()
            assert image.reshape(SIDE, SIDE).tolist() == naive.distorted(original, reach, u)


def test_what_is_judged_is_not_distorted(shown: Shown, squares: Dataset) -> None:
    train(SPEC, squares)
    *held_out, (test, of_test) = shown.judged
    assert len(held_out) == 4
    for order, images in held_out:
        assert_array_equal(images, squares.train_images[order])
    assert_array_equal(of_test, squares.test_images[test])


def test_the_same_seed_shows_the_same_and_every_epoch_another(
    shown: Shown, squares: Dataset
) -> None:
    for spec in (SPEC, SPEC, SPEC.replace(seed=1)):
        train(spec.replace(validation_size=0), squares)
    by_sample = [
        images[np.argsort(order)].tolist()
        for order, images in zip(shown.orders, shown.trained, strict=True)
    ]
    assert by_sample[:4] == by_sample[4:8]
    assert len({str(images) for images in by_sample}) == 8


def test_all_else_is_drawn_as_without(shown: Shown, squares: Dataset) -> None:
    for spec in (SPEC, SPEC.replace(distortion="none")):
        train(spec, squares)
    n = len(shown.orders) // 2
    assert [o.tolist() for o in shown.orders[:n]] == [o.tolist() for o in shown.orders[n:]]
    assert shown.uniforms[:n] == shown.uniforms[n:]


def test_levels_are_made_binary_after_the_distortion(shown: Shown, squares: Dataset) -> None:
    for scale in ("grey", "binary"):
        train(SPEC.replace(input_scale=scale), squares)
    n = len(shown.trained) // 2
    for grey, binary in zip(shown.trained[:n], shown.trained[n:], strict=True):
        assert_array_equal(binary, 255 * (grey >= squares.grey_max / 2))


def test_epochs_take_turns_in_the_same_memory(shown: Shown, squares: Dataset) -> None:
    """A list of pixels is replaced by a longer one only: there are few records in 12 epochs."""
    train(SPEC.replace(max_epochs=12), squares)
    assert len(set(shown.rooms)) < 7


def test_a_log_of_trials_has_the_samples(squares: Dataset) -> None:
    log = train(SPEC, squares, record_trials=True).trials
    assert log is not None
    assert_array_equal(log["class"], squares.train_labels[log["sample"]])


# --- gone on from ---------------------------------------------------------------------------


def test_only_runs_that_distort_keep_the_stream(squares: Dataset) -> None:
    streams = [train(spec, squares).streams for spec in (SPEC, SPEC.replace(distortion="none"))]
    assert [set(each or {}) for each in streams] == [
        {"orders", "exploration", "chances", "distortions"},
        {"orders", "exploration", "chances"},
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"distortion": "none"}),
        ({"distortion": "none"}, {}),
        ({}, {"distortion_range": 0.3}),
    ],
)
def test_another_distortion_is_no_way_to_go_on(
    squares: Dataset, before: dict[str, Any], after: dict[str, Any]
) -> None:
    first = train(SPEC.replace(max_epochs=1, **before), squares)
    field = next(iter({**before, **after}))
    with pytest.raises(InputError, match=rf"\A{field}: .* is not the .* of the run to go on from"):
        train(SPEC.replace(**after), squares, initial=first)


# --- what is refused ------------------------------------------------------------------------

LABELS = np.arange(20) % 2
REFUSED = {
    "values": (np.ones((20, 5, 5)), "the samples of arrays are values, not grey levels"),
    "oblong": (np.ones((20, 3, 12), np.uint8), r"are of the shape \(3, 12\): give square ones"),
    "rows": (np.ones((20, 25), np.uint8), r"are of the shape \(25,\): give square ones"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_square_image_is_refused(case: str) -> None:
    samples, complaint = REFUSED[case]
    data = Dataset.from_arrays(samples, LABELS)
    with pytest.raises(InputError, match=rf"\Adistortion: .*{complaint}[^\n]*\Z"):
        train(RunSpec(distortion="affine", validation_size=0, batch_size=5), data)


def test_the_command_line_distorts(
    run: Callable[..., Ended], idx_folder: Callable[..., Path]
) -> None:
    options = "--hidden 5 --max-epochs 2 --validation-size 10 --batch-size 10 --json"
    command = ["train", "--dataset", idx_folder(image_shape=(4, 4)), *options.split()]
    plain, distorted = (
        json.loads(run(*command, *more).out) for more in ([], ["--distortion", "affine"])
    )
    assert distorted["spec"]["distortion"] == "affine"
    assert plain["epochs"][0]["loss"] != distorted["epochs"][0]["loss"]


def test_the_command_line_refuses_oblong_images(
    run: Callable[..., Ended], idx_folder: Callable[..., Path]
) -> None:
    options = ["--validation-size", "10", "--batch-size", "10", "--distortion", "affine"]
    ended = run("train", "--dataset", idx_folder(), *options)
    assert is_refused(ended)
    assert "of the shape (4, 3): give square ones" in ended.err


# --- the fingerprint ------------------------------------------------------------------------


def test_distortions_are_an_option_of_the_arithmetic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "fingerprint", lambda *arguments: " ".join(arguments))
    assert sweep.arithmetic_of(SPEC.replace(distortion="none")) == "float64"
    assert sweep.arithmetic_of(SPEC) == "float64 distortion"
