"""Run a notebook with other parameters, to the same bytes every time.

papermill runs the cells; what it leaves to chance is put right here, before and after.  It only
warns of a parameter that a notebook does not have, and takes any type: `run` refuses both before
anything runs.  It needs a registered kernel, and leaves files in the user's home: the kernel here
is always this very interpreter, and its files live in a temporary folder.  It records times and
identifiers: `normalise` removes whatever would differ between two runs with equal results.

A notebook declares its parameters in one cell with the tag ``parameters``, each on a line
``name: type = default  # meaning``.
"""

import ast
import contextlib
import copy
import io
import itertools
import json
import os
import re
import sys
import tokenize
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from qagrel import store
from qagrel.errors import InputError
from qagrel.replication import scratch
from qagrel.spec import nearest
from qagrel.store import StrPath

if TYPE_CHECKING:
    from jupyter_client.manager import AsyncKernelManager
    from nbformat import NotebookNode

FOLDER = Path("notebooks")  # in the working directory, like the data
TYPES = {"bool": bool, "int": int, "float": float, "str": str, "list[int]": list[int]}
NOTHING = ("none", "null", "~")  # Python's word for it, and YAML's
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
PAPERMILL_KERNEL = {"kernel_name": KERNEL["name"], "language": KERNEL["language"]}
# What a cell raises that whoever called for the notebook can put right, or wanted.
TOLD: dict[str, type[BaseException]] = {
    error.__name__: error for error in (InputError, KeyboardInterrupt, MemoryError)
}
ANSI_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class NotebookError(RuntimeError):
    """A cell failed; the message holds its traceback."""


# --- parameters -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Parameter:
    """One entry of a parameters cell.

    Attributes
    ----------
    kind : its type as it is written there: a name of `TYPES`, with `` | None`` where it may be
        left open.
    default : the value it has there.
    meaning : the comment behind it.
    """

    name: str
    kind: str
    default: Any
    meaning: str

    def check(self, value: Any) -> Any:
        """The value, where it is of the right type (InputError otherwise); a tuple is a list."""
        value = list(value) if isinstance(value, tuple) else value
        kind: Any = TYPES[self._base]
        try:
            return TypeAdapter(kind | None if self._is_optional else kind).validate_python(
                value, strict=True
            )
        except ValidationError:
            raise self._refusal(value) from None

    def parse(self, text: str) -> Any:
        """The value that a text stands for: ``0.5``, ``300,100``, ``null``; or InputError."""
        if self._is_optional and text.strip().lower() in NOTHING:
            return None
        given = text.strip("[] ").split(",") if self._base == "list[int]" else text
        try:
            return TypeAdapter(TYPES[self._base]).validate_python(given)
        except ValidationError:
            raise self._refusal(text) from None

    @property
    def _base(self) -> str:
        return self.kind.removesuffix(" | None")

    @property
    def _is_optional(self) -> bool:
        return self.kind != self._base

    def _refusal(self, value: Any) -> InputError:
        return InputError(f"{self.name}: {value!r} is not of type {self.kind} ({self.meaning})")


def parameters(name_or_path: StrPath) -> dict[str, Parameter]:
    """The parameters of a notebook by name, in the order of its parameters cell.

    Raises
    ------
    InputError
        When there is no such notebook, or its parameters cell is not of the form expected.
    """
    path = find(name_or_path)
    return _declared(path, _read(path))


def _declared(path: Path, notebook: "NotebookNode") -> dict[str, Parameter]:
    tagged = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) != 1:
        raise InputError(f"{path}: {len(tagged)} cells have the tag 'parameters': tag one")
    source = tagged[0].source
    try:
        lines = ast.parse(source).body
        comments = _comments(source)
        declared = [_parameter(line, comments) for line in lines]
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        fault = str(error) or "too complex"
        raise InputError(
            f"{path}, parameters cell: {fault}: write each as 'name: type = default  # meaning', "
            f"where the type is one of {', '.join(TYPES)}, or that and '| None'"
        ) from None
    return {parameter.name: parameter for parameter in declared}


def _parameter(line: ast.stmt, comments: Mapping[int, str]) -> Parameter:
    if not (isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and line.value):
        raise ValueError(f"line {line.lineno} is no declaration of a parameter")
    kind = ast.unparse(line.annotation)
    if kind.removesuffix(" | None") not in TYPES:
        raise ValueError(f"line {line.lineno} has the unknown type {kind}")
    try:
        default = ast.literal_eval(line.value)
    except (MemoryError, RecursionError, SyntaxError, TypeError, ValueError):
        raise ValueError(f"line {line.lineno} has a default that is no plain value") from None
    meaning = comments.get(line.end_lineno or line.lineno)
    if meaning is None:
        raise ValueError(f"line {line.lineno} has no comment that explains it")
    return Parameter(line.target.id, kind, default, meaning)


def _comments(source: str) -> dict[int, str]:
    """The comment of each line that has one."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {t.start[0]: t.string.lstrip("# ") for t in tokens if t.type == tokenize.COMMENT}


def parse(name_or_path: StrPath, texts: Mapping[str, str]) -> dict[str, Any]:
    """Values of a notebook's parameters from texts, as a command line gives them.

    Raises
    ------
    InputError
        When the notebook has no such parameter, or a text is not of its type.
    """
    path = find(name_or_path)
    declared = _declared(path, _read(path))
    return {name: _known(path, declared, name).parse(text) for name, text in texts.items()}


def _checked(
    path: Path, declared: Mapping[str, Parameter], given: Mapping[str, Any]
) -> dict[str, Any]:
    """The values given, in the order of the parameters cell, where all are known and fit."""
    checked = {name: _known(path, declared, name).check(value) for name, value in given.items()}
    return {name: checked[name] for name in declared if name in checked}


def _known(path: Path, declared: Mapping[str, Parameter], name: str) -> Parameter:
    if name not in declared:
        raise InputError(
            f"{path.stem} has no parameter {name!r}{nearest(name, declared)}: "
            f"it has {', '.join(declared)}"
        )
    return declared[name]


# --- running --------------------------------------------------------------------------------


def run(name_or_path: StrPath, parameters: Mapping[str, Any], output: StrPath) -> None:
    """Run a notebook and write it, executed and normalised, to a file.

    What the cells write to stderr, progress for example, is shown while they run, and not kept.

    Parameters
    ----------
    name_or_path : a notebook of the folder ``notebooks``, by its name or the beginning of it
        (``fig4``), or the path of any other.
    parameters : values that take the place of defaults; see `parameters` for what there is.
    output : where the executed notebook goes; written only when every cell has succeeded.

    Raises
    ------
    InputError
        When the notebook, a parameter or the output cannot be used, which is said before
        anything runs; when a cell raised an InputError itself; and when the process that runs
        the cells was killed.
    KeyboardInterrupt, MemoryError
        When a cell did.
    NotebookError
        When a cell failed in another way.
    """
    import nbformat

    path = find(name_or_path)
    source = _read(path)
    values = _checked(path, _declared(path, source), parameters)
    target = Path(output)
    if target.is_dir() or (target.exists() and target.samefile(path)):
        raise InputError(f"{target} is a folder or the notebook itself: name another file")
    executed = normalise(_execute(path.stem, source, values))
    store.write_text(target, nbformat.writes(executed) + "\n")  # type: ignore[no-untyped-call]


def check_free(
    name_or_path: StrPath, parameters: Mapping[str, Any], output: Path, force: bool = False
) -> None:
    """Refuse to replace files by a run, before it begins, unless by `force` (InputError).

    What the same notebook with the same parameters left may be replaced: it comes out the same.
    """
    path = find(name_or_path)
    source = _read(path)
    values = _checked(path, _declared(path, source), parameters)
    if not force and _is_run_of(output, source, values):
        return
    store.check_free(output, "--output", force)
    for picture in _taken(source, Path(values["output_dir"])):
        store.check_free(picture, "folder to --output", force)


def _is_run_of(path: Path, source: "NotebookNode", values: Mapping[str, Any]) -> bool:
    """Whether a file is this notebook, executed with these parameters."""
    try:
        executed = _read(path)
    except InputError:
        return False
    return _code(executed) == _code(_parameterised(source, values))


def _code(notebook: "NotebookNode") -> list[str]:
    return [cell.source for cell in notebook.cells]


def _taken(source: "NotebookNode", folder: Path) -> list[Path]:
    """The files in a folder that a notebook writes there: its code names them by `output_dir`."""
    code = [cell.source for cell in source.cells if cell.cell_type == "code"]
    names = set().union(*(_names_beside_output_dir(_parsed(text)) for text in code))
    found = (path for path in sorted(folder.glob("*")) if names & {path.name, path.stem})
    return [path for path in found if path.suffix != ".ipynb"]


def _names_beside_output_dir(code: ast.AST) -> set[Any]:
    """The constants in the calls and paths that are made with `output_dir`."""
    names: set[Any] = set()
    for node in ast.walk(code):
        parts = list(ast.walk(node)) if isinstance(node, ast.BinOp | ast.Call) else []
        if any(isinstance(part, ast.Name) and part.id == "output_dir" for part in parts):
            names |= {part.value for part in parts if isinstance(part, ast.Constant)}
    return names


def _parsed(code: str) -> ast.AST:
    try:
        return ast.parse(code)
    except SyntaxError:  # a command of IPython, or a mistake that running it will show
        return ast.Module([], [])


def find(name_or_path: StrPath) -> Path:
    """The path of a notebook by its name, by the beginning of its name, or by its path."""
    given = Path(name_or_path)
    if given.suffix == ".ipynb" and given.is_file():
        return given
    known = {path.stem: path for path in sorted(FOLDER.glob("*.ipynb"))}
    name = os.fspath(name_or_path)
    matches = [known[name]] if name in known else [p for n, p in known.items() if _begins(n, name)]
    if len(matches) != 1:
        raise InputError(
            f"there is no notebook {name!r}{nearest(name, known)}: "
            f"in the folder {str(FOLDER)!r} there are {', '.join(known) or 'none'}"
        )
    return matches[0]


def _begins(name: str, beginning: str) -> bool:
    return bool(beginning) and name.startswith(beginning)


def _read(path: Path) -> "NotebookNode":
    import nbformat

    content = store.read_json(path)
    try:
        with warnings.catch_warnings(action="error", category=FutureWarning):
            nbformat.validate(content)  # which makes up identifiers of cells, and warns of it
    except (
        *(nbformat.ValidationError, FutureWarning),
        *(AssertionError, AttributeError, KeyError, TypeError),
    ) as error:
        sentence = (str(error) or "of no known version").splitlines()[0]
        raise InputError(f"{path} is not a notebook ({sentence}): restore it") from None
    text = json.dumps(content)
    notebook: NotebookNode = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]
    return notebook


def _execute(name: str, source: "NotebookNode", values: dict[str, Any]) -> "NotebookNode":
    """The notebook with the outputs of its cells, all of which succeeded."""
    import papermill

    notebook = _parameterised(source, values)
    with scratch.folder(for_sockets=True) as folder:
        try:
            executed: NotebookNode = papermill.execute_notebook(
                notebook,
                None,
                **PAPERMILL_KERNEL,
                kernel_manager_class=_kernel_of_this_interpreter(folder),
                shutdown_kernel="immediate",  # nothing is left to do by then
                progress_bar=False,
                stderr_file=sys.stderr,
            )
            return executed
        except papermill.PapermillExecutionError as error:
            if told := TOLD.get(error.ename):
                raise told(error.evalue) from None
            traceback = ANSI_COLOUR.sub("", "\n".join(error.traceback))
            raise NotebookError(f"{name}, cell {error.exec_count}:\n{traceback}") from None
        except RuntimeError as error:
            if not str(error).startswith("Kernel died"):  # at its start, or later
                raise
            raise InputError(
                f"{name}: the process that runs its cells was killed, as happens where memory is "
                "short, or crashed: make room, and give the same command again"
            ) from None


def _parameterised(source: "NotebookNode", values: Mapping[str, Any]) -> "NotebookNode":
    """The notebook with a cell that sets these parameters, where there are any."""
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    notebook: NotebookNode = load_notebook_node(copy.deepcopy(source))
    if values:
        notebook = parameterize_notebook(notebook, dict(values), **PAPERMILL_KERNEL)
    return notebook


def _kernel_of_this_interpreter(folder: Path) -> type["AsyncKernelManager"]:
    """A kind of kernel that needs no registration, and keeps its files and sockets in `folder`."""
    from ipykernel.kernelspec import get_kernel_dict
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    homes = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    environment = {variable: str(folder / variable.lower()) for variable in homes}
    environment["TMPDIR"] = str(folder)  # it is killed in the end, and clears nothing up
    specification = folder / KERNEL["name"] / "kernel.json"
    specification.parent.mkdir()
    specification.write_text(json.dumps({**get_kernel_dict(), "env": environment}))

    class Manager(AsyncKernelManager):
        def __init__(self, **options: Any) -> None:
            super().__init__(
                **options,
                kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(folder)]),
                connection_file=str(folder / "connection.json"),
                transport="ipc",  # sockets in the folder: no port that another may take
                ip=str(folder / "socket"),
            )

    return Manager


# --- the same bytes -------------------------------------------------------------------------


def normalise(notebook: "NotebookNode") -> "NotebookNode":
    """A copy of an executed notebook without what differs between runs of equal results.

    Removed: times and other records of papermill, identifiers of injected cells, addresses of
    objects, progress displays, the borders between pieces of one stream, paths of this machine,
    the kernel's version, and what was written to stderr: notes of libraries on fonts or folders,
    of ours on runs that are kept, tell of a machine and a moment.
    """
    import nbformat

    notebook = copy.deepcopy(notebook)
    notebook.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    for number, cell in enumerate(notebook.cells):
        tags = cell.metadata.get("tags")
        if tags == ["injected-parameters"]:
            cell.id = f"injected-{number}"
        cell.metadata = {"tags": tags} if tags else {}
        if cell.cell_type == "code":
            cell.outputs = [_portable(output) for output in _joined(cell.outputs)]
    normal: NotebookNode = nbformat.from_dict(notebook)  # type: ignore[no-untyped-call]
    return normal


def _joined(outputs: Iterable[Any]) -> list[Any]:
    """The outputs with neighbouring pieces of a stream made one, and progress displays left out."""
    joined: list[Any] = []
    for are_streams, group in itertools.groupby(outputs, lambda o: o.output_type == "stream"):
        pieces = list(group)
        joined += _streams(pieces) if are_streams else itertools.filterfalse(_is_widget, pieces)
    return joined


def _streams(pieces: Iterable[Any]) -> list[Any]:
    """What was written to stdout."""
    text = _without_progress("".join(piece.text for piece in pieces if piece.name == "stdout"))
    return [{"output_type": "stream", "name": "stdout", "text": text}] if text else []


def _without_progress(text: str) -> str:
    """The lines of a text that nothing overwrote."""
    return "".join(line for line in re.findall(r"[^\n]*\n|[^\n]+", text) if not _overwritten(line))


def _overwritten(line: str) -> bool:
    return "\r" in line.removesuffix("\r\n") or "\x1b[A" in line


def _is_widget(output: Any) -> bool:
    return "application/vnd.jupyter.widget-view+json" in output.get("data", {})


def _portable(output: Any) -> Any:
    """The output, its texts without addresses and paths of this machine."""
    if output["output_type"] == "stream":
        return {**output, "text": _plain_text(output["text"])}
    data = {
        kind: _plain_text(text) if kind.startswith("text/") else text
        for kind, text in output["data"].items()
    }
    return {**output, "data": data}


def _plain_text(text: str) -> str:
    text = re.sub(r" at 0x[0-9a-fA-F]+", "", text)
    text = re.sub(r"\S*ipykernel_\d+/\d+\.py", "<cell>", text)
    folders = {Path(sys.prefix): "<environment>", Path.cwd(): "."}
    with contextlib.suppress(RuntimeError):  # nobody knows the user's home, which may be none
        folders[Path.home()] = "~"
    for folder, name in folders.items():
        if folder != Path(folder.anchor):
            text = re.sub(rf"{re.escape(str(folder))}(?![\w.-])", name, text)
    return text
