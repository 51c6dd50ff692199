"""Where keys come from, and what happens while they cannot be read."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from shared.http.jwks import JwksUnreadable, KeySet
from shared.http.keys import parse_keys

Signers = dict[str, Any]
Jwks = Callable[..., bytes]
URL = "https://keys.example/jwks"


class Endpoint:
    """A key server whose response can be set and delayed."""

    def __init__(self, document: bytes | None) -> None:
        self.document = document
        self.requests = 0
        self.open = threading.Event()
        self.open.set()

    def __call__(self, _url: str) -> bytes:
        self.requests += 1
        assert self.open.wait(5)
        if self.document is None:
            raise ConnectionRefusedError(111, "Connection refused")
        return self.document


@pytest.mark.parametrize("form", ["{path}", "file://{path}"])
async def test_a_file_is_read_by_path_or_url(
    tmp_path: Path, signers: Signers, jwks: Jwks, form: str
) -> None:
    path = tmp_path / "the keys.json"
    path.write_bytes(jwks(signers["ec"]))
    keys = KeySet(form.format(path=str(path).replace(" ", "%20") if "file" in form else path))
    await keys.start()
    assert keys.knows("ec")
    assert keys.not_ready() is None


@pytest.mark.parametrize("document", [None, b"", b"{", b"[]", b'{"keys": 3}', b'{"keys": []}'])
async def test_a_file_without_keys_is_a_clear_error(tmp_path: Path, document: bytes | None) -> None:
    path = tmp_path / "jwks.json"
    if document is not None:
        path.write_bytes(document)
    with pytest.raises(JwksUnreadable, match=r"^JWKS_URL: [^\n]+jwks\.json$"):
        await KeySet(str(path)).start()


async def test_an_unreachable_url_starts_unready(signers: Signers, jwks: Jwks) -> None:
    endpoint = Endpoint(None)
    keys = KeySet(URL, fetch=endpoint)
    await keys.start()
    assert keys.not_ready()
    endpoint.document = jwks(signers["ec"])
    await keys.fetch_unknown("ec")
    assert keys.not_ready() is None


async def test_the_last_keys_stay_while_the_url_fails(signers: Signers, jwks: Jwks) -> None:
    endpoint = Endpoint(jwks(signers["ec"]))
    keys = KeySet(URL, fetch=endpoint)
    await keys.start()
    for document in (None, b"<html>", b'{"keys": 1}'):
        endpoint.document = document
        await keys._refresh()
        assert keys.knows("ec")
    assert keys.generation == 1


async def test_an_unknown_key_is_fetched_once_for_all_requests(
    signers: Signers, jwks: Jwks, clock: Any
) -> None:
    endpoint = Endpoint(jwks(signers["ec"]))
    keys = KeySet(URL, fetch=endpoint, clock=clock)
    await keys.start()
    endpoint.document = jwks(signers["ec"], signers["rsa"])
    endpoint.open.clear()
    fetching = [asyncio.create_task(keys.fetch_unknown("rsa")) for _ in range(20)]
    asyncio.get_running_loop().call_later(0.02, endpoint.open.set)
    await asyncio.gather(*fetching)
    assert keys.knows("rsa")
    assert endpoint.requests == 2


async def test_a_url_is_fetched_for_unknown_keys_once_a_second(
    signers: Signers, jwks: Jwks, clock: Any
) -> None:
    endpoint = Endpoint(jwks(signers["ec"]))
    keys = KeySet(URL, fetch=endpoint, clock=clock)
    await keys.start()
    for _ in range(5):
        await keys.fetch_unknown("unknown")
    assert endpoint.requests == 2
    clock.now += 1
    await keys.fetch_unknown("unknown")
    assert endpoint.requests == 3


async def test_who_waits_for_an_unknown_key_waits_a_bounded_time(
    signers: Signers, jwks: Jwks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.http.jwks._UNKNOWN_KID_WAIT_S", 0.02)
    endpoint = Endpoint(jwks(signers["ec"]))
    keys = KeySet(URL, fetch=endpoint)
    await keys.start()
    endpoint.open.clear()
    await asyncio.wait_for(keys.fetch_unknown("rsa"), 2)
    endpoint.open.set()
    await keys._refresh()


async def test_a_changed_file_is_read_again(
    tmp_path: Path, signers: Signers, jwks: Jwks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.http.jwks._FILE_POLL_S", 0.01)
    path = tmp_path / "jwks.json"
    path.write_bytes(jwks(signers["ec"]))
    read = asyncio.Event()

    class Watched(KeySet):
        async def _try_read(self) -> None:
            await super()._try_read()
            read.set()

    keys = Watched(str(path))
    await keys.start()
    running = asyncio.create_task(keys.run())
    path.write_bytes(jwks(signers["rsa"]))
    await asyncio.wait_for(read.wait(), 5)
    running.cancel()
    assert not keys.knows("ec")
    assert keys.generation == 2


async def test_keys_that_do_not_serve_are_left_out(signers: Signers) -> None:
    good = signers["ec"].jwk
    bad: list[Any] = [
        7,
        {},
        {"kty": "oct", "k": "c2VjcmV0"},
        {**good, "kid": 7},
        {**good, "alg": "HS256"},
        {**good, "alg": "RS256"},
        {**good, "use": "enc"},
        {**good, "key_ops": ["sign"]},
        {**good, "crv": "P-999"},
        {**good, "x": "AAAA"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {"kty": "RSA"},
        {"kty": ["RSA"]},
    ]
    keys = parse_keys(json.dumps({"keys": [*bad, good]}).encode())
    assert [key.kid for key in keys] == ["ec"]
    assert keys[0].algorithms == {"ES256"}


class _Keys(BaseHTTPRequestHandler):
    document = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.document)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def key_server() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Keys)
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    yield f"http://127.0.0.1:{server.server_port}/jwks"
    server.shutdown()
    serving.join(5)
    server.server_close()


async def test_keys_are_read_over_http(key_server: str, signers: Signers, jwks: Jwks) -> None:
    _Keys.document = jwks(signers["ed"])
    keys = KeySet(key_server)
    await keys.start()
    assert keys.knows("ed")


async def test_a_document_beyond_a_mebibyte_is_rejected(key_server: str) -> None:
    _Keys.document = b" " * (1024 * 1024 + 1)
    keys = KeySet(key_server)
    await keys.start()
    assert keys.not_ready()
