"""Validates each resource against the schema of its kind, and all against a linter's policies."""

import subprocess
from typing import Final

import jsonschema
import kubernetes_validate

from deploy.manifests.custom_kinds import WITHOUT_SCHEMA, Schemas
from deploy.manifests.rendering import Resource
from deploy.manifests.tools import program

KUBERNETES_VERSION: Final = "1.36"
IGNORED_POLICIES: Final = (
    # A digest or tag always refers to the same image.
    "container-image-pull-policy",
    # Root file systems are read-only, and every emptyDir has a limit.
    "container-ephemeral-storage-request-and-limit",
)
"""Policies that do not apply. CPU limits are not required either: they only slow pods down."""


def schema_violations(resources: list[Resource], custom: Schemas) -> list[str]:
    """One line per invalid resource: an unknown, missing or invalid field, or an unknown kind."""
    return [f"{name_of(r)}: {error}" for r in resources if (error := _error(r, custom))]


def policy_violations(rendered: str) -> list[str]:
    """The critical findings of the linter."""
    command = [
        str(program("kube-score")),
        "score",
        "--kubernetes-version",
        f"v{KUBERNETES_VERSION}",
    ]
    ignored = ["--ignore-container-cpu-limit", "--ignore-test", ",".join(IGNORED_POLICIES)]
    done = subprocess.run(
        [*command, *ignored, "--output-format", "ci", "-"],
        input=rendered,
        capture_output=True,
        text=True,
        timeout=120,
    )
    found = [line for line in done.stdout.splitlines() if line.startswith("[CRITICAL]")]
    if done.returncode != 0 and not found:
        return [f"kube-score: {done.stderr.strip() or done.stdout.strip()}"]
    return found


def name_of(resource: Resource) -> str:
    return f"{resource['kind']} {resource['metadata']['name']}"


def _error(resource: Resource, custom: Schemas) -> str | None:
    kind = f"{resource['apiVersion']} {resource['kind']}"
    if kind in WITHOUT_SCHEMA:
        return None
    if kind in custom:
        errors = jsonschema.Draft202012Validator(custom[kind]).iter_errors(resource)
        return next((f"{error.json_path}: {error.message[:300]}" for error in errors), None)
    try:
        kubernetes_validate.validate(resource, KUBERNETES_VERSION, strict=True)
    except kubernetes_validate.ValidationError as error:
        return str(error.message)[:300]
    except kubernetes_validate.SchemaNotFoundError:
        return f"there is no schema for {kind}"
    return None
