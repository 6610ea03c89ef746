"""The command line: what it takes, prints, writes and refuses, and how it ends."""

import dataclasses
import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd
import pytest
from helpers import QAGREL, Ended, is_refused, where_compiled

import qagrel
from qagrel import cli, console, datasets, history, store, sweep, training

DIVERGING = ["--weight-range", "1e38"]
without_overflow_warnings = pytest.mark.filterwarnings(  # which NumPy gives without the JIT
    "ignore:(overflow|invalid value) encountered:RuntimeWarning"
)


@pytest.fixture
def tiny(idx_folder: Callable[..., Path]) -> list[object]:
    """Return arguments of a training run that takes milliseconds."""
    options = "--hidden 6,5 --max-epochs 6 --validation-size 10 --batch-size 10 --stop-checks 0"
    return ["train", "--dataset", idx_folder(), *options.split()]


@pytest.fixture
def no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "train", lambda *_, **__: pytest.fail("training began"))


def raising(error: type[BaseException]) -> Callable[..., NoReturn]:
    def fail(*_: object, **__: object) -> NoReturn:
        raise error("the fault")

    return fail


def strict_json(text: str) -> Any:
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


# --- the package and the help ---------------------------------------------------------------


def modules_after(code: str) -> set[str]:
    script = f"{code}\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    return set(done.stdout.split())


HEAVY = {"matplotlib", "numba", "numpy", "pandas", "pydantic", "sklearn", "tqdm"}


@pytest.mark.parametrize("code", ["import qagrel", "import qagrel.cli", "import qagrel.errors"])
def test_importing_the_package_and_the_command_line_is_light(code: str) -> None:
    modules = modules_after(code)
    assert "qagrel" in modules
    assert not modules & HEAVY


def test_help_answers_in_half_a_second() -> None:
    seconds = []
    for _ in range(5):  # the least of them: other work on the machine is not ours
        begin = time.perf_counter()
        subprocess.run([*QAGREL, "--help"], check=True, capture_output=True)
        seconds.append(time.perf_counter() - begin)
    assert min(seconds) < 0.5


@pytest.mark.parametrize("name", qagrel.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert name in dir(qagrel)
    assert getattr(qagrel, name)


def test_an_unknown_name_of_the_package_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = qagrel.trian


def test_version(run: Callable[..., Ended]) -> None:
    assert run("--version") == (0, f"qagrel {qagrel.__version__}\n", "")


@pytest.mark.parametrize("group", [[], ["data"]], ids=["qagrel", "data"])
def test_a_group_without_a_command_gives_its_help(
    run: Callable[..., Ended], group: list[str]
) -> None:
    assert run(*group) == run(*group, "--help")


@pytest.mark.parametrize("command", ["train", "predict", "data"])
def test_help_names_every_command(run: Callable[..., Ended], command: str) -> None:
    assert f"\n  {command} " in run("--help").out


# --- options of train -----------------------------------------------------------------------

OTHER = {  # for every field a value that is not its default, and how to write it
    "dataset": ("digits", "digits"),
    "rule": ("error-bp", "error-bp"),
    "feedback": ("learned", "learned"),
    "hidden": ((1500, 1000, 500), "1500,1000,500"),
    "learning_rate": (0.05, "0.05"),
    "seed": (2**63 - 1, "9223372036854775807"),
    "batch_size": (1, "1"),
    "max_epochs": (7, "7"),
    "epsilon": (0.0, "0"),
    "temperature": (0.5, ".5"),
    "loss": ("squared-error", "squared-error"),
    "input_scale": ("binary", "binary"),
    "grey_max": (16, "16"),
    "distortion": ("affine", "affine"),
    "distortion_range": (0.25, ".25"),
    "weight_range": (0.1, "1e-1"),
    "feedback_range": (0.2, "0.2"),
    "validation_size": (10, "10"),
    "validation_draw": ("run", "run"),
    "validation_every": (1, "1"),
    "stop_checks": (0, "0"),
    "stop_decimals": (2, "2"),
    "drop_epoch": (5, "5"),
    "drop_factor": (2.0, "2"),
    "learning_rate_end": (3.0, "3"),
    "learning_rate_spacing": ("linear", "linear"),
    "precision": ("float64", "float64"),
    "payoff": (((1.0, -0.5, 0.0), (0.0, 1e-3, 1.0)), "1,-.5,0;0,1e-3,1"),
    "payoff_switch": (9, "9"),
    "payoff_after": (((0.0, 1.0), (1.0, 0.0)), "0,1; 1,0"),
    "reward_omission": (0.25, "0.25"),
    "reward_flip": (1.0, "1"),
    "initial_q": (-0.5, "-.5"),
    "novelty": (0.3, "0.3"),
    "activation": ("tanh", "tanh"),
    "optimizer": ("momentum", "momentum"),
    "momentum": (0.5, "0.5"),
    "feedback_correlation": (1.0, "1"),
    "feedback_noise": (0.1, "0.1"),
    "feedback_silenced": (0.25, ".25"),
}
PARTNERS = {
    **{"payoff_switch": "payoff_after", "payoff_after": "payoff_switch"},
    **{"momentum": "optimizer", "feedback_correlation": "feedback"},
    "distortion_range": "distortion",
}


def spec_of(args: list[str]) -> qagrel.RunSpec:
    params = cli.train.make_context("train", args).params
    return qagrel.RunSpec(**{name: params[name] for name in qagrel.RunSpec.model_fields})


@pytest.mark.parametrize("field", qagrel.RunSpec.model_fields)
def test_every_field_of_a_specification_is_an_option(field: str) -> None:
    fields = [field, PARTNERS.get(field, field)]
    args = [word for name in fields for word in (f"--{name.replace('_', '-')}", OTHER[name][1])]
    values = {name: OTHER[name][0] for name in fields}
    assert spec_of(args) == qagrel.RunSpec(**values) != qagrel.RunSpec()


def test_options_have_the_defaults_of_a_specification() -> None:
    assert spec_of([]) == qagrel.RunSpec()


def test_the_help_says_what_each_command_does_on_a_line_of_its_own(
    run: Callable[..., Ended],
) -> None:
    _, commands = run("--help").out.split("Commands:\n")
    assert "..." not in commands
    assert all(line.endswith(".") for line in commands.splitlines())


def test_the_help_of_train_gives_meanings_and_defaults(run: Callable[..., Ended]) -> None:
    text = " ".join(run("train", "--help").out.split())
    assert "--rule q-agrel|error-bp learning rule [default: q-agrel]" in text
    assert "--hidden N,N,... units of each hidden layer [default: 300,100]" in text


# --- train ----------------------------------------------------------------------------------


def test_the_summary_of_a_run(run: Callable[..., Ended], tiny: list[object]) -> None:
    ended = run(*tiny, "--feedback", "learned", "--learning-rate", "0.5", "--seed", "3")
    title, *lines = ended.out.splitlines()
    assert (ended.code, ended.err) == (0, "")
    assert title == (
        f"q-agrel with learned feedback, 12-6-5-3, on {tiny[2]}, learning rate 0.5, seed 3"
    )
    assert [line[:23].strip() for line in lines] == [
        "epochs",
        "validation accuracy",
        "test accuracy",
        "not learnt",  # its images and labels are drawn at random
        "time",
        "angle in layer 2",
        "angle in layer 3",
    ]


@pytest.mark.parametrize(
    ("options", "ending"),
    [
        (["--stop-checks", "1"], "5, then the stopping rule was met"),
        ([], "6, as many as allowed, before the stopping rule was met"),
        (DIVERGING, "1, then its numbers were no longer finite: the run diverged"),
    ],
    ids=["converged", "max-epochs", "diverged"],
)
@without_overflow_warnings
def test_the_summary_says_how_a_run_ended(
    run: Callable[..., Ended], tiny: list[object], options: list[str], ending: str
) -> None:
    assert f"  epochs               {ending}\n" in run(*tiny, *options).out


def test_json_holds_the_run(run: Callable[..., Ended], tiny: list[object]) -> None:
    ended = run(*tiny, "--json")
    results = strict_json(ended.out)
    expected = qagrel.train(qagrel.RunSpec(**results["spec"]))
    assert (ended.code, ended.out.count("\n"), ended.err) == (0, 1, "")
    assert results["id"] == expected.spec.id
    assert results["test_accuracy"] == expected.test_accuracy
    assert results["n_epochs"] == 6
    assert results["validation_accuracy"] == expected.rows[4]["validation_accuracy"]
    assert [row["reward"] for row in results["epochs"]] == expected.epochs["reward"].tolist()


@without_overflow_warnings
def test_json_of_a_diverged_run_has_nulls(run: Callable[..., Ended], tiny: list[object]) -> None:
    results = strict_json(run(*tiny, "--json", *DIVERGING).out)
    assert (results["status"], results["diverged_at"]) == ("diverged", 1)
    assert results["test_accuracy"] is results["validation_accuracy"] is None


@contextmanager
def on_terminal(*args: object) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run a command whose stderr is a terminal, which is given too."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 200))
    command = [*QAGREL, *map(str, args)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs) as process:
        os.close(theirs)
        try:
            yield process, ours
        finally:
            process.kill()
            os.close(ours)


def read_until(terminal: int, pattern: str) -> str:
    shown = ""
    while not re.search(pattern, shown):
        shown += os.read(terminal, 4096).decode(errors="replace")  # OSError at its end
    return shown


def test_a_live_bar_on_a_terminal(tiny: list[object]) -> None:
    state = r"reward 0\.\d{3}, validation \d+\.\d\d %, at most [\d:]+ left"
    with on_terminal(*tiny, "--max-epochs", "1000000") as (_, terminal):
        read_until(terminal, rf"epoch \d+ of at most 1000000 \|[^\r]+\| {state}")


# --- --out ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("out", "names"),
    [
        ("new/folder", ["new/folder/run.csv", "new/folder/run.npz"]),
        ("there", ["there/run.csv", "there/run.npz"]),
        ("seed.0.npz", ["seed.0.csv", "seed.0.npz"]),
        ("there/seed.csv", ["there/seed.csv", "there/seed.npz"]),
    ],
)
def test_out_names_a_folder_or_a_file(
    run: Callable[..., Ended], tiny: list[object], tmp_path: Path, out: str, names: list[str]
) -> None:
    (tmp_path / "there").mkdir()
    assert run(*tiny, "--out", tmp_path / out).code == 0
    made = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert {path for path in made if path.parent.name != "tiny"} == {tmp_path / n for n in names}


def test_what_out_holds(run: Callable[..., Ended], tiny: list[object], tmp_path: Path) -> None:
    results = strict_json(run(*tiny, "--json", "--out", tmp_path).out)
    expected = qagrel.train(qagrel.RunSpec(**results["spec"]))
    saved = qagrel.load(tmp_path / "run.npz")
    assert saved.epochs.equals(expected.epochs)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "run.csv"), expected.epochs)


def test_the_summary_names_the_files(
    run: Callable[..., Ended], tiny: list[object], tmp_path: Path
) -> None:
    assert f"  saved                {tmp_path / 'run.npz'}, {tmp_path / 'run.csv'}\n" in (
        run(*tiny, "--out", tmp_path).out
    )


def test_batches_are_kept_on_request(
    run: Callable[..., Ended], tiny: list[object], tmp_path: Path
) -> None:
    run(*tiny, "--out", tmp_path, "--record-batches")
    table = store.read_csv(tmp_path / "run-batches.csv")
    assert list(table) == ["epoch", "batch", "reward", "error", "loss"]
    assert len(table) == 6 * 2
    assert qagrel.load(tmp_path / "run.npz").batches.equals(table)


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("name", ["run.npz", "run.csv", "run-batches.csv"])
def test_files_that_are_there_are_kept(
    run: Callable[..., Ended], tiny: list[object], tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text("mine")
    ended = run(*tiny, "--out", tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        f"qagrel: {tmp_path / name} is there: give another --out, or --force to replace it\n"
    )
    assert (tmp_path / name).read_text() == "mine"


def test_force_replaces_all_files_of_an_earlier_run(
    run: Callable[..., Ended], tiny: list[object], tmp_path: Path
) -> None:
    run(*tiny, "--out", tmp_path / "out", "--record-batches")
    assert run(*tiny, "--out", tmp_path / "out", "--force", "--seed", "1").code == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"run.npz", "run.csv"}
    assert qagrel.load(tmp_path / "out" / "run.npz").spec.seed == 1


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize(
    "out", ["file", "file/folder", "file/run.npz", "x" * 230 + ".npz", "x" * 260]
)
def test_a_place_that_cannot_be_written_is_refused_before_training(
    run: Callable[..., Ended], tiny: list[object], tmp_path: Path, out: str
) -> None:
    (tmp_path / "file").touch()
    ended = run(*tiny, "--out", tmp_path / out)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "cannot be written to" in ended.err


@pytest.mark.usefixtures("no_training")
def test_a_folder_in_the_place_of_a_file_is_refused_before_training(
    run: Callable[..., Ended], tiny: list[object], tmp_path: Path
) -> None:
    (tmp_path / "run.npz").mkdir()
    ended = run(*tiny, "--out", tmp_path, "--force")
    assert (ended.code, ended.out) == (2, "")
    assert "is a folder" in ended.err


def test_numbers_that_cannot_be_saved_are_shown(
    run: Callable[..., Ended],
    tiny: list[object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(history, "save", raising(qagrel.InputError))
    ended = run(*tiny, "--out", tmp_path, "--json")
    assert (ended.code, ended.err) == (2, "qagrel: the fault\n")
    assert strict_json(ended.out)["n_epochs"] == 6


# --- refusals -------------------------------------------------------------------------------

TRAIN = ["train", "--dataset", "digits"]
REFUSED = {
    "unknown command": (["trian"], "no command 'trian'; did you mean 'train'?"),
    "unknown data command": (["data", "fecth"], "no command 'fecth'; did you mean 'fetch'?"),
    "command unlike any": (["zzzz"], "no command 'zzzz': see 'qagrel --help'"),
    "unknown option": (
        [*TRAIN, "--lerning-rate", "1"],
        "no option '--lerning-rate'; did you mean '--learning-rate'?",
    ),
    "no value": ([*TRAIN, "--seed"], "option '--seed' requires an argument"),
    "extra argument": (
        [*TRAIN, "now"],
        "got unexpected extra argument (now): see 'qagrel train --help'",
    ),
    "missing argument": (["predict"], "missing argument 'WEIGHTS': see 'qagrel predict --help'"),
    "no number": (
        [*TRAIN, "--seed", "one"],
        "invalid value for '--seed': 'one' is not a valid integer: see 'qagrel train --help'",
    ),
    "no list of numbers": (
        [*TRAIN, "--hidden", "300;100"],
        "invalid value for '--hidden': '300;100' is no list of layer sizes such as 300,100: "
        "see 'qagrel train --help'",
    ),
    "unknown rule": (
        [*TRAIN, "--rule", "agrel"],
        "rule: 'agrel' is not one of q-agrel, error-bp; did you mean 'q-agrel'?",
    ),
    "negative rate": (
        [*TRAIN, "--learning-rate", "-1"],
        "learning_rate: -1.0 is not possible: input should be greater than 0",
    ),
    "no rate": (
        [*TRAIN, "--learning-rate", "nan"],
        "learning_rate: nan is not possible: input should be a finite number",
    ),
    "epsilon": (
        [*TRAIN, "--epsilon", "1.5"],
        "epsilon: 1.5 is not possible: input should be less than or equal to 1",
    ),
    "empty layer": (
        [*TRAIN, "--hidden", "300,0"],
        "hidden: (300, 0) is not possible: a hidden layer has 1 to 65536 units",
    ),
    "validation size": (
        [*TRAIN, "--validation-size", "1437"],
        "validation_size: 1437 samples cannot be held out of the 1437 training samples of "
        "digits: choose fewer",
    ),
    "batch size": (
        [*TRAIN, "--batch-size", "438"],
        "batch_size: 438 is more than the 437 training samples of digits that are left after "
        "validation: choose fewer",
    ),
    "unknown data set": (["train", "--dataset", "mnits"], "there is no data set"),
    "data set to fetch": (["data", "fetch", "mnits"], "'mnits' cannot be fetched"),
    "data set to verify": (["data", "verify", "mnits"], "there is no data set"),
    "data set to describe": (["data", "info", "digit"], "there is no data set"),
    "no saved run": (["predict", "nowhere.npz"], "nowhere.npz is not there"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_impossible_is_refused_in_one_line(run: Callable[..., Ended], case: str) -> None:
    args, beginning = REFUSED[case]
    ended = run(*args)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert ended.err.startswith(f"qagrel: {beginning}")


def test_a_name_with_a_line_break_still_gives_one_line(run: Callable[..., Ended]) -> None:
    ended = run("predict", "two\nlines.npz")
    assert (ended.code, ended.err.count("\n")) == (2, 1)


def test_too_little_memory_is_told_in_one_line(
    run: Callable[..., Ended], tiny: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "train", raising(MemoryError))
    ended = run(*tiny)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert ended.err.startswith("qagrel: not enough memory (the fault)")


def test_faults_of_ours_keep_their_traceback(
    tiny: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "train", raising(RuntimeError))
    with pytest.raises(RuntimeError, match="the fault"):
        cli.main([str(arg) for arg in tiny], prog_name="qagrel")


# --- interruptions --------------------------------------------------------------------------


def test_an_interrupted_training_says_what_is_kept(tiny: list[object], tmp_path: Path) -> None:
    args = [*tiny, "--max-epochs", "1000000", "--out", tmp_path / "out"]
    with on_terminal(*args) as (process, terminal):
        read_until(terminal, "reward")
        process.send_signal(signal.SIGINT)
        shown = read_until(terminal, r"numbers\r\n")
        assert process.wait() == 130
    assert re.search(r"\rqagrel: stopped after \d+ epochs; nothing of this run was saved", shown)
    assert "Traceback" not in shown
    assert list((tmp_path / "out").iterdir()) == []


def test_an_interruption_elsewhere_is_told_too(
    run: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets, "fetch", raising(KeyboardInterrupt))
    ended = run("data", "fetch", "mnist")
    assert ended.code == 130
    assert ended.err.strip().startswith("qagrel: stopped; what was written before is whole")


# --- predict --------------------------------------------------------------------------------


@pytest.fixture
def saved(run: Callable[..., Ended], tiny: list[object], tmp_path: Path) -> Path:
    path = tmp_path / "run.npz"
    assert run(*tiny, "--out", path).code == 0
    return path


def test_predict_gives_the_accuracy_of_the_run(run: Callable[..., Ended], saved: Path) -> None:
    trained = qagrel.load(saved)
    results = strict_json(run("predict", saved, "--json").out)
    n_right = sum(results["confusion"][k][k] for k in range(3))
    assert results["accuracy"] == trained.test_accuracy == 100 * n_right / 12
    assert results["dataset"] == trained.spec.dataset
    assert [sum(row) for row in results["confusion"]] == [4, 4, 4]  # by true class


def test_predict_prints_accuracy_and_confusion(run: Callable[..., Ended], saved: Path) -> None:
    results = strict_json(run("predict", saved, "--json").out)
    first, _, heading, classes, *rows = run("predict", saved).out.splitlines()
    assert first.startswith(f"{results['accuracy']:.2f} % (")
    assert heading.strip() == "selected"
    assert classes.split() == ["true", "0", "1", "2"]
    assert [list(map(int, row.split()))[1:] for row in rows] == results["confusion"]


def test_predict_on_other_data(run: Callable[..., Ended], saved: Path) -> None:
    ended = run("predict", saved, "--dataset", "digits")
    assert (ended.code, ended.out) == (2, "")
    assert "digits has the labels 3 to 9, but those of the run are 0 to 2" in ended.err


def test_predict_on_images_of_other_size(run: Callable[..., Ended], tmp_path: Path) -> None:
    options = "--validation-size 1400 --batch-size 37 --max-epochs 1 --hidden 3"
    run("train", "--dataset", "digits", *options.split(), "--out", tmp_path / "ten.npz")
    ended = run("predict", tmp_path / "ten.npz", "--dataset", tmp_path / "tiny")
    assert (ended.code, ended.err.count("\n")) == (2, 1)


@without_overflow_warnings
def test_a_diverged_run_predicts_nothing(
    run: Callable[..., Ended], tiny: list[object], tmp_path: Path
) -> None:
    run(*tiny, *DIVERGING, "--out", tmp_path / "run.npz")
    ended = run("predict", tmp_path / "run.npz")
    assert (ended.code, ended.out) == (2, "")
    assert "diverged" in ended.err


# --- compiling ------------------------------------------------------------------------------

COMPILES = """
import numba
from qagrel import console

@numba.njit(cache=True)
def double(x):
    return 2 * x

@console.compiles
def command(number):
    print(double(number), double(1.5 * number))

command(number=2)
"""


@where_compiled("nothing is compiled")
def test_compiling_is_told_once_and_only_where_it_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    script = tmp_path / "script.py"
    script.write_text(COMPILES)
    told = []
    for _ in range(2):
        done = subprocess.run([sys.executable, script], capture_output=True, text=True)
        assert done.stdout == "4 6.0\n"
        told.append(done.stderr)
    assert told == [f"qagrel: {console.COMPILING}\n", ""]


def wrappers(function: Any) -> Iterator[Any]:
    """A function's code, and that of all that it wraps."""
    while function is not None:
        yield function.__code__
        function = getattr(function, "__wrapped__", None)


def test_every_command_that_trains_tells_that_it_compiles() -> None:
    notice = console.compiles(lambda: None).__code__
    told = {n for n, each in cli.main.commands.items() if notice in wrappers(each.callback)}
    of_the_paper = {"audit", "fields", "fingerprint", "lr-range", "study", "table1"}
    assert told == {*of_the_paper, "predict", "train"}


# --- the fingerprint ------------------------------------------------------------------------


def test_the_fingerprint_is_printed_or_written(
    run: Callable[..., Ended], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "fingerprint", lambda: "0123abcd")
    assert run("fingerprint").out == "0123abcd\n"
    run("fingerprint", "--out", tmp_path / "new" / "fingerprint.json")
    written = strict_json((tmp_path / "new" / "fingerprint.json").read_text())
    assert written == {"fingerprint": "0123abcd"}


# --- data -----------------------------------------------------------------------------------


def test_info_on_a_data_set(run: Callable[..., Ended]) -> None:
    assert run("data", "info", "digits").out.splitlines()[:3] == [
        "digits: images of 8 x 8 pixels, grey levels up to 16, 10 classes",
        "  train  1437 samples, 139 to 147 a class",
        "  test   360 samples, 35 to 37 a class",
    ]


def test_info_for_machines(run: Callable[..., Ended]) -> None:
    facts = strict_json(run("data", "info", "digits", "--json").out)
    assert facts == datasets.describe(qagrel.load_dataset("digits"))


def test_verify_prints_checksums(
    run: Callable[..., Ended], idx_folder: Callable[..., Path]
) -> None:
    folder = idx_folder()
    *sums, verdict = run("data", "verify", folder).out.splitlines()
    assert dict(reversed(line.split()) for line in sums) == datasets.verify(folder)
    assert verdict == f"{folder}: complete, and undamaged"


def test_verify_refuses_a_damaged_file(
    run: Callable[..., Ended], idx_folder: Callable[..., Path]
) -> None:
    folder = idx_folder()
    (folder / "train-labels-idx1-ubyte").write_bytes(b"\0")
    ended = run("data", "verify", folder)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)


def test_without_a_name_every_known_data_set_is_meant(
    run: Callable[..., Ended], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QAGREL_DATA_DIR", str(tmp_path))
    ended = run("data", "verify")
    assert ended.out.endswith("digits: complete, and the original contents\n")
    assert ended.code == 2
    assert ended.err.startswith(f"qagrel: {tmp_path / 'mnist'} holds no ")


def test_fetch_names_new_files(run: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "fetch", lambda name: [Path(name) / "new-file"])
    assert run("data", "fetch", "mnist").out.splitlines() == [
        "new: mnist/new-file",
        "mnist: complete, and the original contents",
    ]


@pytest.mark.parametrize(
    ("name", "verdict"),
    [("digits", "complete, and the original contents"), ("digits:0-4", "complete")],
)
def test_files_of_some_classes_are_not_the_original(
    run: Callable[..., Ended], tmp_path: Path, name: str, verdict: str
) -> None:
    ended = run("data", "fetch", name, "--into", tmp_path)
    assert ended.out == f"{tmp_path}: {verdict}\n"


# --- the scale of the data -------------------------------------------------------------------

SHORT = ["--hidden", "5", "--max-epochs", "2", "--validation-size", "100", "--batch-size", "50"]


@pytest.fixture
def digits_folder(tmp_path: Path) -> Path:
    datasets.export(qagrel.load_dataset("digits"), tmp_path / "D")
    return tmp_path / "D"


def test_a_folder_of_known_data_is_trained_on_like_the_named_ones(
    run: Callable[..., Ended], digits_folder: Path
) -> None:
    named, folder = (
        run("train", "--dataset", name, *SHORT, "--json") for name in ("digits", digits_folder)
    )
    assert (folder.code, folder.err) == (0, "")
    results, expected = strict_json(folder.out), strict_json(named.out)
    assert results["grey_max"] == expected["grey_max"] == 16
    assert results["epochs"] == expected["epochs"]


def test_verify_recognises_known_data(run: Callable[..., Ended], digits_folder: Path) -> None:
    verdict = run("data", "verify", digits_folder).out.splitlines()[-1]
    assert verdict == f"{digits_folder}: complete, and the original contents of digits"


@pytest.mark.parametrize(
    ("options", "scale"),
    [([], "level 16 is an activity of 1 (known data)"), (["--grey-max", "99"], "level 99 is an ")],
)
def test_info_shows_the_scale(run: Callable[..., Ended], options: list[str], scale: str) -> None:
    ended = run("data", "info", "digits", *options)
    assert f"\n  scale  {scale}" in ended.out
    assert "grey levels up to 16," in ended.out


def test_info_refuses_an_impossible_scale(run: Callable[..., Ended]) -> None:
    ended = run("data", "info", "digits", "--grey-max", "300")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("qagrel: grey_max: 300 is not possible")


def test_predict_uses_the_scale_of_the_run(
    run: Callable[..., Ended], digits_folder: Path, tmp_path: Path
) -> None:
    options = [*SHORT, "--max-epochs", "9", "--grey-max", "40", "--out", tmp_path / "run.npz"]
    trained = run("train", "--dataset", digits_folder, *options, "--json")
    predicted = run("predict", tmp_path / "run.npz", "--json")
    assert (predicted.code, predicted.err) == (0, "")
    expected = strict_json(trained.out)["test_accuracy"]
    assert strict_json(predicted.out)["accuracy"] == expected
    elsewhere = run("predict", tmp_path / "run.npz", "--dataset", "digits", "--json")
    assert strict_json(elsewhere.out)["accuracy"] == expected
    assert elsewhere.err == ""  # the same data


@pytest.mark.parametrize(("first", "second"), [("light", "dark"), ("dark", "light")])
def test_predict_says_that_other_data_are_darker_or_brighter(
    run: Callable[..., Ended], patches: qagrel.Dataset, tmp_path: Path, first: str, second: str
) -> None:
    dark = {f"{part}_images": getattr(patches, f"{part}_images") // 9 for part in ("train", "test")}
    datasets.export(patches, tmp_path / "light")
    datasets.export(dataclasses.replace(patches, **dark), tmp_path / "dark")
    options = ["--hidden", "4", "--max-epochs", "2", "--validation-size", "9", "--batch-size", "3"]
    run("train", "--dataset", tmp_path / first, *options, "--out", tmp_path / "run.npz")
    ended = run("predict", tmp_path / "run.npz", "--dataset", tmp_path / second)
    assert (ended.code, ended.err.count("\n")) == (0, 1)
    level = {"light": 209, "dark": 23}
    assert (
        f"its grey levels end at {level[second]}, but in the run {level[first]} stood for an "
        f"activity of 1: it sees these images {'darker' if first == 'light' else 'brighter'}\n"
    ) in ended.err


def test_a_scale_that_training_goes_beyond_is_refused_in_one_line(
    run: Callable[..., Ended],
) -> None:
    ended = run("train", "--dataset", "digits", "--grey-max", "8")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "qagrel: grey_max: 8 is below the largest grey level of the training images of digits: "
        "choose 16 or more\n"
    )


def test_predict_says_that_the_data_have_changed(
    run: Callable[..., Ended], saved: Path, tmp_path: Path
) -> None:
    path = tmp_path / "tiny" / "train-labels-idx1-ubyte"
    whole = path.read_bytes()
    path.write_bytes(whole[:8] + whole[8:][::-1])
    ended = run("predict", saved)
    assert (ended.code, ended.err.count("\n")) == (0, 1)
    assert f"{tmp_path / 'tiny'}: its contents are not those that the run was trained" in ended.err


def test_a_run_of_the_first_format_is_predicted_with_the_scale_of_the_data(
    run: Callable[..., Ended],
) -> None:
    path = Path(__file__).parent / "run-format-1.npz"
    ended = run("predict", path, "--json")
    assert (ended.code, ended.err) == (0, "")
    assert strict_json(ended.out)["accuracy"] == qagrel.load(path).test_accuracy


# --- labels as they came ---------------------------------------------------------------------


@pytest.fixture
def labelled(run: Callable[..., Ended], patches: qagrel.Dataset, tmp_path: Path) -> Path:
    """Return the run of a data set whose labels are 3, 5 and 30, saved; both are in the folder."""
    datasets.export(dataclasses.replace(patches, classes=(3, 5, 30)), tmp_path / "odd")
    options = "--hidden 4 --max-epochs 9 --validation-size 9 --batch-size 3 --grey-max 255"
    out = ["--out", tmp_path / "run.npz"]
    ended = run("train", "--dataset", tmp_path / "odd", *options.split(), *out)
    assert "its labels are 3, 5, 30: the classes 0 to 2 stand for them" in ended.err
    return tmp_path / "run.npz"


def test_predict_shows_labels_as_they_came(run: Callable[..., Ended], labelled: Path) -> None:
    results = strict_json(run("predict", labelled, "--json").out)
    assert results["classes"] == [3, 5, 30]
    assert results["accuracy"] == qagrel.load(labelled).test_accuracy
    _, _, _, heading, *rows = run("predict", labelled).out.splitlines()
    assert heading.split() == ["true", "3", "5", "30"]
    assert [row.split()[0] for row in rows] == ["3", "5", "30"]


def test_predict_matches_other_data_by_their_labels(
    run: Callable[..., Ended], patches: qagrel.Dataset, labelled: Path, tmp_path: Path
) -> None:
    """A data set without the first class, whose labels have other numbers there."""
    some = {}
    for part in ("train", "test"):
        numbers = getattr(patches, f"{part}_labels")
        some[f"{part}_images"] = getattr(patches, f"{part}_images")[numbers > 0]
        some[f"{part}_labels"] = numbers[numbers > 0] - 1
    fewer = dataclasses.replace(patches, **some, n_classes=2, classes=(5, 30))
    datasets.export(fewer, tmp_path / "fewer")
    whole = strict_json(run("predict", labelled, "--json").out)
    found = strict_json(run("predict", labelled, "--dataset", tmp_path / "fewer", "--json").out)
    assert found["classes"] == [3, 5, 30]
    assert found["confusion"] == [[0, 0, 0], *whole["confusion"][1:]]


def test_predict_refuses_labels_that_the_run_does_not_know(
    run: Callable[..., Ended], patches: qagrel.Dataset, labelled: Path, tmp_path: Path
) -> None:
    datasets.export(dataclasses.replace(patches, classes=(3, 6, 30)), tmp_path / "other")
    ended = run("predict", labelled, "--dataset", tmp_path / "other")
    assert (ended.code, ended.out) == (2, "")
    assert "has the labels 6, but those of the run are 3, 5, 30" in ended.err


def test_info_shows_labels_as_they_came(run: Callable[..., Ended], labelled: Path) -> None:
    text = run("data", "info", labelled.with_name("odd")).out
    assert ", 3 classes, labelled 3, 5, 30\n" in text


# --- what was not learnt ---------------------------------------------------------------------


def test_the_summary_says_what_was_not_learnt(run: Callable[..., Ended]) -> None:
    options = "--hidden 30 --learning-rate 0.5 --batch-size 10 --validation-size 100"
    args = ["train", "--dataset", "digits", *options.split(), "--max-epochs", "20"]
    summary, results = run(*args).out, strict_json(run(*args, "--json").out)
    line = (
        "  not learnt           classes 2, 8 are not told from the others beyond chance: try more"
    )
    assert summary.count(line) == 1
    assert results["unlearnt"] == [2, 8]
    assert results["warning"] in summary
    learnt = strict_json(run(*args, "--hidden", "100", "--max-epochs", "40", "--json").out)
    assert (learnt["unlearnt"], learnt["warning"]) == ([], None)


# --- going on from a saved run ---------------------------------------------------------------


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_continue_makes_the_files_of_a_run_never_interrupted(
    run: Callable[..., Ended], tiny: list[object], tmp_path: Path
) -> None:
    """All options but those that are given are those of the saved run."""
    options = [*tiny, "--seed", "3", "--record-batches", "--record-trials"]
    run(*options, "--max-epochs", "9", "--out", tmp_path / "whole")
    run(*options, "--out", tmp_path / "part")
    args = ["train", "--continue", tmp_path / "part" / "run.npz", "--max-epochs", "9"]
    ended = run(*args, "--out", tmp_path / "longer")
    assert (ended.code, ended.err) == (0, "")
    assert "  epochs               9, as many as allowed" in ended.out
    assert files_of(tmp_path / "longer") == files_of(tmp_path / "whole")
    assert len(files_of(tmp_path / "whole")) == 4


def test_continue_may_replace_the_run_by_force(run: Callable[..., Ended], saved: Path) -> None:
    args = ["train", "--continue", saved, "--max-epochs", "9", "--out", saved]
    before = saved.read_bytes()
    assert run(*args).code == 2
    assert saved.read_bytes() == before
    assert run(*args, "--force").code == 0
    assert qagrel.load(saved).n_epochs == 9


@pytest.mark.parametrize(
    ("options", "beginning"),
    [
        ([], "max_epochs: 6 is not more than the 6 epochs"),
        (["--max-epochs", "9", "--seed", "0"], None),  # as it was
        (["--max-epochs", "9", "--seed", "1"], "seed: 1 is not the 0 of the run to go on from"),
        (["--max-epochs", "9", "--hidden", "300,100"], "hidden: (300, 100) is not the (6, 5)"),
        (["--max-epochs", "9", "--dataset", "digits"], "initial: digits is not what this run"),
        (["--max-epochs", "9", "--record-batches"], "record_batches: the run to go on from has no"),
    ],
    ids=str,
)
def test_continue_refuses_what_would_be_another_run(
    run: Callable[..., Ended], saved: Path, options: list[str], beginning: str | None
) -> None:
    ended = run("train", "--continue", saved, *options)
    assert (ended.code, ended.err.count("\n")) == ((0, 0) if beginning is None else (2, 1))
    assert ended.err.startswith(f"qagrel: {beginning}" if beginning else "")


def test_a_run_of_the_first_format_is_not_continued(run: Callable[..., Ended]) -> None:
    ended = run("train", "--continue", Path(__file__).parent / "run-format-1.npz")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "its file is of an earlier version, and no run can go on from it" in ended.err


def test_a_live_bar_goes_on_where_the_run_does(saved: Path) -> None:
    args = ["train", "--continue", saved, "--max-epochs", "1000000"]
    with on_terminal(*args) as (_, terminal):
        shown = read_until(terminal, r"epoch \d\d+ of at most 1000000")
    assert "epoch 6 of at most 1000000" in shown


def test_trials_are_kept_on_request(
    run: Callable[..., Ended], tiny: list[object], tmp_path: Path
) -> None:
    run(*tiny, "--out", tmp_path, "--record-trials")
    table = store.read_csv(tmp_path / "run-trials.csv")
    trials = qagrel.load(tmp_path / "run.npz").trials
    assert len(table) == 6 * 20
    pd.testing.assert_frame_equal(table, trials, check_dtype=False)


# --- rewards ---------------------------------------------------------------------------------

GO = ["--payoff", "1,0;-1,0;0,.5", "--reward-flip", "0.1"]


def test_the_summary_compares_the_reward_with_the_best(
    run: Callable[..., Ended], tiny: list[object]
) -> None:
    ended = run(*tiny, *GO)
    assert "12-6-5-2" in ended.out
    [line] = [line for line in ended.out.splitlines() if line.startswith("  reward ")]
    pattern = r"  reward +-?0\.\d{3} a trial in the last epoch; the best policy expects 0\.\d{3}"
    assert re.fullmatch(pattern, line)
    assert "  reward " not in run(*tiny).out


def test_predict_shows_actions_where_there_is_a_payoff(
    run: Callable[..., Ended], tiny: list[object], tmp_path: Path
) -> None:
    run(*tiny, *GO, "--out", tmp_path / "run.npz")
    trained = qagrel.load(tmp_path / "run.npz")
    results = strict_json(run("predict", tmp_path / "run.npz", "--json").out)
    (a, _), (_, b), (_, c) = results["confusion"]
    assert results["accuracy"] == pytest.approx(trained.test_accuracy)
    assert results["accuracy"] == pytest.approx(100 * (a + b + c) / 12)
    first, _, _, actions, *rows = run("predict", tmp_path / "run.npz").out.splitlines()
    assert first.startswith(f"{results['accuracy']:.2f} %")
    assert actions.split() == ["true", "0", "1"]
    assert [row.split()[0] for row in rows] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--payoff", "1,x"], "'1,x' is no table of rewards such as '1,0;0,1'"),
        (["--payoff", ""], "'' is no table of rewards such as '1,0;0,1'"),
        (["--payoff", "1,0;0"], "payoff: ((1.0, 0.0), (0.0,)) is not possible: give a row for"),
        (["--payoff", "1,0;0,1"], "payoff: 2 rows of 2 actions do not fit the 3 classes of "),
        (["--payoff", "nan,0;0,1"], "payoff: ((nan, 0.0), (0.0, 1.0)) is not possible: give numb"),
        (["--payoff-switch", "5"], "payoff_switch: it has no effect without payoff_after"),
        (["--reward-flip", "2"], "reward_flip: 2.0 is not possible"),
        ([*GO, "--rule", "error-bp"], "payoff: error-bp is told the right answer"),
    ],
)
def test_impossible_rewards_are_refused(
    run: Callable[..., Ended], tiny: list[object], options: list[str], message: str
) -> None:
    ended = run(*tiny, *options)
    assert is_refused(ended)
    assert message in ended.err
