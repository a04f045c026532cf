"""result.json, epochs.jsonl, environment.json and audit.json: published ones come back as they are, of any version."""

import json
from pathlib import Path
from typing import Any

import pytest

from resemotenet.errors import PublicationError, ResultsError
from resemotenet.runs.schema import (
    Audit,
    Entry,
    Environment,
    Epoch,
    Look,
    Result,
    parse,
    read,
    read_lines,
    salvage,
)

PUBLISHED = sorted(path for path in (Path(__file__).parents[3] / "dashboard" / "published").iterdir() if path.is_dir())
SCORED: dict[str, Any] = {"labels": "ferplus-strict", "n": 10, "accuracy": 0.5}
RESULT: dict[str, Any] = {
    "schema": 1,
    "run": "a-run",
    "protocol": "validation-chosen",
    "chosen": {"epoch": 3, "by": "validation accuracy, ferplus-strict", "value": 0.5},
    "splits": {"validation": SCORED},
    "also": {"fer2013": {"validation": {"n": 12, "accuracy": 0.25}}},
    "cost": {"macs": 100, "seconds": 2.5, "device": "cpu"},
    "elsewhere": {"ckplus-peak": {"test": {"n": 9, "accuracy": 1.0, "touched": 2}}, "raf-db": {"test": {"touched": 1}}},
}


def parsed(values: Any) -> Result:
    return parse(Result, json.dumps(values), "result.json", PublicationError)


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.name)
def test_published_files_come_back_as_they_are(path: Path):
    for kind, name in ((Result, "result.json"), (Environment, "environment.json"), (Audit, "audit.json")):
        written = json.loads((path / name).read_text())
        if name == "result.json":
            written["protocol"] = written["protocol"].replace(", test once", "")
        if "earlier" in written:  # older runs noted of teachers their weights alone
            teachers = written["earlier"]["teachers"]
            written["earlier"]["teachers"] = [{"sha256": each} if isinstance(each, str) else each for each in teachers]
        assert read(kind, path / name).to_dict() == written
    lines = (path / "epochs.jsonl").read_text().splitlines()
    assert [line.to_dict() for line in read_lines(Epoch, path / "epochs.jsonl")] == [json.loads(line) for line in lines]


def test_what_a_later_version_adds_stays():
    values = {**RESULT, "mood": {"good": [1]}, "cost": {**RESULT["cost"], "energy": 3.5}}
    assert parsed(values).to_dict() == values


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"protocol": None}, "protocol = None, which should be a valid string"),
        ({"splits": None}, "splits = None, which should be an object"),
        ({"splits": {"test": {"n": 1, "accuracy": 0.5}}}, r"has no splits\.test\.labels"),
        ({"splits": {"test": {**SCORED, "n": 0}}}, r"splits\.test\.n = 0, which should be greater than or equal to 1"),
        ({"splits": {"test": {**SCORED, "n": True}}}, r"splits\.test\.n = True, which should be a valid integer"),
        ({"splits": {"test": {**SCORED, "n": 10**400}}}, r"splits\.test\.n = 10+\.\.\., which should be less than"),
        (
            {"splits": {"test": {**SCORED, "accuracy": 86.9}}},
            "accuracy = 86.9, which should be less than",
        ),
        ({"splits": {"test": {**SCORED, "accuracy": -0.1}}}, "accuracy = -0.1, which should be greater than or equal"),
        ({"splits": {"test": {**SCORED, "accuracy": float("nan")}}}, r"test\.accuracy = nan, which should be finite"),
        ({"splits": {"test": {**SCORED, "nll": float("inf")}}}, r"test\.nll = inf, which should be finite"),
        ({"splits": {"test": {**SCORED, "interval": [0.1]}}}, "interval = .*, which should have at least 2 items"),
        ({"splits": {"test": {**SCORED, "interval": [0.1, 2]}}}, r"interval\.1 = 2, which should be less than"),
        ({"splits": {"test": {**SCORED, "touched": -1}}}, r"touched = -1, which should be greater than"),
        ({"splits": {"test": {**SCORED, "weights": {"sha256": 3}}}}, r"weights\.sha256 = 3, which should be"),
        ({"splits": {"test": {**SCORED, "without_leaks": {"n": 0, "accuracy": 1}}}}, r"without_leaks\.n = 0, which"),
        ({"also": {"fer2013": {"test": {"touched": 1}}}}, r"has no also\.fer2013\.test\.n"),
        ({"elsewhere": {"raf-db": {"test": {}}}}, r"has no elsewhere\.raf-db\.test\.look\.touched"),
        ({"elsewhere": {"raf-db": {"test": {"n": "1", "accuracy": 1}}}}, r"raf-db\.test\.figures\.n = '1', which"),
        ({"chosen": {"epoch": 1.5, "by": "x", "value": 1}}, r"chosen\.epoch = 1\.5, which should be a valid integer"),
        ({"released": {"temperature": 1, "logit_bias": ["a"], "views": "none", "by": "x"}}, r"logit_bias\.0 = 'a'"),
        ({"cost": {"seconds": -1, "macs": 1, "device": "x"}}, r"cost\.seconds = -1, which should be greater than"),
        ({"extra": [{"deep": float("nan")}]}, r"says extra\.0\.deep = nan, which should be finite"),
        ({"schema": 2}, "was written in schema 2 by a newer version of resemotenet; this one reads up to 1, update it"),
        ({"schema": True}, "schema = True, which should be a valid integer"),
    ],
)
def test_a_value_that_does_not_fit(changes: dict[str, Any], message: str):
    with pytest.raises(PublicationError, match=rf"^result\.json .*{message}"):
        parsed({**RESULT, **changes})


class TestSalvage:
    def test_what_is_whole_is_read_whole(self):
        assert salvage(Result, json.dumps(RESULT)) == (parsed(RESULT), None, False)

    @pytest.mark.parametrize(
        ("changes", "lost"),
        [
            ({"chosen": {"epoch": None, "by": "x", "value": 1}}, "chosen"),
            ({"chosen": 3}, "chosen"),
            ({"cost": {**RESULT["cost"], "seconds": float("nan")}}, "cost"),
            ({"released": {"views": "none"}}, "released"),
            ({"test_touched": "often"}, "test_touched"),
        ],
    )
    def test_what_is_wrong_goes_with_the_object_that_cannot_do_without(self, changes: dict[str, Any], lost: str):
        found = salvage(Result, json.dumps({**RESULT, **changes}))
        assert found.value is not None
        assert found.value == parsed({name: value for name, value in RESULT.items() if name != lost})
        assert lost in str(found.problem)

    def test_a_part_that_can_be_missed_goes_alone(self):
        cost = {**RESULT["cost"], "parameters": "many", "latency": {"milliseconds": 3}}
        found = salvage(Result, json.dumps({**RESULT, "cost": cost}))
        assert found.value == parsed(RESULT)

    def test_one_item_spoils_its_list(self):
        found = salvage(Result, json.dumps({**RESULT, "splits": {"test": {**SCORED, "interval": [0.1, "x"]}}}))
        assert found.value is not None
        assert found.value.splits["test"].interval is None
        environment = salvage(Environment, '{"dirty": true, "resumptions": [{"dirty": false}, 3]}').value
        assert environment == Environment(dirty=True)

    def test_several_faults_in_one_object(self):
        """The parent of what was left out is not left out with the next fault in it."""
        splits = {"test": {**SCORED, "nll": "x", "ece": "y", "weights": {}}, "validation": SCORED}
        found = salvage(Result, json.dumps({**RESULT, "splits": splits}))
        assert found.value is not None
        assert found.value.splits["test"].to_dict() == SCORED
        splits["test"]["labels"] = 3
        found = salvage(Result, json.dumps({**RESULT, "splits": splits}))
        assert found.value is not None
        assert list(found.value.splits) == ["validation"]

    @pytest.mark.parametrize("text", ['{"schema": 1}', '{"protocol": "x", "splits": []}', "[]", "null", "{", "", "3"])
    def test_of_what_lacks_what_every_result_has_nothing_is_left(self, text: str):
        found = salvage(Result, text)
        assert found.value is None
        assert found.problem
        assert not found.newer

    @pytest.mark.parametrize("schema", [2, 99, "1.1", True, None, 10**400])
    def test_of_a_newer_schema_nothing_is_relied_on(self, schema: object):
        found = salvage(Result, json.dumps({**RESULT, "schema": schema}))
        assert found.value is None
        assert found.newer
        assert "schema" in str(found.problem)

    @pytest.mark.parametrize("schema", [{}, {"schema": 0}, {"schema": 1}])
    def test_older_ones_are_read(self, schema: dict[str, int]):
        values = {name: value for name, value in RESULT.items() if name != "schema"}
        found = salvage(Result, json.dumps({**values, **schema}))
        assert found.value is not None
        assert (found.value.version, found.problem) == (schema.get("schema", 0), None)

    @pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, '{"a": "\\ud800"}', "1" * 10_000, b"\xff\xfe"])
    def test_hostile_texts_are_damaged_ones(self, text: str | bytes):
        found = salvage(Result, text)
        assert found.value is None
        assert str(found.problem).startswith("is damaged: ")

    def test_many_faults_take_no_long_time(self):
        also = {f"labels-{number}": {"test": {"n": "x", "accuracy": "y"}} for number in range(3_000)}
        found = salvage(Result, json.dumps({**RESULT, "also": also}))
        assert found.value is not None
        assert found.value.also["labels-7"] == {}
        assert str(found.problem).endswith("; and 5997 more")


class TestResult:
    def test_entries_of_its_own_data_and_of_others(self):
        result = parsed(RESULT)
        assert [(labels, split, entry.n) for labels, split, entry in result.entries()] == [
            ("ferplus-strict", "validation", 10),
            ("fer2013", "validation", 12),
        ]
        assert [(labels, split) for labels, split, _ in result.elsewhere_entries()] == [("ckplus-peak", "test")]
        assert result.labels == "ferplus-strict"
        assert parsed({**RESULT, "splits": {}}).labels is None

    def test_looks_at_test_are_counted_before_and_after_it_has_figures(self):
        result = parsed(RESULT)
        assert result.touched == 0
        result.touch_test()
        result.touch_test()
        assert result.to_dict()["test_touched"] == 2
        result.enter("test", {"ferplus-strict": Entry(n=3, accuracy=1.0), "fer2013": Entry(n=4, accuracy=0.5)})
        told = result.to_dict()
        assert "test_touched" not in told
        assert told["splits"]["test"] == {"labels": "ferplus-strict", "n": 3, "accuracy": 1.0, "touched": 2}
        assert told["also"]["fer2013"] == {**RESULT["also"]["fer2013"], "test": {"n": 4, "accuracy": 0.5}}
        result.touch_test()
        assert result.touched == 3

    def test_figures_of_an_older_result_without_others_are_written_too(self):
        values = {name: value for name, value in RESULT.items() if name not in ("also", "elsewhere")}
        result = parsed(values)
        result.enter("validation", {"a": Entry(n=1, accuracy=1.0), "b": Entry(n=2, accuracy=0.5)})
        assert result.touch_elsewhere("raf-db", "test") == 1
        told = result.to_dict()
        assert told["also"] == {"b": {"validation": {"n": 2, "accuracy": 0.5}}}
        assert told["elsewhere"] == {"raf-db": {"test": {"touched": 1}}}

    def test_looks_at_other_data_are_counted_whatever_came_of_them(self):
        result = parsed(RESULT)
        assert result.touch_elsewhere("raf-db", "test") == 2
        assert result.touch_elsewhere("ckplus-peak", "test") == 3
        assert isinstance(result.elsewhere["ckplus-peak"]["test"], Entry)
        result.enter_elsewhere("ckplus-peak", "test", Look(touched=3))
        assert list(result.elsewhere_entries()) == []

    def test_facts_say_what_figures_need_to_stand_alone(self):
        entry = {
            **SCORED,
            "interval": [0.2, 0.8],
            "nll": 1.5,
            "touched": 1,
            "weights": {"sha256": "0"},
            "views": "flip",
        }
        (fact,) = parsed({**RESULT, "splits": {"test": entry}, "also": {}}).facts("fer2013")
        assert fact == {
            "dataset": "fer2013",
            "labels": "ferplus-strict",
            "split": "test",
            "protocol": "validation-chosen",
            "n": 10,
            "accuracy": 0.5,
            "interval": [0.2, 0.8],
            "nll": 1.5,
            "views": "flip",
            "touched": 1,
        }

    def test_what_older_ones_say_of_test_is_left_to_the_count(self):
        assert parsed({**RESULT, "protocol": "validation-chosen, test once"}).protocol == "validation-chosen"


@pytest.mark.parametrize(
    ("content", "epochs"),
    [("", []), ('{"epoch": 0}\n{"epoch": 1}\n', [0, 1]), ('{"epoch": 0}\n{"epoch": 1, "lo', [0])],
)
def test_lines_that_are_whole(tmp_path: Path, content: str, epochs: list[int]):
    (tmp_path / "epochs.jsonl").write_text(content)
    assert [line.epoch for line in read_lines(Epoch, tmp_path / "epochs.jsonl")] == epochs
    assert read_lines(Epoch, tmp_path / "none.jsonl") == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"epoch": 1', "is damaged"),
        ("3", "says as a whole = 3, which should be an object"),
        ('{"loss": 1.0}', "has no epoch"),
        ('{"epoch": 1, "loss": "low"}', "says loss = 'low', which should be a valid number"),
        ('{"epoch": 1, "validation": {"fer2013": {"n": 3}}}', r"has no validation\.fer2013\.accuracy"),
    ],
)
def test_a_line_that_does_not_fit(tmp_path: Path, line: str, message: str):
    (tmp_path / "epochs.jsonl").write_text(f'{{"epoch": 0}}\n{line}\n')
    with pytest.raises(ResultsError, match=rf"epochs\.jsonl, line 2, {message}"):
        read_lines(Epoch, tmp_path / "epochs.jsonl")


def test_a_file_that_is_not_there(tmp_path: Path):
    with pytest.raises(PublicationError, match=r"audit\.json cannot be read: .*No such file"):
        read(Audit, tmp_path / "audit.json", PublicationError)
