"""A project on disk: where everything of it lies, how it is laid out, opened and locked."""

from loratpl.project.adoption import adopt_project
from loratpl.project.creation import create_project, refuse_occupied
from loratpl.project.lock import ProjectLock, is_busy, locked, make_hidden_dir
from loratpl.project.naming import NEW_CONCEPT_REPEATS, WEIGHT_BEFORE_NAME, ConceptName, doubtful_name, name_key
from loratpl.project.opening import find_config, find_configs, open_project
from loratpl.project.paths import CONFIG_NAME, IMAGE_DIR_NAME, REG_DIR_NAME, ProjectPaths, RunPaths
from loratpl.project.templates import DEFAULT_TEMPLATE, ProjectTemplate, read_template, template_names

__all__ = [
    "CONFIG_NAME",
    "DEFAULT_TEMPLATE",
    "IMAGE_DIR_NAME",
    "NEW_CONCEPT_REPEATS",
    "REG_DIR_NAME",
    "WEIGHT_BEFORE_NAME",
    "ConceptName",
    "ProjectLock",
    "ProjectPaths",
    "ProjectTemplate",
    "RunPaths",
    "adopt_project",
    "create_project",
    "doubtful_name",
    "find_config",
    "find_configs",
    "is_busy",
    "locked",
    "make_hidden_dir",
    "name_key",
    "open_project",
    "read_template",
    "refuse_occupied",
    "template_names",
]
