"""What an audit finds, what it says it did not look at, and that it goes on where it was."""

import hashlib
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers import ROOT, SMALL, Ended, contents, where_compiled, work_in

from qagrel import InputError, RunSpec, results, store, sweep, train
from qagrel.replication import afresh, audit
from qagrel.replication.experiments import read_params

DIGITS = Path("results/digits")
ROW, OTHER = "error-bp_symmetric_300_0.1", "error-bp_symmetric_300-100_0.1"
Run = Callable[..., Ended]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What an audit of the results on digits reads, in a folder of its own."""
    for pattern in ("params.yaml", "dvc.lock", "paper/*.*", f"{DIGITS}/**/*.*s[vo]*"):
        for path in ROOT.glob(pattern):
            target = tmp_path / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    return work_in(tmp_path, monkeypatch)


def runs_of(project: Path) -> list[audit.Committed]:
    params = read_params()
    return audit.committed_runs(project / DIGITS, params, params.profile("digits"))


def raise_accuracies(project: Path, row: str, points: float) -> None:
    """Better accuracies throughout a row, of every epoch and of the test."""
    for name in (row, f"{row}-summary"):
        path = project / DIGITS / "runs" / f"{name}.csv"
        table = store.read_csv(path)
        for column in table.columns[table.columns.str.endswith("accuracy")]:
            table[column] = (table[column].astype(float) + points).clip(upper=100)
        store.write_csv(path, table)


def record_again(project: Path) -> None:
    """Do to dvc.lock what `dvc commit` would."""
    text = (project / "dvc.lock").read_text()
    for path in (project / DIGITS / "runs").iterdir():
        md5 = hashlib.md5(path.read_bytes()).hexdigest()
        name = path.relative_to(project).as_posix()
        text = re.sub(rf"(path: {re.escape(name)}\n +hash: md5\n +md5: )\w+", rf"\g<1>{md5}", text)
    (project / "dvc.lock").write_text(text)


def test_an_altered_file_is_not_the_one_that_dvc_recorded(project: Path) -> None:
    assert audit.audit_lock(project / DIGITS, "digits") == []
    raise_accuracies(project, ROW, 0.3)
    (project / DIGITS / "runs" / f"{OTHER}.csv").unlink()
    (project / DIGITS / "studies" / "more.csv").write_text("seed\n")
    found = audit.audit_lock(project / DIGITS, "digits")
    names = [f"runs/{OTHER}.csv", f"runs/{ROW}-summary.csv", f"runs/{ROW}.csv", "studies/more.csv"]
    assert [difference.run for difference in found] == names
    assert (found[0].derived, found[-1].committed) == (None, None)


@pytest.mark.parametrize("content", ["[]", "stages: []", "stages: {row: {outs: [1]}}"])
def test_a_lock_of_another_form_is_refused(project: Path, content: str) -> None:
    (project / "dvc.lock").write_text(content)
    with pytest.raises(InputError, match=r"dvc\.lock is not of the form"):
        audit.audit_lock(project / DIGITS, "digits")


@where_compiled("trains whole runs")
def test_a_row_altered_with_all_that_follows_is_found_by_deriving_it(
    project: Path, run: Run
) -> None:
    raise_accuracies(project, ROW, 0.3)
    assert run("statistics").code == 0
    record_again(project)
    passed = run("audit", OTHER)
    assert (passed.code, passed.err) == (0, "")
    assert "audit passed" in passed.out
    found = run("audit", "--full", ROW)
    assert found.code == 1
    assert f"differs: {ROW}, seed 0, epoch 1, train_accuracy: committed" in found.out


@where_compiled("trains whole runs")
def test_an_audit_says_what_it_derived_and_what_not(project: Path, run: Run) -> None:
    n_rows = len({committed.row for committed in runs_of(project)})
    drawn = run("audit", "--epochs", "1", "--rows", "2", "--seed", "3").out
    assert "derived again by training: 2 epochs, runs: 2 (" in drawn
    assert "derived again from the committed runs: all tables and verdicts" in drawn
    assert re.search(r"not derived again: .* rests on the hashes in dvc.lock alone", drawn)
    assert f"with a chance of 2 in {n_rows}" in drawn
    named = run("audit", "--epochs", "1", ROW).out
    assert "with a chance of" not in named


def test_nothing_is_left_out_in_silence(project: Path) -> None:
    runs = runs_of(project)
    assert list(audit.coverage(runs, runs, None, drawn=False))[2:] == [
        "nothing is left that was not derived again"
    ]


def test_the_shortest_run_of_a_row_is_chosen_or_every_seed(project: Path) -> None:
    runs = runs_of(project)
    lengths = {run.name: len(run.epochs) for run in runs if run.row == ROW}
    (shortest,) = audit.choose(runs, [ROW], full=False)
    assert len(shortest.epochs) == min(lengths.values())
    assert {run.name for run in audit.choose(runs, [ROW], full=True)} == set(lengths)
    assert audit.choose(runs, [], full=True) == runs
    assert [run.name for run in audit.choose(runs, [f"{ROW}, seed 2"], full=False)] == [
        f"{ROW}, seed 2"
    ]
    drawn = {audit.choose(runs, [], full=False, seed=seed)[0].row for seed in range(9)}
    assert len(drawn) > 1


# --- trained afresh --------------------------------------------------------------------------

SPECS = [SMALL.replace(dataset="digits", seed=seed) for seed in range(3)]


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The seeds that are trained, in a folder of their own."""
    seeds: list[int] = []

    def counted(spec: RunSpec, *rest: object, **options: object) -> object:
        seeds.append(spec.seed)
        return train(spec, *rest, **options)

    work_in(tmp_path, monkeypatch)
    monkeypatch.setattr(afresh, "train", counted)
    return seeds


def test_an_interrupted_audit_goes_on_and_an_ended_one_leaves_nothing(
    trained: list[int], tmp_path: Path
) -> None:
    fresh = afresh.train_all(SPECS[:2], workers=1)
    first = next(fresh)
    fresh.close()
    found = list(afresh.train_all(SPECS, workers=1))
    assert trained.count(0) == 1
    assert contents(found[0]) == contents(first)
    assert [contents(run) for run in found] == [contents(train(spec)) for spec in SPECS]
    afresh.forget(SPECS)
    assert not list((tmp_path / ".qagrel" / "audit").glob("*.npz"))


def test_what_the_pipeline_keeps_is_not_taken_for_trained(trained: list[int]) -> None:
    sweep.run(SPECS[0])
    list(afresh.train_all(SPECS[:1]))
    assert trained == [0]


def test_a_damaged_run_of_an_interrupted_audit_is_trained_again_which_is_said(
    trained: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    list(afresh.train_all(SPECS[:1]))
    (path,) = Path(".qagrel/audit").glob("*.npz")
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    list(afresh.train_all(SPECS[:1]))
    assert (trained, path.read_bytes()) == ([0, 0], whole)
    said = capsys.readouterr().err
    assert said.startswith(f"qagrel: {path} is damaged")
    assert said.endswith(": it is trained again\n")
    assert said.count("\n") == 1


def test_a_part_of_a_run_is_not_kept(trained: list[int], tmp_path: Path) -> None:
    (part,) = afresh.train_all(SPECS[:1], n_epochs=2)
    assert (part.status, part.n_epochs) == ("stopped", 2)
    assert (trained, list(tmp_path.rglob("*.npz"))) == ([0], [])
    assert results.epoch_table(part).equals(results.epoch_table(train(SPECS[0])).head(2))
