"""Runs all checks of the manifests."""

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
from deploy.manifests.rendering import rendered, resources, stale_renderings
from deploy.manifests.schema_validation import policy_violations, schema_violations
from deploy.manifests.settings_table import table_violations
from deploy.manifests.tools import PROGRAMS, program


def all_violations() -> Iterator[str]:
    """One line per violation. Raises StackError if a tool is missing or an overlay is invalid."""
    fetch_tools()
    texts = rendered()
    yield from stale_renderings(texts)
    custom = schemas()
    for overlay, text in texts.items():
        found = resources(text)
        external = local_secret_keys() if overlay == "local" else {}
        violations = [
            *schema_violations(found, custom),
            *policy_violations(text),
            *(line for process in in_kubernetes(found) for line in process_violations(process)),
            *reference_violations(found, external),
            *metric_violations(found),
        ]
        yield from (f"{overlay}: {line}" for line in violations)
    yield from (line for process in in_compose() for line in process_violations(process))
    yield from table_violations()


def fetch_tools() -> None:
    """Fetches tools and definitions concurrently: the first run mostly waits for the network."""
    with ThreadPoolExecutor() as pool:
        builds = [pool.submit(program, name) for name in PROGRAMS]
        pool.submit(definitions).result()
        for build in builds:
            build.result()


def local_secret_keys() -> dict[str, set[str]]:
    """Secret name to keys, as `python -m deploy.manifests secrets` creates them."""
    with tempfile.TemporaryDirectory() as directory:
        prepare(Path(directory))
        return dict(keys_of(local_secrets(Path(directory))))
