"""The head of a model card: what the Hub itself reads of it, as YAML."""

import json
from typing import Any

from ..checkpoints.hub_files import LIBRARY
from .escaping import license_name, link, plain, repository_name
from .facts import Evaluation, ModelFacts

TAGS = ("facial-expression-recognition", "emotion-recognition", "face", "pytorch", "safetensors")
_SPLIT_NAMES = {("fer2013", "validation"): "PublicTest", ("fer2013", "test"): "PrivateTest"}


def metadata(facts: ModelFacts, repository: str, *, page: str, tag: str | None) -> str:
    """Everything between the two lines of dashes, the lines included."""
    info = facts.model.info
    values: dict[str, Any] = {
        "library_name": LIBRARY,
        "pipeline_tag": "image-classification",
        **_license(info.license),
        "tags": list(dict.fromkeys([*TAGS, info.architecture, *_datasets(facts)])),
    }
    origin = info.training.get("converted_from")
    if isinstance(origin, dict) and (base := repository_name(origin.get("base_model"))):
        values["base_model"] = base
    # Rankings are for figures that were checked, of runs that may be published; the others are for readers of the card.
    if facts.result and facts.evaluations and not facts.remarks:
        values["metrics"] = ["accuracy", "recall", "f1"]
        source = {"name": "result.json of this repository", "url": f"{page}/blob/{tag or 'main'}/result.json"}
        counted = [each for each in facts.evaluations if each.split == facts.evaluations[0].split]
        results = [_result(each, source) for each in (*counted, *facts.elsewhere)]
        values["model-index"] = [{"name": repository.split("/")[1], "results": results}]
    return f"---\n{yaml(values)}---\n"


def split_name(dataset: str, split: str) -> str:
    """A split by the name that the data set's own files give it, where that is another."""
    own = _SPLIT_NAMES.get((dataset, split))
    return split if own is None else f"{split} ({own})"


def _license(license_: dict[str, Any]) -> dict[str, Any]:
    name, url = license_.get("name"), link(license_.get("link"))
    if not name:
        return {"license": "unknown"}
    if name in ("mit", "unknown"):
        return {"license": name}
    known = license_name(name)
    return {
        "license": "other",
        **({"license_name": known} if known else {}),
        **({"license_link": url} if url else {}),
    }


def _datasets(facts: ModelFacts) -> list[str]:
    """What the weights learned from, as tags: the Hub's own field is for ids of data sets that it holds."""
    return [plain(name, 40) for name in (facts.data, facts.taught) if name and name != "synthetic"]


def _result(each: Evaluation, source: dict[str, str]) -> dict[str, Any]:
    figures = each.figures
    metrics = [
        ("accuracy", "accuracy", figures["accuracy"]),
        ("recall", "macro recall", figures.get("macro_recall")),
        ("f1", "macro F1", figures.get("macro_f1")),
        ("ece", "expected calibration error, 15 bins", figures.get("ece")),
    ]
    return {
        "task": {"type": "image-classification", "name": "facial expression recognition, given face crops"},
        "dataset": {
            "type": plain(each.dataset),
            "name": plain(
                f"{each.dataset}, {split_name(each.dataset, each.split)}, labels {each.labels}, n = {figures['n']}"
            ),
            "config": plain(each.labels),
            "split": plain(each.split),
        },
        "metrics": [{"type": kind, "name": name, "value": value} for kind, name, value in metrics if value is not None],
        "source": source,
    }


def yaml(value: Any, indent: int = 0) -> str:
    """Mappings, lists and plain values as block YAML; plain values are written as JSON, which is YAML too."""
    pad = "  " * indent
    if isinstance(value, dict):
        return "".join(f"{pad}{key}:{_below(item, indent)}" for key, item in value.items())
    lines = ""
    for item in value:
        inner = yaml(item, indent + 1) if isinstance(item, (dict, list)) else f"{_plain(item)}\n"
        lines += f"{pad}- {inner.lstrip()}"
    return lines


def _below(item: Any, indent: int) -> str:
    if isinstance(item, (dict, list)) and item:
        return "\n" + yaml(item, indent if isinstance(item, list) else indent + 1)
    return f" {_plain(item)}\n"


def _plain(item: Any) -> str:
    text = json.dumps(item, ensure_ascii=False)
    # YAML 1.1 takes 1e-07 for a word and 1.0e-07 for a number.
    return text.replace("e", ".0e") if isinstance(item, float) and "e" in text and "." not in text else text
