"""Settings come from the environment, or from files of secrets, once, at the start of a process."""

import os
import sys
from pathlib import Path
from typing import Final, Literal, NoReturn, TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.logging_setup import LogFormat

SECRETS_DIR: Final = "SECRETS_DIR"
"""Names a directory with a file for each setting that is not in the environment.

A file is named like its variable in lower case, as in `database_url`; white space around its
content is cut off. A variable that is set, and not empty, wins over the file of its name.
"""

Settings = TypeVar("Settings", bound=BaseSettings)


class ProcessSettings(BaseSettings):
    """What every process has: where it listens and how it logs."""

    model_config = SettingsConfigDict(
        extra="ignore", frozen=True, hide_input_in_errors=True, env_ignore_empty=True
    )

    host: str = "127.0.0.1"
    port: int = Field(ge=0, le=65535)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: LogFormat = "auto"


def load_settings(settings: type[Settings]) -> Settings:
    """The settings of the environment and the files, or one line per bad one and exit status 2."""
    try:
        return settings(_secrets_dir=_secrets_directory())
    except ValidationError as error:
        _exit_with(format_errors(settings, error))
    except OSError as error:
        _exit_with([f"{SECRETS_DIR}: {error.filename}: {(error.strerror or str(error)).lower()}"])


def _secrets_directory() -> Path | None:
    """A directory that was named and is not there is a mistake, not a lack of secrets."""
    name = os.environ.get(SECRETS_DIR)
    if not name:
        return None
    directory = Path(name)
    if not directory.is_dir():
        _exit_with([f"{SECRETS_DIR}: {name} is not a directory"])
    return directory


def require_exactly_when(settings: ProcessSettings, field: str, needed: bool, by: str) -> None:
    """For validators: ValueError, naming the setting, if it is unset and needed `by` another one,
    or set and meaningless with it.
    """
    is_set = getattr(settings, field) is not None
    if needed and not is_set:
        raise ValueError(f"{field.upper()}: is needed for {by}")
    if is_set and not needed:
        raise ValueError(f"{field.upper()}: has no meaning with {by}")


def format_errors(settings: type[BaseSettings], error: ValidationError) -> list[str]:
    """One line for each bad setting: its environment variable and why, never its value."""
    prefix = settings.model_config.get("env_prefix", "")
    return [
        _variable(prefix, detail["loc"]) + _reason(detail["type"], detail["msg"])
        for detail in error.errors(include_url=False, include_input=False)
    ]


def _variable(prefix: str, location: tuple[int | str, ...]) -> str:
    """Nothing for what concerns several settings: such a reason begins with their names."""
    return f"{prefix}{'__'.join(map(str, location))}: ".upper() if location else ""


def _reason(kind: str, message: str) -> str:
    return "is not set" if kind == "missing" else message.removeprefix("Value error, ")


def _exit_with(lines: list[str]) -> NoReturn:
    sys.stderr.write("".join(f"{line}\n" for line in lines))
    raise SystemExit(2)
