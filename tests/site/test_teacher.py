"""The page on which the reader is the teacher: its networks have the bits of the package's."""

import runpy
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from helpers import REGIMES, ROOT
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page, expect

import qagrel
from qagrel import kernels, network

FOLDER = ROOT / "docs" / "teacher"
PAGE = (FOLDER / "index.html").as_uri()
WIDE, NARROW = 1200, 400
N_TRIALS = 100
MOST_LINES = 600  # of script, comments apart
WEIGHTS = """(name) => runs[kind][name].map((matrix) => [...matrix])"""

Matrices = list[NDArray[np.float32]]
made = runpy.run_path(str(FOLDER / "make_data.py"))
SPEC: qagrel.RunSpec = made["SPEC"]


@pytest.fixture(scope="module")
def digits() -> qagrel.Dataset:
    return qagrel.load_dataset("digits")


@pytest.fixture(params=[WIDE, NARROW])
def page(request: pytest.FixtureRequest, chromium: Browser) -> Iterator[Page]:
    """The page in a wide and in a narrow window; whatever it complains of is a failure."""
    context = chromium.new_context(
        viewport={"width": request.param, "height": 860}, offline=True, reduced_motion="reduce"
    )
    opened = context.new_page()
    faults: list[str] = []
    opened.on("console", lambda message: faults.append(message.text))
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on(
        "request", lambda asked: asked.url[:5] in ("file:", "data:") or faults.append(asked.url)
    )
    opened.goto(PAGE)
    yield opened
    context.close()
    assert faults == []


@pytest.fixture
def narrow(chromium: Browser) -> Iterator[Page]:
    """The page where nothing depends on the window."""
    opened = chromium.new_page(offline=True, reduced_motion="reduce")
    opened.goto(PAGE)
    yield opened
    opened.close()


def choose(page: Page, kind: str) -> None:
    page.check(f"input[value={kind}]")


def bits(page: Page, name: str) -> list[bytes]:
    """The weights, or feedback weights, that the page has."""
    matrices = page.evaluate(WEIGHTS, name)
    return [np.array(matrix, np.float64).astype(np.float32).tobytes() for matrix in matrices]


def of(matrices: Matrices) -> list[bytes]:
    return [np.ascontiguousarray(matrix, np.float32).tobytes() for matrix in matrices]


def first_trials(spec: qagrel.RunSpec, digits: qagrel.Dataset, n: int) -> tuple[Matrices, Matrices]:
    """Weights and feedback weights after the first trials of a run, by the kernels."""
    forward, feedback, orders, exploration = map(
        np.random.default_rng, np.random.SeedSequence(spec.seed).spawn(4)
    )
    widths = (64, *spec.hidden, 10)
    weights = network.draw_weights(widths, spec.weight_range, forward, spec.precision)
    back = network.draw_weights(widths, spec.feedback_range, feedback, spec.precision)
    separate = spec.feedback != "symmetric"
    net = network.pack(weights, back if separate else None, spec.feedback == "learned")
    n_samples = len(digits.train_images)
    orders.permutation(n_samples)
    order, none = orders.permutation(n_samples)[:n], np.zeros(0)
    explore, select = exploration.random((2, n_samples))[:, :n].copy()
    levels = network.input_levels(digits.grey_max, spec.input_scale, spec.precision)
    images = network.sparse_images(digits.train_images, digits.train_labels, levels)
    kernels.train_epoch(
        net,
        network.workspace(net, 1),
        images,
        kernels.Draws(order, explore, select, none, none),
        network.payoffs(spec, 10),
        network.policy(spec),
        spec.learning_rate,
        network.record(net, n, 10),
    )
    return network.unpack(net, net.weights), network.unpack(net, net.feedback)


def test_the_data_are_what_the_script_makes(digits: qagrel.Dataset) -> None:
    text = (FOLDER / "data.js").read_text(encoding="utf-8")
    assert text == made["content"](SPEC, digits)


def test_the_script_is_short() -> None:
    n_lines = 0
    for path in sorted(FOLDER.glob("*.js")):
        if path.name != "data.js":
            lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
            n_lines += sum(1 for line in lines if line and not line.startswith(("//", "/*", "*")))
    assert 0 < n_lines < MOST_LINES


@pytest.mark.parametrize("kind", REGIMES)
def test_a_hundred_trials_have_the_bits_of_the_kernels(
    narrow: Page, digits: qagrel.Dataset, kind: str
) -> None:
    choose(narrow, kind)
    narrow.click("#hundred")
    weights, feedback = first_trials(SPEC.replace(feedback=kind), digits, N_TRIALS)
    assert bits(narrow, "weights") == of(weights)
    assert bits(narrow, "feedback") == of(feedback)


@pytest.mark.parametrize("kind", REGIMES)
def test_epochs_have_the_bits_of_the_run_that_the_page_names(narrow: Page, kind: str) -> None:
    choose(narrow, kind)
    command = narrow.inner_text("#command").replace("max_epochs=1", "max_epochs=2")
    names: dict[str, Any] = {}
    exec(command, names)
    assert names["spec"] == SPEC.replace(feedback=kind, max_epochs=2)
    history = names["run"]
    narrow.evaluate("for (let i = 0; i < 2 * DATA.labels.length; i++) step();")
    assert bits(narrow, "weights") == of(history.weights)
    assert bits(narrow, "feedback") == of(history.feedback_weights)


def test_products_and_sums_are_fused_as_by_the_package(narrow: Page) -> None:
    """Numbers of all sizes: some cancel, some are a little off the middle between two others."""
    generator = np.random.default_rng(0)
    a, b, c = generator.uniform(-1, 1, (3, 6000)) * 2.0 ** generator.integers(-40, 40, (3, 6000))
    c[::3] = (-a * b)[::3]
    sign, scale = np.sign(a[1::3]), 2.0 ** np.round(np.log2(np.abs(b[1::3])))
    a[1::3] = sign * 2.0**-12 * (1 + 2.0**-23)
    b[1::3] = scale * 2.0**-12 * (1 - 2.0**-23)  # their product is just below half of c's last bit
    c[1::3] = scale * (1 + 2.0**-23 * generator.integers(1, 2**23, sign.size))
    c[1::3] *= generator.choice([-1, 1], sign.size)
    a, b, c = (numbers.astype("f4") for numbers in (a, b, c))
    expected = kernels.vectors.PLAIN["fma"](a, b, c)
    rounded_twice = (a.astype("f8") * b + c).astype("f4")
    assert np.mean(rounded_twice[1::3] != expected[1::3]) > 0.3
    given = [numbers.astype("f8").tolist() for numbers in (a, b, c)]
    found = narrow.evaluate("([a, b, c]) => a.map((each, i) => fma(each, b[i], c[i]))", given)
    assert np.array(found, "f4").tobytes() == expected.tobytes()


def test_exp_is_the_package_s(narrow: Page) -> None:
    x = -(np.random.default_rng(0).random(2000) ** 4) * 745
    found = narrow.evaluate("(x) => x.map(exp)", [0.0, *x.tolist()])
    assert found == [kernels.elementary.exp.py_func(each) for each in (0.0, *x.tolist())]


@pytest.mark.parametrize(("answer", "reward"), [("right", 1), ("wrong", 0)])
def test_a_trial_goes_through_its_phases_by_keyboard(page: Page, answer: str, reward: int) -> None:
    def shown() -> str:
        return page.get_attribute("#stage", "data-phase") or ""

    page.focus("#on")
    for phase in "12":
        page.keyboard.press("Enter")
        assert shown() == phase
    expect(page.locator("#said")).to_contain_text("Right or wrong?")
    expect(page.locator("#on")).to_be_disabled()
    page.focus(f"#{answer}")
    page.keyboard.press("Enter")
    for phase in "345":
        assert shown() == phase
        page.keyboard.press("Enter")
    told = page.locator("#phases li").nth(3)
    delta = reward - page.evaluate("scene.trial.q[scene.trial.winner]")
    expect(told).to_contain_text(f"δ = {reward} − ")
    expect(told).to_contain_text(f"= {'−' if delta < 0 else '+'}{abs(delta):.2f}")
    expect(page.locator("#tally")).to_contain_text(f"1 trial; reward of the last 100: {reward}.00")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_phases_follow_by_themselves_but_for_the_answer(chromium: Browser) -> None:
    page = chromium.new_page(offline=True, reduced_motion="no-preference")
    page.clock.install()
    page.goto(PAGE)
    page.clock.run_for(60_000)
    assert page.get_attribute("#stage", "data-phase") == "2"
    page.click("#right")
    assert page.get_attribute("#stage", "data-phase") == "3"
    page.clock.run_for(60_000)
    assert page.get_attribute("#stage", "data-phase") == "5"
    assert page.evaluate("runs.symmetric.trials") == 1
    page.close()


def test_a_trial_without_an_answer_leaves_no_trace(narrow: Page) -> None:
    for button in ("#on", "#on", "#next", "#on", "#hundred"):
        narrow.click(button)
    found = bits(narrow, "weights")
    narrow.click("#anew")
    narrow.click("#hundred")
    assert bits(narrow, "weights") == found


def test_what_changed_is_what_the_picture_shows(narrow: Page) -> None:
    """Red lines are synapses that rose, blue ones fell; shut gates keep theirs."""
    for button in ("#on", "#on", "#wrong", "#on", "#on"):
        narrow.click(button)
    agree = """() => stage.lines.every((lines, i) => lines.every((line, s) => {
      const change = scene.change[i + 1][s], shown = Number(line.style.strokeOpacity) > 0;
      const colour = { "rgb(213, 94, 0)": 1, "rgb(0, 114, 178)": -1 }[line.style.stroke];
      return shown === (change !== 0) && (!shown || colour === Math.sign(change));
    }))"""
    assert narrow.evaluate(agree)
    n_shut = narrow.locator(".gate:not(.open)").count()
    assert n_shut == narrow.evaluate("32 - scene.trial.open[1].length - scene.trial.open[2].length")


def test_an_image_is_drawn_by_keyboard_and_pointer(page: Page) -> None:
    page.click("#blank")
    for key in ("Space", "ArrowDown", "Space"):
        page.keyboard.press(key)
    assert page.evaluate("[scene.input[27], scene.input[35], scene.label]") == [1, 1, None]
    box = page.locator(".image .frame").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.94, box["y"] + box["height"] * 0.94)
    page.mouse.down()
    page.mouse.up()
    assert page.evaluate("scene.input[63]") == 1
    page.click("#on")
    assert page.get_attribute("#stage", "data-phase") == "1"


def test_at_speed_curves_grow_until_it_is_stopped(page: Page) -> None:
    choose(page, "learned")
    page.focus("#run")
    page.keyboard.press("Enter")
    expect(page.locator(".curve.learned")).to_have_count(2, timeout=20_000)
    page.keyboard.press("Enter")
    n = page.evaluate("runs.learned.trials")
    assert n == page.evaluate("tallies.learned.trials") > 0
    page.wait_for_timeout(300)
    assert page.evaluate("runs.learned.trials") == n
    assert page.evaluate("runs.symmetric.trials + runs.fixed.trials") == 0
