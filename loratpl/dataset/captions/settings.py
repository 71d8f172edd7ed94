"""What the settings say about the captions of one concept."""

from __future__ import annotations

from dataclasses import dataclass

from loratpl.config.settings import Settings


@dataclass(frozen=True, slots=True)
class CaptionSettings:
    """The options that decide which text of a caption is trained.

    Attributes:
        extension: Of caption files, with its dot.
        enable_wildcard: Whether each line is a caption of its own, and `{a|b}` a choice.
        shuffle_caption: Whether tags change their places.
        cuts_tags: Whether captions are taken apart at `separator`: to shuffle tags, to drop some, or to begin with few.
        keep_tokens: How many tags keep their places.
        keep_tokens_separator: What ends the tags that keep their places, "" for none.
        separator: Between tags.
        secondary_separator: What becomes `separator` in the end, "" for none.
        prefix, suffix: What every caption begins and ends with.
    """

    extension: str
    enable_wildcard: bool = False
    shuffle_caption: bool = False
    cuts_tags: bool = False
    keep_tokens: int = 0
    keep_tokens_separator: str = ""
    separator: str = ","
    secondary_separator: str = ""
    prefix: str = ""
    suffix: str = ""

    def trained(self, text: str) -> str:
        """Returns a caption with what is put before and after each of them.

        >>> CaptionSettings(".txt", prefix="ohwx,").trained("a cat")
        'ohwx, a cat'
        """
        before = f"{self.prefix} " if self.prefix else ""
        return f"{before}{text} {self.suffix}" if self.suffix else f"{before}{text}"


def caption_settings_of(settings: Settings) -> CaptionSettings:
    """Returns what the settings of a concept say of its captions."""
    shuffles = bool(settings["shuffle_caption"])
    return CaptionSettings(
        settings.caption_extension,
        enable_wildcard=bool(settings["enable_wildcard"]),
        shuffle_caption=shuffles,
        cuts_tags=shuffles
        or (settings["caption_tag_dropout_rate"] or 0) > 0
        or (settings["token_warmup_step"] or 0) > 0,
        keep_tokens=settings["keep_tokens"] or 0,
        keep_tokens_separator=settings["keep_tokens_separator"] or "",
        separator=settings["caption_separator"] or ",",
        secondary_separator=settings["secondary_separator"] or "",
        prefix=settings["caption_prefix"] or "",
        suffix=settings["caption_suffix"] or "",
    )
