"""File → settings: read with positions, checked against the trainer's options, resolved with their sources."""
