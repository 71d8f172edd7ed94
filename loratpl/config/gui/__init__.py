"""Configs of the kohya_ss GUI: what each of its keys means, and the trainer's options that come of a file."""
