"""kohyatpl: from a folder of pictures to a tested LoRA, with kohya's sd-scripts."""

__version__ = "0.1.0"
