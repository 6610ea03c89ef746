"""The exact claim, Q-AGREL against the gradient: it holds, and its digits hold on any machine."""

import numpy as np
import pytest

from qagrel import equivalence


def test_the_update_is_the_gradient_at_every_depth() -> None:
    """Six depths, no difference beyond round-off."""
    frame = equivalence.equivalence()
    assert frame["hidden_layers"].tolist() == [1, 2, 3, 4, 5, 6]
    assert frame["relative_difference"].tolist() == [1e-14] * 6


def test_round_off_of_the_reference_does_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """A matrix product that adds in another order, as on another processor, changes no digit."""
    here = equivalence.equivalence()
    exact = equivalence._gradient

    def nudged(*arguments: object) -> list[np.ndarray]:
        return [gradient * (1 + 1e-15) for gradient in exact(*arguments)]  # type: ignore[arg-type]

    monkeypatch.setattr(equivalence, "_gradient", nudged)
    assert equivalence.equivalence().equals(here)


def test_a_wrong_update_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change off by a millionth is told as it is."""
    exact = equivalence._gradient

    def wrong(*arguments: object) -> list[np.ndarray]:
        return [gradient * (1 + 1e-6) for gradient in exact(*arguments)]  # type: ignore[arg-type]

    monkeypatch.setattr(equivalence, "_gradient", wrong)
    assert equivalence.equivalence()["relative_difference"].to_numpy() == pytest.approx(1e-6)
