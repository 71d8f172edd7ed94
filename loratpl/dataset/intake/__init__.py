"""Taking pictures in: what of a folder becomes a concept, under which names, and what is left out and why."""
