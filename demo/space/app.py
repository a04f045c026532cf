"""What a Hugging Face Space runs: the page of ``python -m demo``, with pictures read on a GPU where one is lent.

On ZeroGPU a call of a decorated function borrows a GPU. It runs in a process that is forked for it, together with what
was put on "cuda" before the page was served; arguments and result are pickled. Here those weights are placeholders from
then on, so the live camera and "Why?", which ask many times a second, have a copy on the CPU. On hardware of its own,
and without the package ``spaces``, the decorator does nothing.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

from demo import __main__ as demo

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from resemotenet import EmotionPredictor

    # Network inputs (N, C, S, S) -> probabilities (N, K).
    Network = Callable[[NDArray[np.float32]], NDArray[np.float32]]

# Weights on the Hub, pinned; None is those that lie in resemotenet/weights. ``python -m demo.space`` fills this in.
MODEL: str | None = None
REVISION: str | None = None

# Seconds for which a GPU is asked: its start takes two or three of them, the network a hundredth of one. Visitors may
# ask only while they have this much left of their day's allowance, and a short call waits less.
DURATION = 10
# Pictures that are read at once on ZeroGPU: a visitor whose GPU is late, up to a minute, holds nobody else up.
AT_ONCE = 4 if os.environ.get("SPACES_ZERO_GPU") else 1


def lent(network: "Network") -> "Network":
    return network


demo.no_telemetry()  # before spaces, which imports Gradio
if find_spec("spaces"):  # every Space with Gradio has it
    import spaces  # before torch, whose "cuda" it replaces on ZeroGPU

    lent = spaces.GPU(duration=DURATION)


def load() -> "EmotionPredictor":
    """What the page reads with: on the CPU, but for the network that reads pictures where there is a GPU.

    Opening a picture, finding its faces and cutting them out is not on the visitor's account, nor is a picture without
    any. What travels to the GPU and back is a few thousand numbers a face.
    """
    import gradio as gr
    import torch

    from resemotenet import EmotionPredictor, load_model

    predictor = EmotionPredictor.from_pretrained(MODEL, revision=REVISION, device="cpu")
    if not torch.cuda.is_available():
        return predictor
    # As the predictor has it: with the operating point for photographs.
    model = replace(load_model(predictor.source.folder, device="cuda"), info=predictor.model.info)

    @lent
    def on_gpu(inputs: "NDArray[np.float32]") -> "NDArray[np.float32]":
        return model.probabilities(torch.from_numpy(inputs)).numpy()

    def network(inputs: "Tensor") -> "Tensor":
        try:
            return torch.from_numpy(on_gpu(inputs.numpy()))
        except gr.Error as error:  # the allowance is used up, or there was no GPU in time
            gr.Info(f"Read without a GPU, which changes nothing but the time. {error.message}")
            return predictor.model.probabilities(inputs)

    return EmotionPredictor(
        predictor.model, device="cpu", detector=predictor.detector, source=predictor.source, network=network
    )


sys.exit(demo.start(load, at_once=AT_ONCE))
