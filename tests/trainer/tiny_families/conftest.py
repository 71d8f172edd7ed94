"""The shim is for the trainer's interpreter alone: it changes how modules are imported."""

collect_ignore = ["shim"]
