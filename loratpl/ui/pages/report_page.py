"""The page of runs: what `kohyatpl report` writes."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from loratpl.ui.pages.files import PAGES_DIR, common_filters, rendered, write_page
from loratpl.ui.pages.report_content import ReportPage
from loratpl.ui.pages.report_heads import ROW_HEADS
from loratpl.ui.pages.thumbnails import NoThumbnail, Thumbnail, thumbnails_of

OPTION = "--html"
MAX_PROBLEMS = 30
CONCEPT_PX = 112
# In the order in which they need each other; each is a part of one script.
SCRIPTS = ("report_numbers.js", "report_charts.js", "report_samples.js", "report.js")

Thumbnails = Mapping[Path, Thumbnail | NoThumbnail]


def write_report_page(path: Path, page: ReportPage) -> None:
    """Writes the page, with the pictures it shows made small.

    Raises:
        UsageError: Something that is no page of ours is there.
        ProjectError: It cannot be written.
    """
    concepts = _small(page.concept_pictures, CONCEPT_PX)
    samples = _small([one.path for one in page.samples.pictures], page.samples.longest_px)
    write_page(path, report_html(page, concepts, samples), OPTION)


def report_html(page: ReportPage, concepts: Thumbnails, samples: Thumbnails) -> str:
    """Returns the page as HTML.

    Args:
        page: What it says.
        concepts: Of pictures that were trained on, as many as shall be shown.
        samples: Of each picture that was drawn.
    """
    from markupsafe import Markup

    has_problems = any(head.problems for head in page.heads)
    scripts = _scripts() if page.charts or page.samples.steps or page.settings else ()
    values: dict[str, Any] = {
        "page": page,
        "concept_thumbnails": concepts,
        "sample_thumbnails": samples,
        "sections": _sections(page, has_problems=has_problems),
        "has_problems": has_problems,
        "max_problems": MAX_PROBLEMS,
        "row_heads": ROW_HEADS,
        "policy": policy_for(scripts),
        # Escaped for where they stand: the data by `data_of`, the scripts are ours and plotly's.
        "data": Markup(page.data),  # noqa: S704
        "scripts": [Markup(script) for script in scripts],  # noqa: S704
    }
    return rendered("report_page.html", values, common_filters())


def policy_for(scripts: Sequence[str]) -> str:
    """Returns the content security policy of a page with these scripts and no others, which may not reach anything.

    A script is allowed by its hash: whatever else came to stand in the page as a script, or as a handler of an event,
    would not be run. Pictures are in the page.
    """
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{one}'" for one in hashes) or "'none'"
    return (
        f"default-src 'none'; script-src {allowed}; connect-src 'none'; img-src data:; "
        "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    )


def _scripts() -> tuple[str, ...]:
    """Returns the library of the charts, and ours; a hash is over the text as a browser reads it: lines end in LF."""
    from plotly.offline import get_plotlyjs

    ours = "\n".join((PAGES_DIR / name).read_text(encoding="utf-8") for name in SCRIPTS)
    found = (str(get_plotlyjs()), f'(() => {{\n"use strict";\n{ours}\n}})();')
    return tuple(script.replace("\r\n", "\n").replace("\r", "\n") for script in found)


def _small(paths: Sequence[Path], longest_px: int) -> Thumbnails:
    wanted = list(dict.fromkeys(paths))
    made = thumbnails_of([(path, None) for path in wanted], longest_px)
    return dict(zip(wanted, made, strict=True))


def _sections(page: ReportPage, *, has_problems: bool) -> list[tuple[str, str]]:
    several = len(page.heads) > 1
    found = [
        (several, "runs", "Runs"),
        (has_problems, "problems", "Problems"),
        (several, "differences", "What differs"),
        (True, "trained", "What was trained"),
        (True, "curves", "Curves"),
        (bool(page.samples.steps), "samples", "Samples"),
        (True, "checkpoints", "Checkpoints"),
        (True, "settings", "Settings"),
        (True, "provenance", "Provenance"),
    ]
    return [(name, heading) for is_there, name, heading in found if is_there]
