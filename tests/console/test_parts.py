"""The small decisions: passwords, limits, permissions, paths, texts, charts, photos, enrolment."""

import ast
import re
import threading
from importlib.resources import files
from pathlib import Path

import pytest

from watchkeep_console import passwords, photos, plain
from watchkeep_console.api import health
from watchkeep_console.enrol import FolderEnroller
from watchkeep_console.errors import Invalid, TooMany
from watchkeep_console.limiter import Limiter
from watchkeep_console.live import MAX_PENDING, Change, Watcher
from watchkeep_console.pages.board_picture import Wanted
from watchkeep_console.pages.charts import bounds
from watchkeep_console.people import NewMembership
from watchkeep_console.permissions import Membership, Person
from watchkeep_console.settings import ConsoleSettings
from watchkeep_console.sites import Site
from watchkeep_console.texts import catalogue, words
from watchkeep_core.topics import GatewayRef
from watchkeep_dispatch import lifecycle
from watchkeep_dispatch.duty_file import EVIDENCE

PACKAGE = Path(str(files("watchkeep_console")))


@pytest.mark.parametrize("bad", ["short", "aaaaaaaaaaaaaa", "my-login-is-duty", "x" * 257])
def test_weak_passwords_are_refused(bad: str) -> None:
    with pytest.raises(Invalid) as refused:
        passwords.check_policy("duty", bad)
    assert refused.value.field == "password"


def test_nobody_has_no_password() -> None:
    assert not passwords.verify(None, "no person has this password")
    assert passwords.verify(passwords.hash_password("correct horse"), "correct horse")
    assert not passwords.verify("not a hash", "correct horse")


def test_a_limiter_forgets_after_its_window() -> None:
    limiter = Limiter(2, 60.0, max_keys=2)
    for now in (0.0, 1.0):
        limiter.hit("a", now)
    with pytest.raises(TooMany) as refused:
        limiter.hit("a", 2.0)
    assert refused.value.retry_after_s == 58
    limiter.hit("a", 60.5)
    limiter.hit("b", 61.0)
    limiter.hit("c", 61.0)
    limiter.hit("a", 61.0)  # was pushed out: memory is bounded


def person(*memberships: Membership) -> Person:
    return Person("p", "p", "p", None, "zh", memberships)


def test_a_role_counts_in_its_scope_only() -> None:
    manager = person(Membership("property_manager", "organisation", "prop", ("sunshine",)))
    assert manager.may("gateway:enrol", "sunshine")
    assert not manager.may("gateway:enrol", "riverside")
    assert not person(Membership("auditor", "area", "city", ("sunshine",))).may("case:act", "sunshine")
    assert not person(Membership("invented", "area", "city", ("sunshine",))).may("case:act", "sunshine")


def test_roles_of_a_case_are_those_that_dispatch_counts() -> None:
    both = person(
        Membership("technician", "organisation", "lift", ()), Membership("verifier", "area", "street", ("sunshine",))
    )
    assert both.roles("sunshine", ["lift", None]) == {"technician", "verifier"}
    assert both.roles("riverside", ["lift"]) == {"technician"}
    assert both.roles("sunshine", ["other"]) == {"verifier"}


@pytest.mark.parametrize("target", ["//evil", "https://evil", "/\\evil", "", None, "javascript:alert(1)", "/a\nb"])
def test_the_way_after_the_login_stays_here(target: str | None) -> None:
    assert plain.local_path(target) == "/"
    assert plain.local_path("/cases/7") == "/cases/7"


def test_every_text_has_both_languages() -> None:
    for key, languages in catalogue().items():
        assert set(languages) == {"zh", "en"}, key
        assert all(text.strip() for text in languages.values()), key
        fields = [set(re.findall(r"{(\w+)}", text)) for text in languages.values()]
        assert fields[0] == fields[1], key
        assert key == "app.other_language" or not re.search(r"[\u4e00-\u9fff]", languages["en"]), key


def test_every_text_that_is_asked_for_is_there_and_none_is_left_over() -> None:
    sources = [path.read_text() for path in PACKAGE.rglob("*.py")] + [p.read_text() for p in PACKAGE.rglob("*.html")]
    asked: set[str] = set()
    sections: set[str] = set()
    for source in sources:
        asked |= set(re.findall(r"""["']([a-z]+\.[a-z0-9_]+)["']""", source)) & set(catalogue())
        called = set(re.findall(r"""\bt\(\s*["']([a-z]+\.[a-z0-9_]+)["']""", source))
        assert called <= set(catalogue()), called - set(catalogue())
        sections |= set(re.findall(r"""maybe\(\s*["']([a-z_]+)["']""", source))
    sections |= {"app", "equipment", "effect", "guard", "rota_refused", "plan_refused", "refused"}  # also by f-string
    left = {key for key in catalogue() if key not in asked and key.split(".")[0] not in sections}
    assert not left


@pytest.mark.parametrize(
    ("section", "ids"),
    [
        ("state", lifecycle.STATES),
        ("action", [*lifecycle.NOTES, *(row.action for row in lifecycle.TRANSITIONS)]),
        ("evidence", EVIDENCE),
        ("clock", ("respond", "arrive", "finish")),
    ],
)
def test_dispatch_s_words_have_texts(section: str, ids: list[str]) -> None:
    assert [name for name in ids if f"{section}.{name}" not in catalogue()] == []


def test_values_are_said_with_unit_or_state() -> None:
    assert words("en").value("outlet_pressure", 301.254) == "301.25 kPa"
    assert words("zh").value("door_status", 1.0) == "关门到位"
    assert words("en").value("ride_count", 1_234_567.0) == "1,234,567"


def test_limits_are_inside_the_chart() -> None:
    low, high = bounds([5.0, 6.0], [100.0, -100.0])
    assert low is not None
    assert high is not None
    assert low < -100 < 100 < high
    assert bounds([1.0], []) == (None, None)


def test_photos_are_known_by_their_bytes() -> None:
    assert photos.media_type(b"\xff\xd8\xff\xe0") == "image/jpeg"
    assert photos.media_type(b"RIFF\0\0\0\0WEBPVP8 ") == "image/webp"
    for bad in (b"<svg xmlns=", b"GIF89a", b"", b"\xff\xd8\xff" + bytes(photos.MAX_BYTES)):
        with pytest.raises(Invalid):
            photos.media_type(bad)


def test_a_supervisor_answers_through_the_folder(tmp_path: Path) -> None:
    seen: list[str] = []

    def supervise() -> None:
        while not (requests := list(tmp_path.glob("*.request.json"))):
            pass
        assert requests[0].stat().st_mode & 0o777 == 0o600
        seen.append(requests[0].read_text())
        requests[0].rename(tmp_path / requests[0].name.replace(".request.json", ".done"))

    thread = threading.Thread(target=supervise)
    thread.start()
    assert FolderEnroller(tmp_path).enrol(GatewayRef("c", "g"), "secret") == "added"
    thread.join()
    assert seen == ['{"user": "c/g", "password": "secret"}']
    assert list(tmp_path.iterdir()) == [], "no password is left behind"
    assert FolderEnroller(tmp_path, wait_s=0.1).enrol(GatewayRef("c", "g"), "secret") == "pending"


def test_a_slow_watcher_owes_a_bounded_number_of_changes() -> None:
    watcher = Watcher()
    for number in range(MAX_PENDING + 1):
        watcher.add(Change("warnings", number, "sunshine"))
    assert watcher.drain() == ([], True)
    watcher.add(Change("cases", 1, "sunshine"))
    watcher.add(Change("cases", 1, "sunshine"))
    assert watcher.drain() == ([Change("cases", 1, "sunshine")], False)


@pytest.mark.parametrize("bad", ["technician", "technician@organisation", "technician@:x", "technician@area:"])
def test_memberships_are_parsed_or_refused(bad: str) -> None:
    with pytest.raises(Invalid):
        NewMembership.parse(bad)
    assert NewMembership.parse("technician@organisation:lift") == NewMembership("technician", "organisation", "lift")


def test_pages_never_take_html_from_anybody() -> None:
    """SURFACES §C3.13: device text never goes into ui.html or ui.markdown, but through a template that escapes it."""
    for path in set((PACKAGE / "pages").glob("*.py")) - {PACKAGE / "pages" / "snippets.py"}:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute):
                assert node.attr not in ("html", "markdown", "add_body_html"), path


def test_a_snippet_escapes_what_stands_in_it() -> None:
    site = Site("x", "<script>alert(1)</script>", "", 0, None, 0)
    values = {"t": words("zh"), "sites": [site, site], "chosen": "", "path": Wanted().path}
    drawn = plain.TEMPLATES.get_template("board_sites.html").render(values)
    assert "<script>" not in drawn
    assert "&lt;script&gt;" in drawn


def test_the_readme_names_every_setting_and_metric() -> None:
    readme = (Path(__file__).parents[2] / "console" / "README.md").read_text()
    assert [name for name in ConsoleSettings.model_fields if f"`{name}`" not in readme and name != "mqtt_ca_file"] == []
    for metric in (health.REQUESTS, health.SECONDS, health.WATCHERS, health.LOGINS):
        assert next(iter(metric.describe())).name in readme
