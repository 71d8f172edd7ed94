"""Disk → Dataset: the concept folders and their pictures, found as the trainer finds them."""
