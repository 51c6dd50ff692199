"""Splits text into words for search: runs of letters and digits, without marks, case-folded."""

import re
import unicodedata

_NOT_A_WORD = re.compile(r"[\W_]+")


def words_of(text: str) -> list[str]:
    """The words in order: `Crème BRÛLÉE-2` has `creme`, `brulee`, `2`."""
    if text.isascii():
        folded = text.casefold()
    else:
        decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
        folded = "".join(c for c in decomposed if not unicodedata.category(c).startswith("M"))
    return [word for word in _NOT_A_WORD.split(folded) if word]
