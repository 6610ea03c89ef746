"""RunSpec: one training run, described completely and checked before any work."""

import difflib
import hashlib
import json
import reprlib
from typing import Any, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from qagrel.errors import InputError
from qagrel.rules import LEARN_BY_REWARD

DEFAULTS_VERSION = 1  # raised whenever a default of RunSpec changes: see `RunSpec.id`
MOST_ACTIONS = 256
LARGEST_PAYOFF = 1e6  # beyond, sums of squares would leave the range of numbers
PAYING = ("payoff", "payoff_switch", "payoff_after", "reward_omission", "reward_flip")
BEYOND = (  # fields of what goes beyond the paper
    *("activation", "optimizer", "momentum", "initial_q", "novelty"),
    *("distortion", "distortion_range"),
    *("feedback_correlation", "feedback_noise", "feedback_silenced"),
)

Table = tuple[tuple[float, ...], ...]  # a row a class, in it a number an action


class RunSpec(BaseModel):
    """One training run: what is trained, on what, by which rule, from which seed.

    Two equal specifications give the same numbers, bit for bit, on every machine.  Fields that
    the paper leaves unsaid are *readings*: their defaults and alternatives are discussed in the
    ledger of departures.

    Raises
    ------
    InputError
        When a field is unknown, of the wrong type or impossible.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    dataset: str = Field(
        "mnist",
        min_length=1,
        description="name, or folder of IDX files; behind a colon some classes: mnist:0-4",
    )
    rule: Literal["q-agrel", "error-bp"] = Field("q-agrel", description="learning rule")
    feedback: Literal["symmetric", "learned", "fixed"] = Field(
        "symmetric", description="feedback weights"
    )
    hidden: tuple[int, ...] = Field(
        (300, 100), min_length=1, description="units of each hidden layer"
    )
    learning_rate: float = Field(1.0, gt=0, allow_inf_nan=False, description="alpha of Eq. 8")
    seed: int = Field(
        0,
        ge=0,
        lt=2**63,
        description="of weights, sample order, exploration, chances, distortions, noise and "
        "silenced units",
    )
    batch_size: int = Field(100, ge=1, description="trials whose updates are averaged")
    max_epochs: int = Field(1000, ge=1, description="epochs at the most")
    epsilon: float = Field(0.02, ge=0, le=1, description="exploration rate of Q-AGREL")
    temperature: float = Field(
        1.0, gt=0, allow_inf_nan=False, description="of the Boltzmann distribution (Eq. 6)"
    )
    loss: Literal["cross-entropy", "squared-error"] = Field(
        "cross-entropy", description="loss of error-bp"
    )
    input_scale: Literal["grey", "binary"] = Field(
        "grey", description="grey levels in [0, 1], or 0 and 1 by the middle level"
    )
    grey_max: int | None = Field(
        None, ge=1, le=255, description="grey level of activity 1  [default: the data's largest]"
    )
    distortion: Literal["none", "affine"] = Field(
        "none",
        description="training images are moved, scaled, rotated and sheared a little, anew in "
        "every epoch",
    )
    distortion_range: float = Field(
        0.15,
        gt=0,
        lt=0.5,  # beyond, a map may turn an image over
        description="numbers of an affine map are within +- this of those that change nothing",
    )
    weight_range: float = Field(
        0.05, gt=0, allow_inf_nan=False, description="initial weights are within +- this"
    )
    feedback_range: float = Field(
        0.05, gt=0, allow_inf_nan=False, description="the same for learned and fixed feedback"
    )
    validation_size: int = Field(
        1000, ge=0, description="training samples held out; 0: nothing is checked"
    )
    validation_draw: Literal["epoch", "run"] = Field(
        "epoch", description="held-out samples are drawn every epoch, or once a run"
    )
    validation_every: int = Field(5, ge=1, description="epochs between validation checks")
    stop_checks: int = Field(
        5, ge=0, description="equal validation accuracies in a row that end a run; 0: none do"
    )
    stop_decimals: int = Field(
        1, ge=0, le=6, description="decimals of a percentage in which they must agree"
    )
    drop_epoch: int = Field(500, ge=1, description="epoch from which the rate is lower")
    drop_factor: float = Field(10.0, gt=0, allow_inf_nan=False, description="by this factor")
    learning_rate_end: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="raise the rate every epoch, to reach this in the last one",
    )
    learning_rate_spacing: Literal["geometric", "linear"] = Field(
        "geometric", description="how a raised rate grows"
    )
    precision: Literal["float32", "float64"] = Field("float32", description="of the arithmetic")
    payoff: Table | None = Field(
        None,
        description="reward of each action, a row a class  [default: 1 for the right one, else 0]",
    )
    payoff_switch: int | None = Field(
        None, ge=1, description="epoch from which payoff-after holds and checks count for stopping"
    )
    payoff_after: Table | None = Field(None, description="payoff from that epoch on (reversal)")
    reward_omission: float = Field(
        0.0, ge=0, le=1, description="chance that what was earned is withheld: reward 0"
    )
    reward_flip: float = Field(
        0.0, ge=0, le=1, description="chance that high and low are swapped: max + min - reward"
    )

    initial_q: float | None = Field(
        None,
        ge=-LARGEST_PAYOFF,
        le=LARGEST_PAYOFF,
        description="mean Q-value of all training images before the first trial, by a shift of "
        "the weights into the outputs, not of learned or fixed feedback  [default: as the weights "
        "are drawn]",
    )
    novelty: float = Field(
        0.0,
        ge=0,
        le=LARGEST_PAYOFF,
        description="added to an action's value, while choosing, for a thousand trials of the "
        "epoch since it was last chosen, and in proportion for fewer",
    )
    activation: Literal["relu", "leaky-relu", "tanh"] = Field(
        "relu", description="activation function of hidden units"
    )
    optimizer: Literal["sgd", "momentum", "adam"] = Field(
        "sgd", description="what the mean change of a batch does to the weights"
    )
    momentum: float = Field(
        0.9, ge=0, lt=1, description="share of its velocity that momentum keeps a batch"
    )
    feedback_correlation: float | None = Field(
        None,
        ge=-1,
        le=1,
        description="of initial feedback weights with the weights that they reciprocate; their "
        "standard deviation is as without  "
        "[default: drawn by themselves]",
    )
    feedback_noise: float = Field(
        0.0,
        ge=0,
        allow_inf_nan=False,
        description="standard deviation of what the feedback to a unit is multiplied by in a "
        "trial, around 1",
    )
    feedback_silenced: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of each layer's hidden units, rounded (halves to even), that no "
        "feedback reaches",
    )

    def __init__(self, /, **fields: Any) -> None:
        try:
            super().__init__(**{name: _plain(value) for name, value in fields.items()})
        except ValidationError as error:
            raise InputError(_sentence(error)) from None

    @field_validator("hidden", mode="before")
    @classmethod
    def _hidden_units(cls, value: Any) -> Any:
        value = (value,) if type(value) is int else value
        value = tuple(map(_plain, value)) if isinstance(value, list | tuple) else value
        if isinstance(value, tuple) and any(type(n) is int and not 1 <= n <= 2**16 for n in value):
            raise ValueError("a hidden layer has 1 to 65536 units")
        return value

    @field_validator("payoff", "payoff_after", mode="before")
    @classmethod
    def _rows(cls, value: Any) -> Any:
        """Rows as tuples, in whatever they came."""
        if not isinstance(value, list | tuple):
            return value
        rows = map(_plain, value)
        return tuple(tuple(map(_plain, r)) if isinstance(r, list | tuple) else r for r in rows)

    @field_validator("payoff", "payoff_after")
    @classmethod
    def _is_table(cls, value: Table | None) -> Table | None:
        if value is None:
            return None
        sizes = {len(row) for row in value}
        if len(sizes) != 1 or not 2 <= min(sizes) <= MOST_ACTIONS:
            raise ValueError(
                f"give a row for each class, all of as many actions, 2 to {MOST_ACTIONS}"
            )
        if not all(abs(number) <= LARGEST_PAYOFF for row in value for number in row):
            raise ValueError(f"give numbers from -{LARGEST_PAYOFF:.0f} to {LARGEST_PAYOFF:.0f}")
        return tuple(tuple(number + 0.0 for number in row) for row in value)  # no negative zero

    @field_validator(
        *("epsilon", "reward_omission", "reward_flip", "initial_q", "novelty", "momentum"),
        *("feedback_correlation", "feedback_noise", "feedback_silenced"),
    )
    @classmethod
    def _no_negative_zero(cls, value: float | None) -> float | None:
        return None if value is None else value + 0.0

    @model_validator(mode="after")
    def _rate_rises(self) -> "RunSpec":
        if self.learning_rate_end is not None and self.learning_rate_end < self.learning_rate:
            raise ValueError(
                f"learning_rate_end: {self.learning_rate_end} is below the learning_rate of "
                f"{self.learning_rate}, from which it is to rise"
            )
        return self

    @model_validator(mode="after")
    def _rewards_fit(self) -> "RunSpec":
        for name in () if self.rule in LEARN_BY_REWARD else (*PAYING, "novelty"):
            if getattr(self, name) != _default(name):
                raise ValueError(
                    f"{name}: {self.rule} is told the right answer, and learns neither from a "
                    "reward nor by what it chooses: leave it out, or choose the rule "
                    f"{' or '.join(sorted(LEARN_BY_REWARD))}"
                )
        if (self.payoff_switch is None) != (self.payoff_after is None):
            given, missing = ("payoff_switch", "payoff_after")[:: 1 if self.payoff_switch else -1]
            raise ValueError(f"{given}: it has no effect without {missing}: give both or neither")
        if self.payoff and self.payoff_after and _shape(self.payoff) != _shape(self.payoff_after):
            raise ValueError(
                "payoff_after: it has {} classes and {} actions, but payoff has {} and {}: "
                "give both the same".format(*_shape(self.payoff_after), *_shape(self.payoff))
            )
        return self

    @model_validator(mode="after")
    def _options_fit(self) -> "RunSpec":
        if self.distortion_range != _default("distortion_range") and self.distortion == "none":
            raise ValueError(
                "distortion_range: it has no effect without a distortion: leave it out, or choose "
                "the distortion affine"
            )
        if self.momentum != _default("momentum") and self.optimizer != "momentum":
            raise ValueError(
                f"momentum: it has no effect on the optimizer {self.optimizer}: leave it out, or "
                "choose the optimizer momentum"
            )
        if self.feedback_correlation is not None and self.feedback == "symmetric":
            raise ValueError(
                "feedback_correlation: symmetric feedback weights are the forward weights: leave "
                "it out, or choose learned or fixed feedback"
            )
        if self.feedback_correlation is not None and self.initial_q is not None:
            raise ValueError(
                "feedback_correlation: initial_q shifts the weights with which feedback is to "
                "correlate: leave one of both out"
            )
        if (
            self.initial_q is not None
            and self.rule not in LEARN_BY_REWARD
            and self.loss == "cross-entropy"
        ):
            raise ValueError(
                f"initial_q: {self.rule} learns from differences of outputs, on which a shift of "
                "all has no effect: leave it out, or choose the loss squared-error"
            )
        if self.feedback_silenced > 0 and not any(self.silenced):
            raise ValueError(
                f"feedback_silenced: {self.feedback_silenced} of the units of a hidden layer is "
                "none, rounded: leave it out, or choose more"
            )
        return self

    @property
    def silenced(self) -> tuple[int, ...]:
        """How many units of each hidden layer no feedback reaches."""
        return tuple(round(self.feedback_silenced * n_units) for n_units in self.hidden)

    @property
    def has_own_rewards(self) -> bool:
        """Whether rewards are other than the paper's: 1 for the right action, 0 for others."""
        return any(getattr(self, name) != _default(name) for name in PAYING)

    def n_actions(self, n_classes: int) -> int:
        """How many actions, and outputs, there are: as many as classes, or as `payoff` says."""
        return n_classes if self.payoff is None else len(self.payoff[0])

    def payoff_in(self, epoch: int) -> Table | None:
        """What actions pay in an epoch, counted from 1; None: 1 for the right one, else 0."""
        is_later = self.payoff_switch is not None and epoch >= self.payoff_switch
        return self.payoff_after if is_later else self.payoff

    @property
    def id(self) -> str:
        """Sixteen hexadecimal digits that name this run, the same on every machine.

        Only fields that differ from their defaults are in it, so that a field that is added later
        leaves the names of earlier runs alone; the version stands for the defaults.
        """
        fields = self.model_dump(mode="json", exclude_defaults=True)
        text = json.dumps([DEFAULTS_VERSION, fields], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def replace(self, **changes: Any) -> "RunSpec":
        """A copy with other values in some fields, checked like a new one."""
        return RunSpec(**{**self.model_dump(), **changes})

    def rate(self, epoch: int) -> float:
        """Learning rate in an epoch, counted from 1 (Section 3 and the caption of Table 1)."""
        if self.learning_rate_end is None:
            dropped = epoch >= self.drop_epoch
            return self.learning_rate / self.drop_factor if dropped else self.learning_rate
        share = (epoch - 1) / max(self.max_epochs - 1, 1)
        if self.learning_rate_spacing == "linear":
            return self.learning_rate + share * (self.learning_rate_end - self.learning_rate)
        rate = self.learning_rate * (self.learning_rate_end / self.learning_rate) ** share
        return float(f"{rate:.12g}")  # powers differ by platform in the last bits


def _plain(value: Any) -> Any:
    """A number or an array of NumPy as the very same number of Python, or a list of them."""
    return value.tolist() if hasattr(value, "dtype") else value


def _default(name: str) -> Any:
    return RunSpec.model_fields[name].default


def _shape(table: Table) -> tuple[int, int]:
    return len(table), len(table[0])


def _sentence(error: ValidationError) -> str:
    """The first fault of a specification in one sentence."""
    fault = error.errors()[0]
    if not fault["loc"]:
        return fault["msg"].removeprefix("Value error, ")
    name = str(fault["loc"][0])
    if fault["type"] == "extra_forbidden":
        return f"unknown parameter {name!r}{nearest(name, RunSpec.model_fields)}"
    given = fault["input"]
    if fault["type"] == "literal_error":
        names = get_args(RunSpec.model_fields[name].annotation)
        hint = nearest(str(given), names)
        return f"{name}: {given!r} is not one of {', '.join(names)}{hint}"
    reason = fault["msg"].removeprefix("Value error, ")
    shown = repr(given) if isinstance(given, str) else reprlib.repr(given)
    return f"{name}: {shown} is not possible: {reason[:1].lower()}{reason[1:]}"


def nearest(name: str, known: Any) -> str:
    """A hint at the known name that is most like a wrong one, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
