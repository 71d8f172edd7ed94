"""A rule across options: what is wrong with some settings, why, and what mends it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from loratpl.config.settings import Settings
from loratpl.errors import Problem, Severity

SD_FAMILIES = frozenset({"sd15", "sd2"})
UNET_FAMILIES = frozenset({"sd15", "sd2", "sdxl"})
# Diffusion transformers, trained to flow from noise to picture; all of them but the families above.
FLOW_FAMILIES = frozenset({"sd3", "flux", "chroma", "lumina", "hunyuan-image", "anima"})


@dataclass(frozen=True, slots=True)
class Rule:
    """One fact of the trainer's that settings can go against.

    Attributes:
        code: Of the problem.
        option: The option that the problem is shown at.
        is_broken: Whether these settings go against it; asked only for the rule's families.
        message: What is wrong and what the trainer would do; `{value}` is the option's value, `{family}` the family.
        fix: What mends it.
        severity: An error where the run would end or the user's wish would be lost.
        families: Whom it is for; all of them when None.
    """

    code: str
    option: str
    is_broken: Callable[[Settings], bool]
    message: str
    fix: str
    severity: Severity = "error"
    families: frozenset[str] | None = None

    def judge(self, settings: Settings) -> Problem | None:
        """Returns the problem of these settings, None where there is none."""
        if self.families is not None and settings.family.name not in self.families:
            return None
        if not self.is_broken(settings):
            return None
        message = self.message.format(value=settings[self.option], family=settings.family.name)
        return Problem(self.code, message, settings.where(self.option), self.fix, self.severity)


def judge_all(rules: Iterable[Rule], settings: Settings) -> Iterator[Problem]:
    """Yields the problems that these rules find."""
    for rule in rules:
        problem = rule.judge(settings)
        if problem is not None:
            yield problem


def is_chosen(settings: Settings, name: str) -> bool:
    """Returns whether someone set this option to something; a default of ours is nobody's wish."""
    setting = settings.options.get(name)
    return setting is not None and setting.is_written and setting.value not in (None, False)


def is_on(name: str) -> Callable[[Settings], bool]:
    """Returns a condition: the option is set to something other than nothing, off and 0."""
    return lambda settings: bool(settings[name])


def number(settings: Settings, name: str) -> float:
    """Returns an option's number, 0 where it is unset."""
    value = settings[name]
    return 0.0 if value is None else float(value)


def caches_text_encoders(settings: Settings) -> bool:
    """Returns whether the text encoders' outputs are cached; one of the two options turns the other on."""
    return bool(settings["cache_text_encoder_outputs"] or settings["cache_text_encoder_outputs_to_disk"])


def samples_pictures(settings: Settings) -> bool:
    """Returns whether the training draws sample pictures; a number of 0 or less switches them off."""
    return bool(
        settings["sample_at_first"]
        or number(settings, "sample_every_n_epochs") > 0
        or number(settings, "sample_every_n_steps") > 0
    )
