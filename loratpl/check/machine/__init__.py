"""What the machine must have for a training: trainer, packages, GPU, driver, memory, disk, and files while offline."""
