"""What is refused is told in the reader's language."""

import re
from importlib import resources

import pytest

from watchkeep_console.errors import Conflict, Forbidden, Invalid
from watchkeep_console.refusals import told
from watchkeep_console.texts import catalogue, words
from watchkeep_console.work import refusal
from watchkeep_dispatch.errors import DispatchError, GuardFailed, NotAllowed, RotaError
from watchkeep_dispatch.lifecycle import GUARDS


def refused(error: DispatchError) -> Exception:
    """As the API and the pages raise it."""
    try:
        raise refusal(error) from error
    except Exception as found:
        return found


def test_every_condition_of_dispatch_has_a_text() -> None:
    source = "".join(
        file.read_text(encoding="utf-8")
        for file in resources.files("watchkeep_dispatch").iterdir()
        if file.name.endswith(".py")
    )
    guards = {*GUARDS, *re.findall(r'GuardFailed\(\s*"(\w+)"', source)}
    assert {name for name in guards if f"guard.{name}" not in catalogue()} == set()
    fields = set(re.findall(r'RotaError\(\s*"(\w+)"', source))
    assert {name for name in fields if f"rota_refused.{name}" not in catalogue()} == set()


@pytest.mark.parametrize(
    ("error", "zh"),
    [
        (GuardFailed("arrived", "not met: somebody has arrived"), "请先到场签到"),
        (NotAllowed("verify", "closed", role_missing=False), "当前状态下不能做此操作"),
        (NotAllowed("verify", "resolved", role_missing=True), "您的角色不能做此操作"),
    ],
)
def test_what_dispatch_refuses(error: DispatchError, zh: str) -> None:
    assert told(words("zh"), refused(error)) == zh  # type: ignore[arg-type]  # a ConsoleError


def test_the_rota_and_our_own_refusals() -> None:
    late = Invalid("until", "must be later than the beginning")
    late.__cause__ = RotaError("until", "must be later than the beginning")
    assert told(words("zh"), late) == "结束时间须晚于开始时间"
    assert told(words("zh"), Forbidden("limits:edit")) == "您的角色不能做此操作"


def test_what_has_no_text_is_told_as_it_came() -> None:
    assert told(words("zh"), Invalid("file", "row 7: no such kind")) == "row 7: no such kind"
    assert told(words("zh"), Conflict("stale", "case 1 has changed")) == words("zh")("app.stale")
