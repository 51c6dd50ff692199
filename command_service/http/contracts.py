"""`/asyncapi.json`: the topics' document, as it is committed beside this package."""

from importlib.resources import files

from shared.http.documentation import document_operation
from shared.http.operations import Operation


def contract_operations() -> list[Operation]:
    """`make check` sees to it that the committed file is what the models say."""
    document = files("command_service") / "contracts" / "asyncapi.json"
    return [document_operation("/asyncapi.json", document.read_bytes())]
