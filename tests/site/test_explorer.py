"""The explorer in JupyterLab, driven in Chromium as a reader would."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from helpers import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.browser

CHROMIUM = shutil.which("chromium") or "chromium"  # the distribution's
SECONDS = 30  # for anything that a page does, on a machine that is busy


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with what the notebook needs of the project, and nothing of the user's."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "results/digits/runs", folder / "results/digits/runs")
    shutil.copy(ROOT / "params.yaml", folder)
    (folder / "notebooks").mkdir()
    shutil.copy(ROOT / "notebooks/explore.ipynb", folder / "notebooks")
    settings = folder / "config/labconfig/page_config.json"
    settings.parent.mkdir(parents=True)
    quiet = {"@jupyterlab/apputils-extension:announcements": True}  # asks to fetch news
    settings.write_text(json.dumps({"disabledExtensions": quiet}))
    return folder


@pytest.fixture(scope="module")
def jupyter(project: Path) -> Iterator[str]:
    """Start JupyterLab on a free port of this machine; return the address of the notebook."""
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
        yield f"{about['url']}doc/tree/notebooks/explore.ipynb?token={about['token']}"
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
