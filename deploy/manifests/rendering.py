"""Renders the overlays, and compares them with the committed renderings."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from deploy.local.errors import StackError
from deploy.local.home import ROOT
from deploy.manifests.tools import program

Resource = dict[str, Any]

KUBERNETES: Final = ROOT / "deploy" / "kubernetes"
RENDERED: Final = KUBERNETES / "rendered"
OVERLAYS: Final = ("local", "production")


def rendered() -> Mapping[str, str]:
    """Overlay name to YAML. Raises StackError with kustomize's error."""
    return {overlay: _render(KUBERNETES / "overlays" / overlay) for overlay in OVERLAYS}


def resources(text: str) -> list[Resource]:
    """The resources of a rendered overlay."""
    return [document for document in yaml.load_all(text, yaml.CSafeLoader) if document]


def write(texts: Mapping[str, str], directory: Path = RENDERED) -> None:
    directory.mkdir(exist_ok=True)
    for overlay, text in texts.items():
        (directory / f"{overlay}.yaml").write_text(text)


def stale_renderings(texts: Mapping[str, str], directory: Path = RENDERED) -> list[str]:
    """One line per committed file that differs from its overlay."""
    files = {overlay: directory / f"{overlay}.yaml" for overlay in texts}
    return [
        f"{file.name} is stale, overlays/{overlay} has changed: run make manifests"
        for overlay, file in files.items()
        if not file.exists() or file.read_text() != texts[overlay]
    ]


def _render(overlay: Path) -> str:
    done = subprocess.run(
        [program("kustomize"), "build", str(overlay)], capture_output=True, text=True, timeout=120
    )
    if done.returncode != 0:
        raise StackError(f"kustomize: {overlay.name}: {done.stderr.strip()}")
    return done.stdout
