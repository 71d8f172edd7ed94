"""TrainingPlan → RenderedRun: the trainer's own files, its command and its environment."""
