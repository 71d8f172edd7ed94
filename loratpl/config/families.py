"""The model families: which script trains each, and with which network module."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Family:
    """One family of base models.

    Attributes:
        name: As in a config's `family`.
        script: The trainer's script.
        network_module: What `network_module` is unless the config says otherwise.
        bucket_step_px: What `bucket_reso_steps` must be a multiple of.
    """

    name: str
    script: str
    network_module: str
    bucket_step_px: int


FAMILIES = {
    family.name: family
    for family in (
        Family("sd15", "train_network.py", "networks.lora", 64),
        Family("sd2", "train_network.py", "networks.lora", 64),
    )
}
DEFAULT_FAMILY = "sd15"
# The pinned trainer knows them; this version of kohyatpl does not drive their scripts yet.
LATER_FAMILIES = ("sdxl", "sd3", "flux", "chroma", "lumina", "hunyuan-image", "anima")
