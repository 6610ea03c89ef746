"""Whatever the machine is like: streams, signals, temporary folders, homes and variables.

What is true of one machine and one moment changes neither a result nor the meaning of an exit code.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers import QAGREL, ROOT
from test_notebooks import write

from qagrel import InputError, datasets
from qagrel.replication import notebooks, results, scratch, sweep


def qagrel(*args: object, **variables: str | None) -> subprocess.CompletedProcess[bytes]:
    """Run a command in the project's folder, in an environment where None is not set."""
    environment = {**os.environ, **variables}
    return subprocess.run(
        [*QAGREL, *map(str, args)],
        cwd=ROOT,
        env={name: text for name, text in environment.items() if text is not None},
        capture_output=True,
        check=False,
    )


# --- streams ---------------------------------------------------------------------------------


@contextlib.contextmanager
def broken_pipe() -> Iterator[int]:
    """Give a pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        yield writer
    finally:
        os.close(writer)


@pytest.mark.parametrize(
    "args",
    [["--help"], ["audit", "--help"], ["data", "info", "digits"], ["audit", "--rows", "1"]],
    ids=" ".join,
)
def test_a_reader_that_is_gone_is_no_difference(args: list[str]) -> None:
    with broken_pipe() as writer:
        done = subprocess.run([*QAGREL, *args], cwd=ROOT, stdout=writer, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (141, b"")


def errors_to_a_broken_pipe(command: list[str]) -> int:
    with broken_pipe() as writer:
        return subprocess.run(command, stderr=writer).returncode


def errors_by_shell(where: str) -> Callable[[list[str]], int]:
    return lambda command: subprocess.run(["sh", "-c", f'"$@" {where}', "sh", *command]).returncode


@pytest.mark.parametrize(
    "call",
    [errors_to_a_broken_pipe, *map(errors_by_shell, ("2>&-", "2>/dev/full", "2</dev/null"))],
    ids=["broken pipe", "closed", "full", "read-only"],
)
@pytest.mark.parametrize(
    ("args", "code"), [(["trian"], 2), (["predict", "nowhere"], 2), (["--version"], 0)]
)
def test_whatever_becomes_of_errors_the_exit_code_still_tells(
    call: Callable[[list[str]], int], args: list[str], code: int
) -> None:
    assert call([*QAGREL, *args]) == code


def test_a_full_disk_under_the_output_is_no_difference() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*QAGREL, "data", "info", "digits"], stdout=full, stderr=-1)
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)


ENCODINGS: dict[str, dict[str, str]] = {
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "no locale": {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_letter_that_a_terminal_lacks_is_shown_by_its_number(
    idx_folder: Callable[..., Path], tmp_path: Path, encoding: str
) -> None:
    odd = idx_folder().rename(tmp_path / "−ü α 中")
    for args in (["data", "info", odd], ["data", "verify", odd], ["predict", odd / "a.npz"]):
        done = qagrel(*args, **ENCODINGS[encoding])
        assert done.returncode == (2 if args[0] == "predict" else 0), done.stderr
        assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_help_is_shown_in_any_encoding(encoding: str) -> None:
    for command in ([], ["train"], ["audit"], ["notebook"], ["data", "fetch"]):
        assert qagrel(*command, "--help", **ENCODINGS[encoding]).returncode == 0


# --- signals ---------------------------------------------------------------------------------


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not come"
        time.sleep(0.02)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_who_is_told_to_end_says_what_is_kept(
    idx_folder: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    options = "--hidden 5 --validation-size 10 --batch-size 10 --max-epochs 1000000"
    args = ["train", "--dataset", str(idx_folder()), *options.split(), "--stop-checks", "0"]
    command = [*QAGREL, *args, "--out", str(tmp_path / "out")]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        wait_for(tmp_path / "out")
        process.send_signal(getattr(signal, name))
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.strip().startswith(b"qagrel: stopped")
    assert errors.strip().count(b"\n") == 0


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_what_a_signal_leaves_half_built_says_nothing(name: str) -> None:
    code = (
        "import signal; from qagrel import process\n"
        "class Bar:\n"
        f"    def __init__(self): signal.raise_signal(signal.{name}); self.width = 1\n"
        "    def __del__(self): self.width\n"
        "process.stop_on_signals()\n"
        "try: Bar()\n"
        "except KeyboardInterrupt: pass\n"
        "else: raise SystemExit('it was not stopped')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    code = (
        "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); from qagrel import cli\n"
        "try: cli.main(['--version'])\n"
        "finally: print(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.endswith(b"True\n")


# --- temporary folders -----------------------------------------------------------------------


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only place for temporary folders that there is, empty."""
    place = tmp_path / "t"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    monkeypatch.setattr(scratch, "SHORT", ())
    return place


def test_a_temporary_folder_goes_with_its_context(temporary: Path) -> None:
    with contextlib.suppress(ZeroDivisionError), scratch.folder() as folder:
        (folder / "inner").mkdir()
        assert list(temporary.iterdir()) == [folder]
        raise ZeroDivisionError
    assert list(temporary.iterdir()) == []


def test_the_folder_of_a_killed_process_is_removed_by_the_next(temporary: Path) -> None:
    code = (
        "import os, signal; from qagrel.replication import scratch\n"
        "with scratch.folder() as folder:\n"
        "    (folder / 'inner').mkdir()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = {**os.environ, "TMPDIR": str(temporary)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    assert (done.returncode, len(list(temporary.iterdir()))) == (-signal.SIGKILL, 1)
    with scratch.folder() as folder:
        assert list(temporary.iterdir()) == [folder]


def test_folders_of_others_are_left_alone(temporary: Path) -> None:
    for name in ("qagrel-baseline", "qagrel-empty", "elsewhere"):
        (temporary / name).mkdir()
    (temporary / "qagrel-baseline" / "results").touch()
    (temporary / "elsewhere" / scratch.LOCK).touch()
    with scratch.folder() as first, scratch.folder():
        assert first.exists()
    assert len(list(temporary.iterdir())) == 3
    assert (temporary / "qagrel-baseline" / "results").exists()


@pytest.mark.parametrize("name", ["x" * 83, "x" * 110, "x" * 250, "ü" * 60])
def test_sockets_go_to_another_place_where_the_usual_one_is_too_deep(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    deep = temporary / name
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with pytest.raises(InputError, match="with a short path, in TMPDIR"), scratch.folder(True):
        pass
    with scratch.folder() as folder:  # no sockets: there
        assert folder.parent == deep
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        monkeypatch.setattr(scratch, "SHORT", (short,))
        with scratch.folder(for_sockets=True) as folder:
            assert folder.parent == Path(short)
    assert list(deep.iterdir()) == []


def test_no_place_for_temporary_folders_is_told(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(temporary / "gone"))
    with pytest.raises(InputError, match="no temporary folder can be made in"), scratch.folder():
        pass


def test_one_module_makes_all_temporary_folders() -> None:
    makers = [
        path.name
        for path in (ROOT / "qagrel").rglob("*.py")
        if "mkdtemp" in path.read_text() or "TemporaryDirectory" in path.read_text()
    ]
    assert makers == ["scratch.py"]


# --- notebooks -------------------------------------------------------------------------------

PARAMETERS = 'profile: str = "digits"  # a profile\noutput_dir: str = "."  # a folder'
NOTES = """
import logging, sys, warnings
logging.getLogger("library").warning("building the font cache")
warnings.warn("no home")
import matplotlib.font_manager
print("result")
"""


def executed(folder: Path, source: str, **variables: str | None) -> bytes:
    """Return a notebook that the command executed; what it says must be one line."""
    output = folder / "executed.ipynb"
    path = write(folder / "a.ipynb", source, parameters=PARAMETERS)
    done = qagrel("notebook", path, "--output", output, **variables)
    assert (done.returncode, done.stdout) == (0, f"wrote {output}\n".encode()), done.stderr
    return output.read_bytes()


def test_what_a_machine_makes_libraries_say_is_not_in_an_executed_notebook(tmp_path: Path) -> None:
    usual = executed(tmp_path, NOTES)
    (tmp_path / "home").mkdir()
    temporary = tmp_path / ("x" * 90)
    temporary.mkdir()
    for variables in (
        {"HOME": str(tmp_path / "home"), "MPLCONFIGDIR": None, "XDG_CACHE_HOME": None},
        {"HOME": "/proc/nowhere", "TMPDIR": str(temporary), "PYTHONWARNINGS": "always"},
    ):
        assert executed(tmp_path, NOTES, **variables) == usual
    assert list(temporary.iterdir()) == []


def test_a_user_without_a_home_gets_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    def home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", home)
    assert notebooks._plain_text(f"{sys.prefix}/x") == "<environment>/x"


@pytest.mark.parametrize(
    ("cell", "error"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", InputError),
        ("import os; os._exit(0)", InputError),
        ("raise MemoryError('no room')", MemoryError),
        ("raise KeyboardInterrupt", KeyboardInterrupt),
    ],
)
def test_the_end_of_the_process_that_runs_the_cells_is_told_in_a_sentence(
    tmp_path: Path, temporary: Path, cell: str, error: type[BaseException]
) -> None:
    path = write(tmp_path / "a.ipynb", cell, parameters=PARAMETERS)
    with pytest.raises(error, match=r"a: the process that runs its cells was killed|no room|^$"):
        notebooks.run(path, {}, tmp_path / "out.ipynb")
    assert not (tmp_path / "out.ipynb").exists()
    assert list(temporary.iterdir()) == []


def test_a_process_that_ends_before_the_first_cell_is_told_in_a_sentence(tmp_path: Path) -> None:
    code = "import os, sys\nif any('ipykernel' in a for a in sys.orig_argv): os._exit(9)"
    (tmp_path / "sitecustomize.py").write_text(code)
    path = write(tmp_path / "a.ipynb", "1", parameters=PARAMETERS)
    done = qagrel("notebook", path, "--output", tmp_path / "b.ipynb", PYTHONPATH=str(tmp_path))
    assert done.returncode == 2
    assert b"was killed" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_notebook_that_is_told_to_end_leaves_nothing(tmp_path: Path, name: str) -> None:
    temporary, begun = tmp_path / "t", tmp_path / "begun"
    temporary.mkdir()
    cell = f"import pathlib, time; pathlib.Path({str(begun)!r}).touch(); time.sleep(600)"
    path = write(tmp_path / "a.ipynb", cell, parameters=PARAMETERS)
    command = [*QAGREL, "notebook", str(path), "--output", str(tmp_path / "b.ipynb")]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE) as process:
        wait_for(begun)
        process.send_signal(getattr(signal, name))
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"qagrel: stopped" in errors
    assert b"Traceback" not in errors
    assert list(temporary.iterdir()) == []


# --- variables -------------------------------------------------------------------------------

PLACES: dict[str, tuple[Callable[[], Path], str]] = {
    "QAGREL_DATA_DIR": (datasets.data_dir, "data"),
    "QAGREL_STATE_DIR": (lambda: sweep.state_folder().parent, ".qagrel"),
    "QAGREL_RESULTS_DIR": (lambda: results.results_folder("digits").parent, "results"),
}


@pytest.mark.parametrize("variable", PLACES)
def test_a_variable_names_a_folder(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place, default = PLACES[variable]
    monkeypatch.setenv("HOME", "/home/me")
    for value, folder in {
        "": default,
        "elsewhere": "elsewhere",
        "/else/where": "/else/where",
        "~": "/home/me",
        "~/x": "/home/me/x",
        "a~b": "a~b",
    }.items():
        monkeypatch.setenv(variable, value)
        assert place() == Path(folder)
    monkeypatch.delenv(variable)
    assert place() == Path(default)


@pytest.mark.parametrize("variable", PLACES)
def test_a_home_that_nobody_knows_is_refused(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "~nobody-of-that-name/x")
    with pytest.raises(InputError, match=f"^{variable}: '~nobody-.* write the path out$"):
        PLACES[variable][0]()


def test_every_variable_of_ours_is_read_in_one_way() -> None:
    read = {
        variable
        for path in (ROOT / "qagrel").rglob("*.py")
        for variable in re.findall(r'"(QAGREL_\w+)"', path.read_text())
    }
    assert read == set(PLACES)
    assert not [
        path
        for path in (ROOT / "qagrel").rglob("*.py")
        if re.search(r"environ.*QAGREL_", path.read_text())
    ]


# --- make ------------------------------------------------------------------------------------


def test_make_refuses_an_environment_of_another_python(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").write_text("#!/bin/sh\necho 3.99\n")
    (tmp_path / "bin" / "python").chmod(0o755)
    (tmp_path / ".complete").touch()
    command = ["make", "setup", f"VENV={tmp_path}", f"PYTHON={sys.executable}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"make: {tmp_path} has Python 3.99" in done.stderr
    assert f"VENV=.venv-{sys.version_info.major}.{sys.version_info.minor}" in done.stderr
