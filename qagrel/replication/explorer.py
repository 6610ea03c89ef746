"""The explorer of `notebooks/explore.ipynb`: a committed run, its network, and its trials.

`explore` gives a widget.  Nothing is trained until its button is pressed: the run is then derived
again in a thread (`derivation`), stretch by stretch, while the page goes on answering.  All else
happens in the kernel's own thread: it draws pictures, of what is seen at the moment only.
"""

import asyncio
import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import ipywidgets as widgets
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from qagrel.arrays import Array
from qagrel.errors import InputError
from qagrel.replication.audit import Committed
from qagrel.replication.derivation import Derivation, committed_row, derivation, of_seed
from qagrel.replication.experiments import read_params, row_fields
from qagrel.replication.figures import inside, walkthrough
from qagrel.replication.figures.style import FEEDBACK_NAMES, RULE_NAMES
from qagrel.rules import LEARN_BY_REWARD
from qagrel.trained import History

N_IMAGES = 1000  # of the test, the first ones, that are shown to a network
FIRST_ASKED = 40  # epochs, unless the run is shorter
DPI = 160
DRAW_EVERY = 2.0  # seconds, while a run is derived
WIDTH = 420  # of a picture, in pixels of the page; less where the page is narrower
TABS = ("Learning", "Network", "Trial")
COLOURS = {"status": "inherit", "alert": "#b00020"}


def still(profile: str, row: str, seed: int = 0) -> Figure:
    """What is on record of a run, beside the other seeds of its row; parameters as `explore`."""
    runs = committed_row(profile, row)
    run = of_seed(runs, seed)
    return inside.course(lines_of(runs), run.spec.seed, run.spec.rule)


def lines_of(runs: Sequence[Committed]) -> pd.DataFrame:
    """The records of a row's runs, a line a seed and epoch."""
    return pd.concat([run.epochs for run in runs], ignore_index=True)


def explore(profile: str, row: str, seed: int = 0) -> widgets.VBox:
    """A widget to look into committed runs of Table 1.

    Parameters
    ----------
    profile : whose results they are, by its name in `params.yaml`.
    row, seed : the run to begin with; others can be chosen there.

    Raises
    ------
    InputError
        When there is no such profile, row or seed, or its results are not there.
    """
    return Explorer(profile, row, seed).view


@dataclass(frozen=True)
class _Answers:
    """What a network does with the first images of the test."""

    images: Array
    labels: Array  # numbers of classes
    active: list[Array]  # a hidden layer: (images, units), whether above threshold
    chosen: Array

    def shares(self, layer: int, n_classes: int) -> Array:
        """How often units are active by class: shape (classes, units)."""
        active = self.active[layer]
        nothing = np.zeros((1, active.shape[1]))
        own = (active[self.labels == number] for number in range(n_classes))
        return np.array([np.mean(each if len(each) else nothing, axis=0) for each in own])


class Explorer:
    """The state of the page: what was chosen, what was derived, and what is looked at."""

    def __init__(self, profile: str, row: str, seed: int) -> None:
        self.profile = profile
        self.runs = committed_row(profile, row)
        self.run = of_seed(self.runs, seed)
        self.source: Derivation | None = None
        self.last: History | None = None  # as far as it was derived
        self.now: History | None = None  # at the epoch that is looked at
        self.answers: _Answers | None = None  # of that network
        self.is_stopping = False
        self._make_widgets(row, seed)
        self._begin()

    # --- widgets ----------------------------------------------------------------------------

    def _make_widgets(self, row: str, seed: int) -> None:
        wide = widgets.Layout(width="auto", max_width="420px")
        names = [(row_name(each), each) for each in read_params().all_rows]
        self.row = widgets.Dropdown(options=names, value=row, description="Row", layout=wide)
        self.seed = widgets.Dropdown(options=range(len(self.runs)), value=seed, description="Seed")
        self.asked = widgets.BoundedIntText(min=1, max=10**6, description="Up to epoch")
        self.derive_button = widgets.Button(description="Derive", button_style="primary")
        self.stop_button = widgets.Button(description="Stop", disabled=True)
        self.progress = widgets.IntProgress(min=0, layout=wide)
        self.status = widgets.HTML()
        self.epoch = widgets.SelectionSlider(
            options=[0], description="Epoch", disabled=True, layout=wide, continuous_update=True
        )
        self.pages = [Pictures(), Pictures(), Pictures()]
        self.answer = widgets.ToggleButtons(
            options=["right", "wrong"], description="Answers", style={"button_width": "auto"}
        )
        self.which = widgets.BoundedIntText(value=1, min=1, max=1, description="Image")
        self.phase = widgets.ToggleButtons(
            options=[(f"{n} {name}", n) for n, name in enumerate(walkthrough.PHASES, start=1)],
            description="Phase",
            style={"button_width": "auto"},
        )
        wrap = widgets.Layout(flex_flow="row wrap", align_items="center")
        choice = widgets.HBox([self.answer, self.which], layout=wrap)
        trial = widgets.VBox([choice, self.phase, self.pages[2].view])
        self.tabs = widgets.Tab([self.pages[0].view, self.pages[1].view, trial], titles=TABS)
        self.view = widgets.VBox(
            [
                widgets.HBox([self.row, self.seed], layout=wrap),
                widgets.HBox([self.asked, self.derive_button, self.stop_button], layout=wrap),
                self.progress,
                self.status,
                self.epoch,
                self.tabs,
            ]
        )
        self.derive_button.on_click(self._start)
        self.stop_button.on_click(self._stop)
        for chooser in (self.row, self.seed):
            chooser.observe(self._on_run, "value")
        self.epoch.observe(self._on_epoch, "value")
        self.answer.observe(self._on_answer, "value")
        self.which.observe(self._on_answer, "value")
        self.phase.observe(self._draw, "value")
        self.tabs.observe(self._draw, "selected_index")

    def _say(self, sentence: str, role: str = "status") -> None:
        """Show a sentence under the controls, and tell it to who cannot see; "alert": a fault."""
        begin = f'<p role="{role}" style="line-height: 1.4; margin: 0; color: {COLOURS[role]}">'
        self.status.value = f"{begin}{escape(sentence)}</p>"

    # --- choosing a run ---------------------------------------------------------------------

    def _on_run(self, _: Any) -> None:
        try:
            self.runs = committed_row(self.profile, self.row.value)
            self.run = of_seed(self.runs, self.seed.value)
        except InputError as error:
            self.derive_button.disabled = self.epoch.disabled = True
            self.tabs.layout.display = "none"  # what it shows is another run
            self._say(str(error), "alert")
            return
        self._begin()

    def _begin(self) -> None:
        """A run that is not derived yet: there is its committed record to look at."""
        n_epochs = len(self.run.epochs)
        self.source = self.last = self.now = self.answers = None
        self.epoch.disabled, self.derive_button.disabled = True, False
        self.tabs.layout.display = None
        self.asked.max = n_epochs
        self.asked.value = min(FIRST_ASKED, n_epochs)
        self.progress.value, self.progress.max = 0, n_epochs
        self._say(
            f"{self.run.name}: {n_epochs} epochs are on record. Derive the run again to look "
            "inside its network."
        )
        self._draw()

    # --- deriving it ------------------------------------------------------------------------

    def _start(self, _: Any) -> None:
        self._task = asyncio.get_running_loop().create_task(self.derive())

    def _stop(self, _: Any) -> None:
        self.is_stopping = True

    async def derive(self) -> None:
        """Derive the run up to the epoch asked; what was reached on the way can be looked at."""
        self.is_stopping, self.last = False, None
        self._lock(True)
        try:
            await self._derive()
        except InputError as error:
            self._say(str(error), "alert")
        finally:
            self._lock(False)

    async def _derive(self) -> None:
        loop, asked, notes = asyncio.get_running_loop(), self.asked.value, list[str]()
        self._say(f"{self.run.name}: the data are read, and what the code computes is looked at.")
        self.progress.max = asked

        def on_epoch(epoch: int) -> bool:
            loop.call_soon_threadsafe(self._show_progress, epoch)
            return self.is_stopping

        source = self.source = await asyncio.to_thread(derivation, self.run, notes.append)
        reached: list[int] = []
        drawn = loop.time()
        for stop in source.stops(asked):
            history = await asyncio.to_thread(source.advance, self.last, stop, on_epoch)
            self.last = history
            reached.append(history.n_epochs)
            self._show_progress(history.n_epochs)
            if self.is_stopping:
                break
            if loop.time() > drawn + DRAW_EVERY:
                self._reach(reached)
                drawn = loop.time()
        self._reach(reached)
        self._tell(history, notes)

    def _show_progress(self, epoch: int) -> None:
        self.progress.value = epoch
        self._say(f"{self.run.name}: epoch {epoch} of the {self.progress.max} asked for.")

    def _reach(self, epochs: Sequence[int]) -> None:
        """Look at the last of the epochs that were reached."""
        self.epoch.options = list(epochs)
        self.epoch.value = epochs[-1]
        self._look_at(epochs[-1])

    def _tell(self, history: History, notes: Sequence[str]) -> None:
        """Say what was derived."""
        n, of = history.n_epochs, len(self.run.epochs)
        sentence = (
            f"{self.run.name}: {n} of {of} epochs are derived, and every number of them is the "
            f"committed one, to the last bit. Test accuracy by then: {history.test_accuracy:.2f} %."
        )
        self._say(" ".join([*(f"{note}." for note in notes), sentence]))

    def _lock(self, is_busy: bool) -> None:
        self.stop_button.disabled = not is_busy
        for control in (self.row, self.seed, self.asked, self.derive_button, self.epoch):
            control.disabled = is_busy
        self.epoch.disabled = is_busy or self.last is None

    # --- looking at an epoch ----------------------------------------------------------------

    def _on_epoch(self, _: Any) -> None:
        if self.last is not None and not self.epoch.disabled:
            self._look_at(self.epoch.value)

    def _look_at(self, epoch: int) -> None:
        assert self.source is not None
        try:
            self.now = self.source.at(epoch)
            self.answers = self._ask(self.now)
        except InputError as error:
            self._say(f"{str(error).rpartition(': ')[0]}: press Derive to make it again", "alert")
            return
        self._count_images()
        self._draw()

    def _ask(self, history: History) -> _Answers:
        """Show the network the first images of the test."""
        assert self.source is not None
        data = self.source.dataset
        images, labels = data.test_images[:N_IMAGES], data.test_labels[:N_IMAGES]
        _, *hidden, values = history.activities(images)
        return _Answers(images, labels, [a > 0 for a in hidden], values.argmax(axis=1))

    def _on_answer(self, _: Any) -> None:
        self._count_images()
        self._draw()

    def _count_images(self) -> None:
        self.which.max = max(len(self._trials()), 1)

    def _trials(self) -> list[int]:
        """The images that the network answers as is asked for."""
        if self.answers is None:
            return []
        is_right = self.answers.chosen == self.answers.labels
        found: list[int] = np.flatnonzero(is_right == (self.answer.value == "right")).tolist()
        return found

    # --- pictures ---------------------------------------------------------------------------

    def _draw(self, _: Any = None) -> None:
        """Draw the page that is open."""
        draw = (self._learning, self._network, self._trial)[self.tabs.selected_index or 0]
        draw()

    def _learning(self) -> None:
        page, rule, epoch = self.pages[0], self.run.spec.rule, self.now and self.now.n_epochs
        curves: dict[str, Callable[..., None]] = {
            "Reward": inside.rewards_of,
            "Accuracy on validation": inside.accuracies_of,
            **({"Angle of feedback": inside.angles_of} if inside.angles(self.run.epochs) else {}),
        }
        data = (lines_of(self.runs), self.run.spec.seed, rule, epoch)
        shown = {name: inside.alone(panel, *data) for name, panel in curves.items()}
        if self.last is not None:
            counts, classes = self.last.confusion, self.last.classes
            chosen = counts.sum(axis=1) / counts.sum(axis=(1, 2))[:, None]
            right = (counts * self.last.right).sum(axis=2) / np.maximum(counts.sum(axis=2), 1)
            shown["Choices by class"] = inside.alone(
                inside.class_shares, chosen, classes, epoch, "of all choices", most=chosen.max()
            )
            shown["Classes recognised"] = inside.alone(
                inside.class_shares, right, classes, epoch, "of the class's images"
            )
        page.show(shown)

    def _network(self) -> None:
        page = self.pages[1]
        if self.now is None or self.answers is None or self.last is None:
            page.say(NOT_YET)
            return
        assert self.source is not None
        weights, epoch = self.now.weights[0], self.now.n_epochs
        largest = np.argsort(-np.linalg.norm(self.last.weights[0], axis=0), kind="stable")
        fields = (inside.receptive_fields, weights, largest, self.source.dataset.image_shape)
        shown = {
            f"Receptive fields, epoch {epoch}": inside.alone(*fields, height=0.8),
            f"Training choices, epoch {epoch}": inside.alone(
                inside.confusion, self.now.confusion[-1], height=0.8
            ),
        }
        classes = self.now.classes
        for layer, active in enumerate(self.answers.active):
            shares = self.answers.shares(layer, len(classes))
            name = (
                f"Hidden layer {layer + 1}, epoch {epoch}: {active.sum(axis=1).mean():.0f} of "
                f"{active.shape[1]} units are active for an image, "
                f"{(~active.any(axis=0)).sum()} for none"
            )
            order = inside.by_favourite(shares)
            shown[name] = inside.alone(inside.active_units, shares, order, classes)
        page.show(shown)

    def _trial(self) -> None:
        page = self.pages[2]
        if self.now is None or self.answers is None:
            page.say(NOT_YET)
        elif self.now.spec.rule not in LEARN_BY_REWARD:
            page.say(
                f"{RULE_NAMES[self.now.spec.rule]} is told the right answer: it has no trial of "
                "an action and its reward. Choose a row of Q-AGREL."
            )
        elif not (found := self._trials()):
            page.say(
                f"Of the first {len(self.answers.labels)} images of the test, none is answered "
                f"{self.answer.value} at epoch {self.now.n_epochs}. Choose another epoch."
            )
        else:
            self._show_trial(self.now, self.answers, found[self.which.value - 1])

    def _show_trial(self, history: History, answers: _Answers, image: int) -> None:
        assert self.source is not None
        label = history.classes[answers.labels[image]]
        trial = history.run_trial(answers.images[image], label)
        shape, phase = self.source.dataset.image_shape, self.phase.value
        figure = walkthrough.walkthrough(trial, phase, shape, history.classes)
        text = walkthrough.told(trial, phase, history.classes)
        where = f"Image {image + 1} of the test, a {label}, at epoch {history.n_epochs}"
        self.pages[2].show({where: figure}, text)


NOT_YET = "Press Derive first: a committed run holds no weights."


def row_name(row: str) -> str:
    """A row of Table 1 in words."""
    fields = row_fields(row)
    hidden = "-".join(map(str, fields["hidden"]))
    loss = ", squared error" if "loss" in fields else ""
    names = f"{RULE_NAMES[fields['rule']]}, {FEEDBACK_NAMES[fields['feedback']]}"
    return f"{names}, {hidden}, α = {fields['learning_rate']:g}{loss}"


class Pictures:
    """Pictures with titles, side by side as far as the page is wide."""

    def __init__(self) -> None:
        self.view = widgets.HTML(layout=widgets.Layout(width="100%", min_width="0"))
        self.say("A moment: pictures are drawn.")

    def say(self, sentence: str) -> None:
        """Show a sentence, and no picture."""
        self.view.value = f"<p>{escape(sentence)}</p>"

    def show(self, figures: dict[str, Figure], text: str = "") -> None:
        """Show figures by their titles, and a text below."""
        begin = '<div style="display: flex; flex-wrap: wrap; gap: 16px">'
        shown = "".join(_picture(title, figure) for title, figure in figures.items())
        end = f'<p style="max-width: {2 * WIDTH}px; line-height: 1.4">{escape(text)}</p>'
        self.view.value = f"{begin}{shown}</div>{end if text else ''}"


def _picture(title: str, figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    data = base64.b64encode(buffer.getvalue()).decode()
    return (
        f'<figure style="margin: 0; flex: 0 1 {WIDTH}px; min-width: 0">'
        f'<figcaption style="line-height: 1.4">{escape(title)}</figcaption>'
        f'<img alt="{escape(title)}" style="width: 100%; max-width: {WIDTH}px" '
        f'src="data:image/png;base64,{data}"></figure>'
    )
