"""The explorer in JupyterLab, driven in Chromium as a reader would."""

import copy
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from helpers import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page


SECONDS = 60  # for anything that a page does, on a machine that is busy


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with what the notebook needs of the project, and nothing of the user's.

    The profile "lost" has results too, but its data are not there.
    """
    folder = tmp_path_factory.mktemp("project")
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    lost = params["profiles"]["lost"] = copy.deepcopy(params["profiles"]["digits"])
    lost["table1"]["dataset"] = "data/lost"
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    for profile in ("digits", "lost"):
        shutil.copytree(ROOT / "results/digits/runs", folder / f"results/{profile}/runs")
    source = (ROOT / "notebooks/explore.ipynb").read_text()
    (folder / "notebooks").mkdir()
    for name, old, new in [
        ("explore", "", ""),
        ("lost", '"digits\\"', '"lost\\"'),
        ("unknown", "q-agrel_learned_300-100_1", "q-agrel_learnt_300-100_1"),
    ]:
        assert old in source
        (folder / f"notebooks/{name}.ipynb").write_text(source.replace(old, new))
    settings = folder / "config/labconfig/page_config.json"
    settings.parent.mkdir(parents=True)
    quiet = {"@jupyterlab/apputils-extension:announcements": True}  # asks to fetch news
    settings.write_text(json.dumps({"disabledExtensions": quiet}))
    return folder


@pytest.fixture(scope="module")
def jupyter(project: Path) -> Iterator[str]:
    """Start JupyterLab on a free port of this machine; return the address of a notebook."""
    own = {name: str(project / name.lower()) for name in ("HOME", "IPYTHONDIR", "JUPYTER_DATA_DIR")}
    runtime = project / "runtime"
    environment = {
        **os.environ,
        **own,
        "JUPYTER_CONFIG_DIR": str(project / "config"),
        "JUPYTER_RUNTIME_DIR": str(runtime),
        "QAGREL_STATE_DIR": str(project / "state"),
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    root = ["--allow-root"] if os.geteuid() == 0 else []
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.port=0", *root]
    command += ["--ServerApp.ip=127.0.0.1", f"--ServerApp.root_dir={project}"]
    log = project / "jupyter.log"
    with log.open("w") as file:
        server = subprocess.Popen(
            command, cwd=project, env=environment, stdout=file, stderr=file, start_new_session=True
        )
    try:
        about = _wait_for_server(server, runtime, log)
        yield f"{about['url']}doc/tree/notebooks/{{}}.ipynb?token={about['token']}"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(SECONDS)


def _wait_for_server(server: "subprocess.Popen[bytes]", runtime: Path, log: Path) -> Any:
    """Return what the server tells about itself, once it does."""
    for _ in range(10 * SECONDS):
        for path in runtime.glob("jpserver-*.json"):
            return json.loads(path.read_text())
        if server.poll() is not None:
            break
        time.sleep(0.1)
    raise AssertionError(log.read_text())


@pytest.fixture
def lab(jupyter: str, chromium: "Browser") -> Iterator[Callable[[str], "Page"]]:
    """Return a function that opens a notebook and runs it; the pages have to keep the peace."""
    faults = []
    page = chromium.new_page(viewport={"width": 1400, "height": 1000})
    page.set_default_timeout(1000 * SECONDS)
    page.on("console", lambda said: said.type == "error" and faults.append(said.text))
    page.on("request", lambda asked: is_foreign(asked.url) and faults.append(asked.url))

    def run(name: str) -> "Page":
        page.goto(jupyter.format(name))
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.locator(".lm-Menu-item").filter(has_text=re.compile("^Run All( Cells)?$")).click()
        page.get_by_text("[1]:").wait_for()
        return page

    yield run
    page.close()
    assert faults == []


def is_foreign(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:"))


def told(page: "Page", role: str, text: str) -> "Locator":
    """Return the explorer's sentence, once it has this text."""
    sentence = page.locator(f".widget-html p[role={role}]").filter(has_text=text)
    sentence.wait_for()
    return sentence


def picture(page: "Page", name: str) -> "Locator":
    """Return a picture, once it is there."""
    found = page.get_by_role("img", name=name)
    found.wait_for()
    return found


def test_a_run_is_derived_looked_into_and_stepped_through(
    lab: Callable[[str], "Page"], project: Path
) -> None:
    page = lab("explore")
    derive = page.get_by_role("button", name="Derive")
    derive.click()
    told(page, "status", "40 of 80 epochs are derived, and every number of them is the committed")
    picture(page, "Classes recognised")

    page.get_by_role("tab", name="Network").click()
    late = picture(page, "Receptive fields, epoch 40").get_attribute("src")
    page.get_by_role("slider").press("ArrowLeft")
    early = picture(page, "Receptive fields, epoch 35").get_attribute("src")
    assert early != late
    for name in ("Training choices, epoch 35", "Hidden layer 1, epoch 35", "Hidden layer 2"):
        box = picture(page, name).bounding_box()
        assert box is not None
        assert box["width"] > 200

    page.get_by_role("tab", name="Trial").click()
    page.get_by_role("button", name="wrong").click()
    for number, name, text in [
        (1, "feedforward pass", "above threshold"),
        (2, "action selection", "It alone sends a signal down"),
        (3, "feedback", "closed gates"),
        (4, "prediction error", "is wrong, it is"),
        (5, "update", "synapses change"),
    ]:
        page.get_by_role("button", name=f"{number} {name}").click()
        page.get_by_text(re.compile(f"^{number} of 5, {name}: .*{text}")).wait_for()
        assert picture(page, "at epoch 35").is_visible()
    page.get_by_role("button", name="right", exact=True).click()
    page.get_by_role("button", name="4 prediction error").click()
    page.get_by_text("is right: the reward is 1").wait_for()

    (kept,) = project.glob("state/explorer/*/0003.npz")
    kept.write_bytes(b"damaged")
    derive.click()
    told(page, "status", "0003.npz is damaged")
    assert "it is trained again" in told(page, "status", "40 of 80 epochs").inner_text()


def test_an_unknown_row_is_told_in_one_sentence(lab: Callable[[str], "Page"]) -> None:
    page = lab("unknown")
    page.get_by_text("did you mean 'q-agrel_learned_300-100_1'?").first.wait_for()
    (shown, *_) = page.locator(".jp-OutputArea-output").all_inner_texts()
    assert re.fullmatch(r"qagrel: row: 'q-agrel_learnt_300-100_1' is not in [^\n]*\n*", shown)


def test_missing_data_are_told_in_one_sentence(lab: Callable[[str], "Page"]) -> None:
    page = lab("lost")
    page.get_by_role("button", name="Derive").click()
    told(page, "alert", "data/lost")
    page.get_by_role("tab", name="Network").click()
    page.get_by_text("Press Derive first").wait_for()
