"""Requests to stop, by real signals to this process."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from loratpl.run.stopping import ECHO_WINDOW_S, StopRequests

STOP_SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_signal_is_counted_and_ends_nothing(number: signal.Signals) -> None:
    stops = StopRequests()
    with stops.listening():
        signal.raise_signal(number)
        assert (stops.count, stops.first_signal) == (1, number)


def test_the_first_signal_decides_and_every_one_counts() -> None:
    stops = StopRequests()
    with stops.listening():
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.raise_signal(number)
    assert (stops.count, stops.first_signal) == (3, signal.SIGTERM)


def test_the_same_signal_twice_in_one_moment_is_one_request() -> None:
    """`timeout kohyatpl run` gets one SIGTERM with its group and passes another on."""
    stops = StopRequests()
    with stops.listening():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert stops.count == 1
        time.sleep(ECHO_WINDOW_S + 0.1)
        signal.raise_signal(signal.SIGTERM)
    assert stops.count == 2


def test_without_a_signal_nobody_asked() -> None:
    stops = StopRequests()
    with stops.listening():
        pass
    assert (stops.count, stops.first_signal) == (0, None)


def test_the_earlier_handlers_are_back_afterwards_also_after_an_error() -> None:
    earlier = [signal.getsignal(number) for number in STOP_SIGNALS]
    stops = StopRequests()
    with pytest.raises(KeyError), stops.listening():
        raise KeyError
    assert [signal.getsignal(number) for number in STOP_SIGNALS] == earlier
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert stops.count == 0


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_a_signal_that_was_ignored_from_the_start_stays_ignored(number: signal.Signals) -> None:
    """`nohup` ignores SIGHUP and a script's `&` ignores SIGINT before the program starts, and mean it."""
    stops = StopRequests()
    earlier = signal.signal(number, signal.SIG_IGN)
    try:
        with stops.listening():
            signal.raise_signal(number)
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, earlier)
    assert stops.count == 0


def test_outside_the_main_thread_it_listens_to_nothing() -> None:
    earlier = [signal.getsignal(number) for number in STOP_SIGNALS]
    during: list[object] = []

    def listen() -> None:
        with StopRequests().listening():
            during.extend(signal.getsignal(number) for number in STOP_SIGNALS)

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert during == earlier
