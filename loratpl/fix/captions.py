"""The text of a caption file, set right: UTF-8 without a mark, no blank lines before it, nothing that nobody sees.

Another encoding is read only where it cannot well be another one: text with a byte order mark or a zero in every second
byte, Japanese by its kana, Cyrillic and the rest of East Asia from a number of characters on, and Western European
where its letters fit one language.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from loratpl.check.captions.content import hidden_places
from loratpl.dataset.captions import Fault
from loratpl.dataset.captions.encoding import guess_encoding, title_of
from loratpl.dataset.captions.reading import judge_content

_BOM = "\ufeff"
_LINE_END = re.compile("(\r\n|\r|\n)")
# What parts words; all other characters that nobody sees stand within words.
_PARTING = frozenset("\x0b\x0c\x1c\x1d\x1e\x1f\x85\u2028\u2029")
# A character was lost where this stands; only the author knows which.
_LOST = "\ufffd"
_WIDE = frozenset({"utf-16", "utf-16-le", "utf-16-be", "utf-32"})
# Fewer characters than these fit several languages; Japanese is told by its kana.
_SURE_FROM = {"cp1251": 8, "koi8-r": 8, "euc_kr": 10, "gb2312": 10, "big5": 10}
_WESTERN_LETTERS = tuple(
    frozenset(letters + letters.upper())
    for letters in (
        "àâäçèéêëîïôöùûü",  # French
        "áéíóúüñçïàèò",  # Spanish and Catalan
        "ãõâêôáéíóúàçü",  # Portuguese
        "äöüé",  # German
        "àèéìíîòóùú",  # Italian
        "åäöæøéü",  # the languages of the North
        "éèëïöüáíóúâêîôûçñ",  # Dutch, and what English borrows
    )
)
_WESTERN_SIGNS = frozenset("‘’“”‚„–—…•°½¼¾×£€§©®™«»·´¡¿\xa0ß²³")
# Cyrillic that was something else.
_MIXED_CASE = re.compile("[\u0430-\u044f\u0451][\u0410-\u042f\u0401]")
# Signs where the neighbours of Western European have letters: Central European words look like this when misread.
_MISREAD = re.compile("[³²¹ª£¢¥¼½¾][A-Za-zÀ-ÿ]|[A-Za-zÀ-ÿ][¿¡]|[A-Za-zÀ-ÿ]{2}[³²¹]")


@dataclass(frozen=True, slots=True)
class CaptionMend:
    """How a caption file is written anew.

    Attributes:
        is_wildcard: Whether each of its lines is a caption; blank ones do no harm then.
    """

    is_wildcard: bool = False

    def __call__(self, content: bytes, /) -> bytes:
        """Returns the content as it should be; of one that nothing is wrong with, the same."""
        result = normalised(content, is_wildcard=self.is_wildcard)
        return content if result is None else result.content


@dataclass(frozen=True, slots=True)
class Normalised:
    """What a caption file should hold, and what is done for it; no content: nothing to read is left in it."""

    content: bytes
    done: tuple[str, ...]


def normalised(content: bytes, *, is_wildcard: bool) -> Normalised | None:
    r"""Returns the content that a caption file should have, None where it is left as it is.

    >>> normalised(b"\xef\xbb\xbf\n\na cat\n", is_wildcard=False)
    Normalised(content=b'a cat\n', done=('byte order mark removed', 'blank lines before the text removed'))
    >>> normalised(b"a cat\n", is_wildcard=False) is None
    True
    """
    if not content:
        return Normalised(b"", ("it is empty",))
    fault = judge_content("", content).fault
    if fault not in (None, Fault.ENCODING):
        return None
    done = []
    if fault is Fault.ENCODING:
        encoding = sure_encoding(content)
        if not encoding:
            return None
        text = content.decode(encoding)
        done.append(f"{title_of(encoding)} converted to UTF-8")
    else:
        text = content.decode("utf-8")
    before = text
    text = text.lstrip(_BOM)
    if text != before and not done:
        done.append("byte order mark removed")
    visible = _seen(text)
    if visible != text:
        done.append("characters that are not seen removed")
    if not is_wildcard and visible.strip():
        start = _without_blank_lines(visible)
        if start != visible:
            done.append("blank lines before the text removed")
        visible = start
    if not done:
        return None
    return Normalised(visible.encode("utf-8") if visible.strip() else b"", tuple(done))


def sure_encoding(content: bytes) -> str:
    """Returns the codec of bytes that are not UTF-8, "" where it is not certain enough.

    >>> sure_encoding("a café".encode("cp1252")), sure_encoding("猫の絵".encode("cp932"))
    ('cp1252', 'cp932')
    >>> sure_encoding("kość słoniowa".encode("cp1250"))
    ''
    """
    encoding = guess_encoding(content)
    try:
        text = content.decode(encoding or "ascii")
    except UnicodeDecodeError:
        return ""
    if encoding in _WIDE:
        is_sure = bool(text.strip()) and _LOST not in text
    elif encoding == "cp1252":
        is_sure = _is_western(text)
    else:
        beyond = sum(1 for character in text if character > "\x7f")
        is_sure = beyond >= _SURE_FROM.get(encoding, 1) and not _MIXED_CASE.search(text)
    return encoding if is_sure else ""


def _is_western(text: str) -> bool:
    text = text.replace("œu", "oeu").replace("Œu", "Oeu")
    letters = {character for character in text if character > "\x7f"} - _WESTERN_SIGNS
    if ("¿" in text and "?" not in text) or ("¡" in text and "!" not in text) or _MISREAD.search(text):
        return False
    # Where others have an alphabet of their own, next to no letter of ASCII is left.
    plain = sum(character.isascii() and character.isalpha() for character in text)
    if plain < sum(character in letters for character in text):
        return False
    return any(letters <= known for known in _WESTERN_LETTERS)


def _seen(text: str) -> str:
    """Returns a text without the characters that nobody sees and nobody needs."""
    return "".join(part if _LINE_END.fullmatch(part) else _seen_in(part) for part in _LINE_END.split(text))


def _seen_in(line: str) -> str:
    while True:  # one may have been needed by another that is gone
        places = [at for at in hidden_places(line) if line[at] != _LOST]
        if not places:
            return line
        characters = list(line)
        for at in places:
            characters[at] = " " if characters[at] in _PARTING else ""
        line = "".join(characters)


def _without_blank_lines(text: str) -> str:
    parts = _LINE_END.split(text)
    while len(parts) > 1 and not parts[0].strip():
        del parts[:2]
    return "".join(parts)
