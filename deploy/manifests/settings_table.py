"""Generates the table of settings in deploy/README.md, except its last column, from the code."""

import re
from pathlib import Path
from typing import Final

from deploy.local.home import ROOT
from deploy.manifests.process_settings import is_required, variables
from deploy.manifests.processes import COMMANDS
from shared.settings import SECRETS_DIR

PAGE: Final = ROOT / "deploy" / "README.md"
HEAD: Final = "| setting | default | read by | meaning |\n|---|---|---|---|\n"
NAMES: Final = {
    ("command_service", "serve"): "command service",
    ("projector", "run"): "projector",
    ("query_service",): "query service",
}
_ROW: Final = re.compile(r"^\| `(\w+)` \| .*? \| .*? \| (.*) \|$", re.MULTILINE)
_TABLE: Final = re.compile(re.escape(HEAD) + r"(?:\|.*\n)*")


def with_table(page: str) -> str:
    """The page with the table from the code. The meaning of a new setting is empty."""
    meanings = dict(_ROW.findall(page))
    rows = "".join(
        f"| `{name}` | {default} | {readers} | {meanings.get(name, '')} |\n"
        for name, default, readers in _settings()
    )
    return _TABLE.sub(lambda _: HEAD + rows, page)


def table_violations(page: Path = PAGE) -> list[str]:
    text = page.read_text()
    if not _TABLE.search(text):
        return [f"{page.name} has no table of settings"]
    violations = [] if with_table(text) == text else ["the table is stale: run make manifests"]
    violations += [
        f"the meaning of {name} is missing"
        for name, meaning in _ROW.findall(text)
        if not meaning.strip()
    ]
    return [f"{page.name}: {line}" for line in violations]


def _settings() -> list[tuple[str, str, str]]:
    """Name, default and commands of each setting; required ones first."""
    defaults: dict[str, dict[str, list[str]]] = {}
    for command, settings in COMMANDS.items():
        for name, field in variables(settings).items():
            default = settings.model_fields[field].default
            shown = "required" if is_required(settings, field) else _environment_value(default)
            # Commands with the default port 0 do not listen.
            if (name, default) != ("PORT", 0):
                defaults.setdefault(name, {}).setdefault(shown, []).append(
                    NAMES.get(command, command[-1])
                )
    rows = [(name, _shown(found), _readers(found)) for name, found in defaults.items()]
    rows.append((SECRETS_DIR, "none", "all"))
    return sorted(rows, key=lambda row: (row[1] != "required", row[0]))


def _environment_value(default: object) -> str:
    text = str(default).lower() if isinstance(default, bool) else str(default)
    return "none" if default is None or text == "" else f"`{text}`"


def _shown(found: dict[str, list[str]]) -> str:
    if len(found) == 1:
        return next(iter(found))
    return ", ".join(f"{shown} ({', '.join(of)})" for shown, of in found.items())


def _readers(found: dict[str, list[str]]) -> str:
    readers = [command for commands in found.values() for command in commands]
    return "all" if len(readers) == len(COMMANDS) else ", ".join(readers)
