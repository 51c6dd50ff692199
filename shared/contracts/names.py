"""The address under which Tandem names its problem types and schemas. Nothing is fetched there."""

from typing import Final

NAMESPACE: Final = "https://tandem.local"
