"""The pinned trainer: its checkout, its environment, its options."""
