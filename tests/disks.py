"""Disks that fail: one that must not be written to, and one that is full. Also for root, who may mount."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nobody can write to a folder or below it."""
    if hasattr(os, "geteuid") and os.geteuid():
        places = [folder, *(each for each in folder.rglob("*") if each.is_dir())]
        for place in places:
            place.chmod(0o500)
        try:
            yield
        finally:
            for place in places:
                place.chmod(0o700)
        return
    _mount("--bind", str(folder), str(folder))
    try:
        _mount("-o", "remount,ro,bind", str(folder))
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[None]:
    """A folder with room for so many bytes; what is in it is gone afterwards."""
    folder.mkdir(parents=True)
    _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def _mount(*arguments: str) -> None:
    try:
        done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"disks cannot be mounted here: {error}")
    if done.returncode:
        pytest.skip(f"disks cannot be mounted here: {done.stderr.strip()}")
