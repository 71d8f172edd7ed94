"""Mends what is wrong with pictures and captions where that takes no judgement, and puts everything back on demand.

`with fixing(project):` locks the project and settles what was interrupted; inside it `plan_fixes`, then `apply_fixes`,
or `undo_fixes`. What was there before goes to `.kohyatpl/originals/<run>/` before it is replaced, and a log on the disk
says what will happen before it happens: a run that is killed leaves each file old or new, and can be undone.
"""

from loratpl.fix.actions import Action, FixOptions, FixPlan, LeftOut, Step, parse_colour
from loratpl.fix.applying import FixResult, apply_fixes
from loratpl.fix.lfs import LfsPull, find_pointers, plan_pull, pull
from loratpl.fix.planning import plan_fixes
from loratpl.fix.settling import Settled, fixing, interrupted_fix, settle_fixes
from loratpl.fix.undoing import UndoneFixes, undo_fixes

__all__ = [
    "Action",
    "FixOptions",
    "FixPlan",
    "FixResult",
    "LeftOut",
    "LfsPull",
    "Settled",
    "Step",
    "UndoneFixes",
    "apply_fixes",
    "find_pointers",
    "fixing",
    "interrupted_fix",
    "parse_colour",
    "plan_fixes",
    "plan_pull",
    "pull",
    "settle_fixes",
    "undo_fixes",
]
