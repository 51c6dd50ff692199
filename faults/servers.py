"""The servers of a run: Kafka with a listener of its own for each edge that leads to it."""

from collections.abc import Mapping
from pathlib import Path

from deploy.local.ports import HOST
from tests.support.servers import Kafka


class KafkaWithEdges(Kafka):
    """Each edge has a listener, which is advertised under the port of the proxy before it.

    `edges` maps a listener's name to its own port and the proxy's.
    """

    def __init__(
        self, data_dir: Path, port: int, controller_port: int, edges: Mapping[str, tuple[int, int]]
    ) -> None:
        super().__init__(data_dir, port, controller_port)
        self._edges = edges

    def _properties(self, logs: Path) -> str:
        text = super()._properties(logs)
        for name, (own, advertised) in self._edges.items():
            text = _extended(text, "listeners=", f"{name}://{HOST}:{own}")
            text = _extended(text, "advertised.listeners=", f"{name}://{HOST}:{advertised}")
            text = _extended(text, "listener.security.protocol.map=", f"{name}:PLAINTEXT")
        if self._edges:
            text += "inter.broker.listener.name=PLAINTEXT\n"
        return text


def _extended(text: str, start: str, more: str) -> str:
    lines = [f"{line},{more}" if line.startswith(start) else line for line in text.splitlines()]
    return "\n".join(lines) + "\n"
