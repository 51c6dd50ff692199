"""All that is checked of the manifests, as one list of violations."""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from deploy.compose.prepare import prepare
from deploy.manifests.custom_kinds import definitions, schemas
from deploy.manifests.local_secrets import keys_of, local_secrets
from deploy.manifests.metric_references import metric_violations
from deploy.manifests.process_settings import process_violations
from deploy.manifests.processes import in_compose, in_kubernetes
from deploy.manifests.references import reference_violations
from deploy.manifests.rendering import outdated, rendered, resources
from deploy.manifests.schema_validation import policy_violations, schema_violations
from deploy.manifests.settings_table import table_violations
from deploy.manifests.tools import PROGRAMS, program


def all_violations() -> Iterator[str]:
    """Empty when all is well. Raises StackError where a tool is missing or an overlay broken."""
    fetch_what_is_missing()
    texts = rendered()
    yield from outdated(texts)
    custom = schemas()
    for overlay, text in texts.items():
        found = resources(text)
        brought = local_secret_keys() if overlay == "local" else {}
        violations = [
            *schema_violations(found, custom),
            *policy_violations(text),
            *(line for process in in_kubernetes(found) for line in process_violations(process)),
            *reference_violations(found, brought),
            *metric_violations(found),
        ]
        yield from (f"{overlay}: {line}" for line in violations)
    yield from (line for process in in_compose() for line in process_violations(process))
    yield from table_violations()


def fetch_what_is_missing() -> None:
    """Tools and definitions, at a time: the first run waits for the network more than it works."""
    with ThreadPoolExecutor() as pool:
        building = [pool.submit(program, name) for name in PROGRAMS]
        pool.submit(definitions).result()
        for built in building:
            built.result()


def local_secret_keys() -> dict[str, set[str]]:
    """Name to keys, as `python -m deploy.manifests secrets` makes them."""
    with tempfile.TemporaryDirectory() as directory:
        prepare(Path(directory))
        return dict(keys_of(local_secrets(Path(directory))))
