"""Files that a user names by --out, --output or --into are not replaced unasked."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from helpers import Ended

import qagrel
from qagrel import cli, datasets, history, store, sweep, training
from qagrel.replication import commands, notebooks

ROOT = Path(__file__).parents[1]
IMAGES = "train-images-idx3-ubyte"
FIGURES = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))

Run = Callable[..., Ended]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the test works; MNIST is not there, and no hash takes time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QAGREL_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(sweep, "fingerprint", lambda: "0123abcd")
    return tmp_path


def is_refused(ended: Ended, beginning: str) -> bool:
    return ended.code == 2 and ended.err.count("\n") == 1 and ended.err.startswith(beginning)


# --- what is known before it is written ------------------------------------------------------

WRITERS = {  # commands, and a file that each of them writes
    "data info": (["data", "info", "digits", "--out", "new/f"], "new/f"),
    "fingerprint": (["fingerprint", "--out", "new/f"], "new/f"),
    "data fetch": (["data", "fetch", "digits", "--into", "new"], f"new/{IMAGES}"),
}
writers = pytest.mark.parametrize(("command", "name"), WRITERS.values(), ids=WRITERS)


@writers
def test_other_content_is_refused(folder: Path, run: Run, command: list[str], name: str) -> None:
    (folder / "new").mkdir()
    (folder / name).write_text("mine")
    ended = run(*command)
    expected = f"qagrel: {name} is there: give another {command[-2]}, or --force to replace it\n"
    assert (ended.code, ended.out, ended.err) == (2, "", expected)
    assert [path.read_text() for path in (folder / "new").iterdir()] == ["mine"]


@writers
def test_the_same_content_passes_and_is_not_written(
    folder: Path, run: Run, command: list[str], name: str
) -> None:
    assert run(*command).code == 0
    os.utime(folder / name, (0, 0))
    assert run(*command).code == 0
    assert (folder / name).stat().st_mtime == 0


@writers
def test_other_content_is_replaced_by_force(
    folder: Path, run: Run, command: list[str], name: str
) -> None:
    run(*command)
    content = (folder / name).read_bytes()
    (folder / name).write_text("mine")
    assert run(*command, "--force").code == 0
    assert (folder / name).read_bytes() == content


@writers
@pytest.mark.parametrize("force", [[], ["--force"]], ids=["", "force"])
def test_a_folder_for_a_file_is_one_sentence(
    folder: Path, run: Run, command: list[str], name: str, force: list[str]
) -> None:
    (folder / name).mkdir(parents=True)
    assert is_refused(run(*command, *force), f"qagrel: {name} cannot be written (it is a folder)")


@writers
@pytest.mark.parametrize("force", [[], ["--force"]], ids=["", "force"])
def test_a_link_is_not_followed_nor_replaced(
    folder: Path, run: Run, command: list[str], name: str, force: list[str]
) -> None:
    (folder / "new").mkdir()
    (folder / name).symlink_to(folder / "mine")
    assert is_refused(
        run(*command, *force), f"qagrel: {name} is a link: give another {command[-2]}"
    )
    assert (folder / name).is_symlink()


@writers
@pytest.mark.parametrize("force", [[], ["--force"]], ids=["", "force"])
def test_a_pipe_or_a_device_is_not_replaced(
    folder: Path, run: Run, command: list[str], name: str, force: list[str]
) -> None:
    (folder / "new").mkdir()
    os.mkfifo(folder / name)
    assert is_refused(
        run(*command, *force), f"qagrel: {name} cannot be written (it is no ordinary file)"
    )
    assert (folder / name).is_fifo()


def test_a_file_for_a_folder_is_one_sentence(folder: Path, run: Run) -> None:
    (folder / "file").write_text("mine")
    ended = run("data", "fetch", "digits", "--into", "file")
    assert is_refused(ended, "qagrel: file is a file: give a folder to --into")


def test_nothing_is_written_where_one_of_several_files_is_there(folder: Path, run: Run) -> None:
    (folder / "new").mkdir()
    (folder / "new" / "t10k-labels-idx1-ubyte").write_text("mine")
    assert run("data", "fetch", "digits", "--into", "new").code == 2
    assert len(list((folder / "new").iterdir())) == 1


def test_whatever_writes_a_file_replaces_no_pipe(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    with pytest.raises(qagrel.InputError, match="no ordinary file"):
        store.write_text("pipe", "text")
    assert (folder / "pipe").is_fifo()


@pytest.fixture
def both(idx_folder: Callable[..., Path], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tiny data set in the place of MNIST."""
    (folder / "data").mkdir()
    idx_folder().rename(folder / "data" / "mnist")
    monkeypatch.setitem(datasets.CHECKSUMS, "mnist", datasets.verify("data/mnist"))


@pytest.mark.usefixtures("both")
def test_without_a_name_json_is_one_object(folder: Path, run: Run) -> None:
    ended = run("data", "info", "--json")
    assert run("data", "info", "--out", "all.json").code == 0
    described = store.read_json("all.json")
    assert described == {
        name: datasets.describe(qagrel.load_dataset(name)) for name in ("digits", "mnist")
    }
    (folder / "printed.json").write_text(ended.out)
    assert store.read_json("printed.json") == described


def test_without_a_name_nothing_is_written_of_what_is_not_complete(folder: Path, run: Run) -> None:
    for option in (["--json"], ["--out", "all.json"]):
        ended = run("data", "info", *option)
        assert is_refused(ended, "qagrel: ")
        assert ended.out == ""
    assert list(folder.iterdir()) == []


# --- training --------------------------------------------------------------------------------

TRAIN = ["train", "--dataset", "digits", "--hidden", "4", "--validation-size", "100"]


def test_a_file_that_came_while_it_trained_is_kept(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = training.train

    def slowly(*args: object, **options: object) -> object:
        (folder / "out" / "run.csv").write_text("mine")
        return train(*args, **options)

    monkeypatch.setattr(training, "train", slowly)
    ended = run(*TRAIN, "--max-epochs", "1", "--out", "out")
    assert is_refused(ended, "qagrel: out/run.csv is there: give another --out")
    assert "test accuracy" in ended.out
    assert [path.name for path in (folder / "out").iterdir()] == ["run.csv"]


@pytest.mark.parametrize("force", [[], ["--force"]], ids=["", "force"])
def test_two_at_once_do_not_train_into_one_place(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch, force: list[str]
) -> None:
    """The second begins while the first is about to save its run, in another process."""
    done: list[subprocess.CompletedProcess[str]] = []
    save = history.save
    second = [sys.executable, "-m", "qagrel", *TRAIN, "--seed", "1", "--max-epochs", "1"]

    def slowly(*args: object) -> None:
        command = [*second, "--out", "out", *force]
        done.append(subprocess.run(command, capture_output=True, text=True))
        save(*args)

    monkeypatch.setattr(history, "save", slowly)
    first = run(*TRAIN, "--max-epochs", "1", "--out", "out", "--record-batches", *force)
    assert (first.code, done[0].returncode, done[0].stdout) == (0, 2, "")
    assert done[0].stderr == (
        "qagrel: another process is about to write out/run.npz: give another --out, or wait for "
        "it\n"
    )
    assert qagrel.load("out/run.npz").spec.seed == 0
    names = {path.name for path in (folder / "out").iterdir()}
    assert names == {"run.npz", "run.csv", "run-batches.csv"}


def test_a_claim_ends_with_its_process(folder: Path) -> None:
    code = "import os, qagrel\nfrom pathlib import Path\n"
    code += "with qagrel.store.claimed(Path('run.npz'), '--out'): os._exit(9)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 9
    with store.claimed(Path("run.npz"), "--out"):
        pass
    assert list(folder.iterdir()) == []


@pytest.mark.usefixtures("folder")
def test_of_many_that_claim_a_place_one_has_it() -> None:
    inside: list[int] = []
    begin = threading.Barrier(8)

    def claim(number: int) -> None:
        begin.wait()
        try:
            with store.claimed(Path("run.npz"), "--out"):
                inside.append(number)
                done.wait()
        except qagrel.InputError:
            pass

    done = threading.Event()
    threads = [threading.Thread(target=claim, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(0.5)
    done.set()
    for thread in threads:
        thread.join()
    assert len(inside) == 1


# --- notebooks -------------------------------------------------------------------------------


@pytest.fixture
def in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    """No cell is run: an executed notebook is its source with parameters."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(
        notebooks, "_execute", lambda _, source, values: notebooks._parameterised(source, values)
    )


def figure(output: Path, seed: str = "0", force: bool = False) -> Path:
    return commands.notebook("fig1", "digits", [("seed", seed)], output, force)


@pytest.mark.usefixtures("in_the_project")
@pytest.mark.parametrize("name", ["mine.ipynb", "mine.txt"])
def test_a_notebook_replaces_no_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(qagrel.InputError, match=f"{name} is there: give another --output"):
        figure(tmp_path / name)
    assert (tmp_path / name).read_text() == "mine"
    figure(tmp_path / name, force=True)
    assert (tmp_path / name).read_text() != "mine"


@pytest.mark.usefixtures("in_the_project")
def test_the_same_notebook_with_the_same_parameters_may_be_run_again(tmp_path: Path) -> None:
    figure(tmp_path / "a.ipynb")
    (tmp_path / "fig1_overview.svg").touch()
    figure(tmp_path / "a.ipynb")
    with pytest.raises(qagrel.InputError, match=r"a\.ipynb is there"):
        figure(tmp_path / "a.ipynb", seed="1")


@pytest.mark.usefixtures("in_the_project")
def test_pictures_of_another_notebook_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "fig1_overview.svg").write_text("mine")
    (tmp_path / "fig2_local_information.svg").write_text("another figure's")
    with pytest.raises(qagrel.InputError, match=r"overview\.svg is there: give another folder to"):
        figure(tmp_path / "a.ipynb")
    figure(tmp_path / "a.ipynb", force=True)


@pytest.mark.usefixtures("in_the_project")
@pytest.mark.parametrize("force", [False, True])
def test_a_folder_for_a_notebook_is_refused(tmp_path: Path, force: bool) -> None:
    with pytest.raises(qagrel.InputError, match="it is a folder"):
        figure(tmp_path, force=force)


@pytest.mark.parametrize("stem", FIGURES)
def test_all_files_that_a_notebook_writes_are_known_before(stem: str, tmp_path: Path) -> None:
    """By the pipelines, which DVC holds the notebooks to."""
    files = (ROOT / name for name in ("dvc.yaml", "beyond/dvc.yaml"))
    pipelines = [yaml.safe_load(path.read_text())["stages"] for path in files]
    stages = [(name, stage) for stages in pipelines for name, stage in stages.items()]
    (stage,) = (s for name, s in stages if stem in s.get("matrix", {}).get("figure", [name]))
    outs = {Path(next(iter(out)).replace("${item.figure}", stem)).name for out in stage["outs"]}
    for name in (*outs, "qagrel", "figure", "output_dir"):  # the last are only words of the code
        (tmp_path / name).touch()
    source = notebooks._read(ROOT / "notebooks" / f"{stem}.ipynb")
    taken = {path.name for path in notebooks._taken(source, tmp_path)}
    assert taken == outs - {f"{stem}.ipynb"}


@pytest.mark.parametrize("name", [name for name, _ in cli.main.commands.items()])
def test_every_command_that_is_named_a_file_has_force(name: str) -> None:
    group = cli.main.commands[name]
    for command in getattr(group, "commands", {name: group}).values():
        options = {option for param in command.params for option in param.opts}
        assert not options & {"--out", "--output", "--into"} or "--force" in options
