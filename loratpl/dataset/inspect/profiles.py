"""Colour profiles: the trainer throws them away, which only matters where they are not like sRGB."""

from __future__ import annotations

import struct

# Red, green and blue of each space in CIE XYZ under D50, as profiles hold them (ICC.1:2022; the spaces' own standards).
_SRGB = ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))
_KNOWN = {
    "Adobe RGB (1998)": ((0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446)),
    "Display P3": ((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841)),
    "ProPhoto RGB": ((0.7977, 0.2880, 0.0000), (0.1352, 0.7119, 0.0000), (0.0313, 0.0001, 0.8249)),
}
# Profiles round, and those of monitors vary a little around sRGB: nobody sees so much.
_ALIKE = 0.02
_TAGS_AT = 128
_MAX_TAGS = 200
_MAX_NAME = 60

Primaries = tuple[tuple[float, ...], ...]


def profile_name(profile: bytes) -> str:
    """Returns how a colour profile is called, "" where pictures look right without it: sRGB and its like, and grey.

    Args:
        profile: An ICC profile; its beginning is enough.
    """
    space = profile[16:20]
    if len(profile) < _TAGS_AT or profile[36:40] != b"acsp" or space == b"GRAY":
        return ""
    tags = _tags(profile)
    description = _description(profile, tags)
    if space != b"RGB ":
        return description or f"a profile for {space.decode('latin-1').strip()} colours"
    primaries = _primaries(profile, tags)
    if primaries is None:
        return "" if "srgb" in description.lower() else description or "an RGB profile without a name"
    if _are_alike(primaries, _SRGB):
        return ""
    known = next((name for name, colours in _KNOWN.items() if _are_alike(primaries, colours)), "")
    return known or description or "an RGB profile without a name"


def _tags(profile: bytes) -> dict[bytes, tuple[int, int]]:
    found = {}
    count = min(int.from_bytes(profile[_TAGS_AT : _TAGS_AT + 4], "big"), _MAX_TAGS)
    for start in range(_TAGS_AT + 4, _TAGS_AT + 4 + 12 * count, 12):
        entry = profile[start : start + 12]
        if len(entry) == 12:
            found[entry[:4]] = (int.from_bytes(entry[4:8], "big"), int.from_bytes(entry[8:], "big"))
    return found


def _primaries(profile: bytes, tags: dict[bytes, tuple[int, int]]) -> Primaries | None:
    colours = []
    for name in (b"rXYZ", b"gXYZ", b"bXYZ"):
        offset, _ = tags.get(name, (len(profile), 0))
        try:
            colours.append(tuple(value / 65536 for value in struct.unpack_from(">3i", profile, offset + 8)))
        except struct.error:
            return None
    return tuple(colours)


def _are_alike(one: Primaries, other: Primaries) -> bool:
    return all(abs(a - b) <= _ALIKE for x, y in zip(one, other, strict=True) for a, b in zip(x, y, strict=True))


def _description(profile: bytes, tags: dict[bytes, tuple[int, int]]) -> str:
    offset, length = tags.get(b"desc", (0, 0))
    block = profile[offset : offset + min(length, 4096)]
    if block[:4] == b"desc":
        text = block[12 : 12 + int.from_bytes(block[8:12], "big")].split(b"\0")[0].decode("latin-1")
    elif block[:4] == b"mluc":
        size, start = int.from_bytes(block[20:24], "big"), int.from_bytes(block[24:28], "big")
        text = block[start : start + size].decode("utf-16-be", errors="replace")
    else:
        return ""
    return "".join(letter for letter in text if letter.isprintable()).strip()[:_MAX_NAME]
