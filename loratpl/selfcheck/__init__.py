"""Whole tiny trainings through all layers below: what proves an installed trainer, and what `demo` shows."""

from loratpl.selfcheck.demo import CONCEPTS, DEFAULT_NAME, REG_CLASSES, DemoPaths, default_folder, give_model, lay_out
from loratpl.selfcheck.drawings import draw_pictures
from loratpl.selfcheck.tiny import make_tiny_model, tiny_config
from loratpl.selfcheck.verify import Selfcheck, tiny_project, verify_trainer

__all__ = [
    "CONCEPTS",
    "DEFAULT_NAME",
    "REG_CLASSES",
    "DemoPaths",
    "Selfcheck",
    "default_folder",
    "draw_pictures",
    "give_model",
    "lay_out",
    "make_tiny_model",
    "tiny_config",
    "tiny_project",
    "verify_trainer",
]
