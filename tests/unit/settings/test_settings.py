"""Settings come from the environment and secret files; invalid ones are reported."""

from pathlib import Path

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


def test_invalid_settings_are_reported_in_one_line_each_without_their_values(
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


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of secret files, with the database URL."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("PORT", "8001")
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    (tmp_path / "database_url").write_text("postgresql://from-file\n")
    return tmp_path


@pytest.mark.usefixtures("secrets")
def test_a_setting_can_be_a_secret_file() -> None:
    assert load_settings(Example).database_url.get_secret_value() == "postgresql://from-file"


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize(
    ("variable", "value"), [("postgresql://x", "postgresql://x"), ("", "postgresql://from-file")]
)
def test_a_variable_takes_precedence_over_a_file_unless_it_is_empty(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", variable)
    assert load_settings(Example).database_url.get_secret_value() == value


def test_an_invalid_secret_is_reported_without_its_value(
    secrets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (secrets / "batch_size").write_text("hunter2")
    with pytest.raises(SystemExit):
        load_settings(Example)
    written = capsys.readouterr().err
    assert written.startswith("BATCH_SIZE: ")
    assert "hunter2" not in written


def test_a_missing_directory_of_secrets_is_reported(
    secrets: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SECRETS_DIR", str(secrets / "missing"))
    with pytest.raises(SystemExit) as exited:
        load_settings(Example)
    assert exited.value.code == 2
    assert capsys.readouterr().err == f"SECRETS_DIR: {secrets / 'missing'} is not a directory\n"
