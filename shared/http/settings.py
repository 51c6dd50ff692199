"""The settings of a service that is called over HTTP: its callers, and what they may occupy."""

from ipaddress import IPv4Network, IPv6Network, ip_network

from pydantic import Field, field_validator, model_validator

from shared.http.limits import ConnectionLimits
from shared.http.rate_limit import RateLimits
from shared.settings import ProcessSettings


class HttpSettings(ProcessSettings):
    """Each field is the environment variable of that name in upper case. Limits are per process.

    JWKS_URL: `https://…`, or a file as `file:///…`; `http://…` only with JWKS_ALLOW_HTTP.
    TRUSTED_PROXIES: networks such as `10.0.0.0/8`, separated by commas.
    """

    jwks_url: str
    jwks_allow_http: bool = False
    jwt_issuer: str
    jwt_audience: str
    rate_limit: float = Field(2000, ge=0)
    address_rate_limit: float = Field(2000, ge=0)
    max_requests_in_progress: int = Field(1024, ge=1)
    max_connections: int = Field(8192, ge=1)
    max_connections_per_address: int = Field(1024, ge=1)
    max_received_bytes: int = Field(64 * 1024 * 1024, ge=1024 * 1024)
    max_unsent_bytes: int = Field(64 * 1024 * 1024, ge=1024 * 1024)
    request_timeout_seconds: float = Field(10, gt=0)
    send_timeout_seconds: float = Field(10, gt=0)
    keep_alive_timeout_seconds: float = Field(75, gt=0)
    trusted_proxies: str = ""

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, given: str) -> str:
        try:
            _networks(given)
        except ValueError:
            raise ValueError("must be networks such as 10.0.0.0/8, separated by commas") from None
        return given

    @model_validator(mode="after")
    def _keys_come_securely(self) -> "HttpSettings":
        if self.jwks_url.lower().startswith("http://") and not self.jwks_allow_http:
            raise ValueError("JWKS_URL: must be https unless JWKS_ALLOW_HTTP is true")
        return self

    def connection_limits(self) -> ConnectionLimits:
        return ConnectionLimits(
            max_connections=self.max_connections,
            max_connections_per_address=self.max_connections_per_address,
            max_received_bytes=self.max_received_bytes,
            max_unsent_bytes=self.max_unsent_bytes,
            request_timeout_s=self.request_timeout_seconds,
            send_timeout_s=self.send_timeout_seconds,
            keep_alive_timeout_s=self.keep_alive_timeout_seconds,
            trusted_proxies=_networks(self.trusted_proxies),
        )

    def rate_limits(self) -> RateLimits:
        return RateLimits(per_caller=self.rate_limit, per_address=self.address_rate_limit)


def _networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())
