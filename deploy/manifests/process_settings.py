"""Checks that the manifests give each process the settings that its code reads, and no others."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry
from pydantic import ValidationError
from pydantic_core import PydanticUndefined

from deploy.manifests.processes import COMMANDS, Process, image_environment
from shared.http.health import Health, health_operations
from shared.settings import SECRETS_DIR, ProcessSettings, format_errors

FILE_SETTINGS: Final = ("_FILE", "_URL")
_EXAMPLE_SECRETS: Final = {"redis_url": "redis://user:password@host"}
"""Valid values for secrets whose format is checked."""


def process_violations(process: Process) -> Iterator[str]:
    """One line per setting that is missing, unknown or without effect."""
    settings = COMMANDS.get(process.command)
    if settings is None:
        yield f"{process.location}: there is no command {' '.join(process.command)}"
        return
    for violation in (
        *_unknown(process, settings),
        *_missing(process, settings),
        *_bad_values(process, settings),
        *_bad_files(process),
        *_bad_addresses(process),
    ):
        yield f"{process.location}: {violation}"


def variables(settings: type[ProcessSettings]) -> dict[str, str]:
    """Environment variable to field."""
    return {field.upper(): field for field in settings.model_fields}


def is_required(settings: type[ProcessSettings], field: str) -> bool:
    described = settings.model_fields[field]
    return described.default is PydanticUndefined and described.default_factory is None


def _unknown(process: Process, settings: type[ProcessSettings]) -> Iterator[str]:
    known = {*variables(settings), SECRETS_DIR}
    for name in sorted(set(process.environment) - known):
        yield f"{name} is not a setting of {' '.join(process.command)}"
    for name in sorted(process.secrets - set(settings.model_fields)):
        yield f"the secret {name} is not a setting of {' '.join(process.command)}"
    for name in sorted(process.secrets & {name.lower() for name in process.environment}):
        yield f"the secret {name} is overridden by the environment variable"


def _missing(process: Process, settings: type[ProcessSettings]) -> Iterator[str]:
    given = {*process.environment, *image_environment()}
    for variable, field in variables(settings).items():
        if is_required(settings, field) and variable not in given and field not in process.secrets:
            yield f"{variable} is not set"


def _bad_values(process: Process, settings: type[ProcessSettings]) -> Iterator[str]:
    given = image_environment() | dict(process.environment)
    fields = variables(settings)
    values = {name: _EXAMPLE_SECRETS.get(name, "given") for name in process.secrets}
    values |= {
        fields[name]: value
        for name, value in given.items()
        if name in fields and not name.endswith("_FILE")  # the file exists in the container only
    }
    try:
        settings(**values)  # type: ignore[arg-type]  # strings, as in the environment
    except ValidationError as error:
        # Missing settings are reported by _missing.
        yield from (line for line in format_errors(settings, error) if "is not set" not in line)


def _bad_files(process: Process) -> Iterator[str]:
    """The files that settings name are in mounted directories."""
    named = {SECRETS_DIR: process.environment.get(SECRETS_DIR)}
    for name, value in process.environment.items():
        if name.endswith(FILE_SETTINGS):
            is_path = value.startswith(("/", "file:"))
            named[name] = urlsplit(value).path.rpartition("/")[0] if is_path else None
    for name, directory in named.items():
        if directory is not None and directory not in process.mounts:
            yield f"{name} names a file in {directory}, which is not mounted"


def _bad_addresses(process: Process) -> Iterator[str]:
    environment = {**image_environment(), **process.environment}
    listening = [int(environment[name]) for name in ("PORT", "OPERATIONS_PORT")]
    for port in sorted(process.ports - set(listening)):
        places = " and ".join(map(str, listening))
        yield f"it listens on {places}, not on {port or 'the port of a probe'}"
    served = {operation.path for operation in health_operations(Health(), CollectorRegistry())}
    for path in sorted(process.probes - served):
        yield f"it does not serve {path}"
