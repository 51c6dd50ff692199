"""Finds the breaking changes of an OpenAPI document for the callers of its operations."""

from collections.abc import Iterator
from typing import Any, Final

from deploy.contracts.schema_compatibility import differences
from deploy.contracts.schemas import inlined

Json = dict[str, Any]

_PROBLEM: Final = "application/problem+json"
_EVENT_STREAM: Final = "text/event-stream"


def openapi_breaks(old: Json, new: Json) -> Iterator[str]:
    """One sentence per breaking change, with the callers that it affects."""
    for path, methods in old["paths"].items():
        for method, operation in methods.items():
            affected = f"callers of {method.upper()} {path}"
            now = new.get("paths", {}).get(path, {}).get(method)
            if now is None:
                yield f"{affected}: the operation was removed"
                continue
            before = _Operation(operation, old)
            for difference in before.breaks(_Operation(now, new)):
                yield f"{affected}: {difference}"


class _Operation:
    """An operation with the components that it references."""

    def __init__(self, operation: Json, document: Json) -> None:
        self._operation = operation
        self._components = document.get("components", {})

    def breaks(self, new: "_Operation") -> Iterator[str]:
        yield from self._security(new)
        yield from self._parameters(new)
        yield from self._body(new)
        for status in self._operation["responses"]:
            yield from self._response_breaks(status, new)

    def _security(self, new: "_Operation") -> Iterator[str]:
        accepted = new._operation["security"]
        for requirement in self._operation["security"]:
            if requirement not in accepted:
                scope = ", ".join(requirement.get("bearer", ["no token"]))
                yield f"{scope} no longer grants access"

    def _parameters(self, new: "_Operation") -> Iterator[str]:
        before, after = self._by_name(), new._by_name()
        for key, parameter in before.items():
            name = f"the {key[0]} parameter {key[1]}"
            if key not in after:
                yield f"{name} was removed"
                continue
            yield from differences(parameter["schema"], after[key]["schema"], "deserializer", name)
        for key, parameter in after.items():
            if parameter["required"] and not before.get(key, {}).get("required"):
                yield f"the {key[0]} parameter {key[1]} is now required"

    def _by_name(self) -> dict[tuple[str, str], Json]:
        return {(p["in"], p["name"]): p for p in self._operation.get("parameters", ())}

    def _body(self, new: "_Operation") -> Iterator[str]:
        before, after = self._operation.get("requestBody"), new._operation.get("requestBody")
        if after is None:
            return
        if before is None:
            yield "a body is now required"
            return
        for media_type, content in before["content"].items():
            now = after["content"].get(media_type)
            if now is None:
                yield f"a body of {media_type} is no longer accepted"
                continue
            schemas = self._schema(content), new._schema(now)
            for difference in differences(*schemas, "deserializer"):
                yield f"in the request, {difference}"

    def _response_breaks(self, status: str, new: "_Operation") -> Iterator[str]:
        if status not in new._operation["responses"]:
            yield f"the response {status} was removed"
            return
        before, after = self._response(status), new._response(status)
        for name in before.get("headers", {}).keys() - after.get("headers", {}).keys():
            yield f"the response {status} no longer has the header {name}"
        for media_type, content in before.get("content", {}).items():
            now = after.get("content", {}).get(media_type)
            if now is None:
                yield f"the response {status} is no longer {media_type}"
            elif media_type == _PROBLEM:
                for name in content["examples"].keys() - now["examples"].keys():
                    yield f"the response {status} no longer has the problem {name}"
                yield from self._problem(status, new)
            else:
                schemas = self._schema(content), new._schema(now)
                if media_type == _EVENT_STREAM:
                    schemas = _streamed_document(schemas[0]), _streamed_document(schemas[1])
                for difference in differences(*schemas, "serializer"):
                    yield f"in the response {status}, {difference}"

    def _problem(self, status: str, new: "_Operation") -> Iterator[str]:
        """Problem types may be added; the schema that they share must stay compatible."""
        before, after = (part._components["schemas"]["Problem"] for part in (self, new))
        for difference in differences(before, after, "serializer"):
            yield f"in the response {status}, {difference}"

    def _response(self, status: str) -> Json:
        found: Json = self._operation["responses"][status]
        if "$ref" in found:
            found = self._components["responses"][found["$ref"].rpartition("/")[2]]
        return found

    def _schema(self, content: Json) -> Json:
        schema: Json = inlined(content.get("schema", {}), self._components.get("schemas", {}))
        return schema


def _streamed_document(event: Json) -> Json:
    """The schema of the document in an event; {} if the stream is described as text only."""
    found: Json = event.get("properties", {}).get("data", {}).get("contentSchema", {})
    return found
