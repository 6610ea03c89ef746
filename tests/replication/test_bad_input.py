"""Bad input that the tests of single readers leave: one clear sentence, exit code 2, or caught.

Damage to IDX files, archives, saved runs, CSV and JSON files, command lines and parameters of
notebooks is in the tests of those modules.
"""

import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import ROOT, Ended, is_refused, work_in

from qagrel import InputError, results, store
from qagrel.replication import notebooks
from qagrel.replication.experiments import read_params
from qagrel.replication.statistics import read_paper

DIGITS = Path("results/digits")
FIRST = "q-agrel_symmetric_300_0.5"
PARAMS = """
rows: [q-agrel_learned_4_0.5]
squared_error_rows: []
profiles:
  tiny:
    n_seeds: 2
    table1: {dataset: digits, max_epochs: 1}
    studies:
      rates: {n_seeds: 1, base: {}, runs: {bare: {rule: error-bp}}}
"""

Run = Callable[..., Ended]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder two levels down, in which the test works."""
    folder = tmp_path / "home" / "project"
    folder.mkdir(parents=True)
    return work_in(folder, monkeypatch)


def is_untouched(folder: Path) -> bool:
    """Whether there is nothing but parameters, above the folder too."""
    found = {path.name for path in folder.parents[1].rglob("*")}
    return found == {"home", "project", "params.yaml"}


# --- params.yaml -----------------------------------------------------------------------------

BOMB = "\n".join(f"b{i}: &b{i} [{', '.join([f'*b{i - 1}'] * 9)}]" for i in range(1, 12))
BROKEN_PARAMS: dict[str, tuple[str, str, str]] = {
    "code": ("n_seeds: 2", "n_seeds: !!python/object/apply:os.mkdir [sprung]", "constructor"),
    "a bomb": (PARAMS, f"b0: &b0 [x]\n{BOMB}\nrows: *b11", "an alias"),
    "a circle": ("[q-agrel_learned_4_0.5]", "&rows [*rows]", "an alias"),
    "deep": ("[q-agrel_learned_4_0.5]", "[" * 50_000, "nested more than"),
    "megabytes": (PARAMS, PARAMS + "#" * 2**21, "larger than"),
    "a name twice": ("n_seeds: 2", "n_seeds: 2\n    n_seeds: 3", "a name twice"),
    "digits without end": ("n_seeds: 2", f"n_seeds: {'9' * 5000}", "4300 digits"),
    "no day": ("n_seeds: 2", "n_seeds: 2026-99-99", "month must be"),
    "no time": ("n_seeds: 2", "n_seeds: !!timestamp now", "not readable as YAML"),
    "no number": ("n_seeds: 2", "n_seeds: !!int ''", "not readable as YAML"),
    "no text": ("n_seeds: 2", "n_seeds: \x07", "not readable as YAML"),
    "many seeds": ("n_seeds: 2", f"n_seeds: {10**12}", "less than or equal to 1000"),
    "a number for a name": ("max_epochs: 1", "1: 1", "profiles.tiny"),
    "a row twice": ("4_0.5]", "4_0.5, q-agrel_learned_4_0.5]", "listed twice"),
    "a row that leads out": ("4_0.5]", "4_0.5_../../../../out]", "does not read"),
    "a row with a line break": ("[q-agrel_learned_4_0.5]", r'["q-agrel_learned_4_0.5\n"]', "read"),
    "a profile that leads out": ("tiny:", '"../../../tiny":', "match pattern"),
    "a profile from the root": ("tiny:", "/tiny:", "match pattern"),
    "a study that leads out": ("rates:", "../../../rates:", "match pattern"),
    "a study without a name": ("rates:", '"":', "match pattern"),
    "a row for the shell": ("4_0.5]", "4_0.5; touch x]", "does not read"),
    "a row that is a command": ("[q-agrel_learned_4_0.5]", '["$(touch x)"]', "does not read"),
    "a row that is an option": ("[q-agrel_learned_4_0.5]", '["--help"]', "does not read"),
    "a row that is no text": ("[q-agrel_learned_4_0.5]", "[{a: b}]", "valid string"),
    "a row without end": ("4_0.5]", f"{'4-' * 200}4_0.5]", "at most 100 characters"),
    "a profile for the shell": ("tiny:", '"tiny; touch x":', "match pattern"),
    "a profile with a line break": ("tiny:", r'"tiny\n":', "match pattern"),
    "a study for the shell": ("rates:", '"$(touch x)":', "match pattern"),
    "a study that is an option": ("rates:", "--help:", "match pattern"),
    "a study without end": ("rates:", f"{'r' * 101}:", "at most 100 characters"),
    "two studies in one file": (
        "rates:",
        "rates-summary: {n_seeds: 1, base: {}, runs: {bare: {rule: error-bp}}}\n      rates:",
        "another name",
    ),
}


@pytest.mark.parametrize("fault", BROKEN_PARAMS)
def test_broken_parameters_are_refused(folder: Path, run: Run, fault: str) -> None:
    old, new, reason = BROKEN_PARAMS[fault]
    assert old in PARAMS
    (folder / "params.yaml").write_text(PARAMS.replace(old, new, 1))
    ended = run("table1", "--profile", "tiny")
    assert is_refused(ended), ended
    assert ended.err.startswith("qagrel: params.yaml")
    assert reason in ended.err
    assert is_untouched(folder)


@pytest.mark.parametrize(
    "args",
    [
        ("table1", "--profile", "../../tiny"),
        ("table1", "--profile", "tiny", "--row", "../../q-agrel_learned_4_0.5"),
        ("study", "../../rates", "--profile", "tiny"),
        ("statistics", "--profile", "../../tiny"),
        ("report", "--profile", "/tiny"),
        ("audit", "--profile", ".."),
        ("notebook", "../../fig1", "--profile", "tiny"),
        ("notebook", "fig1", "--profile", "../tiny"),
    ],
)
def test_names_that_lead_out_of_the_folder_are_refused(
    folder: Path, run: Run, args: tuple[str, ...]
) -> None:
    (folder / "params.yaml").write_text(PARAMS)
    assert is_refused(run(*args))
    assert is_untouched(folder)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "args",
    [
        ("table1",),
        ("study", "stepwise"),
        ("lr-range",),
        ("statistics",),
        ("audit",),
        ("report",),
        ("notebook", "fig1"),
    ],
)
def test_outside_a_clone_commands_say_where_they_work(run: Run, args: tuple[str, ...]) -> None:
    ended = run(*args)
    assert is_refused(ended)
    assert "no params.yaml in this folder: the command works in the folder of a clone" in ended.err


# --- committed results -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy what is read of the project and of its results on digits; no test changes it."""
    folder = tmp_path_factory.mktemp("original")
    patterns = ("params.yaml", "dvc.lock", "paper/*.*", "notebooks/table1.ipynb")
    for pattern in (*patterns, f"{DIGITS}/**/*.csv", f"{DIGITS}/*.json"):
        for path in ROOT.glob(pattern):
            target = folder / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    return folder


@pytest.fixture
def project(original: Path, folder: Path) -> Path:
    shutil.copytree(original, folder, dirs_exist_ok=True)
    return folder


def entry(line: int, column: str, new: str) -> Callable[[str], str]:
    """Change one entry of a table; line 0 holds the names."""

    def change(text: str) -> str:
        rows = [row.split(",") for row in text.splitlines()]
        rows[line][rows[0].index(column)] = new
        return "".join(",".join(row) + "\n" for row in rows)

    return change


def without_column(name: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        rows = [row.split(",") for row in text.splitlines()]
        gone = rows[0].index(name)
        return "".join(",".join(row[:gone] + row[gone + 1 :]) + "\n" for row in rows)

    return change


def with_column(text: str) -> str:
    names, *rows = text.splitlines()
    return "".join(f"{row},{entry}\n" for row, entry in [(names, "extra"), *((r, 1) for r in rows)])


def with_another_end(text: str) -> str:
    """The first run converged if it was cut off, and was cut off if it converged."""
    names, first, *others = text.splitlines(keepends=True)
    ends = sorted(("converged", "max-epochs"), key=lambda end: end not in first)
    return "".join([names, first.replace(*ends), *others])


def without_line(text: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(lines[:3] + lines[4:])


def twice_a_line(text: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(lines[:3] + lines[2:])


RUNS, SUMMARY = f"runs/{FIRST}.csv", f"runs/{FIRST}-summary.csv"
STUDY, STUDY_SUMMARY = "studies/stepwise.csv", "studies/stepwise-summary.csv"
# What is changed, and what the audit of that run says; "refused" is one sentence.
TAMPERED: dict[str, tuple[str, Callable[[str], str], str]] = {
    "a number": (RUNS, entry(3, "error", "0.5"), "epoch 3, error: committed 0.5, derived"),
    "no number": (RUNS, entry(3, "reward", ""), "epoch 3, reward: committed nan, derived"),
    "infinity": (RUNS, entry(3, "loss", "inf"), "epoch 3, loss: committed inf, derived"),
    "a column gone": (RUNS, without_column("reward"), "epoch 1, reward: committed nan, derived"),
    "a column more": (RUNS, with_column, "epoch 1, extra: committed 1, derived nan"),
    "a rate": (RUNS, entry(3, "learning_rate", "0.4"), "learning_rate: committed 0.4, derived"),
    "an epoch gone": (RUNS, without_line, "epoch: committed False, derived True"),
    "an epoch twice": (RUNS, twice_a_line, "epoch: committed False, derived True"),
    "another seed": (RUNS, entry(3, "seed", "7"), "refused: committed seeds are not"),
    "text": (RUNS, entry(3, "error", "small"), f"refused: {RUNS}: error is not a column of num"),
    "text for accuracy": (RUNS, entry(3, "validation_accuracy", "x"), f"refused: {RUNS}, line 4"),
    "no accuracies": (RUNS, without_column("validation_accuracy"), f"refused: {RUNS}, line 1"),
    "a column renamed": (RUNS, lambda text: text.replace("loss", "los", 1), "columns: committed ["),
    "cut short": (RUNS, lambda text: text[: len(text) // 2], f"refused: {RUNS} does not end"),
    "an accuracy": (SUMMARY, entry(1, "test_accuracy", "99.9"), "table1.csv, bytes"),
    "an accuracy over 100": (SUMMARY, entry(1, "test_accuracy", "101"), f"refused: {SUMMARY}: a"),
    "a status": (SUMMARY, with_another_end, "seed 0, status: committed"),
    "a wrong status": (SUMMARY, entry(1, "status", "done"), f"refused: {SUMMARY}: the status"),
    "a stopped run": (SUMMARY, entry(1, "status", "stopped"), f"refused: {SUMMARY}: the status"),
    "a length": (SUMMARY, entry(1, "n_epochs", "79"), "n_epochs: committed 79, derived "),
    "a seed gone": (SUMMARY, lambda text: text[: text.rindex("1,")], "refused: committed seeds"),
    "a seed twice": (SUMMARY, entry(2, "seed", "0"), f"refused: {SUMMARY}: the per-seed summary"),
    "a count": (STUDY, entry(3, "selected_0", "7"), "epoch 3, selected_0: committed 7, derived"),
    "a class": (
        STUDY,
        lambda text: text.replace("presented_5", "presented_5x"),
        f"refused: {STUDY}: history: the column 'presented_5' is missing",
    ),
    "a run": (STUDY, entry(3, "run", "x"), "refused: params.yaml has no run 'x'"),
    "a rule": (STUDY_SUMMARY, entry(1, "rule", "error-bp"), "rule: committed error-bp, derived q"),
    "a network": (STUDY_SUMMARY, entry(1, "hidden", "300"), "hidden: committed 300, derived 300-"),
    "no run": (STUDY_SUMMARY, without_column("run"), f"refused: {STUDY_SUMMARY}, line 1"),
    "a table": ("table1.csv", entry(1, "accuracy_mean", "98"), "table1.csv, bytes"),
    "a verdict": ("claims.json", lambda text: text.replace("not comp", "comp", 1), "claims.json"),
    "the data": ("data.json", lambda text: text.replace("1437", "1438", 1), "data.json, train"),
    "no data": ("data.json", lambda text: f"[{text}]", "refused: data.json describes no data"),
}


@pytest.mark.parametrize("change", TAMPERED)
def test_tampered_results_do_not_pass_the_audit(project: Path, run: Run, change: str) -> None:
    name, tamper, verdict = TAMPERED[change]
    path = project / DIGITS / name
    text = path.read_text()
    path.write_text(tamper(text))
    assert path.read_text() != text
    of_study = name.startswith("studies")
    chosen = "stepwise/q-agrel, seed 0" if of_study else f"{FIRST}, seed 0"
    ended = run("audit", chosen, *(["--full"] if of_study else ["--epochs", "4"]))
    if verdict.startswith("refused: "):
        assert is_refused(ended), ended
        assert verdict.removeprefix("refused: ") in ended.err
    else:
        assert (ended.code, ended.err) == (1, "")
        assert verdict in ended.out


@pytest.mark.parametrize("name", [RUNS, SUMMARY, STUDY, STUDY_SUMMARY, "table1.csv", "data.json"])
def test_removed_results_do_not_pass_the_audit(project: Path, run: Run, name: str) -> None:
    (project / DIGITS / name).unlink()
    ended = run("audit", f"{FIRST}, seed 0", "--epochs", "1")
    if name == "table1.csv":
        assert (ended.code, ended.err) == (1, "")
        assert "table1.csv, bytes" in ended.out
    else:
        assert is_refused(ended), ended
        assert name in ended.err


@pytest.mark.parametrize(
    "change", ["an accuracy over 100", "a wrong status", "a seed twice", "no run"]
)
def test_results_that_no_runs_can_have_left_give_no_statistics(
    project: Path, run: Run, change: str
) -> None:
    name, tamper, _ = TAMPERED[change]
    path = project / DIGITS / name
    path.write_text(tamper(path.read_text()))
    assert is_refused(run("statistics"))


# --- any damage to any text ------------------------------------------------------------------

READERS: dict[str, Callable[[Path], object]] = {
    "params.yaml": read_params,
    "paper/claims.yaml": lambda path: read_paper(path.parent),
    "paper/margins.yaml": lambda path: read_paper(path.parent),
    "paper/table1.csv": lambda path: read_paper(path.parent),
    "notebooks/table1.ipynb": notebooks.parameters,
    f"{DIGITS}/{RUNS}": lambda path: results.read_epochs(path.parents[1], FIRST),
    f"{DIGITS}/{SUMMARY}": lambda path: results.read_summary(path.parents[1], FIRST),
    f"{DIGITS}/{STUDY}": lambda path: results.read_study(path.parents[1], "stepwise"),
    f"{DIGITS}/{STUDY_SUMMARY}": lambda path: results.read_study(path.parents[1], "stepwise"),
    f"{DIGITS}/data.json": store.read_json,
}
PIECES = [b"", b"\0", b"\xff", b"nan", b"-1", b"1e999", b"9" * 5000, b"{", b"]", b'"', b": ", b"- "]
PIECES += [b"\n", b",", b"true", b"null", b"!!int ", b"*a", b"&a ", b"[" * 2000, b"../"]
TRIES = 60


def damaged(data: bytes, generator: random.Random) -> bytes:
    for _ in range(generator.randint(1, 3)):
        start = generator.randrange(len(data) + 1)
        end = start + generator.choice([0, 1, 1, 5, 100])
        data = data[:start] + generator.choice(PIECES) + data[end:]
    return data


@pytest.mark.parametrize("name", READERS)
def test_damaged_text_is_refused_in_a_sentence_or_can_be_read(project: Path, name: str) -> None:
    """Any exception but InputError fails; what can still be read is the audit's business."""
    path, generator, sentences = project / name, random.Random(name), []
    whole = path.read_bytes()
    READERS[name](path)
    for _ in range(TRIES):
        path.write_bytes(damaged(whole, generator))
        try:
            READERS[name](path)
        except InputError as error:
            sentences.append(str(error))
    assert all(re.fullmatch(r"[^\n]{10,6000}", sentence) for sentence in sentences)
    assert len(sentences) > TRIES / 4
