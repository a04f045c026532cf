from pathlib import Path

import pytest

from resemotenet.corpus.bulk import Settings, read_corpus
from resemotenet.corpus.ray_engine import read_with_ray
from resemotenet.corpus.tables import missed_path, read_table

pytest.importorskip("ray", reason="Ray is not installed: pip install 'resemotenet[bulk]'")


@pytest.mark.filterwarnings("ignore")  # Ray's own, of which there are many
def test_two_workers_give_the_same_rows(reader, photos, tmp_path):
    import ray

    plain, spread = (Settings(tmp_path / f"{name}.jsonl", 2) for name in ("plain", "spread"))
    read_corpus(reader, [str(photos)], plain)
    try:
        counts, _ = read_with_ray(reader, [str(photos)], spread)
        stored = Settings(tmp_path / "stored.jsonl", 2)
        read_with_ray(reader, [f"file://{photos}"], stored)
    finally:
        ray.shutdown()
    assert (counts.readings, counts.faces) == (15, 14)
    for path in (plain.out, missed_path(plain.out)):
        same = Path(str(path).replace("plain", "spread"))
        assert list(read_table(same)) == list(read_table(path))
        other = list(read_table(Path(str(path).replace("plain", "stored"))))
        assert [row["source"].removeprefix("file://") for row in other] == [row["source"] for row in read_table(path)]
