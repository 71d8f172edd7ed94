"""The model card of a run: what whoever is given the LoRA must know, as Markdown."""
