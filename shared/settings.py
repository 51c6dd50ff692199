"""Reads settings from environment variables and secret files, once, at the start of a process."""

import os
import sys
from pathlib import Path
from typing import Final, Literal, NoReturn, TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.logging_setup import LogFormat

SECRETS_DIR: Final = "SECRETS_DIR"
"""The variable that names a directory with one file per setting.

A file has the lower-case name of its variable, as in `database_url`; leading and trailing
whitespace is trimmed. A variable that is set and not empty takes precedence over its file.
"""

Settings = TypeVar("Settings", bound=BaseSettings)


class ProcessSettings(BaseSettings):
    """The settings of every process: its address and its logging."""

    model_config = SettingsConfigDict(
        extra="ignore", frozen=True, hide_input_in_errors=True, env_ignore_empty=True
    )

    host: str = "127.0.0.1"
    port: int = Field(ge=0, le=65535)
    operations_port: int | None = Field(None, ge=0, le=65535)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: LogFormat = "auto"

    @property
    def health_port(self) -> int:
        """Where health checks and metrics are served."""
        return self.port if self.operations_port is None else self.operations_port


def load_settings(settings: type[Settings]) -> Settings:
    """The settings; if any is invalid, write one line for each and exit with status 2."""
    try:
        return settings(_secrets_dir=_secrets_directory())
    except ValidationError as error:
        _exit_with(format_errors(settings, error))
    except OSError as error:
        _exit_with([f"{SECRETS_DIR}: {error.filename}: {(error.strerror or str(error)).lower()}"])


def _secrets_directory() -> Path | None:
    """A directory that does not exist is an error, not an absence of secrets."""
    name = os.environ.get(SECRETS_DIR)
    if not name:
        return None
    directory = Path(name)
    if not directory.is_dir():
        _exit_with([f"{SECRETS_DIR}: {name} is not a directory"])
    return directory


def require_exactly_when(settings: ProcessSettings, field: str, needed: bool, by: str) -> None:
    """For validators: raise ValueError if the setting is needed `by` another and unset, or set and
    unused. The message names the setting.
    """
    is_set = getattr(settings, field) is not None
    if needed and not is_set:
        raise ValueError(f"{field.upper()}: is required by {by}")
    if is_set and not needed:
        raise ValueError(f"{field.upper()}: has no effect with {by}")


def format_errors(settings: type[BaseSettings], error: ValidationError) -> list[str]:
    """One line per invalid setting: its environment variable and the reason, never its value."""
    prefix = settings.model_config.get("env_prefix", "")
    return [
        _variable(prefix, detail["loc"]) + _reason(detail["type"], detail["msg"])
        for detail in error.errors(include_url=False, include_input=False)
    ]


def _variable(prefix: str, location: tuple[int | str, ...]) -> str:
    """Empty for an error of several settings: its reason begins with their names."""
    return f"{prefix}{'__'.join(map(str, location))}: ".upper() if location else ""


def _reason(kind: str, message: str) -> str:
    return "is not set" if kind == "missing" else message.removeprefix("Value error, ")


def _exit_with(lines: list[str]) -> NoReturn:
    sys.stderr.write("".join(f"{line}\n" for line in lines))
    raise SystemExit(2)
