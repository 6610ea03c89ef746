"""Table 1 and learning curves of a profile to play with: Vega-Lite by Altair, all data inlined."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd

from qagrel.replication.experiments import Params, row_fields
from qagrel.replication.figures.style import BLACK, RULE_COLOURS, RULE_NAMES

from .markdown import table

WIDTH = 620  # of every panel, until `site.js` fits it to the screen
ROW_HEIGHT = 30
SELECTED = alt.value("#dbe9f4")

PAGE = """# Table 1 and its learning curves, on {profile}

Point at a seed, click a row, drag over epochs in the lowest panel; or use the two lists, by
mouse or by keyboard. Coloured dots are our seeds, the bar is their mean ± one standard deviation.
{paper}All of it is read from `results/{profile}/`; the same numbers stand in
[a table](#numbers-{profile}).

```{{raw}} html
<div class="choices" id="choices-{profile}"></div>
<div class="chart" id="chart-{profile}" role="figure" aria-label="Accuracy and epochs of every \
seed of Table 1 on {profile}, and validation accuracy by epoch of the chosen row"></div>
<div class="derive" id="derive-{profile}" aria-live="polite"></div>
<script type="application/json" id="data-{profile}">{data}</script>
<script src="../../_static/vega.js"></script>
<script src="../../_static/chart.js"></script>
```

(numbers-{profile})=
## The numbers

{numbers}
"""
PAPERS = "Black diamonds and thin bars are the paper's means and standard deviations. "


def page(results: Path, params: Params, profile: str) -> str:
    """The page of a profile."""
    folder = results / profile
    rows = params.rows
    table1 = pd.read_csv(folder / "table1.csv", dtype={"hidden": str})
    comparable = set(table1["accuracy_verdict"]) != {"not comparable"}
    seeds = _seeds(folder, rows)
    tables = {
        "seeds": seeds,
        "means": _means(seeds, table1 if comparable else None),
        "curves": _curves(folder, rows),
    }
    spec = chart(tables, rows).to_dict()
    spec["datasets"] = {
        name: values.to_csv(index=False, float_format="%.6g") for name, values in tables.items()
    }
    runs = {row: _run(row, params, profile) for row in rows}
    data = json.dumps({"spec": spec, "runs": runs, "profile": profile}, separators=(",", ":"))
    return PAGE.format(
        profile=profile,
        paper=PAPERS if comparable else "",
        data=data.replace("</", "<\\/"),
        numbers=numbers(table1),
    )


def label(row: str) -> str:
    """A row's name as it is read."""
    fields = row_fields(row)
    hidden = "-".join(map(str, fields["hidden"]))
    rule = RULE_NAMES.get(fields["rule"], fields["rule"])
    return f"{rule}, {fields['feedback']}, {hidden}, α = {fields['learning_rate']:g}"


def _run(row: str, params: Params, profile: str) -> dict[str, Any]:
    """What a row is called and what every run of it is; its seeds differ in nothing else."""
    spec = params.profile(profile).row_specs(row)[0].model_dump(mode="json", exclude={"seed"})
    return {"row": row, "label": label(row), "spec": spec}


def _seeds(folder: Path, rows: list[str]) -> pd.DataFrame:
    tables = []
    for row in rows:
        lines = pd.read_csv(folder / "runs" / f"{row}-summary.csv")
        lines.insert(0, "row", row)
        lines["rule"] = row_fields(row)["rule"]
        tables.append(lines)
    return pd.concat(tables).drop(columns="diverged_at")


def _curves(folder: Path, rows: list[str]) -> pd.DataFrame:
    """Validation accuracy of every seed at the epochs of its checks."""
    tables = []
    for row in rows:
        names = ["seed", "epoch", "validation_accuracy"]
        lines = pd.read_csv(folder / "runs" / f"{row}.csv", usecols=names).dropna()
        lines.insert(0, "row", row)
        tables.append(lines.round(2))
    return pd.concat(tables)


def _means(seeds: pd.DataFrame, table1: pd.DataFrame | None) -> pd.DataFrame:
    """Mean and spread of every row, ours and (where it has the row) the paper's."""
    kept = seeds[seeds["status"] != "diverged"]
    means = kept.groupby("row", sort=False).agg(
        accuracy=("test_accuracy", "mean"),
        accuracy_std=("test_accuracy", "std"),
        epochs=("n_epochs", "mean"),
        epochs_std=("n_epochs", "std"),
    )
    if table1 is not None:
        named = table1[["rule", "feedback", "hidden"]].agg("_".join, axis="columns")
        names = named + "_" + table1["learning_rate"].map("{:g}".format)
        published = table1.set_index(names).filter(regex="^paper_")
        means = means.join(published, validate="1:1")
    return means.reset_index()


def _named(tables: Mapping[str, pd.DataFrame], name: str) -> alt.Chart:
    """A chart of a table, whose values are in the page once, as CSV."""
    numeric = tables[name].select_dtypes("number").columns
    parsed = alt.DataFormat(type="csv", parse=dict.fromkeys(numeric, "number"))
    return alt.Chart(alt.NamedData(name=name, format=parsed))


def chart(tables: Mapping[str, pd.DataFrame], rows: list[str]) -> alt.TopLevelMixin:
    """Accuracy and epochs of all rows, and the curves of the row that is chosen."""
    seeds = sorted(int(seed) for seed in tables["seeds"]["seed"].unique())
    names = [label(row) for row in rows]
    choices = alt.binding_select(options=rows, labels=names, name="row ")
    row = alt.param(name="row", value=rows[0], bind=choices)
    seed = alt.param(
        name="seed", value=seeds[0], bind=alt.binding_select(options=seeds, name="seed ")
    )
    panels = [
        _panel(tables, rows, "test_accuracy", "accuracy", "test accuracy (%)"),
        _panel(tables, rows, "n_epochs", "epochs", "epochs of training"),
        *_learning(_named(tables, "curves")),
    ]
    return (
        alt.vconcat(*panels, spacing=24)
        .add_params(row, seed)
        .configure(background="white", font="sans-serif")
        .configure_axis(labelFontSize=12, titleFontSize=12, titleFontWeight="normal")
        .configure_legend(labelFontSize=12, titleFontSize=12)
        .configure_title(fontSize=14, anchor="start")
    )


def _panel(
    tables: Mapping[str, pd.DataFrame],
    rows: list[str],
    column: str,
    mean: str,
    title: str,
) -> alt.LayerChart:
    """A line a row: its seeds, its mean and spread, and the paper's."""
    names: Mapping[str, str] = {row: label(row) for row in rows}
    written = f"{json.dumps(names, ensure_ascii=False)}[datum.value]"
    y = alt.Y(
        "row:N",
        sort=rows,
        title=None,
        scale=alt.Scale(paddingInner=0, paddingOuter=0),
        axis=alt.Axis(
            labelExpr=written,
            labelAlign="left",
            labelBaseline="bottom",
            labelPadding=-4,
            labelOffset=-1,
            labelLimit=0,
            ticks=False,
            domain=False,
            zindex=1,
        ),
    )
    scale = alt.Scale(zero=False, nice=True, padding=8)
    kept = _named(tables, "means").transform_calculate(
        low=f"datum.{mean} - datum.{mean}_std", high=f"datum.{mean} + datum.{mean}_std"
    )
    colour = alt.Color(
        "rule:N",
        legend=None,
        scale=alt.Scale(domain=list(RULE_COLOURS), range=list(RULE_COLOURS.values())),
    )
    bands = (
        _named(tables, "means")
        .mark_rect(stroke="#e4e4e4", strokeWidth=0.5, cursor="pointer")
        .encode(
            y=y,
            fill=alt.condition("datum.row == row", SELECTED, alt.value("white")),
            tooltip="row:N",
        )
    )
    ours = kept.mark_rule(strokeWidth=5, opacity=0.35, yOffset=7).encode(
        x=alt.X("low:Q", scale=scale, title=title), x2="high:Q", y=y
    )
    points = (
        _named(tables, "seeds")
        .mark_circle(yOffset=7, cursor="pointer")
        .encode(
            x=alt.X(f"{column}:Q", scale=scale, title=title, axis=alt.Axis(labelFlush=False)),
            y=y,
            color=colour,
            size=alt.condition("datum.seed == seed", alt.value(90), alt.value(28)),
            opacity=alt.condition("datum.seed == seed", alt.value(1), alt.value(0.6)),
            tooltip=["row:N", "seed:Q", "test_accuracy:Q", "n_epochs:Q", "status:N"],
        )
    )
    layers = [bands, ours, points]
    if f"paper_{mean}_mean" in tables["means"]:
        theirs = _named(tables, "means").transform_calculate(
            low=f"datum.paper_{mean}_mean - datum.paper_{mean}_std",
            high=f"datum.paper_{mean}_mean + datum.paper_{mean}_std",
        )
        known = theirs.transform_filter(f"isValid(datum.paper_{mean}_mean)")
        spread = known.transform_filter(f"isValid(datum.paper_{mean}_std)")
        layers += [
            spread.mark_rule(color=BLACK, strokeWidth=1, yOffset=7).encode(
                x="low:Q", x2="high:Q", y=y
            ),
            known.mark_point(shape="diamond", filled=True, color=BLACK, size=45, yOffset=7).encode(
                x=f"paper_{mean}_mean:Q", y=y
            ),
        ]
    return alt.layer(*layers).properties(width=WIDTH, height=ROW_HEIGHT * len(rows), title=title)


def _learning(curves: alt.Chart) -> list[Any]:
    """The curves of the chosen row: in the epochs that are brushed, and all, to brush over."""
    brush = alt.selection_interval(name="epochs", encodings=["x"])
    chosen = curves.transform_filter("datum.row == row")
    value = alt.Y("validation_accuracy:Q", scale=alt.Scale(zero=False), title="accuracy (%)")
    lines = chosen.mark_line(clip=True).encode(
        x=alt.X("epoch:Q", scale=alt.Scale(domain=brush, nice=False)),
        y=value,
        detail="seed:N",
        strokeWidth=alt.condition("datum.seed == seed", alt.value(2.5), alt.value(1)),
        opacity=alt.condition("datum.seed == seed", alt.value(1), alt.value(0.35)),
    )
    detail = lines.transform_filter(brush).properties(
        width=WIDTH, height=220, title="validation accuracy of the row, a line a seed"
    )
    overview = (
        chosen.mark_line(strokeWidth=1, opacity=0.5)
        .encode(x=alt.X("epoch:Q", scale=alt.Scale(nice=False)), y=value, detail="seed:N")
        .properties(width=WIDTH, height=70, title="all epochs: drag to choose some")
        .add_params(brush)
    )
    return [detail, overview]


def numbers(table1: pd.DataFrame) -> str:
    """Table 1 as a table: ours, the paper's, verdicts."""

    def spread(line: Mapping[str, Any], name: str) -> str:
        digits = 2 if name.endswith("accuracy") else 0
        mean, std = (line[f"{name}_{of}"] for of in ("mean", "std"))
        return (
            "–"
            if pd.isna(mean)
            else f"{mean:.{digits}f}" + ("" if pd.isna(std) else f" ({std:.{digits}f})")
        )

    return table(
        (
            *("rule", "feedback", "hidden", "α", "seeds"),
            *("accuracy, %", "paper", "verdict", "epochs", "paper", "verdict"),
        ),
        (
            (
                *(RULE_NAMES.get(line["rule"], line["rule"]), line["feedback"], line["hidden"]),
                *(f"{line['learning_rate']:g}", line["n_seeds"]),
                *(spread(line, "accuracy"), spread(line, "paper_accuracy")),
                *(line["accuracy_verdict"], spread(line, "epochs")),
                *(spread(line, "paper_epochs"), line["epochs_verdict"]),
            )
            for line in table1.to_dict("records")
        ),
    )
