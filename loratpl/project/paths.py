"""Where everything of a project lies: each path is a property, and written here alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

IMAGE_DIR_NAME = "image_dir"
REG_DIR_NAME = "reg_dir"
CONFIG_NAME = "config.json"


@dataclass(frozen=True, slots=True)
class RunPaths:
    """Every file of one run, below `log/<run_id>/`."""

    run_dir: Path

    @property
    def run_id(self) -> str:
        """The run's name in the log folder: YYYYMMDD-HHMMSS-NAME."""
        return self.run_dir.name

    @property
    def record_path(self) -> Path:
        """The record of the run, replaced atomically whenever its state changes."""
        return self.run_dir / "run.json"

    @property
    def reserve_path(self) -> Path:
        """Holds room on the disk for the record of the run's end; there while the run is live."""
        return self.run_dir / "reserve"

    @property
    def config_path(self) -> Path:
        """The config as it was resolved."""
        return self.run_dir / "config.json"

    @property
    def train_toml_path(self) -> Path:
        """What the trainer gets as `--config_file`."""
        return self.run_dir / "train.toml"

    @property
    def dataset_toml_path(self) -> Path:
        """What the trainer gets as `--dataset_config`."""
        return self.run_dir / "dataset.toml"

    @property
    def command_path(self) -> Path:
        """The command, ready to be pasted into a shell."""
        return self.run_dir / "command.txt"

    @property
    def trainer_log_path(self) -> Path:
        """Every byte that the trainer wrote."""
        return self.run_dir / "trainer.log"

    @property
    def events_path(self) -> Path:
        """One JSON object a line for each thing that happened."""
        return self.run_dir / "events.jsonl"

    def sample_prompts_path(self, suffix: str) -> Path:
        """Returns where the prompts of its samples are kept as they were at the start; `suffix` is ".txt" or like."""
        return self.run_dir / f"sample_prompts{suffix}"

    @property
    def tensorboard_dir(self) -> Path:
        """The trainer's `--logging_dir`."""
        return self.run_dir / "tensorboard"

    @property
    def state_dir(self) -> Path:
        """Holds the newest training state to resume from, in a folder named by its step."""
        return self.run_dir / "state"

    @property
    def verdict_path(self) -> Path:
        """What the look at the tensors of the finished file found."""
        return self.run_dir / "verdict.json"


@dataclass(frozen=True, slots=True)
class ProjectPaths:
    """Every place of a project."""

    root_dir: Path

    @property
    def image_dir(self) -> Path:
        """Holds one folder per concept."""
        return self.root_dir / IMAGE_DIR_NAME

    @property
    def reg_dir(self) -> Path:
        """Holds one folder of regularisation images per class."""
        return self.root_dir / REG_DIR_NAME

    @property
    def log_dir(self) -> Path:
        """Holds one folder per run."""
        return self.root_dir / "log"

    @property
    def output_dir(self) -> Path:
        """Holds the LoRAs."""
        return self.root_dir / "output"

    @property
    def config_path(self) -> Path:
        """The config file of a project, unless its template calls it otherwise."""
        return self.root_dir / CONFIG_NAME

    @property
    def hidden_dir(self) -> Path:
        """Caches and the lock."""
        return self.root_dir / ".kohyatpl"

    @property
    def lock_path(self) -> Path:
        """Held while a run or a rename is live."""
        return self.hidden_dir / "lock"

    @property
    def trainer_lock_path(self) -> Path:
        """Held while a trainer is live, also one whose kohyatpl was killed."""
        return self.hidden_dir / "trainer.lock"

    @property
    def journal_path(self) -> Path:
        """The journal of the last set of renames: what `balance --undo` reverses."""
        return self.hidden_dir / "renames.json"

    @property
    def fixes_dir(self) -> Path:
        """The logs of what `check --fix` did, one for each run that can be undone."""
        return self.hidden_dir / "fixes"

    @property
    def originals_dir(self) -> Path:
        """What was there before `check --fix`, in a folder for each of its runs."""
        return self.hidden_dir / "originals"

    @property
    def inspections_path(self) -> Path:
        """What is known of the pictures from the last look at them."""
        return self.hidden_dir / "inspections.json"

    @property
    def hashes_path(self) -> Path:
        """The hashes of files that have been read already."""
        return self.hidden_dir / "hashes.json"

    @property
    def detached_dir(self) -> Path:
        """What runs that were started with `--detach` have said, a file for each."""
        return self.hidden_dir / "detached"

    @property
    def schema_path(self) -> Path:
        """The JSON schema of the config, for editors."""
        return self.hidden_dir / "config.schema.json"

    @property
    def render_dir(self) -> Path:
        """Where `render` writes unless told otherwise."""
        return self.hidden_dir / "render"

    @property
    def measure_dir(self) -> Path:
        """Where a run is made to measure its pace; there while it is live."""
        return self.hidden_dir / "measure"

    def run(self, run_id: str) -> RunPaths:
        """Returns the paths of the run of that id."""
        return RunPaths(self.log_dir / run_id)

    def relative(self, path: Path) -> str:
        """Returns `path` as problems name it: relative to the project where it lies inside it."""
        try:
            return path.relative_to(self.root_dir).as_posix()
        except ValueError:
            return str(path)
