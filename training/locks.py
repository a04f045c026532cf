"""One process at a time: locks that end with their process, however that ends."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from resemotenet.errors import ResultsError
from resemotenet.runs.results import ResultsFolder


@contextmanager
def hold(path: Path, *, waiting: str | None = None) -> Iterator[None]:
    """Hold the lock of this name; who holds it already may take it once more.

    Args:
        waiting: what to say before waiting for another process that has it.

    Raises:
        Timeout: another process has it, and nothing was to be said.
    """
    lock = FileLock(path, is_singleton=True)
    try:
        try:
            lock.acquire(blocking=False)
        except Timeout:
            if waiting is None:
                raise
            print(waiting, file=sys.stderr)
            lock.acquire()
    except NotImplementedError:  # disks of some clusters
        print(f"the disk of {path.parent} knows no locks: see that no other process works there", file=sys.stderr)
        yield
        return
    try:
        yield
    finally:
        lock.release()


@contextmanager
def alone_with(folder: ResultsFolder) -> Iterator[None]:
    """Let nobody else train, evaluate or release a run meanwhile; of several processes of one run the main one does.

    Raises:
        ResultsError: another process does so just now, or the run must not be written to.
    """
    if os.environ.get("RANK", "0") != "0":
        yield
        return
    with ExitStack() as held:
        try:
            folder.resume.mkdir(exist_ok=True)  # some delete it once a run is finished
            held.enter_context(hold(folder.resume / "lock"))
        except Timeout:
            raise ResultsError(f"another process is working on {folder.path}; wait until it ends, or stop it") from None
        except OSError as error:
            raise ResultsError(
                f"what is done with {folder.path} is noted in it, which cannot be written to "
                f"({error.strerror or error}); make it writable, or name a copy of it that is"
            ) from error
        yield


@contextmanager
def only_campaign(results: Path) -> Iterator[None]:
    """Let no other campaign fill this folder meanwhile.

    Raises:
        ResultsError: another one does so just now, or the folder cannot be written to.
    """
    with ExitStack() as held:
        try:
            results.mkdir(parents=True, exist_ok=True)
            held.enter_context(hold(results / ".campaign.lock"))
        except Timeout:
            raise ResultsError(
                f"another campaign is writing to {results} now; wait until it ends, or give this one another folder "
                "with --results"
            ) from None
        except OSError as error:
            raise unwritable(results, error.strerror or error) from error
        yield


def unwritable(results: Path, why: object) -> ResultsError:
    """What to say of a folder where no results can lie."""
    return ResultsError(f"results cannot be kept in {results}: {why}; give another place with --results")
