"""Every page opens in Chromium without a network, wide and narrow, by mouse or keyboard."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import ROOT
from playwright.sync_api import Browser, Page, expect

WIDE, NARROW = 1200, 400
PATIENCE = 120_000  # milliseconds, for machines that have much else to do
SHELL = {"genindex.html", "search.html", "py-modindex.html"}  # Sphinx's own
# What a page has that a reader could not reach by the tabulator, or not tell when there.
UNREACHABLE = """() => [...document.querySelectorAll("article :is(pre, .table-wrapper, p)")]
  .filter((e) => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX === "auto")
  .filter((e) => e.tabIndex < 0)
  .map((e) => e.outerHTML.slice(0, 120))"""
NAMELESS = """() => [...document.querySelectorAll("article img")]
  .filter((image) => !image.alt || !image.naturalWidth).map((image) => image.src)"""


@pytest.fixture(params=[WIDE, NARROW])
def page(request: pytest.FixtureRequest, chromium: Browser) -> Iterator[Page]:
    """An empty page of a wide or a narrow window, which collects in `faults` what goes wrong."""
    context = chromium.new_context(
        viewport={"width": request.param, "height": 800}, offline=True, reduced_motion="reduce"
    )
    context.set_default_timeout(PATIENCE)
    opened = context.new_page()
    faults: list[str] = []
    opened.on("console", lambda message: faults.append(f"{message.type}: {message.text}"))
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("requestfailed", lambda request: faults.append(f"failed: {request.url}"))
    opened.on(
        "request",
        lambda request: (
            request.url.startswith(("file:", "data:", "blob:"))
            or faults.append(f"asked: {request.url}")
        ),
    )
    opened.faults = faults  # type: ignore[attr-defined]
    yield opened
    context.close()


def pages(site: Path) -> list[Path]:
    return sorted(path for path in site.rglob("*.html") if "_static" not in path.parts)


def test_every_page_opens_and_none_is_wider_than_the_window(site: Path, page: Page) -> None:
    opened = pages(site)
    assert len(opened) > 40
    for path in opened:
        page.goto(path.as_uri())
        name = path.relative_to(site)
        assert page.faults == [], name  # type: ignore[attr-defined]
        overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert overflow <= 0, name
        assert page.evaluate(UNREACHABLE) == [], name
        assert page.evaluate(NAMELESS) == [], name


def test_tables_are_tables(site: Path) -> None:
    """Those that a notebook prints, too."""
    raw = [path.name for path in pages(site) if "<p>| " in path.read_text(encoding="utf-8")]
    assert raw == []


def test_every_page_is_reached_from_the_first(site: Path, chromium: Browser) -> None:
    """What a reader who follows links can see is all that there is."""
    context = chromium.new_context(offline=True, java_script_enabled=False)
    context.set_default_timeout(PATIENCE)
    opened = context.new_page()
    ahead, seen = [site / "index.html"], set()
    while ahead:
        path = ahead.pop()
        if path in seen:
            continue
        seen.add(path)
        opened.goto(path.as_uri())
        links = opened.eval_on_selector_all("a[href]", "all => all.map((a) => a.href)")
        files = {link.split("#")[0] for link in links if link.startswith("file:")}
        assert all(Path(link.removeprefix("file://")).exists() for link in files), path
        ahead += [Path(link.removeprefix("file://")) for link in files if link.endswith(".html")]
    context.close()
    assert {path for path in pages(site) if path.name not in SHELL} <= seen


def test_the_tabulator_goes_through_a_page(site: Path, page: Page) -> None:
    page.goto((site / "index.html").as_uri())
    told = []
    for _ in range(25):
        page.keyboard.press("Tab")
        told.append(page.evaluate("document.activeElement.href || document.activeElement.tagName"))
    assert len(set(told)) > 10
    outline = "(({outlineStyle, boxShadow}) => outlineStyle !== 'none' || boxShadow !== 'none')"
    assert page.evaluate(f"{outline}(getComputedStyle(document.activeElement))")


def test_search_finds_a_word_without_a_network(site: Path, page: Page) -> None:
    page.goto((site / "search.html").as_uri() + "?q=reciprocal")
    page.wait_for_selector("#search-results li a")
    assert page.faults == []  # type: ignore[attr-defined]


@pytest.mark.parametrize("profile", ["mnist", "digits"])
def test_a_row_is_chosen_by_click_and_a_seed_by_pointing(
    site: Path, page: Page, profile: str
) -> None:
    page.goto((site / f"made/table1/{profile}.html").as_uri())
    told = page.locator(f"#derive-{profile}")
    expect(told).to_contain_text('--run "q-agrel_symmetric_300_0.5, seed 0"')
    page.locator(".chart .mark-rect path").nth(3).click(position={"x": 220, "y": 20}, force=True)
    expect(told).to_contain_text('--run "q-agrel_symmetric_300-100_1, seed 0"')
    expect(told).to_contain_text('"learning_rate": 1,')
    page.locator(".chart .role-axis-label text").get_by_text("error-BP, fixed, 300,").first.click(
        force=True
    )
    expect(told).to_contain_text('--run "error-bp_fixed_300_0.1, seed 0"')
    page.locator(".chart .mark-symbol path[aria-label*='; seed: 2;']").last.hover(force=True)
    expect(told).not_to_contain_text("seed 0.")
    assert page.faults == []  # type: ignore[attr-defined]


def test_row_and_seed_are_chosen_by_keyboard(site: Path, page: Page) -> None:
    page.goto((site / "made/table1/mnist.html").as_uri())
    row, seed = page.locator(".choices select").all()
    row.focus()
    page.keyboard.press("ArrowDown")
    seed.focus()
    page.keyboard.press("ArrowDown")
    told = page.locator("#derive-mnist")
    expect(told).to_contain_text('--run "q-agrel_symmetric_300-100_0.5, seed 1"')


def test_epochs_are_chosen_by_dragging(site: Path, page: Page) -> None:
    page.goto((site / "made/table1/mnist.html").as_uri())
    page.wait_for_selector(".chart svg")
    lowest = page.locator(".chart g.mark-group.role-scope").last
    lowest.scroll_into_view_if_needed()
    ticks = page.locator(".chart g.role-axis-label")
    before = ticks.all_text_contents()
    box = lowest.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] * 0.4
    page.mouse.move(box["x"] + box["width"] * 0.4, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, middle, steps=5)
    page.mouse.up()
    expect(ticks).not_to_have_text(before)


def test_the_seeds_shown_are_those_of_the_results(site: Path, page: Page) -> None:
    page.goto((site / "made/table1/mnist.html").as_uri())
    page.wait_for_selector(".chart .mark-symbol path")
    data = json.loads(page.locator("#data-mnist").inner_text())
    lines = data["spec"]["datasets"]["seeds"].splitlines()
    committed = sorted((ROOT / "results/mnist/runs").glob("*-summary.csv"))
    rows = set(data["runs"])
    n_runs = sum(
        len(path.read_text().splitlines()) - 1
        for path in committed
        if path.name.removesuffix("-summary.csv") in rows
    )
    assert len(lines) - 1 == n_runs == 160
