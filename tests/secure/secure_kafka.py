"""Kafka with a listener that requires TLS and a user, besides the brokers' plain listener."""

from pathlib import Path
from typing import Final

from deploy.local.ports import HOST
from tests.support.certificates import Certificates
from tests.support.servers import Kafka

USER: Final = "tandem"
PASSWORD: Final = "a-password"
_PLAIN: Final = "org.apache.kafka.common.security.plain.PlainLoginModule"
_SCRAM: Final = "org.apache.kafka.common.security.scram.ScramLoginModule"

# If a property is set twice, the last value applies.
_PROPERTIES: Final = """
listeners=PLAINTEXT://{host}:{port},SASL_SSL://{host}:{secure},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{port},SASL_SSL://{host}:{secure}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
listener.name.sasl_ssl.plain.sasl.jaas.config={plain} required user_{user}="{password}";
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={scram} required;
ssl.keystore.type=PEM
ssl.keystore.location={keys}
"""


class SecureKafka(Kafka):
    """`secure_servers`: the address for clients with TLS and SASL."""

    def __init__(
        self, data_dir: Path, ports: tuple[int, int, int], certificates: Certificates
    ) -> None:
        super().__init__(data_dir, ports[0], ports[1])
        self._secure_port = ports[2]
        self._keys = certificates.key_and_chain

    @property
    def secure_servers(self) -> str:
        return f"{HOST}:{self._secure_port}"

    def format_options(self) -> list[str]:
        return ["--add-scram", f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"]

    def _properties(self, logs: Path) -> str:
        return super()._properties(logs) + _PROPERTIES.format(
            host=HOST,
            port=self.port,
            controller=self.controller_port,
            secure=self._secure_port,
            plain=_PLAIN,
            scram=_SCRAM,
            user=USER,
            password=PASSWORD,
            keys=self._keys,
        )
