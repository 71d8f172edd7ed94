"""What a training writes, and the disk that it needs: the LoRA itself, states, samples and caches."""
