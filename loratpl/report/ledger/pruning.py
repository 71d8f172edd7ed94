"""Which runs may go: by number or age, never a live one, nor what `run --resume` would need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from loratpl.project import ProjectPaths
from loratpl.records import RunRecord
from loratpl.report.ledger.detail import size_of_tree
from loratpl.report.ledger.listing import live_run, seconds_between
from loratpl.report.ledger.outputs import RemovableOutput, place_of, written_by
from loratpl.run.history import KnownRun, runs_of, state_to_go_on_from

DAY_S = 86400.0


@dataclass(frozen=True, slots=True)
class PruneWish:
    """What shall go.

    Attributes:
        keep: All but the newest so many.
        older_than_days: All that began earlier than so many days ago; with `keep` both must hold.
        only_states: Their training states alone; without `keep` and `older_than_days` those of all runs.
        with_outputs: Their LoRAs as well.
        with_unfinished: Also what `run --resume` would go on with.
    """

    keep: int | None = None
    older_than_days: float | None = None
    only_states: bool = False
    with_outputs: bool = False
    with_unfinished: bool = False


@dataclass(frozen=True, slots=True)
class Removal:
    """What goes of one run.

    Attributes:
        run: The run.
        record: Its record.
        path: Its folder, or the folder of its states.
        size_bytes: Of that.
        outputs: The LoRAs that go with it.
    """

    run: KnownRun
    record: RunRecord
    path: Path
    size_bytes: int
    outputs: tuple[RemovableOutput, ...] = ()

    @property
    def freed_bytes(self) -> int:
        """What the disk has more of afterwards."""
        return self.size_bytes + sum(output.size_bytes for output in self.outputs)


@dataclass(frozen=True, slots=True)
class Kept:
    """A run, or a LoRA, that would have gone if nothing spoke against it."""

    name: str
    because: str


@dataclass(frozen=True, slots=True)
class PrunePlan:
    """What goes and what stays.

    Attributes:
        removals: What goes, the newest run first.
        kept: What stays in spite of the wish.
        only_states: Whether states go and runs stay.
    """

    removals: tuple[Removal, ...]
    kept: tuple[Kept, ...]
    only_states: bool = False

    @property
    def freed_bytes(self) -> int:
        """What the disk has more of afterwards."""
        return sum(removal.freed_bytes for removal in self.removals)

    def only(self, agreed: PrunePlan) -> PrunePlan:
        """Returns what of this plan was agreed to before."""
        ids = {removal.run.run_id for removal in agreed.removals}
        return PrunePlan(tuple(one for one in self.removals if one.run.run_id in ids), self.kept, self.only_states)


def plan_pruning(project: ProjectPaths, wish: PruneWish, now: datetime | None = None) -> PrunePlan:
    """Returns what goes and what stays; nothing is touched.

    Raises:
        ProjectError: The log folder cannot be read.
    """
    runs = runs_of(project)
    live = live_run(project, runs)
    wanted = {run.run_id for run in _wanted(runs, wish, now or datetime.now(timezone.utc))}
    reasons = _reasons(project, runs, live, wanted, wish)
    kept = [Kept(run.run_id, reasons[run.run_id]) for run in runs if run.run_id in wanted and run.run_id in reasons]
    going = [run for run in runs if run.run_id in wanted and run.run_id not in reasons]
    if wish.only_states:
        removals = [found for run in going if (found := _state_removal(run)) is not None]
        return PrunePlan(tuple(removals), tuple(_with_states(project, kept)), only_states=True)
    staying = {run.run_id for run in runs} - {run.run_id for run in going}
    outputs: Mapping[str, Sequence[RemovableOutput]] = {}
    if wish.with_outputs:
        outputs, held = _outputs(project, runs, staying)
        kept += held
    removals = [
        Removal(run, run.record, run.paths.run_dir, size_of_tree(run.paths.run_dir), tuple(outputs.get(run.run_id, ())))
        for run in going
        if run.record is not None
    ]
    return PrunePlan(tuple(removals), tuple(kept))


def _wanted(runs: Sequence[KnownRun], wish: PruneWish, now: datetime) -> Iterator[KnownRun]:
    readable = [run for run in runs if run.record is not None]
    newest = {run.run_id for run in readable[: wish.keep]} if wish.keep is not None else set()
    for run in runs:
        if run.run_id in newest:
            continue
        if wish.older_than_days is not None:
            age_s = seconds_between(run.started_at, now.isoformat())
            if age_s is None or not age_s > wish.older_than_days * DAY_S:
                continue
        yield run


def _reasons(
    project: ProjectPaths, runs: Sequence[KnownRun], live: KnownRun | None, wanted: set[str], wish: PruneWish
) -> dict[str, str]:
    """Returns why runs must stay, by their ids; a run that stays keeps those that it went on from."""
    reasons: dict[str, str] = {}
    parents = {run.run_id: run.record.parent for run in runs if run.record is not None}
    resumable = None if wish.with_unfinished else _resumable(project, runs, live)
    for run in runs:
        if run is live:
            reasons[run.run_id] = "it is being trained"
        elif run.record is None:
            reasons[run.run_id] = "its record cannot be read"
        elif run.paths.run_dir.is_symlink():
            reasons[run.run_id] = "it is a link to another place"
        elif run is resumable:
            reasons[run.run_id] = "`kohyatpl run --resume` would go on with it (`--unfinished` takes it as well)"
    for run in runs:
        stays = run.run_id not in wanted or run.run_id in reasons
        is_done = run.record is not None and run.record.state == "finished"
        if stays and not (wish.only_states and is_done):
            for earlier in _before(run.run_id, parents):
                reasons.setdefault(earlier, f"{run.run_id} went on from it, and stays")
    return reasons


def _before(run_id: str, parents: Mapping[str, str | None]) -> Iterator[str]:
    seen, at = {run_id}, parents.get(run_id)
    while at is not None and at not in seen:
        yield at
        seen.add(at)
        at = parents.get(at)


def _resumable(project: ProjectPaths, runs: Sequence[KnownRun], live: KnownRun | None) -> KnownRun | None:
    """As `last_unfinished` has it once runs whose owner is dead are settled."""
    done_by_others: set[str] = set()
    for run in runs:
        record = run.record
        if record is None:
            continue
        if record.state != "finished" and run is not live and run.run_id not in done_by_others:
            if state_to_go_on_from(project, run) is not None:
                return run
        elif record.parent is not None:
            done_by_others.add(record.parent)
    # Without a state there is nothing to go on from, and nothing to lose.
    return None


def _state_removal(run: KnownRun) -> Removal | None:
    path = run.paths.state_dir
    if run.record is None or path.is_symlink() or not path.is_dir():
        return None
    return Removal(run, run.record, path, size_of_tree(path))


def _with_states(project: ProjectPaths, kept: Iterable[Kept]) -> Iterator[Kept]:
    yield from (one for one in kept if project.run(one.name).state_dir.is_dir())


def _outputs(
    project: ProjectPaths, runs: Sequence[KnownRun], staying: set[str]
) -> tuple[dict[str, list[RemovableOutput]], list[Kept]]:
    """Returns the LoRAs of each run that goes, and those that stay for the sake of a run that does."""
    written = {run.run_id: list(written_by(project, run)) for run in runs}
    owners = {place_of(one.path): run_id for run_id in staying for one in written.get(run_id, ())}
    going: dict[str, list[RemovableOutput]] = {}
    kept = []
    taken: set[str] = set()
    for run_id, outputs in written.items():
        for output in outputs if run_id not in staying else ():
            place = place_of(output.path)
            if place in owners:
                kept.append(Kept(project.relative(output.path), f"{owners[place]} wrote it too, and stays"))
            elif place not in taken:
                taken.add(place)
                going.setdefault(run_id, []).append(output)
    return going, kept
