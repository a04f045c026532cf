"""What a push uploads: made from a results folder or a model folder, checked by loading it, without any network.

    README.md            the model card
    config.json          the model folder's, with what was measured, and what spoke against publishing if it was forced
    model.safetensors    the weights
    result.json          the run's figures, as they are; of an older run the protocol without what it says of test
    confusion.json       what was taken for what: counts, for every split and label definition
    confusion.svg        the same as a picture, for the split that counts most
    calibration.svg      how sure the model is there against how right it is
    training.json        the run's settings, versions and commit, without paths of the machine it ran on
    audit.json           copies and leaks in the data

Of a bare model folder the first three. Never uploaded: resume/, and predictions, which speak of single pictures.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..checkpoints.checkpoint import CONFIG_FILE, WEIGHTS_FILE
from ..checkpoints.hub_files import CARD
from ..emotions import EMOTIONS
from ..errors import PublicationError
from ..runs.schema import ModelInfo, RunConfig, parse
from .calibration import PICTURE as CALIBRATION_PICTURE
from .calibration_picture import calibration_svg
from .card import model_card
from .confusion_picture import confusion_svg
from .facts import ModelFacts, gather
from .wording import dataset_name, label_name

CONFUSION_PICTURE = "confusion.svg"
OF_A_RUN = ("result.json", "confusion.json", CONFUSION_PICTURE, CALIBRATION_PICTURE, "training.json", "audit.json")


@dataclass(frozen=True)
class Publication:
    """What would be uploaded: path in the repository -> a file here, or its content."""

    files: dict[str, Path | bytes]

    def content(self, name: str) -> bytes:
        content = self.files[name]
        return content if isinstance(content, bytes) else content.read_bytes()

    @property
    def card(self) -> str:
        return self.content(CARD).decode()

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of each file."""
        return {
            name: len(content) if isinstance(content, bytes) else content.stat().st_size
            for name, content in self.files.items()
        }


def prepare(
    folder: str | Path,
    repository: str,
    *,
    page: str,
    tag: str | None = None,
    force: bool = False,
    run: str | Path | None = None,
) -> Publication:
    """Everything that a push of ``folder`` uploads.

    Args:
        folder: a results folder or a model folder.
        repository: "owner/name", for the card.
        page: address of the repository, for the card's links.
        tag: the name that this version will have, for the card.
        run: of a model folder, the run that measured it, see ``gather``.
        force: publish also what should not be, an unfinished run or uncommitted code; the card then says so.

    Raises:
        PublicationError: it should not be published, or its parts contradict each other.
        CheckpointError, ResultsError: a part cannot be read.
    """
    facts = gather(folder, run)
    if facts.remarks and not force:
        raise PublicationError(
            f"{folder} was not published: {' '.join(facts.remarks)} --force publishes it, and the card says so"
        )
    info = facts.model.info
    if facts.config is not None:
        # Of an unfinished run nothing was measured, whatever its model says.
        measured = () if facts.result is None else facts.result.facts(facts.config.dataset.name)
        others = tuple(each.to_dict() for each in facts.stated)
        info = replace(info, measured=(*measured, *others))
    if facts.remarks:
        # They stay with the weights: who pulls these and pushes them again is told as well.
        info = replace(info, training={**info.training, "remarks": list(facts.remarks)})
    files: dict[str, Path | bytes] = {
        CARD: model_card(facts, repository, page=page, tag=tag).encode(),
        CONFIG_FILE: _json(info.to_dict(), indent=2),
        WEIGHTS_FILE: facts.model.folder / WEIGHTS_FILE,
    }
    if facts.result is not None:
        files["result.json"] = _json(facts.result.to_dict())
        files |= _confusion(facts)
    if facts.config is not None:
        files["training.json"] = _json(_training(facts, facts.config))
    if facts.audit is not None:
        files["audit.json"] = _json(facts.audit.to_dict())
    publication = Publication(files)
    # The weights were loaded with the folder's own config, which differs in what is told of them only.
    assert parse(ModelInfo, publication.content(CONFIG_FILE), CONFIG_FILE, PublicationError) == info
    return publication


def write(publication: Publication, folder: Path) -> list[Path]:
    """Write all but the weights into a folder of their own, to be looked at; their paths, the card first.

    Raises:
        PublicationError: it is a file, or holds something else, or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if others := sorted({path.name for path in folder.iterdir()} - {*publication.files, *OF_A_RUN}):
            raise PublicationError(f"{folder} holds {others[0]}, which is no part of a card; name a folder of its own")
        names = [name for name in publication.files if name != WEIGHTS_FILE]
        for name in names:
            (folder / name).write_bytes(publication.content(name))
    except OSError as error:
        raise PublicationError(f"{folder} cannot be written: {error.strerror}") from error
    return [folder / name for name in names]


def _confusion(facts: ModelFacts) -> dict[str, Path | bytes]:
    first, tables = facts.evaluations[0], {}
    for each in (*facts.evaluations, *facts.elsewhere):
        tables[f"{each.labels}-{each.split}"] = {"n": each.figures.n, "counts": each.confusion().tolist()}
    told = {"labels": EMOTIONS, "rows": "label", "columns": "answer of the model", "tables": tables}
    where = f"{dataset_name(first.dataset)} {first.split}, labels {label_name(first.labels)}"
    title = f"{where}: n = {first.figures.n:,}"
    return {
        "confusion.json": _json(told),
        CONFUSION_PICTURE: confusion_svg(first.confusion(), EMOTIONS, title).encode(),
        CALIBRATION_PICTURE: calibration_svg(first.reliability(), title).encode(),
    }


def _training(facts: ModelFacts, config: RunConfig) -> dict[str, Any]:
    kept = ("commit", "dirty", "seed", "device", "threads", "python", "versions")
    environment = {name: value for name, value in facts.environment.to_dict().items() if name in kept}
    return {"run": facts.run, "config": config.to_dict(), "environment": environment}


def _json(value: Any, indent: int = 1) -> bytes:
    return (json.dumps(value, indent=indent, allow_nan=False) + "\n").encode()
