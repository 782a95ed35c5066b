"""The technician's phone in a real browser: without a network, pressed twice, overtaken by somebody else."""

from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.console import world as w
from tests.console.browser import MARKS, PHONE, Open, look
from tests.console.conftest import Site, until
from tests.console.test_browser import png

pytestmark = MARKS


def order(site: Site) -> None:
    w.warning(site.world, "lift-2", "door_close_fail")
    w.judge_all(site.world)


def worked(page: Page) -> None:
    """Until the service worker has this page and the list in its store; `wait_for_function` does not await promises."""
    kept = "async () => Boolean(await caches.match(location.pathname) && await caches.match('/m'))"
    until(lambda: bool(page.evaluate(kept)))


def states(site: Site) -> list[tuple[str, str]]:
    return site.world.rows(
        "SELECT action, to_state FROM transitions WHERE person_id IS NOT NULL ORDER BY transition_id"
    )


def cut(context: BrowserContext, off: bool) -> None:
    context.set_offline(off)


def test_work_without_a_network_is_sent_in_order_afterwards(open_as: Open, site: Site, tmp_path: Path) -> None:
    order(site)
    page = open_as("tech", "/m", viewport=PHONE)
    page.get_by_role("link", name="2 号楼客梯").click()
    page.wait_for_url("**/m/orders/1")
    worked(page)
    cut(page.context, True)
    page.goto("/m")  # the list and the order can be read in the basement
    expect(page.locator("#offline")).to_contain_text("当前没有网络")
    page.get_by_role("link", name="2 号楼客梯").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("2 号楼客梯")
    page.wait_for_load_state("load")  # the scripts too: before them a form is sent the plain way
    page.get_by_role("button", name="接单响应").click()
    expect(page.locator("#queue")).to_contain_text("待发送 1")
    page.get_by_role("button", name="到场签到").click()
    expect(page.locator("#queue")).to_contain_text("待发送 2")
    photo = tmp_path / "after.png"
    photo.write_bytes(png())
    page.get_by_label("处置说明").fill("更换门机皮带")
    for field in page.locator("input[type=file]").all():
        field.set_input_files(photo)
    for name in ("scan", "reading", "signature"):
        if page.locator(f"#{name}").count():
            page.fill(f"#{name}", "lift-2" if name == "scan" else "读数正常")
    page.get_by_role("button", name="完成反馈").click()
    expect(page.locator("#queue")).to_contain_text("待发送 3")
    look(page, "phone-offline")
    page.reload()  # what waits survives the page
    expect(page.locator("#queue")).to_contain_text("待发送 3")
    assert states(site) == []
    cut(page.context, False)
    until(lambda: states(site) == [("accept", "accepted"), ("arrive", "on_site"), ("finish", "resolved")])
    expect(page.locator("#queue")).to_be_hidden()
    assert site.world.rows("SELECT count(*) FROM evidence WHERE kind = 'photo_after' AND content IS NOT NULL") == [(1,)]


def test_a_conflict_is_shown_and_never_dropped(open_as: Open, site: Site) -> None:
    order(site)
    page = open_as("tech", "/m/orders/1", viewport=PHONE)
    worked(page)
    cut(page.context, True)
    page.get_by_role("button", name="接单响应").click()
    expect(page.locator("#queue")).to_contain_text("待发送 1")
    with site.world.admin() as conn:  # meanwhile the desk enters it in the ledger
        conn.execute("UPDATE cases SET state = 'suspended', version = version + 1")
    cut(page.context, False)
    refused = page.locator(".queued.refused")
    expect(refused).to_contain_text("工单状态已被他人更新")
    page.reload()
    expect(refused).to_be_visible()
    page.once("dialog", lambda dialog: dialog.accept())
    refused.get_by_role("button", name="删除").click()
    expect(page.locator("#queue")).to_be_hidden()
    assert states(site) == []


def test_pressing_twice_does_it_once(open_as: Open, site: Site) -> None:
    order(site)
    page = open_as("tech", "/m/orders/1", viewport=PHONE)
    page.get_by_role("button", name="接单响应").dblclick()
    page.wait_for_url("**/m/orders/1?done=accept")
    expect(page.get_by_role("status").filter(has_text="已记录")).to_be_visible()
    assert states(site) == [("accept", "accepted")]


def test_it_can_be_installed(open_as: Open, site: Site) -> None:
    page = open_as("tech", "/m", viewport=PHONE)
    manifest = page.request.get("/m/app.webmanifest").json()
    assert (manifest["scope"], manifest["display"], manifest["name"]) == (
        "/m",
        "standalone",
        "守望 Watchkeep · 我的工单",
    )
    for icon in manifest["icons"]:
        assert page.request.get(icon["src"]).headers["content-type"] == "image/png"
    assert page.request.get("/m/worker.js").headers["service-worker-allowed"] == "/m"


def test_logging_out_leaves_nothing_to_read(open_as: Open, site: Site) -> None:
    order(site)
    page = open_as("tech", "/m/orders/1", viewport=PHONE)
    worked(page)
    page.get_by_role("button", name="退出").click()
    page.wait_for_url("**/login")
    assert page.evaluate(KEPT_PAGES) == []


KEPT_PAGES = """async () => (await (await caches.open("watchkeep-1")).keys())
    .map((request) => new URL(request.url).pathname).filter((path) => !path.startsWith("/static/"))"""


@pytest.mark.parametrize(("language", "theme"), [("zh", "light"), ("en", "dark")])
def test_how_it_looks(open_as: Open, site: Site, language: str, theme: str) -> None:
    order(site)
    page = open_as("tech", "/m", viewport=PHONE, language=language, theme=theme)
    look(page, f"phone-orders-{theme}-{language}")
    page.locator("a.order-card").first.click()
    look(page, f"phone-order-{theme}-{language}")
