"""A process that reads many pictures at once."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
# How often a reader that has 30 MB again and again makes the system give it a page, after it had them once.
PROGRAM = """
import resource, threading, numpy, torch
from resemotenet.corpus.work import settle

settle()

def read():
    for number in range(40):
        if number == 20:
            before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
        parts = [numpy.ones(6_000_000, numpy.uint8) for _ in range(5)]
        del parts
    print(torch.get_num_threads(), resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before)

reader = threading.Thread(target=read)
reader.start()
reader.join()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="asks glibc")
def test_each_reader_has_a_core_and_keeps_its_memory():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=True,
    )
    threads, pages = map(int, done.stdout.split())
    assert threads == 1
    assert pages < 1_000  # of the 20 x 7,324 that 30 MB are
