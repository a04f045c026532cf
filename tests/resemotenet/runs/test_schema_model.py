"""A model folder's config.json: the bundled one reads as it is written, and a value that does not fit is named."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from resemotenet.emotions import EMOTIONS
from resemotenet.errors import CheckpointFormatError
from resemotenet.runs.schema import Int8, Int8Cost, ModelInfo, Preprocessing, parse

BUNDLED = Path(__file__).parents[3] / "resemotenet" / "weights" / "config.json"
INFO = ModelInfo(
    architecture="resemotenet",
    arguments={"in_channels": 1},
    labels=EMOTIONS,
    preprocess=Preprocessing(size=48, channels=1, mean=(0.5,), std=(0.25,)),
    logit_bias=(0.5, 0.0, -0.25, 0.0, 1.0, 0.0, 0.0),
    license={"name": "test", "text": "Für Tests."},
)


def read(values: Any) -> ModelInfo:
    text = values if isinstance(values, str | bytes) else json.dumps(values)
    return parse(ModelInfo, text, "config.json", CheckpointFormatError)


def test_the_bundled_one_reads_as_it_is_written() -> None:
    info = read(BUNDLED.read_bytes())
    assert json.dumps(info.to_dict(), indent=2) + "\n" == BUNDLED.read_text(encoding="utf-8")
    assert (info.preprocess.size, info.preprocess.mean, info.views) == (48, (0.5077,), "flip")


def test_there_and_back() -> None:
    assert read(INFO.to_dict()) == INFO
    assert next(iter(INFO.to_dict())) == "schema"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"size": 0}, "size = 0, which should be greater than or equal to 1"),
        ({"size": 64.0}, "size = 64.0, which should be a valid integer"),
        ({"size": 1025}, "size = 1025, which should be less than or equal to 1024"),
        ({"size": True}, "size = True, which should be a valid integer"),
        ({"channels": 2}, "channels = 2, which should be 1 or 3"),
        ({"channels": True}, r"wrong in preprocess\.channels: it must be a whole number, got True"),
        ({"channels": 1.0}, r"wrong in preprocess\.channels: it must be a whole number, got 1\.0"),
        ({"mean": [0.5, 0.5, 0.5]}, "must have 1 values each"),
        ({"std": []}, "must have 1 values each"),
        ({"mean": 0.5}, "mean = 0.5, which should be a valid array"),
        ({"mean": ["0.5"]}, "mean.0 = '0.5', which should be a valid number"),
        ({"mean": [float("nan")]}, "mean.0 = nan, which should be finite"),
        ({"mean": [10**400]}, r"mean.0 = 10+\.\.\., which should be a finite number"),
        ({"mean": [10**30]}, "mean.0 = 10+, which should be less than or equal to 1000000"),
        ({"std": [0.0]}, "std.0 = 0.0, which should be greater than or equal to 0.000001"),
        ({"std": [1e-60]}, "std.0 = 1e-60, which should be greater than or equal to 0.000001"),
        ({"interpolation": "nearest"}, "interpolation = 'nearest', which should be 'bilinear' or 'lanczos'"),
        ({"colour": True}, r"has preprocess\.colour, which this version does not know"),
    ],
)
def test_preprocessing_that_does_not_fit(setting: dict[str, Any], message: str) -> None:
    values = INFO.to_dict()
    with pytest.raises(CheckpointFormatError, match=message):
        read({**values, "preprocess": {**values["preprocess"], **setting}})


def test_a_key_that_is_missing_anywhere() -> None:
    """Though each has a default where a program makes one."""
    for key in INFO.to_dict():
        values = INFO.to_dict()
        del values[key]
        with pytest.raises(CheckpointFormatError, match=f"config.json has no {key}$"):
            read(values)
    for key in asdict(INFO.preprocess):
        values = INFO.to_dict()
        del values["preprocess"][key]
        with pytest.raises(CheckpointFormatError, match=rf"config.json has no preprocess\.{key}$"):
            read(values)


def test_numbers_that_json_does_not_know() -> None:
    for part in ("arguments", "training", "license"):
        for number in (float("nan"), float("-inf")):
            with pytest.raises(CheckpointFormatError, match=rf"{part}\.a\.0\.b = {number}, which should be finite"):
                read({**INFO.to_dict(), part: {"a": [{"b": number}]}})
    with pytest.raises(CheckpointFormatError, match=r"says measured\.0\.accuracy = inf, which should be finite"):
        read(json.dumps({**INFO.to_dict(), "measured": [{"accuracy": "x"}]}).replace('"x"', "1e999"))
    with pytest.raises(ValueError, match="not JSON compliant"):
        replace(INFO, measured=({"accuracy": float("inf")},)).to_dict()


@pytest.mark.parametrize("values", [{**INFO.to_dict(), "schema": 2, "colour": 1}, {"schema": 2}, {"schema": 10**400}])
def test_a_newer_schema_is_called_that_whatever_else_it_has(values: dict[str, Any]) -> None:
    with pytest.raises(CheckpointFormatError, match=r"in schema \d+ by a newer version .* reads up to 1, update it$"):
        read(values)


@pytest.mark.parametrize(
    "content",
    ["", "{", "[1]", "3", "null", b"\xff\xfe", "[" * 200_000, '{"a": ' * 5_000, "1" * 10_000, '{"schema": "\\ud800"}'],
    ids=lambda content: str(content[:6]),
)
def test_what_is_no_object_of_json(content: str | bytes) -> None:
    with pytest.raises(CheckpointFormatError, match=r"^config\.json (is damaged: Invalid JSON|says as a whole = )"):
        read(content)


def test_no_error_commands_the_terminal_or_fills_it() -> None:
    values = INFO.to_dict()
    for changes in (
        {"\x1b[2J" * 100: 1},
        {"training": {"\x1b[2J": float("nan")}},
        {"arguments": {"num_classes": "\x1b[2J"}},
        {"architecture": ["\x1b[2J" * 100]},
    ):
        with pytest.raises(CheckpointFormatError) as caught:
            read({**values, **changes})
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 250


def test_the_first_few_problems_are_named() -> None:
    values = {**INFO.to_dict(), "architecture": 3, "temperature": "1", "views": "ten", "license": None}
    with pytest.raises(CheckpointFormatError) as caught:
        read(values)
    assert str(caught.value) == (
        "config.json says architecture = 3, which should be a valid string; says temperature = '1', which should be a "
        "valid number; says views = 'ten', which should be 'none' or 'flip'; and 1 more"
    )


COST: dict[str, Any] = {
    "dataset": "fer2013",
    "labels": "ferplus-strict",
    "split": "validation",
    "n": 34,
    "exact": 0.5,
    "int8": 0.25,
    "same": 0.75,
    "largest": 0.125,
}
RANGES = {
    "ranges": {"conv1": [-1.5, 2.0]},
    "weights": "0f" * 32,
    "calibration": {"dataset": "fer2013", "n": 256},
    "measured": [COST],
}


def test_what_8_bits_need_is_read_back() -> None:
    info = read({**INFO.to_dict(), "int8": RANGES})
    assert info.int8 == Int8({"conv1": (-1.5, 2.0)}, "0f" * 32, {"dataset": "fer2013", "n": 256}, (Int8Cost(**COST),))
    assert info.to_dict()["int8"] == RANGES


def test_a_margin_is_read_back_and_older_files_have_none() -> None:
    assert read({**INFO.to_dict(), "sure_margin": 0.25}).to_dict()["sure_margin"] == 0.25
    assert "sure_margin" not in INFO.to_dict()
    assert read(INFO.to_dict()).sure_margin is None
    with pytest.raises(CheckpointFormatError, match="sure_margin"):
        read({**INFO.to_dict(), "sure_margin": 1.5})


def test_photographs_have_an_operating_point_of_their_own_where_a_file_says_so() -> None:
    point = {"temperature": 0.75, "logit_bias": [0.5, 0.0, 0.0, 0.0, 0.0, 0.0, -0.5], "sure_margin": 0.25}
    info = read({**INFO.to_dict(), "photographs": point})
    assert info.to_dict()["photographs"] == point
    taken = info.for_photographs()
    assert taken.to_dict() == {**INFO.to_dict(), **point}
    assert INFO.for_photographs() is INFO
    assert taken.for_photographs() is taken


@pytest.mark.parametrize(
    ("point", "message"),
    [
        (
            {"temperature": 1.0, "logit_bias": [0.0], "sure_margin": None},
            "logit_bias must have one number for each of 7",
        ),
        ({"temperature": 0.0, "logit_bias": None, "sure_margin": None}, r"photographs\.temperature"),
        ({"temperature": 1.0, "logit_bias": None, "sure_margin": 2.0}, r"photographs\.sure_margin"),
    ],
)
def test_an_operating_point_that_does_not_fit(point: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointFormatError, match=message):
        read({**INFO.to_dict(), "photographs": point})


def test_a_model_without_8_bits_says_nothing_of_them() -> None:
    assert "int8" not in INFO.to_dict()
    assert read(INFO.to_dict()).int8 is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ranges": {"conv1": [2.0, -1.5]}}, "a range goes from its lowest value to its highest"),
        ({"ranges": {"conv1": [0.0]}}, r"int8\.ranges\.conv1"),
        ({"ranges": {"conv1": [0.0, 1e9]}}, "should be less than or equal to 1000000"),
        ({"weights": "F0" * 32}, r"int8\.weights"),
        ({"measured": [{**COST, "same": 1.5}]}, r"int8\.measured\.0\.same"),
        ({"graph": "model.onnx"}, r"int8\.graph, which this version does not know"),
    ],
)
def test_ranges_that_do_not_fit(change: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointFormatError, match=message):
        read({**INFO.to_dict(), "int8": {**RANGES, **change}})
