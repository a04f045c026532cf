"""Claims agree with each other, and with the paper's text where it lies beside the repository."""

import re
from pathlib import Path

import pandas as pd
import pytest

from resemotenet.datasets.fer2013 import CODES, USAGES
from resemotenet.emotions import EMOTIONS
from resemotenet.models import list_models
from resemotenet.runs import claims
from resemotenet.runs.claims import ABLATIONS, CLAIMS, COSTS, FER2013_COUNTS, RECALLS, TABLE_II, USER_REPORTS

SEEDS = Path(__file__).resolve().parents[3].parent / "shared" / "seeds"
COLUMNS = ("fer2013", "raf-db", "affectnet-7", "expw")


@pytest.fixture(scope="module")
def paper() -> str:
    return document("001_paper_full_text.txt")


def document(name: str) -> str:
    path = SEEDS / name
    if not path.is_file():
        pytest.skip(f"the document is not at {path}; it may not be redistributed")
    return path.read_text(encoding="utf-8")


def table(paper: str, number: str) -> list[str]:
    """The lines from a table's title to the next paragraph."""
    lines = paper[paper.index(f"TABLE {number}:") :].splitlines()[1:]
    end = next(row for row, line in enumerate(lines) if not line.strip())
    return lines[:end]


class TestAgainstThePaper:
    def test_table_iii(self, paper: str):
        printed = {}
        for line in table(paper, "III")[2:]:
            *method, a, b, c, d = line.split()
            name = " ".join(word for word in method if not word.startswith("[")).removeprefix("Proposed ")
            name = {"En. ResMaskingNet": "Ensemble ResMaskingNet", "Arm": "ARM", "APVit": "APViT"}.get(name, name)
            for dataset, value in zip(COLUMNS, (a, b, c, d), strict=True):
                if value != "-":
                    printed[name, dataset] = float(value)
        stated = {(each.method, each.dataset): 100 * each.accuracy for each in CLAIMS if "III" in each.source}
        assert stated == pytest.approx(printed)
        assert len(stated) == 20

    def test_table_ii(self, paper: str):
        rows = [line.split() for line in table(paper, "II")[2:]]
        assert [row[0].lower() for row in rows] == [*EMOTIONS, "total"]
        for place, (dataset, split) in enumerate((d, s) for d in COLUMNS for s in ("train", "test")):
            column = [int(row[1 + place]) for row in rows]
            assert list(TABLE_II[dataset][split]) == column[:-1], (dataset, split)
            assert sum(TABLE_II[dataset][split]) == column[-1]

    def test_table_iv(self, paper: str):
        rows = {line.split()[0]: line for line in table(paper, "IV")[2:]}
        assert list(rows) == [each.name for each in ABLATIONS]
        first = ABLATIONS[0]
        for each in ABLATIONS:
            parts = [", ".join(map(str, part)) or "-" for part in (each.convolutions, each.attention, each.residual)]
            expected = f"{each.name} {' '.join(parts)} {each.removed or '-'} {100 * each.accuracy:.2f}"
            assert rows[each.name].startswith(expected)
            loss = re.search(r"\)? ([\d.]+)( \([+-][\d.]+\))?$", rows[each.name])
            assert loss is not None
            assert float(loss[1]) == each.loss
            if each is not first:
                assert f"({100 * (each.accuracy - first.accuracy):.2f})" in rows[each.name]

    def test_times(self, paper: str):
        assert (
            "trained for 3 hours for FER2013, 2 hours for RAF-DB, 6 hours for AffectNet-7 and 4.5 hours for ExpW, with "
            "inference times of 1.4ms, 3.2ms, 3.6ms and 1.9ms"
        ) in paper
        assert [(each.training_hours, each.inference_ms) for each in COSTS] == [
            (3, 1.4), (2, 3.2), (6, 3.6), (4.5, 1.9)
        ]  # fmt: skip
        assert [each.dataset for each in COSTS] == list(COLUMNS)

    def test_the_two_figures_for_affectnet(self, paper: str):
        assert "79.79%, 94.76%, 72.39% and 75.67%" in paper
        claim = claims.claim_of(claims.OURS, "affectnet-7")
        assert claim is not None
        assert (claim.accuracy, "72.39" in claim.note) == (0.7293, True)
        assert "72.39% in one, 72.93% in the other" in claims.ERRATA[1].printed

    def test_upstreams_readme(self):
        text = document("002_upstream_readme.txt")
        for dataset, name in (("ckplus", "CK+"), ("ferplus", "FERPlus")):
            (line,) = re.findall(rf"- {re.escape(name)}:\n.*", text)
            ours, best = (float(value) for value in re.findall(r"([\d.]+)%", line))
            found = {each.method: 100 * each.accuracy for each in CLAIMS if each.dataset == dataset}
            assert found == pytest.approx({claims.OURS: ours, "best other (not named)": best})


def test_fer2013_counts_are_those_of_the_data(fer2013_parquet: Path):
    table = pd.read_parquet(fer2013_parquet, columns=["usage", "emotion"])
    for split, counts in FER2013_COUNTS.items():
        numbers = table["emotion"][table["usage"] == USAGES[split]].value_counts()
        assert tuple(numbers[CODES.index(emotion)] for emotion in EMOTIONS) == counts


def test_the_test_column_is_permuted_and_nothing_else():
    printed, true = TABLE_II["fer2013"]["test"], FER2013_COUNTS["test"]
    assert printed != true
    assert sorted(printed) == sorted(true)
    assert TABLE_II["fer2013"]["train"] == FER2013_COUNTS["train"]
    stated = claims.ERRATA[0]
    for text, counts in ((stated.printed, printed), (stated.found, true)):
        for emotion, n in zip(EMOTIONS[1:], counts[1:], strict=True):
            assert f"{emotion} {n}" in text


@pytest.mark.parametrize(("dataset", "claimed", "told"), [("fer2013", 79.79, 78.4), ("raf-db", 94.76, 97.3)])
def test_the_recalls_do_not_give_the_accuracy(dataset: str, claimed: float, told: float):
    """Rounding to two digits moves the weighted mean by half a point at most; the claim lies further away."""
    found = claims.accuracy_from_recalls(dataset)
    assert 100 * found == pytest.approx(told, abs=0.05)
    assert abs(100 * found - claimed) > 0.5
    assert str(told) in claims.ERRATA[2].found
    claim = claims.claim_of(claims.OURS, dataset)
    assert claim is not None
    assert 100 * claim.accuracy == pytest.approx(claimed)
    assert f"{told} ± 0.5" in claim.note
    assert f"{claimed}%" in claims.ERRATA[2].printed


def test_every_claim_is_a_fraction_with_a_source_and_stands_once():
    assert len({(each.method, each.dataset) for each in CLAIMS}) == len(CLAIMS)
    assert all(0 < each.accuracy <= 1 and each.source and each.dataset in claims.DATASETS for each in CLAIMS)
    assert all(0 < each.low <= each.high <= 1 and each.threads for each in USER_REPORTS)
    assert all(len(recalls) == len(EMOTIONS) for recalls in RECALLS.values())


def test_table_one_holds_what_table_two_and_the_data_count():
    """But for ExpW, of whose three splits Table II prints two."""
    for dataset, pictures in claims.TABLE_I.items():
        printed = sum(sum(counts) for counts in TABLE_II[dataset].values())
        whole = sum(map(sum, FER2013_COUNTS.values())) if dataset == "fer2013" else printed
        assert pictures.samples == (91_793 if dataset == "expw" else whole)
        assert printed <= pictures.samples
        assert pictures.classes == len(EMOTIONS)


def test_reports_are_told_with_the_threads_that_they_stand_in():
    again = [each for each in claims.reports_for("fer2013") if each.what.endswith("trained again")]
    assert [(each.low, each.high, each.threads) for each in again] == [
        (0.58, 0.60, (7, 16, 34, 39)), (0.66, 0.66, (40,)),
    ]  # fmt: skip


def test_the_ablations_are_networks_of_ours():
    assert {each.model for each in ABLATIONS} <= set(list_models())
    row = claims.ablation_of("resemotenet_c5")
    assert row is not None
    assert (row.name, row.removed, row.accuracy) == ("C5", "RB (256)", 0.7539)
    assert claims.ablation_of("resnet18") is None


def test_what_is_not_upstreams_is_a_network_of_ours():
    assert set(claims.NOT_UPSTREAMS) <= set(list_models())


def test_by_data_set():
    assert [each.threads for each in claims.reports_for("raf-db")] == [(50,)]
    assert claims.reports_for("raf-db")[0].source.endswith("ResEmoteNet/issues #50")
    assert claims.cost_for("raf-db") == claims.Cost("raf-db", 2.0, 3.2)
    assert claims.cost_for("synthetic") is None
    assert [each.mark for each in claims.errata_in("Table II")] == ["(a)"]
    assert [each.mark for each in claims.errata_in("Table III")] == ["(b)", "(c)"]
