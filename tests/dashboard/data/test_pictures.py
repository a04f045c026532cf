from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from dashboard.data.pictures import Pictures
from resemotenet.runs.results import Predictions, ResultsFolder
from tests.dashboard.matching import write_matching
from tests.fake_fer2013 import CODES, UNNAMED, VOTE_COLUMNS, draw, write_csv, write_folders, write_parquet


@pytest.fixture(scope="module")
def matching(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_matching(tmp_path_factory.mktemp("matching"))


def stored(run: Path, labels: str = "ferplus-strict", split: str = "test") -> Predictions:
    return Predictions.load(ResultsFolder(run).predictions(labels, split))


def test_every_face_and_its_votes_by_id(tmp_path: Path):
    fake = draw()
    pictures = Pictures(write_parquet(fake, tmp_path / "fer2013.parquet"))
    for row in range(len(fake)):
        name = f"{row:05d}"
        assert (pictures.picture(name) == fake.images[row]).all()
        votes = pictures.votes(name)
        if row in UNNAMED:
            assert votes is None
            continue
        assert votes is not None
        assert sum(votes.values()) == 10
        assert votes["sad"] == fake.votes[row, VOTE_COLUMNS.index("sadness")]
        assert votes["unknown"] == fake.votes[row, VOTE_COLUMNS.index("unknown")]
        assert votes[CODES[fake.codes[row]]] == 7
    with pytest.raises(KeyError):
        pictures.picture("99999")


def test_nothing_is_read_before_it_is_asked_for_and_a_failure_is_no_final_word(tmp_path: Path):
    pictures = Pictures(tmp_path / "fer2013.parquet")
    problem = pictures.problem()
    assert problem is not None
    assert "there is no FER2013 at" in problem
    write_parquet(draw(), tmp_path / "fer2013.parquet")
    assert pictures.problem() is None
    assert pictures.data is pictures.data


def test_several_threads_share_one_copy(matching: tuple[Path, Path]):
    pictures = Pictures(matching[1])
    with ThreadPoolExecutor(8) as pool:
        copies = list(pool.map(lambda _: id(pictures.data), range(16)))
    assert len(set(copies)) == 1


@pytest.mark.parametrize("labels", ["fer2013", "ferplus-strict", "ferplus-usual"])
@pytest.mark.parametrize("split", ["validation", "test"])
def test_the_data_of_a_run_is_recognised(matching: tuple[Path, Path], labels: str, split: str):
    run, data = matching
    assert Pictures(data).mismatch(stored(run, labels, split), labels, split) is None


def test_other_data_is_told_in_a_sentence(matching: tuple[Path, Path], tmp_path: Path):
    run, data = matching
    found = stored(run)
    pictures = Pictures(data)
    assert "was scored on raf-db" in str(pictures.mismatch(found, "raf-db", "test"))

    as_folders = Pictures(write_folders(draw(), tmp_path / "folders"))
    assert f"lacks {len(found.ids)} of the {len(found.ids)} faces" in str(
        as_folders.mismatch(found, "ferplus-strict", "test")
    )

    without_votes = Pictures(write_csv(draw(), tmp_path / "fer2013.csv"))
    assert "no FER+ votes" in str(without_votes.mismatch(found, "ferplus-strict", "test"))

    # The same ids, but they are of another split.
    assert "other labels" in str(pictures.mismatch(found, "ferplus-strict", "validation"))

    other = draw(seed=1)
    other.codes[:] = np.roll(other.codes, 1)
    again = Pictures(write_parquet(other, tmp_path / "other.parquet"))
    assert "other labels than the run for 35 of the 35 faces" in str(
        again.mismatch(stored(run, "fer2013"), "fer2013", "test")
    )
