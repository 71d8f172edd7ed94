"""Launches the trainer, keeps what it says, stops it well, and proves what came out."""
