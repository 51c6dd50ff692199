"""Splits text into words for search: runs of letters and digits, without marks, case-folded."""

import unicodedata

_MAX_KNOWN_CHARACTERS = 4096


class _WordCharacters(dict[int, int | None]):
    """For `str.translate`: deletes marks, and replaces what is no letter or digit by a blank.

    It remembers the characters that occur.
    """

    def __missing__(self, code: int) -> int | None:
        character = chr(code)
        kept = code if character.isalnum() else ord(" ")
        result = None if unicodedata.category(character).startswith("M") else kept
        if len(self) < _MAX_KNOWN_CHARACTERS:
            self[code] = result
        return result


_WORD_CHARACTERS = _WordCharacters()


def words_of(text: str) -> list[str]:
    """The words in order: `Crème BRÛLÉE-2` has `creme`, `brulee`, `2`."""
    if text.isascii():
        folded = text.casefold()
    else:
        folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return folded.translate(_WORD_CHARACTERS).split()
