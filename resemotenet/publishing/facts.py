"""All that is known of a model: read from its results folder or model folder, and checked against each other.

Figures are computed again from the stored predictions; where they are not those of result.json, nothing is published.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..checkpoints.checkpoint import WEIGHTS_FILE, LoadedModel, load_model
from ..errors import CheckpointNotFoundError, PublicationError
from ..runs.label_sets import label_set
from ..runs.metrics import per_class, reliability
from ..runs.results import SCHEMA, Predictions, ResultsFolder, read_json
from .checks import check_entry, check_figures, check_operating_point, check_weights, sha256_of
from .escaping import plain
from .shape import check_fact, check_files

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Labels, split, figures as in result.json, whether the labels are the run's own.
_Entry = tuple[str, str, dict[str, Any], bool]

_FIGURES = ("n", "accuracy", "interval", "macro_recall", "macro_f1", "nll", "ece", "views", "without_leaks", "touched")

# Of what a config.json says, which may be anybody's: how many remarks are read.
_MAX_REMARKS = 10
_UNKNOWN_CODE = "It is not known whether the code was changed: there was no git checkout to ask."


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How good a model is on one split under one label definition.

    Attributes:
        figures: n, accuracy, interval, macro_recall, macro_f1, nll, ece; perhaps views, without_leaks, touched,
            protocol. Fractions.
        predictions: what they were computed from, where that is at hand.
        primary: under the definition that the run was chosen by.
    """

    dataset: str
    labels: str
    split: str
    figures: dict[str, Any]
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
        remarks: sentences that forbid publishing.
        epochs_done: how many epochs the run has done, None where there is no run.
    """

    model: LoadedModel
    evaluations: tuple[Evaluation, ...] = ()
    elsewhere: tuple[Evaluation, ...] = ()
    remarks: tuple[str, ...] = ()
    run: str | None = None
    epochs_done: int | None = None
    config: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    audit: dict[str, Any] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)

    @property
    def parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.model.module.parameters())

    @property
    def finished(self) -> bool:
        return bool(self.result)

    @property
    def data(self) -> str | None:
        """The data set that the weights learned from, if config.json names one."""
        return _name(self.model.info.training.get("data"))

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
        counts = [each.figures.get("touched") for each in self.evaluations if each.split == "test"]
        if counts:
            return max((count for count in counts if count), default=None)
        return self.result.get("test_touched", 0) if self.result else None

    @property
    def weights_are_named(self) -> bool:
        """Whether the run says of every figure with which weights it was measured."""
        return all("weights" in each.figures for each in (*self.evaluations, *self.elsewhere))


def gather(folder: str | Path) -> ModelFacts:
    """Read a results folder or a model folder, load the model, check what can be checked.

    Raises:
        PublicationError: it is neither, or its parts contradict each other.
        CheckpointError, ResultsError: a part cannot be read.
    """
    folder = Path(folder).expanduser().resolve()
    if ResultsFolder(folder).environment.is_file():
        return _gather_run(ResultsFolder(folder))
    if (folder / WEIGHTS_FILE).is_file() or not folder.is_dir():
        return _gather_model(load_model(folder))
    raise PublicationError(
        f"{folder} is neither a results folder (it has no environment.json) nor a model folder (it has no "
        f"{WEIGHTS_FILE}); there is nothing to publish"
    )


def measured_facts(result: dict[str, Any], dataset: str) -> tuple[dict[str, Any], ...]:
    """What a result says, as the facts that a model's config.json states."""
    return tuple(
        {
            "dataset": dataset,
            "labels": labels,
            "split": split,
            "protocol": protocol_of(result),
            **{name: entry[name] for name in _FIGURES if name in entry},
        }
        for labels, split, entry, _ in _own_entries(result)
    )


def protocol_of(said: dict[str, Any]) -> str:
    """How a run or a fact says that it was chosen; of touches of test, which older ones add, the count knows better."""
    return str(said.get("protocol", "not stated")).replace(", test once", "")


def _name(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _gather_model(model: LoadedModel) -> ModelFacts:
    facts = model.info.measured
    for fact in facts:
        check_fact(fact)
    first = facts[0]["labels"] if facts else None
    evaluations = [Evaluation(f["dataset"], f["labels"], f["split"], f, primary=f["labels"] == first) for f in facts]
    remarks = tuple(dict.fromkeys(_stated_remarks(model) or _code_remarks(model)))
    return ModelFacts(model, _ordered(evaluations), remarks=remarks, run=_name(model.info.training.get("run")))


def _stated_remarks(model: LoadedModel) -> list[str]:
    """What a model's own config.json says against publishing it, because it was forced before."""
    stated = model.info.training.get("remarks") or []
    return [plain(each, 300) for each in (stated if isinstance(stated, list) else [stated])[:_MAX_REMARKS]]


def _code_remarks(model: LoadedModel) -> list[str]:
    """What a model folder says of the code that made it; stated remarks, where there are any, speak of it too."""
    training = model.info.training
    if training.get("dirty"):
        return ["The code had changes that are in no commit."]
    return [_UNKNOWN_CODE] if "dirty" in training and training["dirty"] is None else []


def _gather_run(folder: ResultsFolder) -> ModelFacts:
    try:
        model = load_model(folder.model)
    except CheckpointNotFoundError as error:
        raise PublicationError(
            f"{folder.path} has no {folder.model.name}/, so there are no weights to publish: either no epoch was "
            "finished, or only the small files of the run were kept here"
        ) from error
    config, environment = read_json(folder.config), read_json(folder.environment)
    audit = read_json(folder.audit) if folder.audit.is_file() else {}
    result = read_json(folder.result) if folder.is_finished else {}
    if isinstance(result, dict) and isinstance(schema := result.get("schema"), int) and schema > SCHEMA:
        raise PublicationError(f"{folder.result} is of schema {schema}, this version reads up to {SCHEMA}")
    files = {"config.json": config, "environment.json": environment, "audit.json": audit}
    check_files(files | {"result.json": result if folder.is_finished else None})
    epochs = len(folder.read_epochs())
    if result:
        check_operating_point(model, result, folder.result)
    read = partial(_checked, folder, protocol_of(result), model, sha256_of(model))
    remarks = (*_stated_remarks(model), *remarks_on(config, environment, bool(result), epochs))
    return ModelFacts(
        model,
        _ordered([read(entry, dataset=config["dataset"]["name"]) for entry in _own_entries(result)]),
        elsewhere=_ordered([read(entry) for entry in _entries(result.get("elsewhere", {}))]),
        remarks=tuple(dict.fromkeys(remarks)),
        run=result.get("run", folder.path.name),
        epochs_done=epochs,
        config=config,
        environment=environment,
        audit=audit,
        result=result,
    )


def remarks_on(
    config: dict[str, Any], environment: dict[str, Any], finished: bool = True, epochs: int = 0
) -> Iterator[str]:
    """What speaks against publishing a run, a sentence each.

    Args:
        epochs: how many it has done.
    """
    if not finished:
        yield f"The run is not finished: {epochs} of {config['optimization']['epochs']} epochs are done."
    dirty = [start.get("dirty") for start in (environment, *environment.get("resumptions", []))]
    if any(dirty):
        yield f"The code had changes that are not in its commit, {plain(environment.get('commit'))}."
    elif None in dirty:
        yield _UNKNOWN_CODE
    if (limit := config["dataset"].get("limit")) is not None:
        yield f"A rehearsal: only the first {limit:,} faces of each split were used."


def _own_entries(result: dict[str, Any]) -> Iterator[_Entry]:
    """Everything in result.json about the run's own data."""
    for split, entry in result.get("splits", {}).items():
        yield entry["labels"], split, entry, True
    yield from _entries(result.get("also", {}))


def _entries(figures: dict[str, Any]) -> Iterator[_Entry]:
    """What is kept by label definition, then by split; an evaluation that broke off left no figures."""
    for labels, splits in figures.items():
        yield from ((labels, split, entry, False) for split, entry in splits.items() if "accuracy" in entry)


def _checked(
    folder: ResultsFolder, protocol: str, model: LoadedModel, weights: str, entry: _Entry, dataset: str | None = None
) -> Evaluation:
    """One entry of result.json with its predictions, once they and the model agree."""
    labels, split, said, primary = entry
    path, where = folder.predictions(labels, split), f"{labels}, {split}"
    predictions = Predictions.load(path)
    check_figures(said, predictions, where, path)
    check_entry(model, said, where, folder.result)
    check_weights(weights, said, where, folder.result)
    return Evaluation(
        dataset or label_set(labels).dataset, labels, split, {**said, "protocol": protocol}, predictions, primary
    )


def _ordered(evaluations: list[Evaluation]) -> tuple[Evaluation, ...]:
    splits = ("test", "validation")
    place = {split: number for number, split in enumerate(splits)}
    return tuple(sorted(evaluations, key=lambda each: (place.get(each.split, len(splits)), not each.primary)))
