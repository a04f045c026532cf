"""What a Hugging Face Space runs: the page of ``python -m demo``, with pictures read on a GPU where one is lent.

On ZeroGPU a call of a decorated function borrows a GPU. It runs in a process that is forked for it, together with what
was put on "cuda" before the page was served; arguments and result are pickled. Here those weights are placeholders from
then on, so the live camera and "Why?", which ask many times a second, have a copy on the CPU. On hardware of its own,
and without the package ``spaces``, the decorator does nothing.
"""

import os
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING

from demo import __main__ as demo

if TYPE_CHECKING:
    from PIL import Image

    from demo.handlers import Read
    from resemotenet import EmotionPredictor, FaceEmotion
    from resemotenet.reading.faces import Face

    ReadFaces = Callable[[Image.Image, list[Face]], list[FaceEmotion]]

# Weights on the Hub, pinned; None is those that lie in resemotenet/weights. ``python -m demo.space`` fills this in.
MODEL: str | None = None
REVISION: str | None = None

# Seconds for which a GPU is asked: its start takes two or three of them, the network a hundredth of one. Visitors may
# ask only while they have this much left of their day's allowance, and a short call waits less.
DURATION = 10
# Pictures that are read at once on ZeroGPU: a visitor whose GPU is late, up to a minute, holds nobody else up.
AT_ONCE = 4 if os.environ.get("SPACES_ZERO_GPU") else 1


def lent(read: "ReadFaces") -> "ReadFaces":
    return read


demo.no_telemetry()  # before spaces, which imports Gradio
if find_spec("spaces"):  # every Space with Gradio has it
    import spaces  # before torch, whose "cuda" it replaces on ZeroGPU

    lent = spaces.GPU(duration=DURATION)


def load() -> "tuple[EmotionPredictor, Read]":
    """The predictor of the page, on the CPU; and what reads its pictures, on a GPU if there is any."""
    import gradio as gr
    import torch

    from resemotenet import EmotionPredictor
    from resemotenet.reading.images import lightened

    steady = swift = EmotionPredictor.from_pretrained(MODEL, revision=REVISION, device="cpu")
    if torch.cuda.is_available():
        swift = EmotionPredictor.from_pretrained(MODEL, revision=REVISION, detector=steady.detector)

    @lent
    def read_faces(image: "Image.Image", faces: "list[Face]") -> "list[FaceEmotion]":
        return swift.read(image, faces)

    def read(image: "Image.Image") -> "list[FaceEmotion]":
        # Faces are found on the CPU: that is not on the visitor's account, nor is a picture without any.
        faces = steady.detector.detect(lightened(image))
        if not faces:
            return []
        try:
            return read_faces(image, faces)
        except gr.Error as error:  # the allowance is used up, or there was no GPU in time
            gr.Info(f"Read without a GPU, which changes nothing but the time. {error.message}")
            return steady.read(image, faces)

    return steady, read


sys.exit(demo.start(load, at_once=AT_ONCE))
