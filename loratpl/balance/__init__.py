"""How often each folder's pictures must be repeated for concepts to be seen equally, and the renames it leads to."""

from loratpl.balance.arithmetic import repeats_for, smallest_epoch, smallest_target
from loratpl.balance.folders import BalancedFolder, BalancedProject, balance_project

__all__ = [
    "BalancedFolder",
    "BalancedProject",
    "balance_project",
    "repeats_for",
    "smallest_epoch",
    "smallest_target",
]
