"""The Python in the documents that needs the Hub."""

from typing import Any

from tests.documents import DOCUMENTS, REPOSITORY
from tests.hub.server import LoopbackHub


def test_python_that_loads_from_the_hub_runs(hub: LoopbackHub, model: dict[str, bytes]):
    revision = hub.repositories[REPOSITORY].sha()
    hub.repositories[REPOSITORY].refs["refs/tags/v1"] = revision
    blocks = [block for document in DOCUMENTS for block in document.blocks("python") if REPOSITORY in block]
    assert blocks
    for block in blocks:
        names: dict[str, Any] = {}
        exec("from resemotenet import EmotionPredictor\n" + block, names)
        assert names["predictor"].source.revision == revision
