from pathlib import Path

import pytest

from training.memory import usable_memory

MIB = 2**20


def system(root: Path, groups: str, limits: dict[str, str]) -> Path:
    """A tree as Linux shows it: in which groups the process is, and the files of limits below sys/fs/cgroup."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(groups)
    for name, limit in limits.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{limit}\n")
    return root


@pytest.fixture
def machine(tmp_path: Path) -> int:
    return usable_memory(tmp_path)  # nothing there sets a limit


def test_a_machine_without_limits_has_what_it_has(machine: int, tmp_path: Path):
    assert machine > 256 * MIB
    assert usable_memory(system(tmp_path, "0::/\n", {"memory.max": "max"})) == machine


@pytest.mark.parametrize(
    ("groups", "limits"),
    [
        ("0::/\n", {"memory.max": 64 * MIB}),  # a container that sees its own group as the root
        ("0::/job/step\n", {"job/step/memory.max": 64 * MIB, "job/memory.max": 96 * MIB}),
        ("0::/job/step\n", {"job/step/memory.max": "max", "job/memory.max": 64 * MIB}),  # the group around it counts
        ("0::/../../other\n", {"memory.max": 64 * MIB}),  # a group outside of what the container sees
        ("5:cpu,memory:/docker/ab\n0::/\n", {"memory/docker/ab/memory.limit_in_bytes": 64 * MIB}),
        ("5:memory:/docker/ab\n", {"memory/memory.limit_in_bytes": 64 * MIB}),  # the path is the one outside
    ],
)
def test_a_limit_counts_wherever_it_is_set(tmp_path: Path, groups: str, limits: dict[str, str]):
    assert usable_memory(system(tmp_path, groups, limits)) == 64 * MIB


@pytest.mark.parametrize(
    ("groups", "limits"),
    [
        ("5:memory:/\n", {"memory/memory.limit_in_bytes": str(2**63 - 4096)}),  # how version 1 says "none"
        ("0::/\n", {"memory.max": str(2**60)}),
        ("7:cpuset:/job\n", {"job/memory.max": str(64 * MIB)}),  # a group of processors, not of memory
    ],
)
def test_no_limit_below_what_the_machine_has(machine: int, tmp_path: Path, groups: str, limits: dict[str, str]):
    assert usable_memory(system(tmp_path, groups, limits)) == machine
