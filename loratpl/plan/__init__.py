"""Dataset × settings → TrainingPlan: buckets, batches, steps and epochs, by the trainer's own arithmetic."""
