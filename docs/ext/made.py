"""Pages that are made of `results/`, `paper/` and the documents of the project's folder.

They are written into `docs/made/` before Sphinx reads; git ignores it.  Nothing is executed.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from qagrel.replication.experiments import read_params
from qagrel.rules import RULES

from . import beyond, charts, claims, rules, vega
from .markdown import table

DOCS = Path(__file__).parents[1]
ROOT = DOCS.parent
RESULTS, PAPER = ROOT / "results", ROOT / "paper"
MADE = DOCS / "made"
PROFILE, BESIDE = "mnist", "digits"  # the paper's data, and what comes with the package
BEYOND = "beyond"  # runs that go beyond the paper
KINDS = ("svg", "pdf", "png")

# Documents of the project that are a page of the site, word for word.
DOCUMENTS = {
    "CHANGELOG.md": "changelog",
    "CONTRIBUTING.md": "contributing",
    "benchmarks/README.md": "benchmarks",
    "benchmarks/results.md": "benchmark-results",
    "paper/ledger.md": "ledger",
}
PAGES = {"README.md": "index", **{path: f"made/{name}" for path, name in DOCUMENTS.items()}}
LINK = re.compile(r"(?<=\]\()(?!https?:|mailto:|#)([^)\s#]+)(?=[)#])")


def relink(text: str, home: Path, target: Path) -> str:
    """Markdown that stood in `home` with its links as they must be in `target`.

    What has a page of the site is linked as that page, any other file as the file.
    """

    def link(found: re.Match[str]) -> str:
        path = (home / found[1]).resolve()
        if not path.is_relative_to(ROOT) or not path.exists():
            return found[1]  # Sphinx says what is wrong with it
        if path.is_dir() and (path / "README.md").exists():
            path /= "README.md"
        page = PAGES.get(path.relative_to(ROOT).as_posix())
        if page is not None:
            path = DOCS / f"{page}.md"
        elif path.suffix == ".ipynb" and path.parent == ROOT / "notebooks":
            path = next(MADE.glob(f"figures/*/{path.name}"), path)
        return Path(os.path.relpath(path, target)).as_posix()

    return LINK.sub(link, text)


def write(name: str, text: str) -> None:
    """Write a made page, unless it is there already with the same content: Sphinx reads it anew."""
    path = MADE / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def titles() -> dict[str, str]:
    """The title of each notebook of a figure, by its name."""
    found = {}
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        first = "".join(next(cell["source"] for cell in cells if cell["cell_type"] == "markdown"))
        found[path.stem] = first.splitlines()[0].removeprefix("# ")
    return found


def notebook(path: Path, profile: str) -> str:
    """An executed notebook as it is, with a cell at its end on how to run it and what it wrote."""
    content = json.loads(path.read_text(encoding="utf-8"))
    files = ", ".join(
        f"[{file.name}]({os.path.relpath(file, MADE / 'figures' / profile)})"
        for file in sorted((RESULTS / profile / "figures").glob(f"{path.stem}.*"))
    )
    text = (
        f"---\n\nThis is the notebook as the pipeline executed it, on {profile}. The same again, "
        "or with other parameters, behind `-p name value`:\n\n"
        f"```sh\nqagrel notebook {path.stem} --profile {profile}\n```\n\nThe picture: {files}."
    )
    cell = {"cell_type": "markdown", "id": "to-run-it", "metadata": {}, "source": text}
    content["cells"].append(cell)
    return json.dumps(content, indent=1, ensure_ascii=False)


def figures() -> Iterator[tuple[str, str]]:
    """The page of all figures, and the executed notebooks."""
    named = titles()
    profiles = [PROFILE, BESIDE, *([BEYOND] if (RESULTS / BEYOND / "figures").is_dir() else [])]
    parts = [
        "# Every figure",
        "As the pipeline drew them. Each picture leads to the notebook that made it, with what is "
        "to be seen in it; the files are for papers and slides.",
    ]
    pages = []
    for profile in profiles:
        parts.append("## Beyond the paper" if profile == BEYOND else f"## On {profile}")
        for picture in sorted((RESULTS / profile / "figures").glob("*.svg")):
            made = RESULTS / profile / "notebooks" / f"{picture.stem}.ipynb"
            title = named.get(picture.stem, picture.stem.replace("_", " "))
            file = os.path.relpath(picture, MADE / "figures")
            image = f"![{title}]({file})"
            if made.exists():
                image = f"[{image}]({profile}/{made.name})"
            links = ", ".join(
                f"[{kind}]({Path(file).with_suffix('.' + kind).as_posix()})" for kind in KINDS
            )
            parts.append(f"### {title}, {profile}\n\n{image}\n\nAs a file: {links}.")
        for path in sorted((RESULTS / profile / "notebooks").glob("*.ipynb")):
            pages.append(f"{profile}/{path.stem}")
            yield f"figures/{profile}/{path.name}", notebook(path, profile)
    parts.append(_toctree(pages))
    yield "figures/index.md", "\n\n".join(parts) + "\n"


def _toctree(pages: list[str], *options: str) -> str:
    return "\n".join(["```{toctree}", ":hidden:", *options, "", *pages, "```"])


def columns() -> str:
    """What stands in the CSV files of the results, file by file."""
    meanings = yaml.safe_load((DOCS / "columns.yaml").read_text(encoding="utf-8"))
    kinds: dict[str, list[Path]] = {}
    for pattern in ("runs/*.csv", "studies/*.csv", "*.csv"):
        for path in sorted((RESULTS / PROFILE).glob(pattern), key=lambda path: path.stem):
            kinds.setdefault(_kind(path), []).append(path)
    ids = {claim["id"] for claim in json.loads((RESULTS / PROFILE / "claims.json").read_text())}
    parts = [
        "# The columns of the result files",
        f"Files of `results/{PROFILE}/` and `results/{BESIDE}/`. *n* is the number of a layer or "
        "of a class.",
    ]
    for title, files in kinds.items():
        names = dict.fromkeys(name for path in files for name in rules.columns_of(path))
        lines = [
            (
                f"`{name}`",
                f"verdict on the claim [{name}](claims.md#{name})"
                if name in ids
                else meanings.get(name, "–"),
            )
            for name in names
        ]
        parts.append(f"## {title}\n\n{table(('column', 'meaning'), lines)}")
    return "\n\n".join(parts) + "\n"


def _kind(path: Path) -> str:
    """A file by its name; one of a row or of a study by what all of them are called."""
    which = {"runs": "row", "studies": "study"}.get(path.parent.name)
    part = next((p for p in ("-summary", "-measured") if path.stem.endswith(p)), "")
    return f"{path.parent.name}/<{which}>{part}.csv" if which else path.name


def play() -> str:
    """What there is to play with; a page or a notebook that is not there is not told of."""
    lines = [
        f"- [Table 1 and its learning curves](made/table1/{PROFILE}.md): point, click and drag.",
        "- [Figures with other parameters](howto/figure.md): every notebook has some.",
    ]
    if (DOCS / "teacher").is_dir():
        lines.insert(
            0,
            '- <a href="teacher/index.html">Be the teacher</a>: a small network learns from your '
            "answers, phase by phase, on a page of its own.",
        )
    if (ROOT / "notebooks" / "explore.ipynb").exists():
        lines.append(
            "- The notebook `notebooks/explore.ipynb`, in JupyterLab: choose a row and a seed, "
            "scrub through its epochs, step through a trial."
        )
    return "\n".join(lines) + "\n"


def pages() -> Iterator[tuple[str, str]]:
    """Every made page: its name and its text."""
    for path, name in DOCUMENTS.items():
        source = ROOT / path
        text = relink(source.read_text(encoding="utf-8"), source.parent, MADE)
        title = "" if text.startswith("# ") else f"# {name.replace('-', ' ').capitalize()}\n\n"
        yield f"{name}.md", title + text
    readme = relink((ROOT / "README.md").read_text(encoding="utf-8"), ROOT, DOCS)
    for part in re.finditer(r"<!-- site: (\w+) -->\n(.*?)<!-- site -->", readme, re.DOTALL):
        yield f"{part[1]}.part.md", part[2]
    yield "claims.md", claims.page(RESULTS, PAPER, PROFILE, BESIDE)
    yield "beyond.md", beyond.page(ROOT)
    yield "columns.md", columns()
    yield "fields.part.md", rules.fields()
    yield "play.part.md", play()
    ledger = (PAPER / "ledger.md").read_text(encoding="utf-8")
    for rule, text in rules.pages(RESULTS, DOCS, ledger).items():
        yield f"rules/{rule}.md", text
    names = ", ".join(f"[{rules.name_of(rule)}]({rule}.md)" for rule in RULES)
    yield (
        "rules/index.md",
        f"# The learning rules\n\n{names}.\n\n" + _toctree(["../../rules/algorithm", *RULES]),
    )
    params = read_params(ROOT / "params.yaml")
    for profile in (PROFILE, BESIDE):
        yield f"table1/{profile}.md", charts.page(RESULTS, params, profile)
    yield from figures()


def make(_app: Any, _config: Any) -> None:
    """Write all made pages, and remove those that no longer are."""
    made = dict(pages())
    for name, text in made.items():
        write(name, text)
    for path in MADE.rglob("*"):
        if path.is_file() and path.relative_to(MADE).as_posix() not in made:
            path.unlink()


def _relink_page(app: Any, name: str, source: list[str]) -> None:
    path = Path(app.env.doc2path(name))
    if path.suffix == ".md" and not path.is_relative_to(MADE):
        source[0] = relink(source[0], path.parent, path.parent)


def finish(app: Any, fault: Exception | None) -> None:
    """Put what is whole as it is beside the pages: the charts' scripts, and the teacher's page."""
    if fault is None:
        (Path(app.outdir) / "_static" / "vega.js").write_text(vega.bundle(), encoding="utf-8")
        if (DOCS / "teacher").is_dir():
            shutil.copytree(DOCS / "teacher", Path(app.outdir) / "teacher", dirs_exist_ok=True)


def setup(app: Any) -> dict[str, bool]:
    """Make the pages first, and finish last."""
    app.connect("config-inited", make)
    app.connect("source-read", _relink_page)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True}
