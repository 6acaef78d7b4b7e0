from __future__ import annotations

from pathlib import Path

import pytest
from tests.control.office import MONTH, Office
from tests.store.book import doubting, leg, order
from tests.web.asking import House, saying, sound

from headgate.web.app import SAFE

PAGES = ("/", "/healthz", "/readyz", "/metrics", "/admin/v1/status", "/admin/v1/budgets", "/admin/v1/keys", "/admin/v1/doubts")


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """A book with a key and a hold in doubt."""
    office = Office(tmp_path)
    office.issues()
    office.book.hold(order(1, [leg(MONTH)], 400))
    office.book.settle(doubting(1))
    return office


@pytest.mark.parametrize("page", PAGES)
def test_every_page_answers_and_is_neither_kept_nor_framed(office: Office, tmp_path: Path, page: str) -> None:
    answer = House(tmp_path, sound).get(page)
    assert answer.status == 200
    assert SAFE.items() <= answer.headers.items()


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("page", PAGES)
def test_the_house_only_tells(office: Office, tmp_path: Path, page: str, method: str) -> None:
    answer = House(tmp_path, sound).get(page, method)
    assert answer.status == 405 and answer.json["error"] and "GET" in answer.headers["allow"]
    assert SAFE.items() <= answer.headers.items()


def test_an_unknown_page_is_told_in_json(tmp_path: Path) -> None:
    answer = House(tmp_path, sound).get("/admin/v2/keys")
    assert (answer.status, answer.json) == (404, {"error": "Not Found"})


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8081", "127.0.0.1.evil.example", "10.0.0.1:8081", "", "[::2]:8081"])
def test_a_page_asked_for_by_another_name_is_not_given(office: Office, tmp_path: Path, host: str) -> None:
    answer = House(tmp_path, sound).get("/admin/v1/keys", host=host)
    assert answer.status == 421 and b"key_" not in answer.body


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8081", "localhost:1", "LOCALHOST", "[::1]:8081", "127.9.9.9"])
def test_this_machine_has_several_names(office: Office, tmp_path: Path, host: str) -> None:
    assert House(tmp_path, sound).get("/admin/v1/keys", host=host).status == 200


def test_a_gate_that_is_not_ready_says_why(tmp_path: Path) -> None:
    assert House(tmp_path, sound).get("/readyz").json == {"status": "ready"}
    for why in ("draining", "disk_low", "clock_unsure"):
        answer = House(tmp_path, saying(not_ready=why)).get("/readyz")
        assert (answer.status, answer.json) == (503, {"status": "not ready", "why": why})


def test_the_house_lives_on_without_a_gate_and_says_so(tmp_path: Path) -> None:
    house = House(tmp_path, None)
    assert house.get("/healthz").status == 200
    for page in ("/readyz", "/admin/v1/status", "/admin/v1/budgets"):
        answer = house.get(page)
        assert answer.status == 503 and "does not answer" in answer.body.decode()
    metrics = house.get("/metrics")
    assert metrics.status == 200 and b"headgate_up 0.0" in metrics.body


def test_a_book_that_is_damaged_or_not_there_is_told_and_not_fallen_over(tmp_path: Path) -> None:
    for content in (None, b"", b"not a database" * 500):
        if content is not None:
            (tmp_path / "ledger.db").write_bytes(content)
        house = House(tmp_path, sound)
        for page in ("/admin/v1/budgets", "/admin/v1/keys", "/admin/v1/doubts"):
            answer = house.get(page)
            assert answer.status == 503 and "ledger.db" in answer.json["error"]
        assert house.get("/metrics").status == 200


def test_the_pages_say_what_the_book_says(office: Office, tmp_path: Path) -> None:
    house = House(tmp_path, saying(now_us=office.book.time.wall_us))
    (budget,) = house.get("/admin/v1/budgets").json["budgets"]
    assert (budget["scope"], budget["cap"], budget["held"], budget["suspect"]) == ("workspace:ci", 1_000, 400, 400)
    (key,) = house.get("/admin/v1/keys").json["keys"]
    assert (key["workspace"], key["issued_by"], key["revoked_us"]) == ("ci", "alice", None)
    (doubt,) = house.get("/admin/v1/doubts").json["doubts"]
    assert (doubt["hold"], doubt["nano"]) == ("req_0000000000001", 400)
    assert b'headgate_budget_suspect{rule="workspace:ci/month/money",scope="workspace:ci"} 400.0' in house.get("/metrics").body
    assert b'headgate_refusals_total{reason="unpriced",workspace="ci"} 4.0' in house.get("/metrics").body
