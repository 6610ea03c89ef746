"""Notebooks run with checked parameters, and come out as the same bytes every time."""

import copy
import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import pytest
from examples import beyond_results
from helpers import ROOT
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from qagrel import InputError, store
from qagrel.replication import notebooks
from qagrel.replication.experiments import read_params

NAMES = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))

PARAMETERS = """
seed: int = 0  # of everything random
learning_rate: float = 0.5  # alpha
hidden: list[int] | None = None  # units of each layer; none: the default
label: str = "a"  # a text
loud: bool = False  # a switch
"""

NOISE = """
import sys
from tqdm import tqdm
for _ in tqdm(range(3)):
    pass
print("seed", seed, "hidden", hidden, "label", label)
print("a warning", file=sys.stderr)
print(object(), sys.executable)
"""


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def write(path: Path, *sources: str, parameters: str = PARAMETERS) -> Path:
    cells = [new_markdown_cell("# A notebook")]
    cells += [new_code_cell(source.strip()) for source in (parameters, *sources)]
    cells[1].metadata["tags"] = ["parameters"]
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    path.write_text(nbformat.writes(new_notebook(cells=cells)))
    return path


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, list[Path]]:
    """Run a noisy notebook twice; return both results, and what that left in the user's home."""
    folder = tmp_path_factory.mktemp("executed")
    home = folder / "home"
    home.mkdir()
    noisy = write(folder / "noisy.ipynb", NOISE)
    results = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        for variable in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"):
            patch.delenv(variable, raising=False)
        for number, given in enumerate(
            [{"seed": 3, "hidden": (20, 10)}, {"hidden": [20, 10], "seed": 3}]
        ):
            output = folder / f"{number}.ipynb"
            notebooks.run(noisy, given, output)
            results.append(output.read_text())
    return results[0], results[1], list(home.iterdir())


# --- parameters -----------------------------------------------------------------------------


def test_parameters_are_read_with_type_default_and_meaning(tmp_path: Path) -> None:
    found = notebooks.parameters(write(tmp_path / "a.ipynb"))
    assert list(found) == ["seed", "learning_rate", "hidden", "label", "loud"]
    assert found["hidden"] == notebooks.Parameter(
        "hidden", "list[int] | None", None, "units of each layer; none: the default"
    )


GOOD = [
    ("seed", 3, 3),
    ("learning_rate", 1, 1.0),
    ("learning_rate", 0.1, 0.1),
    ("hidden", None, None),
    ("hidden", [300, 100], [300, 100]),
    ("hidden", (300, 100), [300, 100]),
    ("label", "b", "b"),
    ("loud", True, True),
]
BAD = [
    ("seed", 1.0),
    ("seed", True),
    ("seed", "1"),
    ("seed", None),
    ("learning_rate", "0.5"),
    ("learning_rate", [0.5]),
    ("hidden", 300),
    ("hidden", [300.0]),
    ("hidden", "300,100"),
    ("label", 1),
    ("loud", 1),
]


@pytest.mark.parametrize(("name", "value", "kept"), GOOD)
def test_values_of_the_right_type_are_taken(
    name: str, value: Any, kept: Any, tmp_path: Path
) -> None:
    checked = notebooks.parameters(write(tmp_path / "a.ipynb"))[name].check(value)
    assert checked == kept
    assert type(checked) is type(kept)


@pytest.mark.parametrize(("name", "value"), BAD)
def test_values_of_a_wrong_type_are_refused_before_anything_runs(
    name: str, value: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(notebooks, "_execute")
    with pytest.raises(InputError, match=rf"^{name}: .* is not of type "):
        notebooks.run(write(tmp_path / "a.ipynb"), {name: value}, tmp_path / "out.ipynb")


def test_an_unknown_parameter_is_refused_with_a_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(notebooks, "_execute")
    path = write(tmp_path / "a.ipynb")
    with pytest.raises(InputError, match="no parameter 'learningrate'; did you mean 'learning_"):
        notebooks.run(path, {"learningrate": 1.0}, tmp_path / "out.ipynb")


TEXTS = [
    ("seed", "3", 3),
    ("learning_rate", "1e-3", 0.001),
    ("hidden", "300,100", [300, 100]),
    ("hidden", "[300, 100]", [300, 100]),
    ("hidden", "none", None),
    ("hidden", "null", None),
    ("hidden", "Null", None),
    ("hidden", "~", None),
    ("label", "null", "null"),
    ("label", "none", "none"),
    ("loud", "true", True),
]


@pytest.mark.parametrize(("name", "text", "value"), TEXTS)
def test_texts_are_understood(name: str, text: str, value: Any, tmp_path: Path) -> None:
    assert notebooks.parse(write(tmp_path / "a.ipynb"), {name: text}) == {name: value}


@pytest.mark.parametrize(
    ("name", "text"), [("seed", "1.5"), ("seed", "null"), ("hidden", "300;100"), ("loud", "maybe")]
)
def test_texts_of_a_wrong_type_are_refused(name: str, text: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"{name}: {text!r} is not of type"):
        notebooks.parse(write(tmp_path / "a.ipynb"), {name: text})


def test_texts_of_an_unknown_parameter_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no parameter 'sed'; did you mean 'seed'"):
        notebooks.parse(write(tmp_path / "a.ipynb"), {"sed": "1"})


@pytest.mark.parametrize(
    ("cell", "fault"),
    [
        ("seed = 0  # untyped", "no declaration"),
        ("seed: int  # no default", "no declaration"),
        ("seed: int = 0", "no comment"),
        ("seed: complex = 0  # odd", "unknown type complex"),
        ("seed: int = run()  # computed", "no plain value"),
        ("seed: int = {[]: 1}  # no key", "no plain value"),
        (f"seed: int = {'-' * 500}1  # deep", "no plain value"),
        (f"seed: int = {'-' * 200_000}1  # deeper", "write each"),
        (f"seed: int = 1{'+1' * 200_000}  # long", "write each"),
        ("seed: int = (0  # open", "never closed"),
    ],
)
def test_a_parameters_cell_of_another_form_is_refused(
    cell: str, fault: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=f"parameters cell: .*{fault}"):
        notebooks.parameters(write(tmp_path / "a.ipynb", parameters=cell))


def test_one_cell_declares_the_parameters(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ipynb")
    path.write_text(path.read_text().replace('"parameters"', '"other"'))
    with pytest.raises(InputError, match="0 cells have the tag"):
        notebooks.parameters(path)


# --- finding and reading --------------------------------------------------------------------


def test_a_notebook_is_found_by_name_beginning_and_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notebooks, "FOLDER", tmp_path)
    first, second = (write(tmp_path / f"{name}.ipynb") for name in ("fig1_a", "fig1"))
    assert notebooks.find("fig1_") == first
    assert notebooks.find("fig1") == second  # a whole name comes before the beginning of another
    assert notebooks.find(str(first)) == first


@pytest.mark.parametrize("name", ["fig", "fi9_a", "", "no.ipynb"])
def test_a_notebook_that_is_not_there_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notebooks, "FOLDER", tmp_path)
    for known in ("fig1_a", "fig2_b"):
        write(tmp_path / f"{known}.ipynb")
    with pytest.raises(InputError, match="there are fig1_a, fig2_b"):
        notebooks.find(name)


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"cells": 3}', "not json"])
def test_a_file_that_is_no_notebook_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    path.write_text(content)
    with pytest.raises(InputError, match="restore"):
        notebooks.parameters(path)


# --- running --------------------------------------------------------------------------------


def test_two_runs_give_the_same_bytes(executed: tuple[str, str, list[Path]]) -> None:
    first, second, _ = executed
    assert first == second


def test_the_outputs_are_kept(executed: tuple[str, str, list[Path]]) -> None:
    *_, cell = json.loads(executed[0])["cells"]
    (out,) = cell["outputs"]
    assert out["text"] == [
        "seed 3 hidden [20, 10] label a\n",
        f"<object object> <environment>/bin/{Path(sys.executable).name}\n",
    ]


def test_only_given_parameters_are_injected_in_their_order(
    executed: tuple[str, str, list[Path]],
) -> None:
    injected = json.loads(executed[0])["cells"][2]
    assert injected["metadata"] == {"tags": ["injected-parameters"]}
    assert injected["source"] == ["# Parameters\n", "seed = 3\n", "hidden = [20, 10]\n"]


def test_the_home_is_left_alone(executed: tuple[str, str, list[Path]]) -> None:
    assert [path.name for path in executed[2] if path.name != ".cache"] == []  # matplotlib's fonts


def test_the_result_is_a_valid_notebook(executed: tuple[str, str, list[Path]]) -> None:
    nbformat.validate(json.loads(executed[0]))


def test_a_failing_notebook_shows_its_traceback_and_leaves_the_old_result(tmp_path: Path) -> None:
    output = tmp_path / "out.ipynb"
    output.write_text("old")
    path = write(tmp_path / "a.ipynb", "print('before')", "1 / 0", "print('after')")
    with pytest.raises(
        notebooks.NotebookError, match=r"a, cell 3:(?s:.*)ZeroDivisionError"
    ) as info:
        notebooks.run(path, {}, output)
    assert "----> 1 1 / 0" in str(info.value)
    assert "\x1b" not in str(info.value)
    assert output.read_text() == "old"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.ipynb", "out.ipynb"]


def test_wrong_input_within_a_notebook_is_one_sentence(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ipynb", "import qagrel\nqagrel.RunSpec(learning_rate=-1.0)")
    with pytest.raises(InputError, match=r"^learning_rate: -1.0 is not possible"):
        notebooks.run(path, {}, tmp_path / "out.ipynb")
    assert not (tmp_path / "out.ipynb").exists()


def test_the_output_may_be_neither_a_folder_nor_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(notebooks, "_execute")
    path = write(tmp_path / "a.ipynb")
    for output in (tmp_path, path):
        with pytest.raises(InputError, match="name another file"):
            notebooks.run(path, {}, output)


# --- the normaliser -------------------------------------------------------------------------


def stream(text: str, name: str = "stdout") -> Any:
    return new_output("stream", name=name, text=text)


def normalised(*outputs: Any) -> list[Any]:
    cell = new_code_cell("1", outputs=list(outputs), id="a")
    return notebooks.normalise(new_notebook(cells=[cell])).cells[0].outputs


def test_pieces_of_a_stream_become_one() -> None:
    assert normalised(stream("a"), stream("b\n"), stream("c")) == [stream("ab\nc")]


def test_what_went_to_stderr_is_not_kept() -> None:
    mixed = [stream("1", "stderr"), stream("a"), stream("2", "stderr"), stream("b")]
    assert normalised(*mixed) == [stream("ab")]


def test_other_outputs_stay_between_streams() -> None:
    shown = new_output("display_data", data={"text/plain": "x"})
    assert normalised(stream("a"), shown, stream("b")) == [stream("a"), shown, stream("b")]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("\r  0%|   | 0/3\r100%|###| 3/3\n", ""),
        ("before\n\r 50%", "before\n"),
        ("\r100%\nafter\n", "after\n"),
        ("moved \x1b[A up\nkept\n", "kept\n"),
        ("windows\r\n", "windows\r\n"),
    ],
)
def test_progress_displays_go(text: str, left: str) -> None:
    assert [output.text for output in normalised(stream(text))] == ([left] if left else [])


def test_a_progress_display_in_pieces_goes() -> None:
    assert normalised(stream("\r 0%"), stream("\r100%\n")) == []


def test_widgets_go() -> None:
    data = {"application/vnd.jupyter.widget-view+json": {"model_id": "x"}, "text/plain": "bar"}
    assert normalised(new_output("display_data", data=data)) == []


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("<A at 0x7f12ab>", "<A>"),
        ("<function f at 0xDEADbeef>", "<function f>"),
        ("0x7f12ab", "0x7f12ab"),  # a number, not an address
        ("/tmp/ipykernel_123/4567.py:1: UserWarning", "<cell>:1: UserWarning"),
        (f"{ROOT}/qagrel/x.py", "./qagrel/x.py"),
        (f"{ROOT}-other/x.py", f"{ROOT}-other/x.py"),
        (f"{sys.prefix}/lib/x.py", "<environment>/lib/x.py"),
    ],
)
def test_addresses_and_paths_go(
    text: str, plain: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    shown = new_output("execute_result", data={"text/plain": text, "text/html": text})
    (result,) = normalised(shown)
    assert result.data == {"text/plain": plain, "text/html": plain}
    assert normalised(stream(text)) == [stream(plain)]


def test_pictures_stay_as_they_are() -> None:
    data = {"image/png": "0x12 at 0x7f12ab", "image/svg+xml": f"<svg>{ROOT}</svg>"}
    assert normalised(new_output("display_data", data=data))[0].data == data


def test_metadata_go_but_tags() -> None:
    timing = {
        "papermill": {"start_time": "now", "duration": 1.5},
        "execution": {"shell.execute_reply": "now"},
    }
    cells = [
        new_code_cell("1", metadata={**timing, "tags": ["a"]}, id="x", execution_count=7),
        new_code_cell("2", metadata={**timing, "tags": ["injected-parameters"]}, id="random"),
        new_markdown_cell("3", metadata=timing, id="z"),
    ]
    notebook = new_notebook(cells=cells, metadata={"papermill": {"duration": 2}, "widgets": {}})
    given = copy.deepcopy(notebook)
    result = notebooks.normalise(notebook)
    assert [cell.id for cell in result.cells] == ["x", "injected-1", "z"]
    tags = [{"tags": ["a"]}, {"tags": ["injected-parameters"]}, {}]
    assert [cell.metadata for cell in result.cells] == tags
    assert result.cells[0].execution_count == 7
    assert set(result.metadata) == {"kernelspec", "language_info"}
    assert result.metadata.language_info == {"name": "python"}
    assert notebook == given  # a copy was changed


def test_normalising_twice_changes_nothing() -> None:
    cell = new_code_cell("1", outputs=[stream("a\r\n"), stream("<A at 0x12>")], id="a")
    once = notebooks.normalise(new_notebook(cells=[cell]))
    assert notebooks.normalise(once) == once


# --- the notebooks of the package -----------------------------------------------------------


def test_there_is_one_for_each_figure_the_table_and_what_goes_beyond() -> None:
    beginnings = [name.split("_")[0] for name in NAMES]
    figures = [f"fig{number}" for number in range(1, 9)]
    others = ["finding", "learning", "rewards", "slowness", "stopping", "table1", "wrong"]
    assert beginnings == [*["beyond"] * 6, "explore", *figures, *others]


OF_RUNS = {  # notebooks on committed runs, and what there is to choose
    "beyond_1_optimism": {"study"},
    "beyond_2_depth": {"layers_shown"},
    "beyond_3_activations": {"benchmark"},
    "beyond_4_distortions": {"rule"},
    "beyond_5_classes": {"rates"},
    "beyond_6_feedback": {"lowest"},
    "explore": {"row", "seed"},
    "fig7_alignment": {"limit"},
    "fig8_receptive_fields": {"scale"},
    "finding_classes": {"widths"},
    "learning_rate_map": {"factor"},
    "slowness": {"rates"},
    "stopping_rule": {"hidden"},
    "wrong_values": {"first", "last"},
}


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_is_explained(name: str) -> None:
    found = notebooks.parameters(name)
    network = OF_RUNS.get(name, {"learning_rate", "hidden", "seed"})
    assert {"profile", "output_dir"} | network <= set(found)
    for parameter in found.values():
        assert len(parameter.meaning) > 10
        assert parameter.check(parameter.default) == parameter.default


@pytest.mark.parametrize("name", NAMES)
def test_identifiers_of_cells_tell_their_place(name: str) -> None:
    cells = json.loads((notebooks.FOLDER / f"{name}.ipynb").read_text())["cells"]
    beginning = name.split("_")[0]
    assert [cell["id"] for cell in cells] == [f"{beginning}-{i}" for i in range(len(cells))]


TRAINED = {"hidden": [12], "max_epochs": 4, "batch_size": 100, "seed": 1, "learning_rate": 0.4}
ROW = "q-agrel_fixed_300_0.1"
GIVEN: dict[str, dict[str, Any]] = {
    "beyond_1_optimism": {"study": "narrow"},
    "beyond_2_depth": {"layers_shown": [1, 6]},
    "beyond_3_activations": {"benchmark": False},
    "beyond_4_distortions": {"rule": "q-agrel"},
    "beyond_5_classes": {"rates": "own"},
    "beyond_6_feedback": {"lowest": 80.0},
    "explore": {"seed": 1, "row": ROW},
    "fig1_overview": {"seed": 5, "hidden": [2, 3]},
    "fig2_local_information": {"seed": 5, "learning_rate": 0.2, "unit": 2},
    "fig3_gating": {"seed": 5, "weight_range": 1.0},
    "fig4_learning_rate_range": {**TRAINED, "learning_rate_end": 4.0},
    "fig5_stepwise_reward": TRAINED,
    "fig6_class_selection": {**TRAINED, "epsilon": 0.1, "confusion_epochs": [1, 4]},
    "fig7_alignment": {"limit": 30.0},
    "fig8_receptive_fields": {"scale": 0.05},
    "finding_classes": {"widths": [30]},
    "learning_rate_map": {"factor": 4.0},
    "rewards": {**TRAINED, "reward_flip": 0.0, "switch": 3},
    "slowness": {"rates": "lower"},
    "stopping_rule": {"hidden": [300, 100]},
    "table1": {"seed": 1, "hidden": [300, 100]},
    "wrong_values": {"first": 2, "last": 5},
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Invent two seeds a row of Table 1; one row is as it was committed."""
    folder = tmp_path_factory.mktemp("results")
    generator = np.random.default_rng(0)
    for row in read_params(ROOT / "params.yaml").rows:
        lines = {
            "seed": [0, 1],
            "n_epochs": generator.integers(20, 60, 2),
            "test_accuracy": generator.uniform(94, 98, 2),
            "status": ["converged", "max-epochs"],
            "diverged_at": [None, None],
        }
        store.write_csv(folder / f"digits/runs/{row}-summary.csv", pd.DataFrame(lines))
    for name in (f"{ROW}.csv", f"{ROW}-summary.csv"):
        shutil.copy(ROOT / "results/digits/runs" / name, folder / "digits/runs")
    beyond_results(folder / "beyond")
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_alone_with_other_parameters(
    name: str, tmp_path: Path, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_made_up = name.startswith(("beyond", "explore")) or name not in OF_RUNS
    if is_made_up:  # the others want every epoch of every row
        monkeypatch.setenv("QAGREL_RESULTS_DIR", str(results))
    monkeypatch.setenv("QAGREL_STATE_DIR", str(tmp_path / "state"))
    output = tmp_path / "executed.ipynb"
    notebooks.run(name, {**GIVEN[name], "output_dir": str(tmp_path / "figures")}, output)
    made = {path.name for path in (tmp_path / "figures").iterdir()}
    assert {f"{name}.svg", f"{name}.pdf", f"{name}.png"} <= made
    executed = json.loads(output.read_text())
    data = [o.get("data", {}) for cell in executed["cells"] for o in cell.get("outputs", [])]
    assert any("image/svg+xml" in shown for shown in data)
    assert not any(
        o.get("name") == "stderr" for c in executed["cells"] for o in c.get("outputs", [])
    )


def test_every_seed_of_the_committed_study_is_shown_and_none_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QAGREL_STATE_DIR", str(tmp_path / "state"))
    output = tmp_path / "executed.ipynb"
    notebooks.run("fig4_learning_rate_range", {"output_dir": str(tmp_path)}, output)
    n_seeds = read_params().profile("digits").study("learning-rate-range").n_seeds
    assert f"over {n_seeds} seeds" in output.read_text()
    assert not (tmp_path / "state").exists()


NO_RESULT = r"`[^`]*`|(Figs?\.|Eqs?\.|Table|layer) \d|^\d\.|δ²/2"


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_asks_shows_and_suggests_and_its_text_has_no_number_typed(name: str) -> None:
    cells = json.loads((notebooks.FOLDER / f"{name}.ipynb").read_text())["cells"]
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    whole = "\n".join(texts)
    for part in ("What is asked", "How to read it", "What is seen", "What to try next"):
        assert f"**{part}.**" in whole
    assert re.findall(r"\d+", re.sub(NO_RESULT, "", whole, flags=re.MULTILINE)) == []


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("beyond_1_optimism", {"study": "wide"}, "study: 'wide' is not one of optimism, narrow, "),
        ("fig2_local_information", {"unit": 9}, "unit: the first hidden layer has 3 units"),
        ("fig8_receptive_fields", {"scale": -1.0}, "scale: -1 is not the size of a weight"),
        ("finding_classes", {"widths": [7]}, r"widths: \[7\] are not all among 30, 300"),
        ("learning_rate_map", {"factor": 1.0}, "factor: 1 spans no interval"),
        ("wrong_values", {"first": 99}, "first, last: 99 to 40 are not epochs of 1 to 40"),
    ],
)
def test_a_value_out_of_range_is_refused_by_the_notebook(
    name: str, given: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=said):
        notebooks.run(name, {**given, "output_dir": str(tmp_path)}, tmp_path / "out.ipynb")


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("fig8_receptive_fields", "receptive_fields.npz"),
        ("finding_classes", "studies/finding-classes-measured.csv"),
        ("learning_rate_map", "studies/learning-rate-map.csv"),
        ("wrong_values", "studies/wrong-values-measured.csv"),
    ],
)
def test_a_study_that_was_not_made_is_named(
    name: str, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = tmp_path / "results"
    results.joinpath("digits").mkdir(parents=True)
    shutil.copy(ROOT / "results/digits/data.json", results / "digits")
    monkeypatch.setenv("QAGREL_RESULTS_DIR", str(results))
    with pytest.raises(InputError, match=file):
        notebooks.run(name, {"output_dir": str(tmp_path)}, tmp_path / "out.ipynb")
