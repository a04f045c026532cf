"""All that is known of a model: read from its results folder or model folder, and checked against each other.

Figures are computed again from the stored predictions; where they are not those of result.json, nothing is published.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..checkpoints.checkpoint import WEIGHTS_FILE, LoadedModel, load_model
from ..errors import CheckpointNotFoundError, PublicationError
from ..runs.label_sets import label_set
from ..runs.metrics import per_class, reliability
from ..runs.results import Predictions, ResultsFolder
from ..runs.schema import (
    Ancestor,
    Audit,
    Earlier,
    Entry,
    Environment,
    Fact,
    Mixed,
    Photographs,
    Result,
    RunConfig,
    parse,
    read,
    salvage,
    without_paths,
)
from .checks import check_entry, check_figures, check_operating_point, check_weights
from .escaping import plain

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Labels, split, figures as in result.json.
_Entry = tuple[str, str, Entry]

# Of what a config.json says, which may be anybody's: how many remarks are read.
_MAX_REMARKS = 10
_UNKNOWN_CODE = "Whether the code was changed is not known: it was not a git checkout."


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How good a model is on one split under one label definition.

    Attributes:
        protocol: how the epoch was chosen.
        predictions: what they were computed from, where that is at hand.
        primary: under the definition that the run was chosen by.
    """

    dataset: str
    labels: str
    split: str
    figures: Entry
    protocol: str
    predictions: Predictions | None = None
    primary: bool = True

    def confusion(self) -> "NDArray[np.int64]":
        """(7, 7) counts, rows are the truth, both in canonical order; only with predictions."""
        assert self.predictions is not None
        return self.predictions.confusion

    def per_class(self) -> dict[str, dict[str, float | int | None]]:
        """Precision, recall, F1 and support of each emotion; only with predictions."""
        assert self.predictions is not None
        return per_class(self.predictions.guesses, self.predictions.targets)

    def mean_confidence(self) -> float:
        """Mean of the largest probability; only with predictions."""
        assert self.predictions is not None
        return float(self.predictions.probabilities.max(axis=1).mean(dtype="float64"))

    def reliability(self) -> list[dict[str, Any]]:
        """The bins of the reliability diagram; only with predictions."""
        assert self.predictions is not None
        return reliability(self.predictions.probabilities, self.predictions.targets)


@dataclass(frozen=True, eq=False)
class ModelFacts:
    """A model and what is known of it; of a bare model folder most is empty.

    Attributes:
        evaluations: the one that counts most first: test before validation, the run's own labels before others.
        elsewhere: on other data sets.
        photographs: how photographs are read, detector included, as the run counted it.
        stated: what config.json says of other data than the run's own, which no stored predictions show.
        remarks: sentences that forbid publishing.
        epochs_done: how many epochs the run has done, None where there is no run.
    """

    model: LoadedModel
    evaluations: tuple[Evaluation, ...] = ()
    elsewhere: tuple[Evaluation, ...] = ()
    photographs: Photographs | None = None
    stated: tuple[Fact, ...] = ()
    remarks: tuple[str, ...] = ()
    run: str | None = None
    epochs_done: int | None = None
    config: RunConfig | None = None
    environment: Environment = field(default_factory=Environment)
    audit: Audit | None = None
    result: Result | None = None

    @property
    def parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.model.module.parameters())

    @property
    def finished(self) -> bool:
        return self.result is not None

    @property
    def data(self) -> str | None:
        """The data set that the weights learned from, if config.json names one."""
        return _name(self.model.info.training.get("data"))

    @property
    def epochs(self) -> int | None:
        """How many the run has done; of a bare model folder how many it was to have, where config.json says so."""
        planned = self.model.info.training.get("epochs")
        return self.epochs_done if self.epochs_done is not None else planned if type(planned) is int else None

    @property
    def taught(self) -> str | None:
        """The labels that they were taught, if config.json names them."""
        return _name(self.model.info.training.get("labels"))

    @property
    def faces(self) -> int | None:
        """How many training faces they learned from, where config.json says so."""
        faces = self.model.info.training.get("faces")
        return faces if type(faces) is int else None

    @property
    def untaught(self) -> tuple[str, ...]:
        """Labels that none of those faces had, where config.json says so."""
        stated = self.model.info.training.get("untaught")
        return tuple(label for label in self.model.info.labels if isinstance(stated, list) and label in stated)

    @property
    def touched(self) -> int | None:
        """How often test was looked at; 0 where it was not, None where that is not known."""
        counts = [each.figures.touched for each in self.evaluations if each.split == "test"]
        if counts:
            return max((count for count in counts if count), default=None)
        return None if self.result is None else self.result.touched

    @property
    def chain(self) -> tuple[Ancestor, ...]:
        """The runs whose weights these went on from, the first first, as far as config.json names them."""
        told = salvage(Earlier, json.dumps({"chain": self.model.info.training.get("chain")})).value
        return tuple((told and told.chain) or ())

    @property
    def mixed(self) -> Mixed | None:
        """How much of the weights are those that the run started from; None where they are all its own."""
        return salvage(Mixed, json.dumps(self.model.info.training.get("mixed"))).value

    @property
    def weights_are_named(self) -> bool:
        """Whether the run says of every figure with which weights it was measured."""
        return all(each.figures.weights is not None for each in (*self.evaluations, *self.elsewhere))


def gather(folder: str | Path, run: str | Path | None = None) -> ModelFacts:
    """Read a results folder or a model folder, load the model, check what can be checked.

    Args:
        run: of a model folder, the run that measured it, where its small files lie.

    Raises:
        PublicationError: it is neither, or its parts contradict each other, or the run is that of other weights.
        CheckpointError, ResultsError: a part cannot be read.
    """
    folder = Path(folder).expanduser().resolve()
    if ResultsFolder(folder).environment.is_file():
        if run is not None:
            raise PublicationError(f"{folder} is a run itself; --run is for a model folder")
        return _gather_run(ResultsFolder(folder), _model_of(ResultsFolder(folder)))
    if (folder / WEIGHTS_FILE).is_file() or not folder.is_dir():
        model = _without_places(load_model(folder))
        return _gather_model(model) if run is None else _gather_with_run(model, ResultsFolder(Path(run).expanduser()))
    raise PublicationError(
        f"{folder} is neither a results folder (it has no environment.json) nor a model folder (it has no "
        f"{WEIGHTS_FILE}); there is nothing to publish"
    )


def _without_places(model: LoadedModel) -> LoadedModel:
    """A model of which nothing says where files lay: its config.json may be anybody's."""
    return replace(model, info=replace(model.info, training=without_paths(model.info.training)))


def _name(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _gather_model(model: LoadedModel) -> ModelFacts:
    every = _stated(model)
    # Those of photographs are of a detector too, and have a place of their own.
    photographs = tuple(fact for fact in every if fact.dataset == "photographs")
    facts = [fact for fact in every if fact not in photographs]
    evaluations = [
        Evaluation(f.dataset, f.labels, f.split, f, f.protocol or "not stated", primary=f.labels == facts[0].labels)
        for f in facts
    ]
    remarks = tuple(dict.fromkeys(_stated_remarks(model) or _code_remarks(model)))
    run = _name(model.info.training.get("run"))
    return ModelFacts(model, _ordered(evaluations), stated=photographs, remarks=remarks, run=run)


def _stated(model: LoadedModel) -> list[Fact]:
    """What its config.json says was measured."""
    texts = map(json.dumps, model.info.measured)
    return [parse(Fact, text, "a measured fact in config.json", PublicationError) for text in texts]


def _stated_remarks(model: LoadedModel) -> list[str]:
    """What a model's own config.json says against publishing it, because it was forced before."""
    stated = model.info.training.get("remarks") or []
    return [plain(each, 300) for each in (stated if isinstance(stated, list) else [stated])[:_MAX_REMARKS]]


def _code_remarks(model: LoadedModel) -> list[str]:
    """What a model folder says of the code that made it; stated remarks, where there are any, speak of it too."""
    training = model.info.training
    if training.get("dirty"):
        return ["The code had changes that were not committed."]
    return [_UNKNOWN_CODE] if "dirty" in training and training["dirty"] is None else []


def _model_of(folder: ResultsFolder) -> LoadedModel:
    try:
        return _without_places(load_model(folder.model))
    except CheckpointNotFoundError as error:
        raise PublicationError(
            f"{folder.path} has no {folder.model.name}/, so there are no weights to publish: either no epoch was "
            "finished, or only the small files of the run were kept here; then name its model folder, and this one "
            "with --run"
        ) from error


def _gather_with_run(model: LoadedModel, folder: ResultsFolder) -> ModelFacts:
    """A model folder, checked with the run that it names, which has no weights of its own any more."""
    if not folder.environment.is_file():
        raise PublicationError(f"{folder.path} is no results folder: it has no {folder.environment.name}")
    facts = _gather_run(folder, model)
    if facts.run != (named := model.info.training.get("run")):
        raise PublicationError(f"{folder.path} is the run {facts.run}, but the weights name {named}")
    if not facts.finished or not facts.weights_are_named:
        raise PublicationError(
            f"{folder.result} does not say of every figure which weights gave it, so it cannot be seen whether they "
            f"are those of {model.folder}; evaluate the run again where its weights are"
        )
    return facts


def _gather_run(folder: ResultsFolder, model: LoadedModel) -> ModelFacts:
    config = read(RunConfig, folder.config, PublicationError)
    environment = read(Environment, folder.environment, PublicationError)
    audit = read(Audit, folder.audit, PublicationError) if folder.audit.is_file() else None
    result = read(Result, folder.result, PublicationError) if folder.is_finished else None
    epochs = len(folder.read_epochs())
    own, others = _checked(folder, config, model, result) if result is not None else ([], [])
    remarks = (*_stated_remarks(model), *remarks_on(config, environment, result is not None, epochs))
    stated = [fact for fact in _stated(model) if fact.dataset != config.dataset.name]
    return ModelFacts(
        model,
        _ordered(own),
        elsewhere=_ordered(others),
        photographs=None if result is None else result.photographs,
        stated=tuple(stated if result is not None else ()),
        remarks=tuple(dict.fromkeys(remarks)),
        run=folder.path.name if result is None or result.run is None else result.run,
        epochs_done=epochs,
        config=without_paths(config),
        environment=without_paths(environment, config.places),
        audit=without_paths(audit, config.places) if audit is not None and audit.to_dict() else None,
        result=result,
    )


def remarks_on(config: RunConfig, environment: Environment, finished: bool = True, epochs: int = 0) -> Iterator[str]:
    """What speaks against publishing a run, a sentence each.

    Args:
        epochs: how many it has done.
    """
    if not finished:
        yield f"The run is not finished: {epochs} of {config.optimization.epochs} epochs are done."
    dirty = [start.dirty for start in environment.starts]
    if any(dirty):
        yield f"The code had changes that are not in its commit, {plain(environment.commit)}."
    elif None in dirty:
        yield _UNKNOWN_CODE
    if (limit := config.dataset.limit) is not None:
        yield f"A rehearsal: only the first {limit:,} faces of each split were used."


def _checked(
    folder: ResultsFolder, config: RunConfig, model: LoadedModel, result: Result
) -> tuple[list[Evaluation], list[Evaluation]]:
    """Every entry of a result with its predictions, once they and the model agree: of its own data, and of others."""
    check_operating_point(model, result, folder.result)
    weights = model.sha256()

    def evaluation(each: _Entry, dataset: str) -> Evaluation:
        labels, split, entry = each
        path, where = folder.predictions(labels, split), f"{labels}, {split}"
        predictions = Predictions.load(path)
        check_figures(entry, predictions, where, path)
        check_entry(model, entry, where, folder.result)
        check_weights(weights, entry, where, folder.result)
        primary = entry is result.splits.get(split)
        return Evaluation(dataset, labels, split, entry, result.protocol, predictions, primary)

    return (
        [evaluation(each, config.dataset.name) for each in result.entries()],
        [evaluation(each, label_set(each[0]).dataset) for each in result.elsewhere_entries()],
    )


def _ordered(evaluations: list[Evaluation]) -> tuple[Evaluation, ...]:
    splits = ("test", "validation")
    place = {split: number for number, split in enumerate(splits)}
    return tuple(sorted(evaluations, key=lambda each: (place.get(each.split, len(splits)), not each.primary)))
