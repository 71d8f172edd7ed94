"""The story of a run: everything that its report tells, gathered from its record, its events and its project."""
