from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from resemotenet.datasets import FaceSet
from resemotenet.errors import DatasetError, DatasetFormatError, DatasetNotFoundError, TrainingError
from resemotenet.runs.schema import Dataset, RunConfig
from tests.fake_fer2013 import TRAIN_ROWS_WITH_A_COPY_ELSEWHERE, UNNAMED, Fake, draw, write_csv, write_train_csv
from training.loading import Batches, load_data

CPU = torch.device("cpu")


def numbered(n: int) -> FaceSet:
    """Faces whose pixels all hold their own row number."""
    images = np.arange(n, dtype=np.uint8)[:, None, None, None] * np.ones((1, 1, 48, 48), np.uint8)
    targets = np.arange(n) % 7
    distribution = np.eye(7, dtype=np.float32)[targets]
    return FaceSet("fer2013", "train", images, targets, distribution, np.arange(n).astype(str))


def rows_of(batches: Batches, epoch: int) -> list[list[int]]:
    return [batch.rows.tolist() for batch in batches.epoch(epoch)]


class TestBatches:
    @pytest.mark.parametrize("processes", [1, 2, 4])
    def test_every_face_once_an_epoch_over_all_processes(self, processes: int):
        parts = [
            Batches.of(numbered(48), CPU, batch_size=12, seed=0, process=process, processes=processes)
            for process in range(processes)
        ]
        assert [len(part) for part in parts] == [4] * processes
        seen = [row for part in parts for batch in rows_of(part, 0) for row in batch]
        assert sorted(seen) == list(range(48))

    def test_processes_share_the_very_batch_one_process_would_have(self):
        whole = rows_of(Batches.of(numbered(50), CPU, batch_size=10, seed=3), 5)
        halves = [
            rows_of(Batches.of(numbered(50), CPU, batch_size=10, seed=3, process=p, processes=2), 5) for p in (0, 1)
        ]
        for batch, first, second in zip(whole, *halves, strict=True):
            assert len(first) == len(second) == 5
            assert sorted(first + second) == sorted(batch)

    def test_pictures_and_targets_are_those_of_the_rows(self):
        faces = numbered(30)
        for images, distribution, rows, _ in Batches.of(faces, CPU, batch_size=7, seed=0).epoch(0):
            assert images.shape == (7, 1, 48, 48)
            assert images.dtype == torch.uint8
            assert images[:, 0, 13, 21].tolist() == rows.tolist()
            np.testing.assert_array_equal(distribution, faces.distribution[rows.numpy()])

    def test_every_process_knows_the_targets_of_the_whole_batch(self):
        faces = numbered(48)
        whole = Batches.of(faces, CPU, batch_size=12, seed=0).epoch(2)
        shares = [Batches.of(faces, CPU, batch_size=12, seed=0, process=p, processes=2).epoch(2) for p in (0, 1)]
        for one, *parts in zip(whole, *shares, strict=True):
            np.testing.assert_array_equal(one.all_distribution, faces.distribution[one.rows.numpy()])
            for part in parts:
                assert torch.equal(part.all_distribution, one.all_distribution)

    def test_what_is_left_of_an_epoch_is_dropped_and_differs_every_time(self):
        batches = Batches.of(numbered(50), CPU, batch_size=12, seed=0)
        left = [
            frozenset(range(50)) - {row for batch in rows_of(batches, epoch) for row in batch} for epoch in range(4)
        ]
        assert [len(rows) for rows in left] == [2] * 4
        assert len(set(left)) == 4

    def test_the_order_is_a_pure_function_of_seed_and_epoch(self):
        orders = {}
        for seed in (0, 1):
            for epoch in (0, 1):
                torch.manual_seed(epoch)  # what else was drawn must not matter
                first = rows_of(Batches.of(numbered(40), CPU, batch_size=8, seed=seed), epoch)
                torch.rand(7)
                again = rows_of(Batches.of(numbered(40), CPU, batch_size=8, seed=seed), epoch)
                assert first == again
                orders[seed, epoch] = str(first)
        assert len(set(orders.values())) == 4

    def test_asking_for_an_epoch_draws_nothing_from_the_global_generator(self):
        torch.manual_seed(0)
        expected = torch.rand(3)
        torch.manual_seed(0)
        rows_of(Batches.of(numbered(40), CPU, batch_size=8, seed=0), 0)
        assert torch.equal(torch.rand(3), expected)

    @pytest.mark.parametrize(("processes", "parts"), [(3, 1), (1, 4), (2, 2)])
    def test_an_uneven_share(self, processes: int, parts: int):
        with pytest.raises(TrainingError, match=rf"10 faces cannot be shared evenly by {processes} .* {parts} parts"):
            Batches.of(numbered(40), CPU, batch_size=10, seed=0, processes=processes, parts=parts)


class TestLoadData:
    @pytest.mark.parametrize("labels", ["fer2013", "ferplus"])
    def test_leaving_out_leaked_faces_takes_exactly_the_planted_ones(self, config: RunConfig, labels: str):
        every = load_data(replace(config, dataset=Dataset(labels=labels, leave_out_leaked=False))).train  # type: ignore[arg-type]
        clean = load_data(replace(config, dataset=Dataset(labels=labels))).train  # type: ignore[arg-type]
        planted = {f"{row:05d}" for row in TRAIN_ROWS_WITH_A_COPY_ELSEWHERE}
        assert set(every.ids) - set(clean.ids) == planted
        assert len(every) - len(clean) == len(planted)

    def test_leaked_names_the_copies_whatever_training_leaves_out(self, config: RunConfig):
        assert load_data(config).leaked == {"validation": {"00084"}, "test": {"00120"}}

    def test_ferplus_learns_shares_and_is_scored_on_three_definitions(self, config: RunConfig, fake: Fake):
        data = load_data(config)
        assert data.primary == "ferplus-strict"
        assert data.train.name == "ferplus-soft"
        assert ((data.train.distribution > 0).sum(axis=1) == 2).all()  # seven votes and two
        for split, usage in (("validation", "PublicTest"), ("test", "PrivateTest")):
            named = [row for row in fake.rows(usage) if row not in UNNAMED]
            sizes = {name: len(faces) for name, faces in data.scored[split].items()}
            assert sizes == {
                "ferplus-strict": len(named),
                "ferplus-usual": len(named),
                "fer2013": len(fake.rows(usage)),
            }

    def test_a_share_of_what_is_aimed_at_is_the_original_label(self, config: RunConfig):
        votes = load_data(config)
        own = load_data(replace(config, dataset=Dataset(labels="fer2013"))).train
        mixed = load_data(replace(config, dataset=Dataset(labels="ferplus", own_share=0.25)))
        assert list(mixed.train.ids) == list(votes.train.ids)
        theirs = np.stack([own.distribution[list(own.ids).index(face)] for face in mixed.train.ids])
        np.testing.assert_allclose(mixed.train.distribution, 0.75 * votes.train.distribution + 0.25 * theirs)
        assert mixed.train.distribution.dtype == np.float32
        assert not np.array_equal(mixed.train.distribution, votes.train.distribution)
        assert mixed.sha256 != votes.sha256
        for split, definitions in votes.scored.items():
            for labels, faces in definitions.items():
                np.testing.assert_array_equal(mixed.scored[split][labels].targets, faces.targets)

    def test_fer2013_learns_and_is_scored_on_its_own_labels(self, config: RunConfig):
        data = load_data(replace(config, dataset=Dataset(labels="fer2013")))
        assert data.primary == "fer2013"
        assert list(data.scored["test"]) == ["fer2013"]
        assert set(np.unique(data.train.distribution)) == {0, 1}

    def test_a_limit_takes_the_first_faces_of_each_split(self, config: RunConfig):
        data = load_data(replace(config, dataset=Dataset(labels="ferplus", limit=20)))
        assert set(data.train.ids) == {f"{row:05d}" for row in range(20)} - {
            f"{row:05d}" for row in (*TRAIN_ROWS_WITH_A_COPY_ELSEWHERE, *UNNAMED)
        }
        assert data.scored["validation"]["fer2013"].ids.tolist() == [f"{row:05d}" for row in range(84, 104)]
        # Definitions leave rows out of the very same faces.
        assert set(data.scored["validation"]["ferplus-strict"].ids) < set(data.scored["validation"]["fer2013"].ids)
        assert data.audit["images"]["train"] == 84  # the audit is of the whole

    def test_too_few_faces_for_a_batch(self, config: RunConfig):
        with pytest.raises(DatasetFormatError, match="5 training faces are fewer than one batch of 8"):
            load_data(replace(config, dataset=Dataset(labels="ferplus", limit=8)))

    def test_emotions_that_nobody_teaches_are_named(self, config: RunConfig, fake: Fake, tmp_path: Path):
        assert load_data(config).untaught == ()
        keep = np.isin(fake.codes, (0, 3, 6))  # angry, happy, neutral
        part = replace(
            fake, images=fake.images[keep], codes=fake.codes[keep], votes=fake.votes[keep], named=fake.named[keep],
            usage=[usage for usage, kept in zip(fake.usage, keep, strict=True) if kept],
        )  # fmt: skip
        path = write_csv(part, tmp_path / "part.csv")
        few = replace(config, data=path, dataset=Dataset(labels="fer2013"))
        assert load_data(few).untaught == ("disgust", "fear", "sad", "surprise")

    def test_no_data(self, config: RunConfig, tmp_path: Path):
        with pytest.raises(DatasetNotFoundError):
            load_data(replace(config, data=tmp_path / "gone.csv"))

    def test_a_copy_without_validation(self, config: RunConfig, tmp_path: Path):
        path = write_train_csv(draw(), tmp_path / "train.csv")
        with pytest.raises(DatasetError, match="no validation split"):
            load_data(replace(config, data=path))

    def test_a_copy_without_votes(self, config: RunConfig, tmp_path: Path):
        path = write_csv(draw(), tmp_path / "fer2013.csv")
        with pytest.raises(DatasetError, match=r"no FER\+ votes"):
            load_data(replace(config, data=path))
        assert len(load_data(replace(config, data=path, dataset=Dataset(labels="fer2013"))).train) == 81
