"""Which encoding bytes are in that are not UTF-8: a guess from what their text would look like."""

from __future__ import annotations

import codecs
import re

_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ALL_BOMS = tuple(bom for bom, _ in _BOMS)
_ZEROS = 0.75  # of every second byte
_ASCII = 0x7F
_KANA = re.compile("[\u3041-\u30ff]")
_IDEOGRAPHS = re.compile("[\u3001-\u30ff\u4e00-\u9fff\uff01-\uff5e]")
_CYRILLIC = re.compile("[\u0430-\u044f\u0451]")
# Each with the characters that a text of its language has at least so large a share of, among those beyond ASCII. The
# strict ones come first: nearly all bytes are Chinese of some kind, and all of them are Latin.
_CANDIDATES = (
    ("euc_jp", _KANA, 0.25),
    ("cp932", _KANA, 0.25),
    ("euc_kr", re.compile("[\uac00-\ud7a3]"), 0.9),
    ("koi8-r", _CYRILLIC, 0.75),
    ("cp1251", _CYRILLIC, 0.75),
    ("gb2312", _IDEOGRAPHS, 0.9),
    ("big5", _IDEOGRAPHS, 0.9),
    ("cp1252", re.compile("[\u00a1-\u00ff\u0152-\u0178\u2013-\u2026\u20ac]"), 0.75),
)
# Western letters beyond ASCII stand between others: Cyrillic ones stand together, and real Big5 has more high bytes
# than it would have if it took the ASCII letter after each of them for a second half.
_RUNS = re.compile(b"[\x80-\xff]{2,}")
_TOGETHER = 0.75
_HIGH_BYTES_PER_CHARACTER = 1.2
# Titles for people; Python's own names for the rest.
_TITLES = {
    "utf-16": "UTF-16", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16", "utf-32": "UTF-32", "euc_jp": "EUC-JP",
    "cp932": "Shift-JIS", "euc_kr": "EUC-KR", "gb2312": "GB2312", "big5": "Big5", "cp1251": "Windows-1251",
    "koi8-r": "KOI8-R", "cp1252": "Windows-1252",
}  # fmt: skip


def guess_encoding(content: bytes) -> str:
    """Returns the codec that most likely wrote these bytes, "" where no text comes of them.

    >>> guess_encoding("café".encode("cp1252")), guess_encoding("猫の絵".encode("cp932"))
    ('cp1252', 'cp932')
    """
    wide = guess_wide(content)
    if wide or b"\0" in content:
        return wide
    return next((name for name, expected, share in _CANDIDATES if _reads_like(content, name, expected, share)), "")


def _reads_like(content: bytes, encoding: str, expected: re.Pattern[str], share: float) -> bool:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        return False
    beyond = [character for character in text if character > "\x7f"]
    high = sum(1 for byte in content if byte > _ASCII)
    if expected is _CYRILLIC and sum(map(len, _RUNS.findall(content))) < _TOGETHER * high:
        return False
    if encoding == "big5" and high < _HIGH_BYTES_PER_CHARACTER * len(beyond):
        return False
    return sum(1 for character in beyond if expected.match(character)) >= share * len(beyond)


def guess_wide(content: bytes) -> str:
    """Returns the codec of text in units of several bytes: it begins with a mark, or every second byte of it is 0.

    >>> guess_wide("a cat".encode("utf-16-be")), guess_wide("a cat".encode("utf-16")), guess_wide(b"a cat")
    ('utf-16-be', 'utf-16', '')
    """
    if content.startswith(_ALL_BOMS):
        return next(encoding for bom, encoding in _BOMS if content.startswith(bom))
    half = len(content) // 2
    if b"\0" not in content or half == 0:
        return ""
    if content[1::2].count(0) > half * _ZEROS:
        return "utf-16-le"
    return "utf-16-be" if content[::2].count(0) > half * _ZEROS else ""


def title_of(encoding: str) -> str:
    """Returns what people call an encoding."""
    return _TITLES.get(encoding, encoding)
