"""How settings are read, and how bad ones are told."""

import pytest
from pydantic import SecretStr

from shared.settings import ProcessSettings, load_settings


class Example(ProcessSettings):
    database_url: SecretStr
    batch_size: int = 10


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "8001")
    monkeypatch.setenv("DATABASE_URL", "postgresql://x")
    monkeypatch.setenv("BATCH_SIZE", "")
    settings = load_settings(Example)
    assert (settings.host, settings.port, settings.batch_size) == ("127.0.0.1", 8001, 10)


def test_bad_settings_are_a_line_each_without_their_values(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PORT", "70000")
    monkeypatch.setenv("BATCH_SIZE", "hunter2")
    monkeypatch.setenv("LOG_LEVEL", "LOUD")
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with pytest.raises(SystemExit) as exited:
        load_settings(Example)
    assert exited.value.code == 2
    written = capsys.readouterr().err
    assert "hunter2" not in written
    assert sorted(line.partition(":")[0] for line in written.splitlines()) == [
        *("BATCH_SIZE", "DATABASE_URL", "LOG_LEVEL", "PORT")
    ]
    assert "DATABASE_URL: is not set" in written
