"""The site, built once, and Chromium to open it with."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import ROOT
from playwright.sync_api import Browser, expect, sync_playwright

PATIENCE = 120_000  # milliseconds, for machines that have much else to do
BROWSERS = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site; every warning of Sphinx, a dead link for one, is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "-n", "-q", "--keep-going"]
    built = subprocess.run(
        [*command, "-d", folder / "doctrees", ROOT / "docs", folder / "html"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return folder / "html"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser of the distribution, without a window."""
    found = [path for path in BROWSERS if Path(path).exists()]
    assert found, "there is no Chromium: apt-get install chromium"
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found[0], args=["--no-sandbox"], timeout=PATIENCE
        )
        yield browser
        browser.close()
