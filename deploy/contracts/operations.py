"""What a change of an OpenAPI document breaks for those who call its operations."""

from collections.abc import Iterator
from typing import Any, Final

from deploy.contracts.schema_compatibility import differences
from deploy.contracts.schemas import inlined

Json = dict[str, Any]

_PROBLEM: Final = "application/problem+json"


def openapi_breaks(old: Json, new: Json) -> Iterator[str]:
    """One sentence for each, with whom it breaks."""
    for path, methods in old["paths"].items():
        for method, operation in methods.items():
            whom = f"callers of {method.upper()} {path}"
            now = new.get("paths", {}).get(path, {}).get(method)
            if now is None:
                yield f"{whom}: it is gone"
                continue
            before = _Operation(operation, old)
            for difference in before.breaks(_Operation(now, new)):
                yield f"{whom}: {difference}"


class _Operation:
    """An operation with the components that it refers to."""

    def __init__(self, operation: Json, document: Json) -> None:
        self._operation = operation
        self._components = document.get("components", {})

    def breaks(self, new: "_Operation") -> Iterator[str]:
        yield from self._admission(new)
        yield from self._parameters(new)
        yield from self._body(new)
        for status in self._operation["responses"]:
            yield from self._answer(status, new)

    def _admission(self, new: "_Operation") -> Iterator[str]:
        admits = new._operation["security"]
        for way in self._operation["security"]:
            if way not in admits:
                scope = ", ".join(way.get("bearer", ["no token"]))
                yield f"{scope} does not admit any more"

    def _parameters(self, new: "_Operation") -> Iterator[str]:
        before, after = self._by_name(), new._by_name()
        for key, parameter in before.items():
            name = f"the {key[0]} parameter {key[1]}"
            if key not in after:
                yield f"{name} is gone"
                continue
            yield from differences(parameter["schema"], after[key]["schema"], "deserializer", name)
        for key, parameter in after.items():
            if parameter["required"] and not before.get(key, {}).get("required"):
                yield f"the {key[0]} parameter {key[1]} is required now"

    def _by_name(self) -> dict[tuple[str, str], Json]:
        return {(p["in"], p["name"]): p for p in self._operation.get("parameters", ())}

    def _body(self, new: "_Operation") -> Iterator[str]:
        before, after = self._operation.get("requestBody"), new._operation.get("requestBody")
        if after is None:
            return
        if before is None:
            yield "a body is required now"
            return
        for media_type, content in before["content"].items():
            now = after["content"].get(media_type)
            if now is None:
                yield f"a body of {media_type} is refused now"
                continue
            schemas = self._schema(content), new._schema(now)
            for difference in differences(*schemas, "deserializer"):
                yield f"of the request, {difference}"

    def _answer(self, status: str, new: "_Operation") -> Iterator[str]:
        if status not in new._operation["responses"]:
            yield f"the answer {status} is gone"
            return
        before, after = self._response(status), new._response(status)
        for name in before.get("headers", {}).keys() - after.get("headers", {}).keys():
            yield f"the answer {status} has lost its header {name}"
        for media_type, content in before.get("content", {}).items():
            now = after.get("content", {}).get(media_type)
            if now is None:
                yield f"the answer {status} is not {media_type} any more"
            elif media_type == _PROBLEM:
                for name in content["examples"].keys() - now["examples"].keys():
                    yield f"the answer {status} is never {name} any more"
                yield from self._problem(status, new)
            else:
                schemas = self._schema(content), new._schema(now)
                for difference in differences(*schemas, "serializer"):
                    yield f"of the answer {status}, {difference}"

    def _problem(self, status: str, new: "_Operation") -> Iterator[str]:
        """Further types may be added; the shape they share may not break."""
        shapes = [part._components["schemas"]["Problem"] for part in (self, new)]
        for difference in differences(shapes[0], shapes[1], "serializer"):
            yield f"of the answer {status}, {difference}"

    def _response(self, status: str) -> Json:
        found: Json = self._operation["responses"][status]
        if "$ref" in found:
            found = self._components["responses"][found["$ref"].rpartition("/")[2]]
        return found

    def _schema(self, content: Json) -> Json:
        schema: Json = inlined(content.get("schema", {}), self._components.get("schemas", {}))
        return schema
