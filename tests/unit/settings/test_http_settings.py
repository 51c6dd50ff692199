"""The settings of the HTTP services."""

from ipaddress import ip_network
from typing import Any

import pytest
from pydantic import ValidationError

from shared.http.settings import HttpSettings


def settings(**changed: Any) -> HttpSettings:
    usual = {"jwks_url": "https://id/jwks", "jwt_issuer": "i", "jwt_audience": "a", "port": 0}
    return HttpSettings.model_validate({**usual, **changed})


@pytest.mark.parametrize("url", ["http://id/jwks", "HTTP://id/jwks"])
def test_keys_over_plain_http_need_an_explicit_setting(url: str) -> None:
    with pytest.raises(ValidationError, match="JWKS_ALLOW_HTTP"):
        settings(jwks_url=url)
    assert settings(jwks_url=url, jwks_allow_http=True).jwks_url == url


@pytest.mark.parametrize("url", ["https://id/jwks", "file:///run/jwks.json", "/run/jwks.json"])
def test_other_sources_of_keys_need_none(url: str) -> None:
    assert settings(jwks_url=url).jwks_url == url


def test_trusted_proxies_are_networks() -> None:
    limits = settings(trusted_proxies="10.0.0.0/8, ::1,").connection_limits()
    assert limits.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1/128"))
    for malformed in ("x", "10.0.0.1/8", "10.0.0.0/8 ::1"):
        with pytest.raises(ValidationError, match="networks"):
            settings(trusted_proxies=malformed)


def test_health_checks_are_on_the_operations_port_if_there_is_one() -> None:
    assert settings(port=1).health_port == 1
    assert settings(port=1, operations_port=2).health_port == 2
