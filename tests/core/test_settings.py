"""Settings are read once, from one place each, and a wrong one is named."""

from typing import ClassVar

import pytest
from pydantic import Field, SecretStr

from watchkeep_core import settings
from watchkeep_core.errors import SettingsError


class Sample(settings.DatabaseSettings, settings.BrokerSettings):
    part: ClassVar[str] = "sample"
    workers: int = Field(default=1, ge=1, le=16)
    password: SecretStr = SecretStr("")


BASE = {"WATCHKEEP_DATABASE_URL": "postgresql://localhost/x"}


def test_defaults_environment_file_and_command_line_in_rising_order(tmp_path):
    config = tmp_path / "watchkeep.toml"
    config.write_text('[shared]\nlog_level = "debug"\nunrelated = 1\n[sample]\nworkers = 2\n[other]\nx = 1\n')
    environ = BASE | {"WATCHKEEP_CONFIG": str(config)}
    assert settings.load(Sample, BASE).workers == 1
    assert settings.load(Sample, environ).workers == 2
    assert settings.load(Sample, environ).log_level == "debug"
    assert settings.load(Sample, environ | {"WATCHKEEP_SAMPLE_WORKERS": "3"}).workers == 3
    assert settings.load(Sample, environ | {"WATCHKEEP_SAMPLE_WORKERS": "3"}, workers=4).workers == 4
    assert settings.load(Sample, environ, workers=None).workers == 2


def test_the_parts_own_variable_wins_over_the_shared_one():
    own = BASE | {"WATCHKEEP_SAMPLE_DATABASE_URL": "postgresql://localhost/own"}
    assert settings.load(Sample, own).database_url.get_secret_value().endswith("/own")


def test_a_secret_can_be_a_file_and_hides_itself(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("swordfish\n")
    loaded = settings.load(Sample, BASE | {"WATCHKEEP_SAMPLE_PASSWORD_FILE": str(secret)})
    assert loaded.password.get_secret_value() == "swordfish"
    assert "swordfish" not in repr(loaded)


@pytest.mark.parametrize(
    ("environ", "toml", "names"),
    [
        ({}, "", ["database_url", "must be set", "WATCHKEEP_SAMPLE_DATABASE_URL"]),
        ({"WATCHKEEP_DATABASE_URL": "nonsense"}, "", ["database_url", "libpq URL"]),
        (BASE | {"WATCHKEEP_SAMPLE_WORKERS": "99"}, "", ["workers", "16", "the environment"]),
        (BASE | {"WATCHKEEP_LOG_LEVEL": "loud"}, "", ["log_level"]),
        (BASE, "[sample]\nworkerz = 2\n", ["workerz", "no such setting"]),
        (BASE, "[sample]\nworkers = 'x'\n", ["workers", "watchkeep.toml"]),
        (BASE, "sample = 1\n", ["sample must be a table"]),
        (BASE, "[sample\n", ["WATCHKEEP_CONFIG", "watchkeep.toml"]),
        (
            BASE | {"WATCHKEEP_SAMPLE_PASSWORD_FILE": "/nowhere/x"},
            "",
            ["WATCHKEEP_SAMPLE_PASSWORD_FILE", "No such file"],
        ),
    ],
)
def test_a_wrong_setting_is_named(environ, toml, names, tmp_path):
    if toml:
        config = tmp_path / "watchkeep.toml"
        config.write_text(toml)
        environ = environ | {"WATCHKEEP_CONFIG": str(config)}
    with pytest.raises(SettingsError) as refused:
        settings.load(Sample, environ)
    for name in names:
        assert name in str(refused.value)


def test_a_wrong_secret_is_not_printed():
    with pytest.raises(SettingsError) as refused:
        settings.load(Sample, BASE | {"WATCHKEEP_SAMPLE_WORKERS": "hunter2"})
    assert "hunter2" not in str(refused.value)
