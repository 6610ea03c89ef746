"""The explorer's page, without a browser: what it shows of what is chosen and derived."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from helpers import ROOT, where_compiled

from qagrel import InputError, experiments, explorer
from qagrel.replication.explorer import Explorer, row_name

pytestmark = where_compiled("a run of digits takes long where nothing is compiled")

ROW = "q-agrel_learned_300-100_1"


@pytest.fixture(scope="module", autouse=True)
def in_the_project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setenv("QAGREL_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        patch.delenv("QAGREL_RESULTS_DIR", raising=False)
        yield


@pytest.fixture
def page() -> Explorer:
    page = Explorer("digits", ROW, 0)
    page.asked.value = 12
    return page


@pytest.fixture
def derived(page: Explorer) -> Explorer:
    asyncio.run(page.derive())
    return page


def sentence(page: Explorer) -> str:
    (text,) = re.findall(r"<p role=\"\w+\" [^>]*>([^<]+)</p>", page.status.value)
    return str(text)


def role(page: Explorer) -> str:
    return re.findall(r'role="(\w+)"', page.status.value)[0]


def titles(page: Explorer, tab: int) -> list[str]:
    return re.findall(r'<img alt="([^"]+)"', page.pages[tab].view.value)


def open_tab(page: Explorer, number: int) -> str:
    page.tabs.selected_index = number
    return str(page.pages[number].view.value)


def test_a_row_is_named_in_words() -> None:
    assert row_name(ROW) == "Q-AGREL, learned feedback, 300-100, α = 1"
    name = row_name("error-bp_fixed_300_0.1_squared-error")
    assert name == "error-BP, fixed feedback, 300, α = 0.1, squared error"


def test_every_row_can_be_chosen(page: Explorer) -> None:
    assert [row for _, row in page.row.options] == experiments.read_params().all_rows


def test_before_it_is_derived_the_record_is_shown(page: Explorer) -> None:
    assert "80 epochs are on record" in sentence(page)
    assert titles(page, 0) == ["Reward", "Accuracy on validation", "Angle of feedback"]
    for tab in (1, 2):
        assert "Press Derive first" in open_tab(page, tab)


def test_a_derived_run_is_said_to_be_the_committed_one(derived: Explorer) -> None:
    assert role(derived) == "status"
    assert "12 of 80 epochs are derived, and every number of them is the" in sentence(derived)
    assert derived.progress.value == 12
    assert list(derived.epoch.options) == list(range(1, 13))
    assert titles(derived, 0)[-2:] == ["Choices by class", "Classes recognised"]
    assert [derived.derive_button.disabled, derived.stop_button.disabled] == [False, True]


def test_scrubbing_shows_the_network_of_the_epoch(derived: Explorer) -> None:
    open_tab(derived, 1)
    derived.epoch.value = 5
    named = titles(derived, 1)
    assert named[:2] == ["Receptive fields, epoch 5", "Training choices, epoch 5"]
    assert re.match(r"Hidden layer 1, epoch 5: \d+ of 300 units are active .* \d+ for", named[2])
    assert re.match(r"Hidden layer 2, epoch 5: \d+ of 100 units are active", named[3])


@pytest.mark.parametrize("answer", ["right", "wrong"])
def test_a_trial_is_stepped_through(derived: Explorer, answer: str) -> None:
    open_tab(derived, 2)
    derived.answer.value = answer
    derived.which.value = 2
    texts = []
    for phase in range(1, 6):
        derived.phase.value = phase
        texts += re.findall(r"<p [^>]*>(\d of 5, [^<]+)</p>", derived.pages[2].view.value)
    assert [text[:6] for text in texts] == [f"{phase} of 5" for phase in range(1, 6)]
    assert f" is {answer}" in texts[3]
    assert f"the reward is {int(answer == 'right')}" in texts[3]


def test_answers_that_there_are_not_are_told(derived: Explorer) -> None:
    open_tab(derived, 2)
    assert derived.answers is not None
    derived.answers.chosen[:] = derived.answers.labels
    derived.answer.value = "wrong"
    assert "none is answered wrong at epoch 12" in derived.pages[2].view.value


def test_error_bp_has_no_trials() -> None:
    page = Explorer("digits", "error-bp_symmetric_300_0.1", 0)
    page.asked.value = 2
    asyncio.run(page.derive())
    assert "error-BP is told the right answer" in open_tab(page, 2)


def test_another_row_begins_anew(derived: Explorer) -> None:
    derived.row.value = "q-agrel_symmetric_300_1"
    derived.seed.value = 2
    assert sentence(derived).startswith("q-agrel_symmetric_300_1, seed 2: ")
    assert derived.epoch.disabled
    assert titles(derived, 0) == ["Reward", "Accuracy on validation"]


def test_stop_keeps_what_there_is(page: Explorer) -> None:
    async def stop_early() -> None:
        task = asyncio.ensure_future(page.derive())
        while page.progress.value < 3:
            await asyncio.sleep(0)
        page.stop_button.click()
        await task

    page.asked.value = 80
    asyncio.run(stop_early())
    reached = page.epoch.options[-1]
    assert 3 <= reached < 80
    assert f"{reached} of 80 epochs are derived" in sentence(page)


def test_a_fault_is_one_sentence_and_the_page_goes_on(
    page: Explorer,
) -> None:
    page.run = replace(page.run, spec=page.run.spec.replace(dataset="data/lost"))
    asyncio.run(page.derive())
    assert role(page) == "alert"
    assert "data/lost" in sentence(page)
    assert not page.derive_button.disabled


def test_a_network_that_cannot_be_read_is_told(derived: Explorer) -> None:
    assert derived.source is not None
    (derived.source.folder / "0007.npz").write_bytes(b"damaged")
    derived.epoch.value = 7
    assert role(derived) == "alert"
    assert sentence(derived).endswith("press Derive to make it again")
    asyncio.run(derived.derive())
    assert "0007.npz is damaged" in sentence(derived)
    assert "12 of 80 epochs are derived" in sentence(derived)


def test_a_row_without_results_is_told(
    page: Explorer, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("QAGREL_RESULTS_DIR", str(tmp_path))
    page.seed.value = 1
    assert role(page) == "alert"
    assert page.derive_button.disabled
    assert page.tabs.layout.display == "none"
    monkeypatch.undo()
    page.seed.value = 2
    assert role(page) == "status"
    assert page.tabs.layout.display is None


def test_what_is_not_there_is_refused_at_once() -> None:
    for row, seed, fault in [("q-agrel_x_300_1", 0, "row: "), (ROW, 9, "seed: 9 is not")]:
        for function in (explorer.explore, explorer.still):
            with pytest.raises(InputError, match=f"^{fault}"):
                function("digits", row, seed)
    with pytest.raises(InputError, match=r"^profile: 'digit' is not one of"):
        explorer.explore("digit", ROW)
