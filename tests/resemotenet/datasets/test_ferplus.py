"""The crowd's votes: what each label definition makes of them, and every error."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from resemotenet.datasets import FER2013, read_fer2013
from resemotenet.emotions import EMOTIONS
from resemotenet.errors import DatasetFormatError, DatasetNotFoundError
from tests import fake_fer2013
from tests.fake_fer2013 import Fake, draw, write_csv, write_folders, write_parquet, write_votes


@pytest.fixture(scope="module")
def fake() -> Fake:
    return draw()


def small_votes(*rows: dict[str, int]) -> FER2013:
    """Training faces of which only the votes matter; columns by FER+ name, what is left out is 0."""
    votes = np.array([[row.get(name, 0) for name in fake_fer2013.VOTE_COLUMNS] for row in rows])
    n = len(rows)
    return FER2013(
        images=np.zeros((n, 48, 48), np.uint8),
        emotion=np.zeros(n, np.int64),
        usage=np.array(["Training"] * n),
        ids=np.array([f"{row:05d}" for row in range(n)]),
        votes=votes,
    )


def kept(data: FER2013, labels: str) -> dict[str, str]:
    """id -> emotion of the faces that a definition keeps."""
    faces = data.split("train", labels)
    return {str(id_): EMOTIONS[target] for id_, target in zip(faces.ids, faces.targets, strict=True)}


class TestDefinitions:
    def test_strict_is_more_than_half_of_all_ten(self):
        data = small_votes(
            {"happiness": 6, "neutral": 4},
            {"happiness": 5, "neutral": 5},
            {"happiness": 5, "neutral": 4, "unknown": 1},
            {"anger": 10},
        )
        assert kept(data, "ferplus-strict") == {"00000": "happy", "00003": "angry"}

    def test_usual_drops_single_votes_first(self):
        data = small_votes(
            {"happiness": 5, "neutral": 4, "unknown": 1},  # 5 of 9
            {"happiness": 5, "neutral": 5},  # a tie is no majority
            {"sadness": 4, "fear": 3, "disgust": 1, "anger": 1, "NF": 1},  # 4 of 7
            {"sadness": 4, "fear": 2, "disgust": 2, "anger": 1, "NF": 1},  # 4 of 8
            {"fear": 1, "disgust": 1, "anger": 1, "happiness": 1, "sadness": 1, "NF": 1},  # nothing is left
        )
        assert kept(data, "ferplus-usual") == {"00000": "happy", "00002": "sad"}

    @pytest.mark.parametrize("labels", ["ferplus-strict", "ferplus-usual"])
    @pytest.mark.parametrize("other", ["contempt", "unknown", "NF"])
    def test_a_majority_that_is_none_of_the_seven_is_left_out(self, labels: str, other: str):
        data = small_votes({other: 6, "fear": 4}, {"fear": 6, other: 4})
        assert kept(data, labels) == {"00001": "fear"}

    @pytest.mark.parametrize("labels", ["ferplus-strict", "ferplus-usual", "ferplus-soft"])
    def test_rows_without_a_name_are_left_out(self, labels: str):
        data = small_votes({"fear": 10}, {"disgust": 10})
        assert data.votes is not None
        data.votes[0] = -1
        assert kept(data, labels) == {"00001": "disgust"}

    def test_soft_gives_the_shares_of_the_seven(self):
        data = small_votes(
            {"surprise": 6, "fear": 2, "contempt": 2},
            {"neutral": 3, "sadness": 2, "unknown": 5},
            {"neutral": 2, "sadness": 2, "unknown": 6},  # four votes on the seven are too few
            {"contempt": 10},
        )
        faces = data.split("train", "ferplus-soft")
        assert faces.ids.tolist() == ["00000", "00001"]
        expected = [{"surprise": 0.75, "fear": 0.25}, {"neutral": 0.6, "sad": 0.4}]
        np.testing.assert_allclose(
            faces.distribution, [[row.get(name, 0) for name in EMOTIONS] for row in expected], rtol=1e-6
        )
        assert [EMOTIONS[target] for target in faces.targets] == ["surprise", "neutral"]

    def test_soft_takes_the_first_in_canonical_order_of_a_tie(self):
        assert kept(small_votes({"surprise": 5, "disgust": 5}), "ferplus-soft") == {"00000": "disgust"}

    @pytest.mark.parametrize(
        ("vote", "emotion"),
        [
            ("neutral", "neutral"),
            ("happiness", "happy"),
            ("surprise", "surprise"),
            ("sadness", "sad"),
            ("anger", "angry"),
            ("disgust", "disgust"),
            ("fear", "fear"),
        ],
    )
    def test_each_vote_counts_for_its_emotion(self, vote: str, emotion: str):
        for labels in ("ferplus-strict", "ferplus-usual", "ferplus-soft"):
            assert kept(small_votes({vote: 9, "NF": 1}), labels) == {"00000": emotion}

    def test_a_majority_is_one_hot(self):
        faces = small_votes({"happiness": 6, "fear": 4}).split("train", "ferplus-strict")
        assert faces.distribution.tolist() == [[0, 0, 0, 1, 0, 0, 0]]

    @pytest.mark.parametrize(("split", "labels"), [("valid", "fer2013"), ("train", "ferplus")])
    def test_unknown_names(self, split: str, labels: str):
        with pytest.raises(ValueError, match=r"splits: train, validation, test; labels: fer2013, ferplus-strict"):
            small_votes({}).split(split, labels)

    @pytest.mark.parametrize("labels", ["ferplus-strict", "ferplus-usual", "ferplus-soft"])
    def test_a_split_that_a_definition_leaves_empty(self, labels: str):
        data = small_votes({"contempt": 10}, {"NF": 7, "fear": 3})
        with pytest.raises(DatasetFormatError, match=rf"no Training image has a label under {labels}, so train is"):
            data.split("train", labels)

    def test_no_votes(self):
        with pytest.raises(DatasetFormatError, match=r"no FER\+ votes; put fer2013new.csv beside"):
            replace(small_votes({}), votes=None).split("train", "ferplus-soft")


class TestVoteErrors:
    @pytest.fixture
    def votes(self, fake: Fake, tmp_path: Path) -> tuple[pd.DataFrame, Path]:
        """fer2013new.csv as a table to spoil, beside a sound fer2013.csv."""
        write_csv(fake, tmp_path / "fer2013.csv")
        path = write_votes(fake, tmp_path / "fer2013new.csv")
        return pd.read_csv(path), path

    def test_another_length(self, votes: tuple[pd.DataFrame, Path]):
        rows, path = votes
        rows.iloc[:-1].to_csv(path, index=False)
        with pytest.raises(DatasetFormatError, match="has 153 rows, the faces 154"):
            read_fer2013(path.parent)

    def test_another_order(self, votes: tuple[pd.DataFrame, Path]):
        rows, path = votes
        rows.iloc[::-1].to_csv(path, index=False)
        with pytest.raises(DatasetFormatError, match=r"row 0: Usage 'PrivateTest', but the face .* 'Training'"):
            read_fer2013(path.parent)

    def test_missing_column(self, votes: tuple[pd.DataFrame, Path]):
        rows, path = votes
        rows.drop(columns="contempt").to_csv(path, index=False)
        with pytest.raises(DatasetFormatError, match=r"fer2013new\.csv lacks the columns \['contempt'\]"):
            read_fer2013(path.parent)

    @pytest.mark.parametrize("value", [-1, 0.5, "many"])
    def test_no_count(self, votes: tuple[pd.DataFrame, Path], value: object):
        rows, path = votes
        rows["fear"] = rows["fear"].astype(object)
        rows.loc[3, "fear"] = value
        rows.to_csv(path, index=False)
        with pytest.raises(DatasetFormatError, match="votes must be whole numbers from 0 up"):
            read_fer2013(path.parent)

    def test_given_but_not_there(self, votes: tuple[pd.DataFrame, Path]):
        path = votes[1]
        with pytest.raises(DatasetNotFoundError, match=r"no FER\+ votes at .*gone\.csv"):
            read_fer2013(path.parent, ferplus=path.with_name("gone.csv"))

    def test_given_for_another_layout(self, fake: Fake, tmp_path: Path, votes: tuple[pd.DataFrame, Path]):
        for place in (write_folders(fake, tmp_path / "folders"), write_parquet(fake, tmp_path / "some.parquet")):
            with pytest.raises(ValueError, match=r"votes can be given for a csv only"):
                read_fer2013(place, ferplus=votes[1])
