"""The base URIs of Tandem's problem types and schemas. They are identifiers, not addresses."""

from typing import Final

NAMESPACE: Final = "https://tandem.local"
PROBLEM_BASE: Final = f"{NAMESPACE}/problems/"
SCHEMA_BASE: Final = f"{NAMESPACE}/schemas/"
