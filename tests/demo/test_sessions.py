"""Nothing of a picture stays in the server once its answer has gone."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("gradio", reason="the demo needs gradio: pip install -r requirements.txt")

from tests.demo.server import PATIENCE, ROOT, free_port

SCRIPT = """
import base64, gc, json, os, sys, threading, time
os.environ["GRADIO_TEMP_DIR"] = sys.argv[2]
import httpx
from pathlib import Path
from demo import app, handlers
from demo.uploads import Uploads
from resemotenet import EmotionPredictor

reader = EmotionPredictor.from_pretrained(sys.argv[1], device="cpu")
uploads = Uploads(Path(sys.argv[2]))
films = app.films_for(reader, uploads)
page = app.build(reader, films)
app.launch(page, films, port=int(sys.argv[3]))
api = page.local_api_url
visitor = httpx.Client(trust_env=False, timeout=120)
given = "data:image/jpeg;base64," + base64.b64encode((handlers.EXAMPLES_FOLDER / "astronaut.jpg").read_bytes()).decode()

def held():
    # Long texts that anything in the process holds, but for those that the page was built with.
    texts = set()
    for thing in gc.get_objects():
        inside = thing.values() if isinstance(thing, dict) else thing if isinstance(thing, (list, tuple, set)) else ()
        texts |= {each for each in list(inside) if isinstance(each, str) and len(each) > 20_000 and "base64," in each}
    return {text for text in texts if text is not given}

[picker] = [f["id"] for f in page.config["dependencies"] if [t[1] for t in f["targets"]] == ["picture"]]
predict = [f["id"] for f in page.config["dependencies"] if f["api_name"] == "predict"]
before = held()
answers = []
for number in range(4):
    question = {"picture": given, "example": None, "shown": True, "request": number}
    for event in (
        {"fn_index": picker, "data": [], "event_data": question},
        {"fn_index": predict[0], "data": [{"path": None, "url": given, "meta": {"_type": "gradio.FileData"}}]},
    ):
        session = f"session-{number}-{event['fn_index']}"
        visitor.post(f"{api}queue/join", json={**event, "session_hash": session}).raise_for_status()
        answers.append(visitor.get(f"{api}queue/data", params={"session_hash": session}).text)
assert all('"success":true' in answer for answer in answers), answers[0][:2000]
assert any("data:image/jpeg" in answer for answer in answers)
del answers, event
time.sleep(1)
gc.collect()
kept = held() - before
print(len(kept), sorted(map(len, kept)), len(page.server_app.state_holder.session_data))
sys.stdout.flush()
os._exit(0)
"""


def test_nothing_is_kept_of_what_was_asked_and_answered(model_folder: Path, tmp_path: Path):
    command = [sys.executable, "-c", SCRIPT, str(model_folder), str(tmp_path), str(free_port())]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-1] == "0 [] 0"
