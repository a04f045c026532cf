"""A model folder on labelled faces: every figure anew, beside what its config.json states."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from resemotenet.checkpoints.checkpoint import LoadedModel
from resemotenet.datasets import ReadyFaces
from resemotenet.errors import ResultsError
from resemotenet.runs.results import Predictions
from resemotenet.runs.schema import Entry, Fact, parse

from .evaluation import entries_of, made_with, predict_all


@dataclass(frozen=True)
class Measurement:
    """What was measured under one label definition, and what was stated about it before.

    Attributes:
        entry: the figures.
        stated: the fact of config.json about these faces, if there is one.
    """

    labels: str
    split: str
    predictions: Predictions
    entry: Entry
    stated: Fact | None

    @property
    def agrees(self) -> bool:
        """Number and accuracy are as stated to the last face, or nothing was."""
        fact, n = self.stated, self.entry.n
        return fact is None or (n == fact.n and round(self.entry.accuracy * n) == round(fact.accuracy * n))

    @property
    def verdict(self) -> str:
        """For people; empty where nothing was stated."""
        if self.stated is None:
            return ""
        return "as stated" if self.agrees else f"STATED {100 * self.stated.accuracy:.2f}% of {self.stated.n}"

    def fact(self, dataset: str) -> dict[str, Any]:
        """The figures as a fact that stands alone."""
        return {"dataset": dataset, "labels": self.labels, "split": self.split, **self.entry.to_dict()}


def stated_facts(model: LoadedModel, dataset: str) -> list[Fact]:
    """What config.json says was measured on a data set.

    Raises:
        ResultsError: a fact lacks a figure.
    """
    about = [fact for fact in model.info.measured if fact.get("dataset") == dataset]
    return [parse(Fact, json.dumps(fact), "a measured fact in config.json", ResultsError) for fact in about]


def measure_model(
    model: LoadedModel, dataset: str, scored: Mapping[str, Mapping[str, ReadyFaces]]
) -> list[Measurement]:
    """Score a model under every label definition.

    Args:
        dataset: whose facts are compared.
        scored: by split, then by label definition.

    Raises:
        ResultsError: a fact about one of these splits names labels that are not there; or as ``predict_all``.
    """
    facts = {(fact.labels, fact.split): fact for fact in stated_facts(model, dataset) if fact.split in scored}
    for labels, split in facts:
        if labels not in scored[split]:
            raise ResultsError(
                f"a fact about {dataset}, {labels}, {split} cannot be measured here; there are "
                f"{', '.join(scored[split])}"
            )
    found, measured_with = [], made_with(model)
    for split, definitions in scored.items():
        predictions = predict_all(model, definitions)
        entries = entries_of(model, predictions, definitions, measured_with)
        found += [
            Measurement(labels, split, predictions[labels], entry, facts.get((labels, split)))
            for labels, entry in entries.items()
        ]
    return found
