"""`/asyncapi.json`: the document of the topics, as it is committed in this package."""

from importlib.resources import files

from shared.http.documentation import document_operation
from shared.http.operations import Operation


def contract_operations() -> list[Operation]:
    """`make check` compares the committed file with the models."""
    document = files("command_service") / "contracts" / "asyncapi.json"
    return [document_operation("/asyncapi.json", document.read_bytes())]
