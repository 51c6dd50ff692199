"""Each container gets only its own passwords, and later runs keep them."""

from pathlib import Path
from urllib.parse import urlsplit

import jwt
import pytest
from jwt import PyJWKSet

from deploy.compose.__main__ import main
from deploy.compose.prepare import SECRETS_OF, prepare
from deploy.local.tokens import AUDIENCE, ISSUER
from deploy.manifests.local_secrets import as_yaml, local_secrets
from deploy.manifests.rendering import resources
from tests.manifests.conftest import find


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    tmp_path.chmod(0o755)
    prepare(tmp_path)
    return tmp_path


def test_each_service_has_its_own_role_and_password(prepared: Path) -> None:
    roles, passwords = [], set()
    for service, secrets in SECRETS_OF.items():
        for name in secrets:
            url = urlsplit((prepared / service / name).read_text())
            roles.append(url.username)
            passwords.add(url.password)
    assert sorted(filter(None, roles)) == [
        "tandem_command_service",
        "tandem_log_reader",
        "tandem_migrations",
        "tandem_projector",
        "tandem_query_service",
        "tandem_relay",
    ]
    assert len(passwords) == len(roles)


def test_a_second_run_keeps_the_passwords_and_the_keys(prepared: Path) -> None:
    kept = [prepared / "relay" / "database_url", prepared / "jwks" / "jwks.json"]
    before = [file.read_text() for file in kept]
    prepare(prepared)
    assert [file.read_text() for file in kept] == before


def test_servers_get_digests_and_verifiers_and_other_users_have_no_access(prepared: Path) -> None:
    password = urlsplit((prepared / "relay" / "database_url").read_text()).password
    server_files = (prepared / "postgres" / "passwords.sql").read_text()
    server_files += (prepared / "redis" / "users.acl").read_text()
    assert password is not None
    assert password not in server_files
    assert "SCRAM-SHA-256$" in server_files
    assert prepared.stat().st_mode & 0o077 == 0


def test_the_services_accept_the_token(prepared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["token", str(prepared), "orders:read", "ada"])
    keys = PyJWKSet.from_json((prepared / "jwks" / "jwks.json").read_text())
    token = capsys.readouterr().out.strip()
    claims = jwt.decode(token, keys.keys[0], ["ES256"], audience=AUDIENCE, issuer=ISSUER)
    assert (claims["scope"], claims["sub"]) == ("orders:read", "ada")


def test_the_cluster_does_not_get_the_signing_key(prepared: Path) -> None:
    text = as_yaml(local_secrets(prepared))
    found = resources(text)
    assert "PRIVATE KEY" not in text
    assert set(find(found, "Secret", "projector")["stringData"]) == {"database_url", "redis_url"}
    assert find(found, "ConfigMap", "jwks")["data"].keys() == {"jwks.json"}
