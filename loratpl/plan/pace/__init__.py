"""How long a training will take, from how fast earlier ones were."""
