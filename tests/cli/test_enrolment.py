"""Gateways enrolled by the console reach the broker; nonsense does not."""

import json

import pytest

from watchkeep_cli import enrolment


def test_a_request_is_served_once_and_its_secret_removed(tmp_path):
    added: dict[str, str] = {}
    (tmp_path / "one.request.json").write_text(json.dumps({"user": "c1/g2", "password": "x" * 20}))
    assert enrolment.serve(tmp_path, added.__setitem__, added.pop) == 1
    assert added == {"c1/g2": "x" * 20}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.done"]
    assert enrolment.serve(tmp_path, added.__setitem__, added.pop) == 0


def test_a_revocation_takes_the_user_away(tmp_path):
    users = {"c1/g2": "x" * 20, "c1/g3": "y" * 20}
    (tmp_path / "one.request.json").write_text(json.dumps({"user": "c1/g2", "revoke": True}))
    assert enrolment.serve(tmp_path, users.__setitem__, users.pop) == 1
    assert users == {"c1/g3": "y" * 20}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.done"]


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"user": "c1/g+"}', '{"user": "ingest-data-0", "password": "xxxxxxxxxxxxxxxxxxxx"}',
     '{"user": "c/g", "password": "short"}'],
)  # fmt: skip
def test_nonsense_is_refused_with_its_reason(tmp_path, text):
    (tmp_path / "bad.request.json").write_text(text)
    assert enrolment.serve(tmp_path, lambda *_: pytest.fail("added"), lambda _: pytest.fail("removed")) == 0
    assert (tmp_path / "bad.failed").read_text()
    assert not (tmp_path / "bad.request.json").exists()
