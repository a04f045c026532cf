"""The model card: what a stranger must know before using these weights, as Markdown made from their own files.

Nothing is said of the model that is not in those files: what was not measured is called that, and the paper's figures
stand apart, as claims.
"""

from collections.abc import Iterator

from ..datasets import CATALOGUE
from ..emotions import canonical_order
from ..runs.claims import CLAIMS, NOT_UPSTREAMS, OURS, USER_REPORTS, ablation_of
from ..runs.label_sets import FERPLUS
from .chain import touches
from .escaping import link, text
from .facts import Evaluation, ModelFacts
from .measured import measured
from .metadata import metadata
from .on_photographs import in_short as photographs_in_short
from .taught import origin, taught
from .texts import DRAWN_FIRST, DRAWN_LIMITS, INTENDED, KEPT, LAW, LIMITS, SOURCES
from .wording import dataset_name, label_name, share, table


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
        "Training": taught(facts),
        "Where the weights come from": origin(facts),
        "Limits": DRAWN_LIMITS if _drawn(facts) else LIMITS,
        "Intended use": INTENDED,
        "EU AI Act": LAW,
        "Licence": _license(facts),
        "Sources": _sources(facts),
    }
    body = [told if title is None else f"## {title}\n\n{told}" for title, told in sections.items() if told]
    return metadata(facts, repository, page=page, tag=tag) + "\n" + "\n\n".join(body) + "\n"


def _opening(facts: ModelFacts, repository: str) -> str:
    info = facts.model.info
    taught = [label for label in canonical_order(info.labels) if label not in facts.untaught]
    emotions = ", ".join(text(label, 40) for label in taught)
    width = info.arguments.get("width", 1.0)
    kind = f"`{info.architecture}`" + (f" at {width:g} of its width" if width != 1 else "")
    kind += ", compact layout" if info.arguments.get("compact") else ""
    lines = [f"# {repository.split('/')[1]}"]
    if _drawn(facts):
        lines.append(DRAWN_FIRST)
    if facts.remarks:
        warning = " ".join(
            ["**This should not have been published; it was forced.**", *(text(each, 400) for each in facts.remarks)]
        )
        lines.append(f"> [!WARNING]\n> {warning}\n> Do not quote its figures.")
    size, network = info.preprocess.size, info.architecture
    lines.append(
        f"Reads one of {len(taught)} expressions in the picture of a face: {emotions}. The network is "
        f"{kind}, {facts.parameters:,} parameters, for face crops of {size} x {size} px, made grey."
        + (f" It is not upstream's of that name: {NOT_UPSTREAMS[network]}." if network in NOT_UPSTREAMS else "")
    )
    if facts.untaught:
        names = " and ".join(text(label, 40) for label in facts.untaught)
        lines.append(f"**Not taught**: it also has an answer for {names}, but no training face was labelled so.")
    lines.append(_in_short(facts))
    return "\n\n".join(lines)


def _in_short(facts: ModelFacts) -> str:
    photographs = photographs_in_short(facts)
    if not facts.evaluations:
        return photographs.strip() or "**Not measured**: how often it is right is not known."
    first, *rest = facts.evaluations
    others = [each for each in rest if each.split == first.split]
    if facts.result is None:
        stated = "; ".join(f"{_short(each)} by {label_name(each.labels)}{_kept(each)}" for each in (first, *others))
        return (
            f"**Not checked**: `config.json` states for the {text(first.split)} split of "
            f"{dataset_name(first.dataset)} that {stated}, are read as labelled; the run is not here, so "
            "it was not checked." + photographs
        )
    assert first.figures.interval is not None  # it was compared with that of the predictions
    low, high = first.figures.interval
    told = (
        f"**{share(first.figures.accuracy)}%** [{share(low, 1)}, {share(high, 1)}] of {_faces(facts, first)} in "
        f"the {text(first.split)} split of {dataset_name(first.dataset)}{_kept(first)}{',' if _kept(first) else ''} "
        f"are read as labelled, by the labels {label_name(first.labels)}"
    )
    told += "".join(
        f"; {share(each.figures.accuracy)}% of {_faces(facts, each)} by {label_name(each.labels)}{_kept(each)}"
        for each in others
    )
    test = "" if first.split == "test" else " " + " ".join(touches(facts))
    return f"{told}.{photographs} What these labels mean, and all other figures, is under *Measured*.{test}"


def _short(each: Evaluation) -> str:
    return f"{share(each.figures.accuracy)}% of {each.figures.n:,} faces"


def _faces(facts: ModelFacts, each: Evaluation) -> str:
    """How many faces were scored, and how many there are, where some were left out."""
    n, whole = each.figures.n, None if facts.audit is None else facts.audit.images.get(each.split)
    if whole is None:
        return f"{n:,} faces"
    return f"all {n:,} faces" if n >= whole else f"{n:,} of the {whole:,} faces"


def _kept(each: Evaluation) -> str:
    return f", {KEPT[each.labels]}" if each.labels in KEPT else ""


def _use(facts: ModelFacts, repository: str, page: str, tag: str | None) -> str:
    info = facts.model.info
    pinned = f'"{repository}", revision="{tag}"' if tag else f'"{repository}"'
    return f"""\
With the Python package `resemotenet`, which finds the faces too. It is not on PyPI; in a clone of its repository:

```
pip install .
```

```python
from resemotenet import EmotionPredictor

predictor = EmotionPredictor.from_pretrained({pinned})
for face in predictor("photo.jpg"):  # a path, bytes, a PIL image, or (H, W, 3) uint8 RGB
    print(face.answer, face.confidence, face.box)
```

{_answer(facts)} Of crops, `predictor.classify(crops)` gives (N, {len(info.labels)}) probabilities, columns as
`predictor.labels`. On the command line:

```
python -m resemotenet predict photo.jpg --model {repository}{f" --revision {tag}" if tag else ""}
python -m resemotenet pull {repository} OUT{f" --revision {tag}" if tag else ""}
```

{_pinning(page, tag)} `predictor.source.revision` says which commit answers.
The weights are safetensors, no pickle; labels, preprocessing and operating point are in `config.json`."""


def _answer(facts: ModelFacts) -> str:
    """What the fields of an answer hold; "not sure" where these weights can say so."""
    info = facts.model.info
    point = info.photographs or info
    if point.sure_margin is None:
        return "`face.probabilities` has all of them, `face.answer` is the likeliest, always one of them."
    return (
        "`face.probabilities` has all of them. `face.answer` is the likeliest, `face.label`; where that leads the next "
        f'by less than {point.sure_margin:g}: "not sure: sad or neutral". Take that as no answer.'
    )


def _pinning(page: str, tag: str | None) -> str:
    if tag:
        return f"`{tag}` is the version that this card describes."
    return (
        f"Without a revision the newest commit is taken. To get the same answers later, add `revision=` with the 40 "
        f"digits of [a commit]({page}/commits/main)."
    )


def _claims(facts: ModelFacts) -> str:
    rows = list(claimed(facts))
    if not rows:
        return ""
    return (
        "What others state of other weights. It was not measured here and is no result of this repository."
        + _differences(facts)
        + "\n\n"
        + table(["who", "data set", "claimed, %", "where, and what to know"], rows, words=4)
    )


def claimed(facts: ModelFacts) -> Iterator[list[str]]:
    """What the literature claims for this network on this data; on all data where nothing is known of it."""
    info = facts.model.info
    network, data = info.architecture, facts.data
    wanted = None
    if data is not None:
        wanted = {data, *(FERPLUS.key for each in facts.evaluations if each.labels in FERPLUS.own)}
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
            note = f"; {report.note}" if report.note else ""
            ends = dict.fromkeys([share(report.low, 1), share(report.high, 1)])
            yield [report.what, dataset_name(report.dataset), " to ".join(ends), f"{report.source}{note}"]


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
    if info.preprocess.channels == 1:
        found.append("one grey channel instead of the same grey three times")
    if type(planned := info.training.get("epochs")) is int:
        epochs = planned + sum(each.epochs or 0 for each in facts.chain)
        if epochs < 80:
            found.append(f"at most {epochs} epochs instead of 80")
    if facts.taught == FERPLUS.key:
        found.append("the crowd's labels instead of FER2013's")
    return f" These weights are no reproduction of the paper: {', '.join(found)}." if found else ""


def _license(facts: ModelFacts) -> str:
    license_ = facts.model.info.license
    if not license_.get("name"):
        return "None is stated in `config.json`, so none is granted. Ask whoever published it."
    name, url = text(license_["name"], 100), link(license_.get("link"))
    return f"{f'[{name}]({url})' if url else name}. {text(license_.get('text') or '', 1000)}".strip()


def _sources(facts: ModelFacts) -> str:
    info = facts.model.info
    lines = [f"- Network: {SOURCES[key]}" for key in (info.architecture.split("_")[0],) if key in SOURCES]
    for dataset in CATALOGUE:
        if dataset.name == facts.data:
            page = f" ([page]({dataset.url}))" if dataset.url else ""
            lines.append(f"- Data: {dataset.citation}{page}")
    return "\n".join(lines)


def _drawn(facts: ModelFacts) -> bool:
    return facts.data == "synthetic"
