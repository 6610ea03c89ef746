"""RunSpec: one training run, described completely and checked before any work."""

import difflib
import hashlib
import json
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

DEFAULTS_VERSION = 1  # raised whenever a default of RunSpec changes: see `RunSpec.id`


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

    dataset: str = Field("mnist", min_length=1, description="name, or folder of IDX files")
    rule: Literal["q-agrel", "error-bp"] = Field("q-agrel", description="learning rule")
    feedback: Literal["symmetric", "learned", "fixed"] = Field(
        "symmetric", description="feedback weights"
    )
    hidden: tuple[int, ...] = Field(
        (300, 100), min_length=1, description="units of each hidden layer"
    )
    learning_rate: float = Field(1.0, gt=0, allow_inf_nan=False, description="alpha of Eq. 8")
    seed: int = Field(0, ge=0, lt=2**63, description="of weights, sample order and exploration")
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

    @field_validator("epsilon")
    @classmethod
    def _no_negative_zero(cls, value: float) -> float:
        return abs(value)

    @model_validator(mode="after")
    def _rate_rises(self) -> "RunSpec":
        if self.learning_rate_end is not None and self.learning_rate_end < self.learning_rate:
            raise ValueError(
                f"learning_rate_end: {self.learning_rate_end} is below the learning_rate of "
                f"{self.learning_rate}, from which it is to rise"
            )
        return self

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
    return f"{name}: {given!r} is not possible: {reason[:1].lower()}{reason[1:]}"


def nearest(name: str, known: Any) -> str:
    """A hint at the known name that is most like a wrong one, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
