"""Crash-safe sets of renames, and of edits that belong to them: written down first, then done, and undone, as one.

What takes another's old name, or leaves its own to another, first goes to a unique name beside its old one (*parking*);
then everything goes to the new names (*placing*), and last the files are edited. So chains and swaps need no order, and
names that differ only by case no special care. The journal is a small JSON file that is replaced atomically before each
phase and at the end; together with which of the names exist, and with the hashes of the files, it says where everything
is, whenever the process may have been killed.

The rule of recovery: what was interrupted is rolled back, unless everything had been done. An edit is made, and taken
back, only in a file whose whole content is the one it was meant for.
"""

from loratpl.journal.edits import Rewrite
from loratpl.journal.file import Rename
from loratpl.journal.recovery import Recovery, interrupted, recover
from loratpl.journal.renames import Undone, refuse_obstacles, rename_all, undo

__all__ = [
    "Recovery",
    "Rename",
    "Rewrite",
    "Undone",
    "interrupted",
    "recover",
    "refuse_obstacles",
    "rename_all",
    "undo",
]
