"""A run that still trains: how far it is, how long it has to go, and how it does."""

from dataclasses import dataclass

from resemotenet.runs.results import ResultsFolder
from resemotenet.runs.schema import Step, salvage

from ..data import Run
from .telling import duration

# The time of an epoch is that of the latest ones: the machine may have become busier.
_LATEST = 3


@dataclass(frozen=True)
class Going:
    """Where a training run stands.

    Attributes:
        epoch: the one that it works on, from 1.
        planned: how many there are to be; None where its config does not say.
        within: how much of that epoch's training is done, a fraction; None where the trainer does not say.
        seconds_left: to the end of the last epoch; None before the first epoch is done.
        accuracy, loss: of the last whole epoch on validation, a fraction and nats; None before.
    """

    epoch: int
    planned: int | None
    within: float | None
    seconds_left: float | None
    accuracy: float | None
    loss: float | None

    @property
    def share(self) -> float:
        """Of all that is to be done, a fraction."""
        return min(1.0, (self.epoch - 1 + (self.within or 0.0)) / self.planned) if self.planned else 0.0

    @property
    def text(self) -> str:
        """ "epoch 3 of 10, 40% of it; about 12 min left; validation 54.6%, loss 1.19"."""
        parts = [f"epoch {self.epoch} of {self.planned or '?'}"]
        if self.within is not None:
            parts[0] += f", {100 * self.within:.0f}% of it"
        if self.seconds_left is not None:
            parts.append(f"about {duration(self.seconds_left)} left")
        if self.accuracy is not None:
            loss = "" if self.loss is None else f", loss {self.loss:.2f}"
            parts.append(f"validation {100 * self.accuracy:.1f}%{loss}")
        return "; ".join(parts)


def going(run: Run) -> Going:
    """How far a run that still trains is, as its files say at this moment."""
    done = run.epochs[-1].epoch + 1 if run.epochs else 0
    planned = run.epochs_planned
    epoch = done + 1 if planned is None else min(done + 1, planned)
    within = _within(run, done)
    latest = [line.seconds for line in run.epochs[-_LATEST:] if line.seconds is not None]
    left = None
    if planned is not None and latest:
        left = max(0.0, planned - done - (within or 0.0)) * sum(latest) / len(latest)
    last = run.epochs[-1].validation.get(run.labels) if run.epochs else None
    return Going(
        epoch,
        planned,
        within,
        left,
        None if last is None else last.accuracy,
        None if last is None else last.nll,
    )


def _within(run: Run, done: int) -> float | None:
    """From the trainer's note of its last batches; one of an epoch that is over says nothing."""
    try:
        text = ResultsFolder(run.path).step.read_bytes()
    except OSError:  # an older trainer writes none, and a finished run has none
        return None
    step = salvage(Step, text).value
    return None if step is None or step.epoch != done else step.batch / step.batches
