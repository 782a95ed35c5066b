"""What the server may tell a gateway, that each command leaves a trace, and that none can reach a device."""

import ast
import json
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

import watchkeep_gateway
from tests.gateway.conftest import REF, Site, make_spool, wait_until
from tests.gateway.test_spool import put
from watchkeep_core import topics
from watchkeep_core.messages import Cmd, encode
from watchkeep_core.topics import Lane
from watchkeep_gateway import remote, status_table
from watchkeep_gateway.drivers import Driver
from watchkeep_gateway.remote import ACTIONS, obey
from watchkeep_gateway.spool_reader import status
from watchkeep_gateway.transaction import MAX_COMMANDS

PACKAGE = Path(watchkeep_gateway.__file__).parent


class FakeDesk:
    configuration = "v1"

    def __init__(self) -> None:
        self.did: list[object] = []

    def rebirth(self) -> None:
        self.did.append("rebirth")

    def resend(self, lane: Lane, seq: int) -> int:
        self.did.append((lane, seq))
        return max(seq, 5)


@pytest.mark.parametrize(
    ("command", "did", "kept"),
    [
        (Cmd(action="rebirth"), ["rebirth"], ("rebirth", "done")),
        (Cmd(action="resend", lane="data", seq=9), [("data", 9)], ("resend data 9", "data from 9")),
        (Cmd(action="resend"), [("data", 0), ("event", 0)], ("resend", "data from 5, event from 5")),
        (Cmd(action="configuration", version="v1"), [], ("configuration v1", "runs here")),
        (
            Cmd(action="configuration", version="v2"),
            [],
            ("configuration v2", "refused: v1 runs here; a technician must install the file"),
        ),
    ],
)
def test_each_command_and_what_is_kept_of_it(command: Cmd, did: list[object], kept: tuple[str, str]) -> None:
    desk = FakeDesk()
    assert obey(encode(command), False, desk) == kept
    assert desk.did == did


@pytest.mark.parametrize(
    "payload",
    [b'{"action":"write","register":1,"value":1}', b'{"action":"reboot"}', b"{", b"", b'{"action":"resend","seq":-1}'],
)
def test_what_is_not_in_the_table_is_refused_and_kept(payload: bytes) -> None:
    desk = FakeDesk()
    command, outcome = obey(payload, False, desk)
    assert command == payload.decode()
    assert outcome.startswith("refused: ")
    assert desk.did == []


def test_a_retained_command_is_refused() -> None:
    desk = FakeDesk()
    assert obey(encode(Cmd(action="rebirth")), True, desk) == ("rebirth", "refused: retained")
    assert desk.did == []


def test_the_table_is_all_there_is_and_no_action_knows_a_device() -> None:
    """All that an action can touch is the desk; all that a desk has are two things about our own messages."""
    assert set(ACTIONS) == set(get_args(get_type_hints(Cmd)["action"]))
    assert {name for name in vars(remote.Desk) if not name.startswith("_")} == {"configuration", "rebirth", "resend"}
    for action in ACTIONS.values():
        assert action.__module__ == remote.__name__
    imported = _imports(PACKAGE / "remote.py")
    assert not {name for name in imported if name.startswith("watchkeep_gateway")}
    assert not {name for name in _imports(PACKAGE / "uplink.py") if "drivers" in name}


def test_a_driver_has_no_way_to_be_written_to() -> None:
    assert {name for name in vars(Driver) if not name.startswith("_")} == {"name", "alive", "start", "stop"}
    used = {
        node.attr
        for file in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
    }
    writes = {"write_coil", "write_coils", "write_register", "write_registers", "mask_write_register"}
    assert not used & (writes | {"readwrite_registers", "write_file_record", "diag_restart_communication"})
    assert "read_holding_registers" in used


def _imports(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def test_commands_over_the_broker_are_kept_on_the_spool_and_shown(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    ingest = site.ingest(acking=False)
    gateway = site.start(resend_after_s=600)
    put(gateway.spool, 0)
    wait_until(lambda: len(ingest.seqs("data")) == 1)
    births = len(ingest.births)
    ingest.command(Cmd(action="rebirth"))
    wait_until(lambda: len(ingest.births) > births)
    ingest.publish("event", topics.cmd(REF), b'{"action":"open the valve"}')
    ingest.command(Cmd(action="configuration", version="other"))
    wait_until(lambda: len(status(site.folder)["commands"]) == 3)
    found = status(site.folder)
    assert [one["command"] for one in found["commands"]] == [
        "configuration other",
        '{"action":"open the valve"}',
        "rebirth",
    ]
    assert found["commands"][1]["outcome"].startswith("refused: bad_shape")
    assert (found["configuration"], found["broker"]) == ("test-1", site.broker.url)
    assert isinstance(found["clock"]["synchronised"], bool)
    status_table.show(found)
    shown = capsys.readouterr().out
    for word in ("c1/g1", "test-1", "uplink", "open the valve", "SYNCHRONISED", "data", "event"):
        assert word.lower() in shown.lower(), word


def test_only_so_many_commands_are_kept(folder: Path) -> None:
    spool = make_spool(folder)
    for number in range(MAX_COMMANDS + 20):
        spool.note_command(f"c{number}", "done")
    put(spool, 0)
    spool.close()
    assert [one["command"] for one in status(folder)["commands"]][:2] == [
        f"c{MAX_COMMANDS + 19}",
        f"c{MAX_COMMANDS + 18}",
    ]
    assert json.dumps(status(folder))
