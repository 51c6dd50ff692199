"""The overlays as the cluster gets them: rendered, committed, and compared."""

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
    """Overlay to YAML. Raises StackError with what kustomize says of a broken one."""
    return {overlay: _render(KUBERNETES / "overlays" / overlay) for overlay in OVERLAYS}


def resources(text: str) -> list[Resource]:
    """Each document of a rendered overlay."""
    return [document for document in yaml.load_all(text, yaml.CSafeLoader) if document]


def write(texts: Mapping[str, str], directory: Path = RENDERED) -> None:
    directory.mkdir(exist_ok=True)
    for overlay, text in texts.items():
        (directory / f"{overlay}.yaml").write_text(text)


def outdated(texts: Mapping[str, str], directory: Path = RENDERED) -> list[str]:
    """A violation for each committed file that is not what its overlay gives."""
    files = {overlay: directory / f"{overlay}.yaml" for overlay in texts}
    return [
        f"{file.name} is not what overlays/{overlay} gives: run make manifests"
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
