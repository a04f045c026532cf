"""How fast the dashboard's data layer is with a thousand runs; writes a table.

    python -m tests.benchmarks.dashboard [--runs 1000] [--rounds 3] [--page]

Makes a folder of made-up runs (3,589 faces each on validation and test, as FER2013 has, 40 epochs) in a temporary place
and measures, in fresh processes: the first scan and the first figures of all runs (cold: nothing read yet, though the
files are in the system's cache, since they were just written), the same again (warm), after one run changed, and a
filter over them. With --page the overview is drawn by Streamlit's AppTest too: first paint cold and warm, and a filter.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from resemotenet.runs.results import read_json, write_json
from tests.dashboard.fake_runs import age, draw_predictions, write_run

FACES = 3_589
ROOT = Path(__file__).resolve().parents[2]
MODELS = ("resemotenet", "resemotenet_c2", "resemotenet_c3", "plain_cnn", "resnet18")


def make(folder: Path, runs: int) -> None:
    """Distinct predictions for a few, copied to the rest: writing takes seconds instead of minutes."""
    templates = []
    for number in range(10):
        found = {}
        for split in ("validation", "test"):
            path = folder / "templates" / f"{number}-{split}.npz"
            draw_predictions("fer2013", split, n=FACES, skill=0.6 + 0.1 * number, seed=number).save(path)
            found["fer2013", split] = path
        templates.append(found)
    for number in range(runs):
        run: dict[str, Any] = {"model": MODELS[number % len(MODELS)], "seed": number}
        run["stamp"] = f"2026{1 + number % 12:02d}{1 + number % 28:02d}T{number % 24:02d}0000Z"
        if number < len(templates):
            write_run(folder / "results", **run, epochs=40, planned=40, n=60, templates=templates[number])
        else:
            _copy(folder / "results", number % len(templates), **run)
    for path in (folder / "results").iterdir():
        age(path, 86_400)


def _copy(results: Path, number: int, *, model: str, seed: int, stamp: str) -> None:
    """Another run with the figures of an earlier one."""
    (first,) = results.glob(f"*-s{number}-*")
    path = results / f"made_up-{model}-fer2013-s{seed}-{stamp}"
    shutil.copytree(first, path)
    config = read_json(path / "config.json")
    config["seed"], config["network"]["name"] = seed, model
    # Five seeds an experiment, so the pages have 200 of those.
    config["optimization"]["learning_rate"] = 0.001 * (1 + seed // (5 * len(MODELS)))
    write_json(path / "config.json", config)


def measure_data(folder: Path) -> dict[str, float]:
    """Seconds, in this process, which has read nothing yet."""
    from dashboard.data import (
        Run,
        Score,
        scan,
        scores,
    )

    found: dict[str, float] = {}

    def timed(name: str, work: Callable[[], object]) -> object:
        started = time.perf_counter()
        done = work()
        found[name] = time.perf_counter() - started
        return done

    def figures() -> list[Score]:
        return [score for run in scan([folder]) for score in scores(run)]

    def chosen() -> list[Run]:
        return [
            run for run in scan([folder]) if run.model == "plain_cnn" and any(s.accuracy > 0.5 for s in scores(run))
        ]

    timed("scan, cold", lambda: scan([folder]))
    timed("all figures, cold", figures)
    timed("scan, warm", lambda: scan([folder]))
    timed("all figures, warm", figures)
    timed("filter by model and accuracy, warm", chosen)
    some = scan([folder])[0].path
    (some / "environment.json").touch()
    (some / "predictions" / "fer2013-test.npz").touch()
    timed("all figures, one run changed", figures)
    return found


def measure_page(folder: Path) -> dict[str, float]:
    """Seconds until Streamlit has run the whole script for the overview, without a browser that would draw it."""
    from streamlit.testing.v1 import AppTest

    sys.argv[1:] = ["--results", str(folder)]
    app = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=600)
    found = {}

    def timed(name: str) -> None:
        started = time.perf_counter()
        app.run()
        found[name] = time.perf_counter() - started
        if app.exception or app.error:
            raise RuntimeError(f"the page shows an error: {(app.exception or app.error)[0].value}")

    timed("overview, first visit of the process")
    for number in range(3):
        app = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=600)
        timed(f"overview, first paint of visitor {number + 2}")
    (models,) = (each for each in app.multiselect if each.key == "model")
    models.set_value(["plain_cnn"])
    timed("overview, filtered by model")
    app = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=600)
    app.query_params["rows"] = "runs"
    timed("overview, each run a row")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--page", action="store_true", help="draw the overview too")
    parser.add_argument("--one", choices=("data", "page"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps((measure_data if options.one == "data" else measure_page)(options.folder)))
        return
    with tempfile.TemporaryDirectory() as place:
        started = time.perf_counter()
        make(Path(place), options.runs)
        print(f"{options.runs} runs made in {time.perf_counter() - started:.0f} s; {options.rounds} rounds\n")
        rows: dict[str, list[float]] = {}
        for _ in range(options.rounds):
            for what in ("data", "page") if options.page else ("data",):
                command = [sys.executable, "-m", __spec__.name, "--one", what, "--folder", f"{place}/results"]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                for name, seconds in json.loads(done.stdout.splitlines()[-1]).items():
                    rows.setdefault(name, []).append(seconds)
    print("| what | median s | least | most |\n|---|---|---|---|")
    for name, values in rows.items():
        print(f"| {name} | {statistics.median(values):.3f} | {min(values):.3f} | {max(values):.3f} |")


if __name__ == "__main__":
    main()
