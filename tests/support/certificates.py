"""A test certificate authority, and certificates for 127.0.0.1."""

import ssl
from pathlib import Path
from typing import Final

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

HOST: Final = "127.0.0.1"


class Certificates:
    """PEM files: the authority, and a certificate with its key for servers and clients."""

    def __init__(self, directory: Path) -> None:
        self._authority = trustme.CA()
        self._own = self._authority.issue_cert(HOST)
        self.ca_file = directory / "ca.pem"
        self.key_and_chain = directory / "server.pem"
        self._authority.cert_pem.write_to_path(self.ca_file)
        self.key_and_chain.write_bytes(_pkcs8(self._own.private_key_pem.bytes()) + self._chain())

    def _chain(self) -> bytes:
        return b"".join(blob.bytes() for blob in self._own.cert_chain_pems)

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._own.configure_cert(context)
        return context


def _pkcs8(key: bytes) -> bytes:
    """The only format that Java supports."""
    private = load_pem_private_key(key, None)
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
