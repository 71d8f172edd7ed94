"""Watches a training while it runs: what goes wrong in silence is told, and what would cost a night is stopped in time.

Each watch is a judge of its own that is fed with events and a clock, and tells a thing once.
"""

from loratpl.run.watchdog.broken import broken_problem
from loratpl.run.watchdog.dog import Watchdog
from loratpl.run.watchdog.finding import Action, Finding

__all__ = ["Action", "Finding", "Watchdog", "broken_problem"]
