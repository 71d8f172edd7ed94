"""How often each folder's pictures must be repeated for concepts to be seen equally, and the renames it leads to."""

from loratpl.balance.arithmetic import repeats_for, smallest_epoch, smallest_target
from loratpl.balance.balancing import balance_project, percent
from loratpl.balance.folders import BalancedFolder, BalancedProject

__all__ = [
    "BalancedFolder",
    "BalancedProject",
    "balance_project",
    "percent",
    "repeats_for",
    "smallest_epoch",
    "smallest_target",
]
