"""Which phase the trainer is in, told from its log: before the first step there are no events."""

from __future__ import annotations

STARTING = "starting the trainer"
CACHING = "caching latents"
TRAINING = "training"
SAVING = "saving"
SAMPLING = "drawing samples"
ENDED = "looking at what came out"

# A piece of a log line (sd-scripts 48d368fa) and the phase that begins with it.
_BEGINNINGS = (
    (" tokenizer", "reading the tokenizer"),
    ("Loading dataset config from", "reading pictures and captions"),
    ("preparing accelerator", "loading the base model"),
    ("caching latents", CACHING),
    ("create LoRA network", "creating the network"),
    ("prepare optimizer, data loader etc.", "preparing the optimiser"),
    ("running training", TRAINING),
    ("saving checkpoint", SAVING),
    ("generating sample images", SAMPLING),
)

# What a line must hold to begin a phase.
PIECES = tuple(piece for piece, _ in _BEGINNINGS)


def phase_of(line: str) -> str | None:
    """Returns the phase that begins with a log line, None when it begins none.

    >>> phase_of("                    INFO     caching latents...          train_util.py:1112")
    'caching latents'
    """
    return next((phase for piece, phase in _BEGINNINGS if piece in line), None)
