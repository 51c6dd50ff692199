"""Checks that alerts, the dashboard and autoscalers use metrics that the processes export."""

import json
import re
from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry

from command_service.metrics import Metrics as CommandMetrics
from command_service.relay.metrics import RelayMetrics
from deploy.manifests.rendering import Resource
from projector.metrics import Metrics as ProjectorMetrics
from query_service.metrics import Metrics as QueryMetrics
from query_service.metrics import ProjectionMetrics
from query_service.positions import Positions
from shared.http.request_metrics import RequestMetrics

_NAME: Final = re.compile(r"\b(?:tandem|http)_\w+")
_SUFFIXES: Final = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}


def exported_names() -> set[str]:
    """All sample names that the processes export."""
    names: set[str] = set()
    makers = (CommandMetrics, RelayMetrics, ProjectorMetrics, QueryMetrics, RequestMetrics)
    for make in makers:
        registry = CollectorRegistry()
        make(registry)
        for metric in registry.collect():
            suffixes = _SUFFIXES.get(metric.type, ("",))
            names |= {metric.name + suffix for suffix in suffixes}
    return names | {metric.name for metric in ProjectionMetrics(Positions(), {}).collect()}


def metric_violations(resources: list[Resource]) -> list[str]:
    known = exported_names()
    return [
        f"{location}: no process exports {name}"
        for location, expression in _expressions(resources)
        for name in _NAME.findall(expression)
        if name not in known
    ]


def _expressions(resources: list[Resource]) -> Iterator[tuple[str, str]]:
    for resource in resources:
        match resource["kind"]:
            case "PrometheusRule":
                for group in resource["spec"]["groups"]:
                    yield from ((f"alert {r['alert']}", r["expr"]) for r in group["rules"])
            case "ScaledObject":
                for trigger in resource["spec"]["triggers"]:
                    name = f"ScaledObject {resource['metadata']['name']}"
                    yield name, trigger["metadata"].get("query", "")
            case "ConfigMap":
                for name, text in resource["data"].items():
                    if name.endswith(".json"):
                        for panel in json.loads(text)["panels"]:
                            yield f"panel {panel['title']}", panel["targets"][0]["expr"]
