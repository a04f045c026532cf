"""The model card: what a stranger must know before using these weights, as Markdown made from their own files.

Nothing is said of the model that is not in those files: what was not measured is called that, and the paper's figures
stand apart, as claims.
"""

from collections.abc import Iterator
from typing import Any

from ..claims import CLAIMS, OURS, USER_REPORTS, ablation_of
from ..datasets import CATALOGUE
from .facts import ModelFacts, canonical_order
from .measured import dataset_name, label_name, measured, share, table
from .metadata import metadata
from .texts import DRAWN, DRAWN_LIMITS, INTENDED, LAW, LIMITS, SOURCES, TAUGHT


def model_card(facts: ModelFacts, repository: str, *, page: str, tag: str | None = None) -> str:
    """The whole README.md, metadata first.

    Args:
        repository: "owner/name".
        page: address of the repository.
        tag: the name that this version will have, if any.
    """
    sections = {
        None: _opening(facts, repository),
        "Use": _use(facts, repository, page, tag),
        "Measured": measured(facts),
        "Claimed by others": _claims(facts),
        "Training": _training(facts),
        "Where the weights come from": _origin(facts),
        "Limits": DRAWN_LIMITS if _drawn(facts) else LIMITS,
        "Intended use": INTENDED,
        "EU AI Act": LAW,
        "Licence": _license(facts),
        "Sources": _sources(facts),
    }
    body = [text if title is None else f"## {title}\n\n{text}" for title, text in sections.items() if text]
    return metadata(facts, repository, page=page, tag=tag) + "\n" + "\n\n".join(body) + "\n"


def _opening(facts: ModelFacts, repository: str) -> str:
    info = facts.model.info
    emotions = ", ".join(canonical_order(info.labels))
    color = {1: "grey", 3: "colour or grey"}[info.preprocess.channels]
    width = info.arguments.get("width", 1.0)
    kind = f"`{info.architecture}`" + (f" at {width:g} of its width" if width != 1 else "")
    kind += ", compact layout" if info.arguments.get("compact") else ""
    lines = [f"# {repository.split('/')[1]}"]
    if facts.remarks:
        warning = " ".join(["**This should not have been published; it was forced.**", *facts.remarks])
        lines.append(f"> [!WARNING]\n> {warning}\n> Take no figure from it.")
    size = info.preprocess.size
    lines.append(
        f"Reads one of {len(info.labels)} expressions in the picture of a face: {emotions}. The network is "
        f"{kind}, {facts.parameters:,} parameters, for face crops of {size} x {size} px, {color}."
    )
    lines.append(_in_short(facts))
    return "\n\n".join(lines)


def _in_short(facts: ModelFacts) -> str:
    if not facts.evaluations:
        return "**Not measured**: how often it is right is not known here."
    first, *rest = facts.evaluations
    low, high = first.figures.get("interval", (None, None))
    bracket = "" if low is None else f" [{share(low, 1)}, {share(high, 1)}]"
    text = (
        f"**{share(first.figures['accuracy'])} %**{bracket} of {first.figures['n']:,} faces in the "
        f"{first.split} split of {dataset_name(first.dataset)} are read as labelled, by the labels "
        f"{label_name(first.labels)}"
    )
    others = [each for each in rest if each.split == first.split]
    text += "".join(
        f"; {share(each.figures['accuracy'])} % of {each.figures['n']:,} by {label_name(each.labels)}"
        for each in others
    )
    untouched = "" if first.split == "test" else " Test was not touched."
    return f"{text}. What these labels mean, and all other figures, is under *Measured*.{untouched}"


def _use(facts: ModelFacts, repository: str, page: str, tag: str | None) -> str:
    info = facts.model.info
    pinned = f'"{repository}", revision="{tag}"' if tag else f'"{repository}"'
    return f"""\
With the Python package `resemotenet`, which finds the faces too:

```python
from resemotenet import EmotionPredictor

predictor = EmotionPredictor.from_pretrained({pinned})
for face in predictor("photo.jpg"):  # a path, bytes, a PIL image, or (H, W, 3) uint8 RGB
    print(face.label, face.confidence, face.box, face.probabilities)

predictor.classify(crops)  # face crops: (N, {len(info.labels)}) probabilities, columns as predictor.labels
```

```
python -m resemotenet predict photo.jpg --model {repository}{f" --revision {tag}" if tag else ""}
python -m resemotenet pull {repository} OUT{f" --revision {tag}" if tag else ""}
```

{_pinning(page, tag)} `predictor.source.revision` says which commit answers.
There is no pickle: weights are safetensors; labels, preprocessing and operating point stand in `config.json`."""


def _pinning(page: str, tag: str | None) -> str:
    if tag:
        return f"`{tag}` is the version that this card describes."
    return (
        f"Without a revision the newest commit is taken. For the same answers tomorrow, add `revision=` and the 40 "
        f"digits of [a commit]({page}/commits/main)."
    )


def _claims(facts: ModelFacts) -> str:
    rows = list(claimed(facts))
    if not rows:
        return ""
    return (
        "Figures of others, for other weights. They were not measured here and are no results of this repository."
        + _differences(facts)
        + "\n\n"
        + table(["who", "data set", "claimed %", "where, and what to know"], rows, words=4)
    )


def claimed(facts: ModelFacts) -> Iterator[list[str]]:
    """What the literature claims for this network on this data; on all data where nothing is known of it."""
    info = facts.model.info
    network, data = info.architecture, info.training.get("data")
    wanted = {data, *("ferplus" for each in facts.evaluations if each.labels.startswith("ferplus"))} if data else None
    if (row := ablation_of(network)) is not None and network != "resemotenet":
        yield [f"{OURS} {row.name}", "RAF-DB", share(row.accuracy), "paper, Table IV"]
    method = {"resemotenet": OURS, "emonext": "EmoNeXt"}.get(network.removesuffix("_xlarge"))
    for claim in CLAIMS:
        if claim.method == method and (wanted is None or claim.dataset in wanted):
            note = f"; {claim.note}" if claim.note else ""
            yield [claim.method, dataset_name(claim.dataset), share(claim.accuracy), f"{claim.source}{note}"]
    family = {"resemotenet": OURS, "emonext": "EmoNeXt"}.get(network.split("_")[0], "-")
    for report in USER_REPORTS:
        if report.what.startswith(family) and (wanted is None or report.dataset in wanted):
            ends = dict.fromkeys([share(report.low, 1), share(report.high, 1)])
            yield [report.what, dataset_name(report.dataset), " to ".join(ends), report.source]


def _differences(facts: ModelFacts) -> str:
    """In what these weights are not the paper's, as a sentence."""
    info = facts.model.info
    if info.architecture != "resemotenet":
        return ""
    found = []
    if (width := info.arguments.get("width", 1.0)) != 1:
        found.append(f"{width:g} of the paper's width")
    if info.preprocess.size != 64:
        found.append(f"{info.preprocess.size} px instead of 64")
    if (epochs := info.training.get("epochs", 80)) < 80:
        found.append(f"at most {epochs} epochs instead of 80")
    if info.training.get("labels") == "ferplus":
        found.append("the crowd's labels instead of FER2013's")
    return f" These weights are no reproduction of the paper: {', '.join(found)}." if found else ""


def _training(facts: ModelFacts) -> str:
    training = facts.model.info.training
    if facts.config:
        rows, rest = list(_settings(facts)), "All settings are in `training.json`."
    else:
        rows, rest = [[key, _plain(value)] for key, value in training.items() if key != "converted_from"], ""
    settings = table(["setting", "value"], rows, words=2) if rows else ""
    return "\n\n".join(filter(None, [_data(training), settings, rest]))


def _data(training: dict[str, Any]) -> str:
    """Which data the weights learned from, and its licence."""
    if not (data := training.get("data")):
        return ""
    if data == "synthetic":
        return DRAWN
    info = next((info for info in CATALOGUE if info.name == data), None)
    if info is None:
        return f"Data set: {data}."
    told = f"{info.title}: {info.faces}. Licence of the data: {info.licence}."
    return f"{told} {TAUGHT.get(str(training.get('labels')), '')}".strip()


def _settings(facts: ModelFacts) -> Iterator[list[str]]:
    config, environment, cost = facts.config, facts.environment, facts.result.get("cost", {})
    rate = config["optimization"]
    yield ["run", f"`{facts.run}`"]
    yield ["recipe, seed", f"`{config['recipe']}`, {config['seed']}"]
    yield ["epochs", f"{facts.epochs_done} of at most {rate['epochs']}"]
    if chosen := facts.result.get("chosen"):
        yield ["chosen", f"epoch {chosen['epoch']}, counted from 0, by {chosen['by']}: {share(chosen['value'])} %"]
    yield [
        "optimizer",
        f"{rate.get('optimizer', 'sgd')}, batch {rate['batch_size']}, peak rate {rate['learning_rate']:g}, "
        f"{rate['schedule']}",
    ]
    augmented = (
        name if value is True else f"{name} {value:g}" for name, value in config["augmentation"].items() if value
    )
    yield ["augmentation, training only", ", ".join(augmented) or "none"]
    if cost:
        yield [
            "cost",
            f"{_time(cost['seconds'])} on {cost['device']}; {cost['macs'] / 1e6:,.0f} million multiplications a face",
        ]
    commits = list(dict.fromkeys(str(e.get("commit")) for e in (environment, *environment.get("resumptions", []))))
    dirty = {True: ", with changes that are in no commit", None: ", changes unknown"}.get(environment.get("dirty"), "")
    yield ["code", ", ".join(f"`{commit}`" for commit in commits) + dirty]
    versions = (f"{name} {version}" for name, version in environment.get("versions", {}).items() if version)
    yield ["versions", f"Python {environment.get('python')}, " + ", ".join(versions)]


def _time(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds / 60:.1f} minutes"


def _origin(facts: ModelFacts) -> str:
    origin = facts.model.info.training.get("converted_from")
    if origin is None:
        return ""
    base = f" It comes from `{origin['base_model']}`." if "base_model" in origin else ""
    return (
        f"Converted, not trained here: from `{origin['file']}` ({origin['layout']}, SHA-256 `{origin['sha256']}`), "
        f"every weight as it was.{base} How it was trained, only those who trained it can say."
    )


def _license(facts: ModelFacts) -> str:
    license_ = facts.model.info.license
    if not license_.get("name"):
        return "None is stated in `config.json`, so none is granted. Ask whoever published it."
    name, link = license_["name"], license_.get("link")
    return f"{f'[{name}]({link})' if link else name}. {license_.get('text', '')}".strip()


def _sources(facts: ModelFacts) -> str:
    info = facts.model.info
    lines = [f"- Network: {SOURCES[key]}" for key in (info.architecture.split("_")[0],) if key in SOURCES]
    for dataset in CATALOGUE:
        if dataset.name == info.training.get("data"):
            page = f" ([page]({dataset.url}))" if dataset.url else ""
            lines.append(f"- Data: {dataset.citation}{page}")
    return "\n".join(lines)


def _drawn(facts: ModelFacts) -> bool:
    return facts.model.info.training.get("data") == "synthetic"


def _plain(value: Any) -> str:
    return f"`{value}`" if isinstance(value, str) else str(value)
