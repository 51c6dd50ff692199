"""The settings of Kafka, TLS and SASL. Errors name combinations that are not valid."""

import ssl
from typing import Final, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from shared.kafka.clients import Kafka, bootstrap_servers
from shared.settings import ProcessSettings, require_exactly_when
from shared.tls import load_client_certificate, server_verifying_context

_SASL: Final = ("SASL_PLAINTEXT", "SASL_SSL")
_TLS: Final = ("SSL", "SASL_SSL")


class KafkaSettings(ProcessSettings):
    """The connection to Kafka. Each field is the environment variable of that name in upper case.

    Files are in PEM. Without KAFKA_CA_FILE the system's authorities are trusted. A client
    certificate and its key are for brokers that require one.
    """

    kafka_bootstrap_servers: str = Field(min_length=1)
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_ca_file: str | None = None
    kafka_certificate_file: str | None = None
    kafka_key_file: str | None = None

    @field_validator("kafka_bootstrap_servers")
    @classmethod
    def _validate_servers(cls, text: str) -> str:
        bootstrap_servers(text)
        return text

    @model_validator(mode="after")
    def _validate_kafka(self) -> "KafkaSettings":
        protocol = f"KAFKA_SECURITY_PROTOCOL={self.kafka_security_protocol}"
        for field in ("kafka_sasl_mechanism", "kafka_sasl_username", "kafka_sasl_password"):
            require_exactly_when(self, field, self.kafka_security_protocol in _SASL, protocol)
        if self.kafka_security_protocol not in _TLS:
            for field in ("kafka_ca_file", "kafka_certificate_file", "kafka_key_file"):
                require_exactly_when(self, field, False, protocol)
        elif self.kafka_certificate_file or self.kafka_key_file:
            for field in ("kafka_certificate_file", "kafka_key_file"):
                require_exactly_when(self, field, True, "a client certificate")
        self._kafka_tls()
        return self

    def kafka(self) -> Kafka:
        password = self.kafka_sasl_password
        return Kafka(
            bootstrap_servers(self.kafka_bootstrap_servers),
            security_protocol=self.kafka_security_protocol,
            sasl_mechanism=self.kafka_sasl_mechanism or "PLAIN",
            sasl_plain_username=self.kafka_sasl_username,
            sasl_plain_password=password.get_secret_value() if password else None,
            ssl_context=self._kafka_tls(),
        )

    def _kafka_tls(self) -> ssl.SSLContext | None:
        if self.kafka_security_protocol not in _TLS:
            return None
        context = server_verifying_context("KAFKA_CA_FILE", self.kafka_ca_file)
        if self.kafka_certificate_file and self.kafka_key_file:
            both = "KAFKA_CERTIFICATE_FILE, KAFKA_KEY_FILE"
            load_client_certificate(both, context, self.kafka_certificate_file, self.kafka_key_file)
        return context
