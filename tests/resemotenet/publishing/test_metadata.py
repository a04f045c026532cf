"""The head of the card, read by the Hub's own client."""

from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from resemotenet.publishing.facts import gather
from resemotenet.publishing.metadata import metadata
from resemotenet.runs.results import read_json
from tests.finished_run import make_run
from tests.resemotenet.publishing.cards import PAGE, change


def read(folder: Path, *, tag: str | None = None) -> Any:
    return ModelCard(metadata(gather(folder), "owner/name", page=PAGE, tag=tag))


def test_what_the_hub_reads(run: Path) -> None:
    data = read(run).data
    assert data.library_name == "resemotenet"
    assert data.pipeline_tag == "image-classification"
    assert (data.license, data.license_name, data.license_link) == (
        "other",
        "non-commercial-research",
        "https://example.org/terms",
    )
    assert data.datasets is None, "ours are no data sets of the Hub"
    assert {"fer2013", "ferplus"} <= set(data.tags or ())
    assert data.metrics == ["accuracy", "recall", "f1"]
    assert data.base_model is None
    assert {"facial-expression-recognition", "resemotenet"} <= set(data.tags or ())


@pytest.mark.parametrize(("tag", "at"), [(None, "main"), ("v1", "v1")])
def test_figures_are_those_of_the_result(run: Path, tag: str | None, at: str) -> None:
    result = read_json(run / "result.json")
    card = read(run, tag=tag)
    assert card.data.model_name == "name"
    found = {(each.dataset_config, each.metric_type): each for each in card.data.eval_results or ()}
    expected = {"ferplus-strict": result["splits"]["test"], "fer2013": result["also"]["fer2013"]["test"]}
    names = {"accuracy": "accuracy", "recall": "macro_recall", "f1": "macro_f1", "ece": "ece"}
    assert set(found) == {(labels, kind) for labels in expected for kind in names}
    for (labels, kind), each in found.items():
        assert each.metric_value == expected[labels][names[kind]]
        assert each.dataset_split == "test"
        assert each.source_url == f"{PAGE}/blob/{at}/result.json"
        assert "PrivateTest" in each.dataset_name
        assert f"n = {expected[labels]['n']}" in each.dataset_name


def test_validation_stands_where_test_was_not_touched(tmp_path: Path, model_folder: Path) -> None:
    run = make_run(tmp_path / "run", model_folder, splits=("validation",))
    assert {each.dataset_split for each in read(run).data.eval_results or ()} == {"validation"}


def test_what_should_not_be_published_takes_part_in_no_ranking(tmp_path: Path, model_folder: Path) -> None:
    data = read(make_run(tmp_path / "run", model_folder, dirty=True)).data
    assert data.eval_results is None
    assert data.metrics is None


def test_a_bare_model(model: Path) -> None:
    data = read(model).data
    assert (data.license, data.datasets, data.eval_results) == ("unknown", None, None)


def test_figures_that_nobody_checked_take_part_in_no_ranking(model: Path) -> None:
    fact = {"dataset": "fer2013", "labels": "fer2013", "split": "test", "n": 3589, "accuracy": 0.99}
    change(model / "config.json", measured=[fact])
    data = read(model).data
    assert (data.eval_results, data.metrics) == (None, None)


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ({"name": "cc-by-4.0", "link": "https://example.org/a(b)"}, ("other", "cc-by-4.0", None)),
        ({"name": "My own\nlicense: mit", "link": "javascript:alert(1)"}, ("other", None, None)),
        ({"name": ["x"], "link": "http://example.org/terms?a=1#b"}, ("other", None, "http://example.org/terms?a=1#b")),
        ({"link": "https://example.org"}, ("unknown", None, None)),
    ],
)
def test_a_licence_may_say_anything(model: Path, stated: dict, expected: tuple) -> None:
    change(model / "config.json", license=stated)
    data = read(model).data
    assert (data.license, data.license_name, data.license_link) == expected


@pytest.mark.parametrize("base", ["javascript:alert(1)", "a/b\nlicense: mit", "../../etc", ["a/b"], None])
def test_a_base_that_is_no_repository(model: Path, base: object) -> None:
    change(model / "config.json", training={"converted_from": {"file": "a.pth", "base_model": base}})
    assert read(model).data.base_model is None


def test_a_converted_model_names_its_base(model: Path) -> None:
    change(model / "config.json", training={"converted_from": {"file": "a.pth", "base_model": "upstream/weights"}})
    assert read(model).data.base_model == "upstream/weights"


def test_drawn_faces(model: Path) -> None:
    change(model / "config.json", training={"data": "synthetic", "labels": "synthetic"}, license={"name": "mit"})
    data = read(model).data
    assert (data.license, data.license_name, data.datasets) == ("mit", None, None)


@pytest.mark.parametrize(
    "name",
    ["yes", 'quote " and \\', "- no list", "1.0", ": #", "é ❤", "---", "!!python/name:os.system", "&a", "*a", "{a: b}"],
)
def test_a_name_that_yaml_could_take_for_something_else_stays_a_name(model: Path, name: str) -> None:
    change(model / "config.json", training={"data": name}, license={"name": "1.0"})
    data = read(model).data
    assert name in (data.tags or ())
    assert data.license_name == "1.0"
