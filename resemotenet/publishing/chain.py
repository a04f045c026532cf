"""What the weights went through: how often test was looked at, and the runs that they were handed on by."""

from collections.abc import Iterator

from .escaping import code
from .facts import ModelFacts
from .wording import share


def touches(facts: ModelFacts) -> list[str]:
    """How often test was scored, as a sentence, if that is known."""
    scored = any(each.split == "test" for each in facts.evaluations)
    if facts.touched is None:
        return ["Test was scored at least once; how often is not known."] if scored else []
    if facts.touched > 1:
        return [
            f"Test was scored {times(facts.touched)}, so what was settled after the first may have been fitted to it."
        ]
    if not scored and facts.touched:
        return ["Test was scored once, and the figures were not kept."]
    return ["Test was scored once." if facts.touched else "Test was not scored."]


def chain(facts: ModelFacts) -> Iterator[str]:
    """Of weights that went on from another run's: every run with its epochs and its looks at test, and all together."""
    if facts.chain:
        before = ", then ".join(_link(each.run, each.epochs, each.test_touched) for each in facts.chain)
        yield f"These weights went on from those of other runs: {before}, then {_here(facts)}."
        epochs = [*(each.epochs for each in facts.chain), facts.epochs]
        looks = [*(each.test_touched for each in facts.chain), facts.touched]
        yield f"In all: {_sum(epochs)} epochs, and test was scored {_sum(looks)} times."
    if (mixed := facts.mixed) is not None:
        what = f"That {share(mixed.start_share, 0)}% of the weights that it started from be kept"
        if mixed.test_seen:
            yield f"{what} was decided after test had been scored without that, so its figures may have had a say."
        elif mixed.test_seen is None and (facts.touched or 0) > 1:
            yield f"{what} may have been decided after test had been scored."


def times(number: int) -> str:
    """How often, in words."""
    return {1: "once", 2: "twice"}.get(number, f"{number} times")


def _link(run: str | None, epochs: int | None, touched: int | None) -> str:
    looked = "not known how often" if touched is None else times(touched) if touched else "never"
    return f"{code(run or 'a run without a name')} ({_epochs(epochs)}, test scored {looked})"


def _here(facts: ModelFacts) -> str:
    return _link(facts.run, facts.epochs, facts.touched)


def _epochs(number: int | None) -> str:
    return "epochs not known" if number is None else f"{number} epoch{'s' * (number != 1)}"


def _sum(numbers: list[int | None]) -> str:
    """Of what is known; "at least" where something is not."""
    known = sum(number for number in numbers if number is not None)
    return f"{known}" if None not in numbers else f"at least {known}"
