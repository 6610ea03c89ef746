"""The replication report: Typst reads the results of a profile and lays them out as a PDF.

Its source is the folder ``paper``.  Typst sees three things only, under fixed names: that folder,
the results of the profile, and the profile's protocol; so the PDF is a function of them, byte by
byte, wherever they stand.
"""

import json
import re
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from qagrel import store
from qagrel.errors import InputError
from qagrel.experiments import Profile, read_params
from qagrel.results import results_folder
from qagrel.spec import RunSpec

PAPER = Path("paper")
CITATION = Path("CITATION.cff")


def build_report(profile_name: str) -> Path:
    """Build ``report.pdf`` in the results folder of a profile, and return its path.

    Raises
    ------
    InputError
        When there is no such profile, or a claim, a number or a figure of the report is missing
        from the results.
    """
    params = read_params()
    profile = params.profile(profile_name)
    folder = results_folder(profile_name)
    inputs = {
        "profile": profile_name,
        "version": version("qagrel"),
        "protocol": json.dumps(_protocol(profile, params.rows[0])),
    }
    path = folder / "report.pdf"
    store.write_bytes(path, _compile(folder, inputs))
    return path


def _protocol(profile: Profile, row: str) -> list[dict[str, Any]]:
    """What all rows of Table 1 share: the fields of a run with values and descriptions."""
    values = profile.row_specs(row)[0].model_dump(mode="json")
    return [
        {"name": name, "value": values[name], "description": field.description}
        for name, field in RunSpec.model_fields.items()
    ]


def _compile(folder: Path, inputs: dict[str, str]) -> bytes:
    """The PDF, without dates and with the fonts that Typst brings along."""
    import typst

    with tempfile.TemporaryDirectory(prefix="qagrel-") as temporary:
        root = Path(temporary)
        shutil.copytree(PAPER, root / "paper")  # Typst wants its source itself in the root
        (root / "results").symlink_to(folder.resolve())
        (root / "CITATION.cff").symlink_to(CITATION.resolve())
        try:
            return bytes(
                typst.compile(
                    root / "paper" / "report.typ",
                    root=root,
                    sys_inputs=inputs,
                    ignore_system_fonts=True,
                )
            )
        except RuntimeError as error:  # Typst's own faults are of this kind
            raise InputError(
                f"{folder / 'report.pdf'} cannot be built: {_sentence(error, root, folder)}"
            ) from None


def _sentence(error: RuntimeError, root: Path, folder: Path) -> str:
    """What Typst says of the first fault, with the names that files have outside."""
    text = str(error).strip().splitlines()[0].removeprefix("error: ")
    text = text.removeprefix("panicked with: ").strip('"').replace("\\'", "'")
    missing = re.search(r"not found \(searched at (.+)\)", text)
    if missing:
        name = Path(missing[1]).relative_to(root.resolve())
        within = name.parts[0] == "results"
        path = folder.joinpath(*name.parts[1:]) if within else name
        return f"{path} is not there: run the step of the pipeline that makes it"
    return text
