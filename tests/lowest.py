"""Every lower bound of pyproject.toml as a pin, for ``make test-lowest``: these must work together.

python tests/lowest.py prints them one a line, as pip's --constraint takes them.
"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_BOUND = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*\])?>=(?P<version>[^,; ]+)")


def pins() -> Iterator[str]:
    """Of the library and of all extras.

    Raises:
        ValueError: a requirement has no lower bound.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    for requirement in sorted({requirement for group in groups for requirement in group}):
        found = _BOUND.match(requirement)
        if found is None:
            raise ValueError(f"{requirement} has no lower bound, so nobody knows what it was tried with")
        yield f"{found['name']}=={found['version']}"


if __name__ == "__main__":
    print("\n".join(pins()))
