"""Crash-safe sets of renames: written down first, then done, and undone, as one.

Everything that shall have a new name first goes to a unique name beside its old one (*parking*), then all of it goes to
the new names (*placing*); so chains and swaps need no order, and names that differ only by case no special care. The
journal is a small JSON file that is replaced atomically before each of the two phases and after the last; together
with which of the parking names exist it says where everything is, whenever the process may have been killed.

The rule of recovery: what was interrupted is rolled back, unless every rename had been done.
"""

from loratpl.journal.file import Rename
from loratpl.journal.renames import Recovery, interrupted, recover, rename_all, undo

__all__ = ["Recovery", "Rename", "interrupted", "recover", "rename_all", "undo"]
