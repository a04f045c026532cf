"""How the weights came to be: the part of a model card about data, settings, cost and origin."""

from collections.abc import Iterator
from typing import Any

from ..datasets import CATALOGUE
from ..datasets.ferplus import MIN_SOFT_VOTES
from ..runs.label_sets import FERPLUS
from ..runs.results import flatten
from ..runs.schema import Environment, Result, RunConfig
from .escaping import code, repository_name, text
from .facts import ModelFacts
from .texts import DRAWN, TAUGHT
from .wording import share, table

# What the card says in words.
_ELSEWHERE = ("converted_from", "remarks", "faces", "untaught", "chain", "mixed.test_seen")


def taught(facts: ModelFacts) -> str:
    """What the weights learned from and how: of a run its settings, of a model folder what config.json states."""
    if facts.config is not None:
        rows, rest = list(_settings(facts, facts.config)), "All settings are in `training.json`."
    else:
        stated = flatten(facts.model.info.training).items()
        rows = [_row(key, value) for key, value in stated if key not in _ELSEWHERE]
        rest = ""
    settings = table(["setting", "value"], rows, words=2) if rows else ""
    return "\n\n".join(filter(None, [_data(facts), settings, rest]))


def _row(key: str, value: Any) -> list[str]:
    if key == "chosen_epoch" and type(value) is int:  # from 0 in files, from 1 for people
        return ["chosen", f"epoch {value + 1}, counted from 1"]
    return [text(key, 40), code(value) if isinstance(value, str) else text(value)]


def _data(facts: ModelFacts) -> str:
    """Which data the weights learned from, and its licence."""
    if facts.data is None:
        return ""
    if facts.data == "synthetic":
        return DRAWN
    info = next((info for info in CATALOGUE if info.name == facts.data), None)
    if info is None:
        return f"Data set: {text(facts.data)}."
    told = [f"The data set is {info.title}: {info.faces}.", f"Licence of the data: {info.licence}."]
    if (learned := facts.faces) is not None:
        told.append(f"These weights learned from {learned:,} training faces of it.")
    told += [TAUGHT.get(facts.taught or "", ""), _left_out(facts)]
    return " ".join(filter(None, told))


def _left_out(facts: ModelFacts) -> str:
    """How many of the training images were not trained on, as far as the run's files say."""
    if facts.config is None or facts.audit is None:
        return ""
    dataset, images = facts.config.dataset, facts.audit.images.get("train")
    leaked = facts.audit.leaks.get("train images with a copy elsewhere")
    if images is None or dataset.limit is not None:
        return ""
    said = []
    if dataset.leave_out_leaked and leaked is not None:
        said.append(
            f"Of the {images:,} training images, {leaked:,} with an identical copy in validation or test were left "
            f"out: {images - leaked:,} remain."
        )
    if dataset.labels == FERPLUS.key:
        said.append(f"Faces with fewer than {MIN_SOFT_VOTES} FER+ votes for the seven emotions were left out too.")
    return " ".join(said)


def _settings(facts: ModelFacts, config: RunConfig) -> Iterator[list[str]]:
    environment, rate = facts.environment, config.optimization
    result = facts.result or Result(protocol="", splits={})
    yield ["run", code(facts.run)]
    yield ["recipe, seed", f"{code(config.recipe)}, {config.seed}"]
    if (start := config.network.start) is not None:
        kept = f"; {share(facts.mixed.start_share, 0)}% of it is kept in these weights" if facts.mixed else ""
        yield ["started from", code(start) + kept]
    if teachers := config.distillation.teachers:
        yield [
            "learned from",
            f"{', '.join(map(code, teachers))}; {share(config.distillation.share, 0)}% of its target",
        ]
    yield ["epochs", f"{facts.epochs_done} of at most {rate.epochs}"]
    if (chosen := result.chosen) is not None:
        value = f"{share(chosen.value)}% as trained"
        yield ["chosen", f"epoch {chosen.epoch + 1}, counted from 1, by {text(chosen.by)}: {value}"]
    yield [
        "optimizer",
        f"{text(rate.optimizer)}, batch {rate.batch_size}, peak rate {rate.learning_rate:g}, {text(rate.schedule)}",
    ]
    augmented = (
        text(name if value is True else f"{name} {value:g}")
        for name, value in vars(config.augmentation).items()
        if value and (name, value) != ("dimming", 1)
    )
    yield ["augmentation, training only", ", ".join(augmented) or "none"]
    if (cost := result.cost) is not None:
        macs = f"{cost.macs / 1e6:,.0f} million multiply-adds a face"
        yield ["cost", f"{_time(cost.seconds)} on {text(cost.device)}; {macs}"]
    yield ["code", _code(environment)]
    versions = (text(f"{name} {version}", 60) for name, version in environment.versions.items() if version)
    yield ["versions", ", ".join([f"Python {text(environment.python)}", *versions])]


def _code(environment: Environment) -> str:
    """The commits that ran, and whether files differed from one of them."""
    commits = dict.fromkeys(code(start.commit) for start in environment.starts)
    dirty = [start.dirty for start in environment.starts]
    changed = ", with uncommitted changes" if any(dirty) else ", changes unknown" if None in dirty else ""
    return ", ".join(commits) + changed


def _time(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds / 60:.1f} minutes"


def origin(facts: ModelFacts) -> str:
    """Where weights that were not trained here come from."""
    told = facts.model.info.training.get("converted_from")
    if not isinstance(told, dict):
        return ""
    base = repository_name(told.get("base_model"))
    layout = text(told.get("layout", "layout not stated"))
    return (
        f"Converted, not trained here: from {code(told.get('file', 'a file that is not named'))} ({layout}, SHA-256 "
        f"{code(told.get('sha256', 'not stated'))}), every weight as it was."
        + (f" It comes from {code(base)}." if base else "")
        + " How it was trained is known only to those who trained it."
    )
