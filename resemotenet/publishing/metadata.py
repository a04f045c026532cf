"""The head of a model card: what the Hub itself reads of it, as YAML."""

from typing import TYPE_CHECKING, Any

from ..checkpoints.hub_files import LIBRARY
from .escaping import license_name, link, plain, repository_name
from .facts import ModelFacts

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

TASK = "image-classification"
TAGS = ("facial-expression-recognition", "emotion-recognition", "face", "pytorch", "safetensors")
# The Hub's name of a metric -> ours in result.json, and what people call it.
METRICS = {
    "accuracy": ("accuracy", "accuracy"),
    "recall": ("macro_recall", "macro recall"),
    "f1": ("macro_f1", "macro F1"),
    "ece": ("ece", "expected calibration error, 15 bins"),
}
_SPLIT_NAMES = {("fer2013", "validation"): "PublicTest", ("fer2013", "test"): "PrivateTest"}


def metadata(facts: ModelFacts, repository: str, *, page: str, tag: str | None) -> str:
    """Everything between the two lines of dashes, the lines included."""
    from huggingface_hub import ModelCardData  # heavy, and only a push needs it

    info = facts.model.info
    origin = info.training.get("converted_from")
    # Rankings are for figures that were checked, of runs that may be published; the others are for readers of the card.
    ranked = bool(facts.finished and facts.evaluations and not facts.remarks)
    data = ModelCardData(
        base_model=repository_name(origin.get("base_model")) if isinstance(origin, dict) else None,
        eval_results=_results(facts, f"{page}/blob/{tag or 'main'}/result.json") if ranked else None,
        library_name=LIBRARY,
        metrics=["accuracy", "recall", "f1"] if ranked else None,
        model_name=repository.split("/")[1] if ranked else None,
        pipeline_tag=TASK,
        tags=[*TAGS, info.architecture, *_datasets(facts)],
        **_license(info.license),
    )
    return f"---\n{data.to_yaml()}\n---\n"


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


def _results(facts: ModelFacts, source: str) -> "list[EvalResult]":
    from huggingface_hub import EvalResult

    counted = [each for each in facts.evaluations if each.split == facts.evaluations[0].split]
    return [
        EvalResult(
            task_type=TASK,
            task_name="facial expression recognition, given face crops",
            dataset_type=plain(each.dataset),
            dataset_name=plain(
                f"{each.dataset}, {split_name(each.dataset, each.split)}, labels {each.labels}, n = {each.figures.n}"
            ),
            dataset_config=plain(each.labels),
            dataset_split=plain(each.split),
            metric_type=kind,
            metric_name=name,
            metric_value=getattr(each.figures, figure),
            source_name="result.json of this repository",
            source_url=source,
        )
        for each in (*counted, *facts.elsewhere)
        for kind, (figure, name) in METRICS.items()
        if getattr(each.figures, figure) is not None
    ]
