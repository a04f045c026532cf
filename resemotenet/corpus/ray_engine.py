"""The same rows from several machines: Ray Data hands out the members, and one process keeps the journal.

Every machine of the cluster has this library installed, and reaches what is read under the same name: a folder that
all of them share, or an address of an object store as PyArrow reads it (s3://, gs://, hdfs://, file://).
"""

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from ..errors import CorpusError, ImageError
from ..reading.images import SUFFIXES, Picture
from ..reading.sources import Member, Unreadable, is_address, members
from .bulk import Settings, add, finish, open_journal
from .journal import Counts, Journal, Outcome, Task
from .work import Work, settle

if TYPE_CHECKING:
    from ..reading.predictor import EmotionPredictor

# Members that a worker is handed at once; enough that handing out costs little beside reading.
_BATCH = 16
_ANSWERS, _STARTS = 10.0, 120.0  # seconds until a cluster's machine answers, and Ray is there


def read_with_ray(
    predictor: "EmotionPredictor", names: Sequence[str], settings: Settings, address: str | None = None
) -> tuple[Counts, float]:
    """As ``bulk.read_corpus``, by ``settings.workers`` processes of a Ray cluster.

    A film is read by one of them, and is in the tables once it is done.

    Args:
        address: of the cluster, as ``ray.init`` takes it; None starts one on this machine.

    Raises:
        CorpusError: Ray is not installed or its cluster is not there; or as ``read_corpus``.
    """
    data = _ray(address, settings.workers)
    start = time.perf_counter()
    with open_journal(predictor, listed(names), settings) as journal:
        counts = journal.counts()
        tasks = [{"task": json.dumps(asdict(task))} for task in journal.tasks()]
        if tasks:
            given = {"source": _source(predictor), "precision": predictor.model.precision}
            rows = data.from_items(tasks).map_batches(
                _Reader,
                fn_constructor_kwargs={**given, "every": settings.every, "rate": settings.rate},
                batch_size=_BATCH,
                compute=data.ActorPoolStrategy(size=settings.workers),
                num_cpus=1,
            )
            _enter(journal, counts, rows)
        seconds = time.perf_counter() - start
        finish(journal, predictor, settings)
    return counts, seconds


def listed(names: Iterable[str]) -> Iterator[Member | Unreadable]:
    """``sources.members``, and all pictures below addresses."""
    for name in dict.fromkeys(names):
        if is_address(name):
            yield from _stored(name)
        else:
            yield from members([name])


def _stored(address: str) -> Iterator[Member | Unreadable]:
    from pyarrow import fs

    scheme = address.partition("://")[0]
    try:
        store, path = fs.FileSystem.from_uri(address)
        found = store.get_file_info(path)
        inside = (
            store.get_file_info(fs.FileSelector(path, recursive=True))
            if found.type == fs.FileType.Directory
            else [found]
        )
        paths = sorted(each.path for each in inside if each.type == fs.FileType.File)
    except (OSError, ValueError) as error:
        yield Unreadable(address, f"{address}: cannot be looked into ({' '.join(str(error).split())})")
        return
    pictures = [each for each in paths if PurePosixPath(each).suffix.lower() in SUFFIXES]
    if not pictures:
        yield Unreadable(address, f"{address}: no pictures there")
    for each in pictures:
        name = f"{scheme}://{each}"
        yield Member(name, "picture", name, below=PurePosixPath(each).name)


class _Stored(Member):
    """A picture of an object store."""

    def open(self) -> Picture:
        from pyarrow import fs

        try:
            store, path = fs.FileSystem.from_uri(self.path)
            with store.open_input_stream(path) as stream:
                content = stream.read()
        except (OSError, ValueError) as error:
            raise ImageError(f"{self.name}: {' '.join(str(error).split())}") from error
        return replace(Picture.open(content, name=self.name), path=self.name)


class _Reader:
    """One process of the cluster; loads the model once."""

    def __init__(self, source: tuple[str | None, str | None], precision: str, every: float, rate: float) -> None:
        from ..reading.detector import MTCNNDetector
        from ..reading.predictor import EmotionPredictor

        settle()
        name, revision = source
        predictor = EmotionPredictor.from_pretrained(
            name, revision=revision, precision=precision, device="cpu", detector=MTCNNDetector(every_core=False)
        )
        self._work = Work(predictor, every, rate)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        return {"outcome": [json.dumps(asdict(self._read(json.loads(task)))) for task in batch["task"]]}

    def _read(self, told: dict[str, Any]) -> Outcome:
        kind = _Stored if is_address(told["member"]["path"]) else Member
        pieces = list(self._work.read(Task(**{**told, "member": kind(**told["member"])})))
        faces = [row for piece in pieces for row in piece.faces]
        missed = [row for piece in pieces for row in piece.missed]
        return Outcome(told["id"], sum(piece.readings for piece in pieces), faces, missed)


def _enter(journal: Journal, counts: Counts, rows: Any) -> None:
    with tqdm(total=round(counts.expected), initial=counts.readings, unit="picture", disable=None) as bar:
        for batch in rows.iter_batches(batch_size=None, prefetch_batches=0):
            outcomes = [Outcome(**json.loads(each)) for each in batch["outcome"]]
            journal.add(outcomes)
            for outcome in outcomes:
                add(counts, outcome)
                bar.update(outcome.readings)
            bar.set_postfix(faces=f"{counts.faces:,}", broken=counts.broken, refresh=False)


def _source(predictor: "EmotionPredictor") -> tuple[str | None, str | None]:
    from ..checkpoints.pretrained import BUNDLED

    source = predictor.source
    if source.name == BUNDLED:
        return None, None
    return (source.name, source.revision) if source.revision else (str(source.folder.resolve()), None)


def _ray(address: str | None, workers: int) -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers of each cluster
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise CorpusError("--engine ray needs Ray, which is not installed: pip install 'resemotenet[bulk]'") from error
    if not ray.is_initialized():
        try:
            if address is None:
                _start(ray, workers)
            else:
                _reach(address)
                _in_time(lambda: ray.init(address=address, log_to_driver=False))
        except Exception as error:  # Ray raises every kind, plain Exception too
            told = getattr(error, "strerror", None) or str(error) or type(error).__name__
            reason = " ".join(told.split())
            where = f"the Ray cluster {address} is not there" if address else "Ray cannot be started on this machine"
            raise CorpusError(f"{where} ({reason})") from error
    processors = int(ray.cluster_resources().get("CPU", 0))
    if processors < workers:  # Ray would wait for more without end
        raise CorpusError(f"the Ray cluster has {processors} processors, too few for --workers {workers}")
    ray.data.DataContext.get_current().enable_progress_bars = False
    return ray.data


def _start(ray: Any, workers: int) -> None:
    # Where the library is not installed, say in a checkout, the processes find it as this one did.
    here = str(Path(__file__).resolve().parents[2])
    paths = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
    environment = {"env_vars": {"PYTHONPATH": paths}}
    ray.init(num_cpus=workers + 1, include_dashboard=False, log_to_driver=False, runtime_env=environment)


def _in_time(start: Callable[[], object]) -> None:
    """``start``, or a ``TimeoutError`` where it does not end: Ray may wait for good for one that does not answer.

    Not for a Ray of this machine, which gives up by itself: Linux ends its processes with the thread that started them.
    """
    failed: list[Exception] = []

    def run() -> None:
        try:
            start()
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=run, name="ray", daemon=True)
    thread.start()
    thread.join(_STARTS)
    if thread.is_alive():
        raise TimeoutError(f"it did not answer within {_STARTS:.0f} s")
    if failed:
        raise failed[0]


def _reach(address: str) -> None:
    """Fails soon where nobody answers; Ray itself goes on trying for minutes."""
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if colon and port.isdigit():  # else a word such as "auto"
        socket.create_connection((host.strip("[]"), int(port)), _ANSWERS).close()
