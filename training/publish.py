"""A finished run for everybody: its small files, without the paths of the machine that it ran on."""

import shutil
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from resemotenet.errors import ResultsError
from resemotenet.runs.results import ResultsFolder, read_json, write_json


def publish(folder: ResultsFolder, into: Path) -> Path:
    """Copy what others need to check a run: config, environment, audit, epochs, predictions and result.

    Weights and what resuming needs stay behind; where a path stands in a config or a command, its last part is left.

    Args:
        folder: a finished run.
        into: the folder that gets a folder of the run's name; one that is there from an earlier call is replaced.

    Raises:
        ResultsError: the run is not finished, or ``into`` is where it lies already.
    """
    folder.check_finished()
    published = ResultsFolder(into / folder.path.resolve().name)
    if published.path.resolve() == folder.path.resolve():
        raise ResultsError(f"{folder.path} lies in {into} already; name another place")
    fresh = ResultsFolder(into / f".{published.path.name}.new")
    shutil.rmtree(fresh.path, ignore_errors=True)
    fresh.path.mkdir(parents=True)
    config, environment = read_json(folder.config), read_json(folder.environment)
    for part, keys in ((config, ("data", "results", "cache")), (config["network"], ("backbone", "start"))):
        part |= {key: without_folders(part[key]) for key in keys if key in part}
    if teachers := config.get("distillation", {}).get("teachers"):
        config["distillation"]["teachers"] = [without_folders(path) for path in teachers]
    for entry in (environment, *environment.get("resumptions", [])):
        entry["command"] = [without_folders(part) for part in entry["command"]]
    write_json(fresh.config, config)
    write_json(fresh.environment, environment)
    for file in (folder.audit, folder.epochs, folder.result):
        shutil.copyfile(file, fresh.path / file.name)
    shutil.copytree(folder.path / "predictions", fresh.path / "predictions")
    shutil.rmtree(published.path, ignore_errors=True)
    fresh.path.rename(published.path)
    return published.path


def without_folders(text: Any) -> Any:
    """An absolute path -> its last part, also behind ``--name=``; anything else as it is."""
    if not isinstance(text, str):
        return text
    option, equals, value = text.rpartition("=")
    for kind in (PurePosixPath, PureWindowsPath):
        if kind(value).is_absolute():
            return f"{option}{equals}{kind(value).name}"
    return text
