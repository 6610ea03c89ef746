"""The replication report: Typst reads the results of a profile and lays them out as a PDF.

Its source is the folder ``paper``.  Typst sees four things, under fixed names: that folder, the
results of the profile, ``CITATION.cff``, and the protocol that the profile's runs share.  So the
PDF is a function of these, byte by byte, wherever they stand.  A profile that goes beyond the paper
has a report of its own, which sees the folder of its predictions too.
"""

import json
import re
import shutil
from pathlib import Path
from typing import Any

from qagrel import store
from qagrel.errors import InputError
from qagrel.replication import scratch
from qagrel.replication.beyond import ALPHA, REGISTERED, SHARE, is_made
from qagrel.replication.experiments import Profile, read_params
from qagrel.replication.measures import LATEST
from qagrel.replication.results import results_folder
from qagrel.spec import BEYOND, PAYING, RunSpec

PAPER = Path("paper")  # both in the working directory, like the data
CITATION = Path("CITATION.cff")
NOT_OF_THE_PAPER = frozenset({"grey_max", *PAYING, *BEYOND})  # fields of other data and questions


def build_report(profile_name: str) -> Path:
    """Build ``report.pdf`` in the results folder of a profile, and return its path.

    Raises
    ------
    InputError
        When there is no such profile, or a claim, a number or a figure of the report is missing
        from the results.
    RuntimeError
        When Typst finds a fault in the report's source; the message shows the place.
    """
    params = read_params()
    profile = params.profile(profile_name)
    folder = results_folder(profile_name)
    inputs = {"profile": profile_name}
    if profile.predictions is None:
        inputs["protocol"] = json.dumps(_protocol(profile, params.rows[0]))
        pdf = _compile("report.typ", folder, inputs)
    else:
        of_runs = {"base": profile.table1, "studies": studies_made(profile, folder)}
        judged = {"alpha": ALPHA, "share": SHARE, "latest": LATEST}
        inputs["beyond"] = json.dumps(of_runs | judged)
        pdf = _compile("beyond.typ", folder, inputs, Path(profile.predictions))
    path = folder / "report.pdf"
    store.write_bytes(path, pdf)
    return path


def _protocol(profile: Profile, row: str) -> list[dict[str, Any]]:
    """The fields of a run, with their values in a row of Table 1 and their descriptions."""
    values = profile.row_specs(row)[0].model_dump(mode="json")
    return [
        {
            "name": name,
            "value": values[name],
            "description": str(field.description).replace("+-", "±"),
        }
        for name, field in RunSpec.model_fields.items()
        if name not in NOT_OF_THE_PAPER
    ]


def studies_made(profile: Profile, folder: Path) -> dict[str, dict[str, Any]]:
    """What a profile says of those of its studies that were made, by name."""
    return {
        name: study.model_dump(mode="json")
        for name, study in profile.studies.items()
        if is_made(folder, name)
    }


def _compile(
    name: str, folder: Path, inputs: dict[str, str], predictions: Path | None = None
) -> bytes:
    """The PDF, without dates and with no fonts but those that Typst brings along."""
    import typst

    further = () if predictions is None else (predictions, predictions.with_name(REGISTERED))
    for source in (PAPER, folder, CITATION, *further):
        if not source.exists():
            raise InputError(f"{source} is not there: call this in the project's folder")
    with scratch.folder() as temporary:
        root = temporary.resolve()
        shutil.copytree(PAPER, root / "paper")  # Typst wants its source itself in the root
        (root / "results").symlink_to(folder.resolve())
        (root / "CITATION.cff").symlink_to(CITATION.resolve())
        for source in further:
            (root / source.name).symlink_to(source.resolve())
        try:
            pdf = typst.compile(
                root / "paper" / name,
                root=root,
                sys_inputs=inputs,
                ignore_system_fonts=True,
            )
        except RuntimeError as error:
            fault = str(getattr(error, "diagnostic", error))  # older versions have no diagnostic
            sentence = _sentence(fault, root, folder)
            if sentence is None:
                raise RuntimeError(fault) from None
            raise InputError(f"{folder / 'report.pdf'} cannot be built: {sentence}") from None
    return bytes(pdf)


def _sentence(fault: str, root: Path, folder: Path) -> str | None:
    """What is wrong with the files that the report reads; None if the report itself is wrong."""
    first = fault.strip().splitlines()[0].removeprefix("error: ").replace(r"\'", "'")
    if panic := re.fullmatch(r'panicked with: "?(.+?)"?', first):
        return panic[1]
    named = re.search(rf"{root.name}/([^\s:)]+)", fault)
    if named is None or not first.startswith(("file not found", "failed to")):
        return None
    parts = Path(named[1]).parts
    path = folder.joinpath(*parts[1:]) if parts[0] == "results" else Path(named[1])
    if first.startswith("failed to"):
        return f"{path}: {first}: restore it"
    return f"{path} is not there: run the step of the pipeline that makes it"
