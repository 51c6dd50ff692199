"""`python -m tools.vocabulary`: rejects words that the glossary replaces with a standard term.

The rules are applied to identifiers too: `told_shards` and `ToldShards` are read as `told shards`.
If a word is legitimate in one context, add that context to its rule's `allowed`.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from tools.source_text import ROOT, source_files

_FLAGS: Final = re.IGNORECASE
_WORD_BOUNDARIES: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|_")
_CODE_SPANS: Final = re.compile(r"`[^`]*`")
_WITH_FORMER_WORDS: Final = ("CHANGELOG.md", "docs/glossary.md")
"""Files that may contain former names, and words that are counted, as code spans."""
_UNCHECKED: Final = ("tools/", "tests/unit/tools/")
"""Files that list the rejected words."""


class Rule(NamedTuple):
    words: str
    """Alternatives of a regular expression, matched as complete words in any case."""
    use: str
    allowed: str = ""
    """A case-sensitive regular expression for contexts in which the words are legitimate."""


RULES: Final = (
    Rule("stands?|stood", "is, is stored in, is listed in, represents"),
    Rule("tells?|told|says?|said", "log, report, notify, return, state, distinguish"),
    Rule(
        "whoever|whom|(some|every|any)bodys?|nobodys?",
        "the role: operator, caller, client, consumer, owner",
        r'OTHER_USER = "nobody"',
    ),
    Rule("anew|afresh", "again, new"),
    Rule("meanwhile", "in the meantime"),
    Rule("for ?ever", "indefinitely", r"\b(serve|run)_forever\b"),
    Rule("hence", "therefore"),
    Rule("answer(s|ed|ing)?|unanswered", "response (HTTP), reply (Redis), acknowledgement, result",
         r"(FROM|INTO|UPDATE|ON|TABLE|ANALYZE|log) answers\b|\banswers(_by_| \(| AS)|\"answers\""),
    Rule("asks?|asked|asking", "request, query, send, call", r"\bASK(ING)?\b|\bAskError\b"),
    Rule("look(s|ed|ing)?", "poll, read, compare", r"\b[Ll]ook(s|ed|ing)?[- ]up"),
    Rule("ma(ke|kes|de|king) (it |them )?again", "recreate"),
    Rule("(is|are|was|were|be|been) away", "is unavailable"),
    Rule("by (itself|themselves)", "automatically; transient"),
    Rule("(is|are|was|were|be|all|everything|last) level|level (again|with)", "caught up"),
    Rule("fork(s|ed)?", "log divergence", r"\bos\.fork|start_method|Process\(fork"),
    Rule("heal(s|ed|ing)?", "catch up, catch-up"),
    Rule("holes?", "gap"),
    Rule("(an?|the|each|every|any|no) repeat|repeats (are|of)", "duplicate"),
    Rule("refus(e|es|ed|al|als|ing)", "reject, rejection",
         r"[Cc]onnections? (is |was |are |were )?refused|ConnectionRefused|ECONNREFUSED"),
    Rule("the truth", "the source of truth"),
    Rule("ours?", "Tandem's"),
    Rule("g(ive|ives|iven|iving|ave) back", "release, return"),
    Rule("(held|hold|holds) against", "reconcile with, compare with"),
    Rule("forg(et|ets|ot|otten|etting)", "erase, delete, omit"),
    Rule("hears?|heard|speaks?|spoken", "receive, send, use"),
    Rule("whole", "complete, all"),
    Rule("ones own|one's own", "own"),
    Rule("a while|so long|that long", "timeout, or the duration"),
    Rule("lately|now and then", "recently, occasionally"),
    Rule("lanes?", "concurrent batches"),
    Rule("gather(s|ed|ing)", "coalesce, batch, collect"),
    Rule("complain(s|ed|ing|t|ts)?", "error, violation, log"),
    Rule("insist(s|ed|ing)?", "require, validate"),
    Rule("where (there|nothing|none|nobody)|none where", "if"),
    Rule("_*(most|least|longest)_\\w+", "max_, min_", r"\.most_common\("),
)  # fmt: skip
_COMPILED: Final = tuple(
    (
        re.compile(rf"\b(?:{rule.words})\b", _FLAGS),
        rule.use,
        re.compile(rule.allowed) if rule.allowed else None,
    )
    for rule in RULES
)
_ANY: Final = re.compile("|".join(rf"\b(?:{rule.words})\b" for rule in RULES), _FLAGS)


class Finding(NamedTuple):
    path: str
    line: int
    word: str
    use: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.word} -> use {self.use}"


def find(path: str, text: str) -> Iterator[Finding]:
    """The rejected words of a file, in order."""
    for number, line in enumerate(text.splitlines(), 1):
        if path in _WITH_FORMER_WORDS:
            line = _CODE_SPANS.sub("", line)
        split = _WORD_BOUNDARIES.sub(" ", line)
        if not _ANY.search(line) and not _ANY.search(split):
            continue
        for pattern, use, allowed in _COMPILED:
            found = pattern.search(split) or pattern.search(line)
            if found and not (allowed and allowed.search(line)):
                yield Finding(path, number, found[0], use)


def check(root: Path = ROOT) -> list[Finding]:
    """The rejected words of all source files."""
    return [
        finding
        for path in source_files(root)
        if not path.startswith(_UNCHECKED)
        for finding in find(path, (root / path).read_text())
    ]


def _summary(findings: list[Finding]) -> Iterator[str]:
    """Numbers of findings by folder, then by replacement."""
    folders = Counter("/".join(finding.path.split("/")[:-1]) or "." for finding in findings)
    terms = Counter(finding.use for finding in findings)
    for counts in (folders, terms):
        yield from (f"{count:6d}  {name}" for name, count in counts.most_common())
    yield f"{len(findings):6d}  in total"


def main(arguments: list[str]) -> int:
    findings = check()
    lines = _summary(findings) if arguments == ["--summary"] else map(str, findings)
    for line in lines:
        print(line)
    if findings:
        print("docs/glossary.md lists Tandem's terms.", file=sys.stderr)
    return 1 if findings else 0


if __name__ == "__main__":
    if sys.argv[1:] not in ([], ["--summary"]):
        sys.exit("usage: python -m tools.vocabulary [--summary]")
    sys.exit(main(sys.argv[1:]))
