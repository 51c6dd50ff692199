"""TLS contexts from the files that settings name. Errors name the setting and the reason."""

import ssl
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def server_verifying_context(setting: str, ca_file: str | None) -> ssl.SSLContext:
    """Verifies certificates and host names, by the file's authorities or else the system's.

    Raises ValueError that begins with the setting's name.
    """
    return _read(setting, lambda: ssl.create_default_context(cafile=ca_file))


def load_client_certificate(
    setting: str, context: ssl.SSLContext, certificate_file: str, key_file: str
) -> None:
    """Add a client certificate. Raises ValueError that begins with the setting's name."""
    _read(setting, lambda: context.load_cert_chain(certificate_file, key_file))


def _read(setting: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except ssl.SSLError as error:
        raise ValueError(f"{setting}: is not a valid PEM file") from error
    except OSError as error:
        raise ValueError(f"{setting}: cannot be read ({error.strerror})") from error
