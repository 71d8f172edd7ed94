"""Starts one of the trainer's scripts, unmodified, and tells what it does.

Usage: entry.py [--events FILE] [--state-dir DIR [--save-state-every-s S | --save-state-every-epochs N]]
                [--go-on-from STATE] [--tiny-unet] SCRIPT [ARGUMENT ...]

--events FILE                append one JSON object a line: training, step, epoch, state, stopped, …
--state-dir DIR              where states are saved, the newest one as DIR/step00000014
--save-state-every-s S       by the clock, in seconds
--save-state-every-epochs N  at the end of every Nth epoch
--go-on-from STATE           such a folder: the training goes on exactly there
--tiny-unet                  for `trainer verify`, `demo` and tests: the base model is the tiny one

Asked to stop (SIGTERM, SIGINT, SIGHUP, or the end of standard input when KOHYATPL_LIFELINE=1), the step in progress is
finished, a state saved, and the process leaves with 75. Before the first step it leaves at once. When the loss is no
number it leaves with 76, and the state of before stays. SIGUSR1 writes what every thread is doing to stderr.
"""

from __future__ import annotations

import argparse
import os
import runpy
import sys
from pathlib import Path

from position import read_position
from run_events import Events
from stop_requests import LIFELINE_VARIABLE, StopRequest, outlive_readers, show_stacks_when_asked


def parsed(argv: list[str]) -> argparse.Namespace:
    """Returns the entry's options; everything after SCRIPT is the script's own."""
    parser = argparse.ArgumentParser(usage=__doc__, add_help=False)
    parser.add_argument("--events")
    parser.add_argument("--state-dir", type=Path)
    when = parser.add_mutually_exclusive_group()
    when.add_argument("--save-state-every-s", type=float)
    when.add_argument("--save-state-every-epochs", type=int)
    parser.add_argument("--go-on-from", type=Path)
    parser.add_argument("--tiny-unet", action="store_true")
    parser.add_argument("script")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    return parser.parse_args(argv)


def main() -> None:
    """Sets the hooks, then runs the script as if it had been started itself."""
    options = parsed(sys.argv[1:])
    # Other processes of the same training report nothing: their numbers are in the first one's.
    is_first = os.environ.get("RANK", "0") == "0"
    events = Events(options.events if is_first else None)
    stop = StopRequest(events, is_first=is_first)
    if options.go_on_from is not None:
        stop.start_step, stop.state_dir = read_position(options.go_on_from).step, str(options.go_on_from)
    stop.listen()
    show_stacks_when_asked()
    if os.environ.get(LIFELINE_VARIABLE) == "1":
        outlive_readers()

    import hooks
    import lazy_modules
    import tiny_unet
    import torchvision_ops
    from resuming import Resumption
    from saving import SavingRules
    from training_watch import TrainingWatch

    # From here on the interpreter looks as it does for a script that was started directly.
    script = os.path.abspath(options.script)
    sys.argv = [script, *options.arguments]
    sys.path[0] = os.path.dirname(script)
    torchvision_ops.install()
    lazy_modules.install()
    rules = SavingRules(options.state_dir, options.save_state_every_s, options.save_state_every_epochs)
    resumption = None if options.go_on_from is None else Resumption(options.go_on_from)
    watch = TrainingWatch(events, stop, rules, resumption)
    hooks.install(watch)
    if options.tiny_unet:
        tiny_unet.shrink_sd1_unet()
    try:
        runpy.run_path(script, run_name="__main__")
    finally:
        # After a stop and after an error too: how much a training that ran out of memory had is worth knowing.
        if stop.is_training:
            watch.tell_memory()


if __name__ == "__main__":
    main()
