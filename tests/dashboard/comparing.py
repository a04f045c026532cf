"""For the tests of the pages that compare runs: folders in every state, and what a page's tables hold."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

from tests.dashboard import fake_runs
from tests.dashboard.pages import open_page, sound, texts


def opened(view: str, *folders: Path, **address: Any) -> AppTest:
    """A view over the runs in ``folders``, with this in the address; nothing went wrong."""
    return sound(open_page(view, folders, **address))


def again(test: AppTest) -> AppTest:
    """The page after a widget was changed."""
    return sound(test.run())


def words(test: AppTest) -> str:
    """What it says outside tables and figures."""
    return texts(test)


def rows(test: AppTest, number: int = 0) -> list[dict[str, Any]]:
    """One of its sortable tables."""
    return test.dataframe[number].value.to_dict("records")


def nothing(results: Path) -> None:
    """A folder without runs."""


def one_running(results: Path) -> None:
    fake_runs.write_running(results)


def one_broken(results: Path) -> None:
    fault, _ = fake_runs.FAULTS["config no JSON"]
    fault(fake_runs.write_run(results))


def one_damaged_prediction(results: Path) -> None:
    """Finished, but the file that the page wants most cannot be read."""
    path = fake_runs.write_run(results)
    (path / "predictions" / "fer2013-test.npz").write_bytes(b"PK no archive")


def many(results: Path) -> None:
    """C1 to C6 with two seeds, runs taught FER+, and one of each kind that makes trouble."""
    for number, model in enumerate(["resemotenet", *(f"resemotenet_c{number}" for number in range(2, 7))]):
        for seed in (0, 1):
            path = fake_runs.write_run(results, model=model, seed=seed, skill=1.2 - 0.12 * number)
            if seed == 0:
                fake_runs.time_run(path, 30.0 - 4 * number)
    fake_runs.write_run(results, model="vgg", skill=0.7)
    fake_runs.write_run(results, labels="ferplus", skill=1.6, stamp="20260107T120000Z")
    fake_runs.write_run(results, model="resnet18", test=False, stamp="20260108T120000Z")
    fake_runs.write_running(results)
    fake_runs.write_unfinished(results)
    fake_runs.write_older(results, seed=5)
    fake_runs.write_newer(results)
    for number, (fault, _) in enumerate(fake_runs.FAULTS.values()):
        fault(fake_runs.write_run(results, test=False, n=20, epochs=1, stamp=f"20260201T1200{number:02}Z"))


STATES: dict[str, Callable[[Path], None]] = {
    "nothing": nothing,
    "one running": one_running,
    "one broken": one_broken,
    "one damaged prediction": one_damaged_prediction,
    "many": many,
}
