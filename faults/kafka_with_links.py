"""Kafka with a separate listener for each link proxy."""

from collections.abc import Mapping
from pathlib import Path

from deploy.local.ports import HOST
from tests.support.servers import Kafka


class KafkaWithLinks(Kafka):
    """Each link has a listener that is advertised with the port of its proxy.

    `links` maps the name of a listener to its port and the port of the proxy.
    """

    def __init__(
        self, data_dir: Path, port: int, controller_port: int, links: Mapping[str, tuple[int, int]]
    ) -> None:
        super().__init__(data_dir, port, controller_port)
        self._edges = links

    def _properties(self, logs: Path) -> str:
        text = super()._properties(logs)
        for name, (own, advertised) in self._edges.items():
            text = _append(text, "listeners=", f"{name}://{HOST}:{own}")
            text = _append(text, "advertised.listeners=", f"{name}://{HOST}:{advertised}")
            text = _append(text, "listener.security.protocol.map=", f"{name}:PLAINTEXT")
        if self._edges:
            text += "inter.broker.listener.name=PLAINTEXT\n"
        return text


def _append(text: str, prefix: str, addition: str) -> str:
    lines = [
        f"{line},{addition}" if line.startswith(prefix) else line for line in text.splitlines()
    ]
    return "\n".join(lines) + "\n"
