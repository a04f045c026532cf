"""What label definitions mean, and how far they agree: counted again where the data is at hand."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from resemotenet.datasets import FER2013, fer2013, ferplus
from resemotenet.emotions import EMOTIONS
from resemotenet.runs.label_sets import FERPLUS, LABEL_SETS, label_set, teaching


def test_the_crowds_line():
    assert LABEL_SETS["fer2013"].agreement["test"].share == pytest.approx(0.722, abs=5e-4)
    assert LABEL_SETS["ferplus-usual"].agreement["test"].share == pytest.approx(0.674, abs=5e-4)
    assert LABEL_SETS["fer2013"].most_votes["test"].share == pytest.approx(0.634, abs=5e-4)
    assert not any(meant.most_votes for name, meant in LABEL_SETS.items() if name != "fer2013")


@pytest.fixture(scope="module")
def whole(fer2013_parquet: Path) -> FER2013:
    import pandas as pd  # here: the pages' data needs none

    columns = [f"ferplus_{name.lower()}" for name in ferplus.VOTES]
    table = pd.read_parquet(fer2013_parquet, columns=["row", "usage", "emotion", "ferplus_named", *columns])
    canonical = np.array([EMOTIONS.index(name) for name in fer2013.CODES])
    return FER2013(
        images=np.zeros((len(table), 1, 1), np.uint8),  # decoding them takes seconds and is not needed
        emotion=canonical[table["emotion"]],
        usage=table["usage"].to_numpy(str),
        ids=table["row"].to_numpy().astype(str),
        votes=np.where(table[["ferplus_named"]], table[columns].to_numpy(np.int64), -1),
    )


def test_counted_again(whole: FER2013):
    for name in ("ferplus-strict", "ferplus-usual"):
        for split, stated in LABEL_SETS[name].agreement.items():
            crowd, original = whole.split(split, name), whole.split(split)
            label_of = dict(zip(original.ids, original.targets, strict=True))
            same = sum(int(label_of[face] == target) for face, target in zip(crowd.ids, crowd.targets, strict=True))
            assert (stated.n, stated.same) == (len(crowd), same), (name, split)


def test_most_votes_counted_again(whole: FER2013):
    assert whole.votes is not None
    seven = [ferplus.VOTES.index(name) for name in ("anger", "disgust", "fear", "happiness", "neutral", "sadness")]
    seven.append(ferplus.VOTES.index("surprise"))
    for split, stated in LABEL_SETS["fer2013"].most_votes.items():
        rows = np.flatnonzero(whole.usage == fer2013.USAGES[split])
        same = Fraction(0)
        for own, votes in zip(whole.emotion[rows], whole.votes[rows][:, seven], strict=True):
            if votes.max() > 0:
                said = np.flatnonzero(votes == votes.max()).tolist()
                same += Fraction(int(own) in said, len(said))
        assert stated.n == len(rows), split
        assert stated.same == pytest.approx(float(same)), split


def test_a_definition_that_nobody_knows_is_called_by_its_key():
    unknown = label_set("somebody-s")
    assert (unknown.name, unknown.dataset, unknown.agreement) == ("somebody-s", "somebody-s", {})
    assert "nothing more is known" in unknown.definition


def test_what_follows_from_the_labels_taught():
    assert teaching("ferplus") is FERPLUS
    assert (FERPLUS.dataset, FERPLUS.learned, FERPLUS.deciding) == ("fer2013", "ferplus-soft", "ferplus-strict")
    own = teaching("raf-db")
    assert (own.name, own.dataset, own.learned, own.deciding) == ("RAF-DB", "raf-db", "raf-db", "raf-db")
    assert own.scored == own.own == ("raf-db",)


def test_every_label_set_that_a_teaching_names_is_known():
    """Also to the reader of the data: what a run learns from or is scored under can be read."""
    named = {FERPLUS.learned, *FERPLUS.scored, *FERPLUS.own}
    assert named <= set(LABEL_SETS)
    assert named == set(FER2013.definitions)
    assert {LABEL_SETS[name].dataset for name in named} == {"fer2013"}
