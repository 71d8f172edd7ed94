"""Where a run is, from its events."""

from __future__ import annotations

from loratpl.run.watchdog.progress import Progress


def test_a_step_lasts_from_one_update_to_the_next() -> None:
    progress = Progress()
    progress.take({"event": "phase", "phase": "training"})
    assert (progress.phase, progress.step, progress.has_trained, progress.step_s) == ("training", 0, False, None)
    for batch in range(40):  # four to an update: the number stays that of the last one
        progress.take({"event": "step", "step": 100 + batch // 4, "time": 50.0 + batch})
    assert (progress.step, progress.has_trained, progress.step_s) == (109, True, 4.0)


def test_a_clock_that_is_put_back_and_events_of_others_do_no_harm() -> None:
    progress = Progress()
    for step, time in enumerate([10.0, 12.0, 3.0, 5.0], 1):
        progress.take({"event": "step", "step": step, "time": time})
    progress.take({"event": "step", "step": "5", "time": 6.0})
    progress.take({"event": "step", "step": 6})
    assert (progress.step, progress.step_s) == (4, 2.0)
