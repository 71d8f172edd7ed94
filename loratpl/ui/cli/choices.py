"""Words of the command line that must be one of a few."""

from __future__ import annotations

from loratpl.errors import Problem, UsageError


def known_family(family: str | None) -> str | None:
    """Returns the family as it is; refuses one that there is not (UsageError)."""
    from loratpl.config.families import FAMILIES, nearest_family

    if family is None or family in FAMILIES:
        return family
    near = nearest_family(family)
    fix = f"{f'Did you mean {near}? ' if near else ''}Choose one of: {', '.join(FAMILIES)}."
    raise UsageError(Problem("usage.family", f"There is no family {family!r}.", "--family", fix))
