import httpx
import pytest

from services.runtime.http.auth import CACHE_KEYS, CACHE_SECONDS, Authenticator
from services.runtime.http.problem import Problem
from tests.support.api_keys import FixedKeys
from tests.unit.runtime.http.shop import Shop


async def order(shop: Shop, key: str | None, *, note: str = "", idempotency_key: str = "k-1") -> httpx.Response:
    async with shop.client(key) as client:
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        return await client.post("/v1/orders/7", json={"note": note}, headers=headers)


class Seconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_a_key_with_scope_and_source_is_let_in_as_its_owner() -> None:
    shop = Shop()
    answer = await order(shop, shop.keys.add("a1", "orders:write", owner="till-7", sources=("pos",)), note="pos")
    assert (answer.status_code, answer.json()["owner"]) == (200, "till-7")


@pytest.mark.parametrize(
    "presented",
    [
        pytest.param(None, id="none"),
        pytest.param("lk_a1_wrong", id="wrong secret"),
        pytest.param("lk_b2_secret", id="unknown id"),
        pytest.param("secret", id="another form"),
        pytest.param("lk_a1_", id="no secret"),
        pytest.param("xx_a1_secret", id="another prefix"),
    ],
)
async def test_whoever_shows_no_good_key_is_asked_for_one(presented: str | None) -> None:
    shop = Shop()
    shop.keys.add("a1", "orders:write", sources=("web",))
    answer = await order(shop, presented)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_secret_may_hold_underscores() -> None:
    keys = FixedKeys()
    key = keys.add("a1", "orders:write")
    with pytest.raises(Problem):
        await Authenticator(keys).authenticate(key + "_more")
    assert (await Authenticator(keys).authenticate(key)).key_id == "a1"


async def test_a_missing_scope_is_named() -> None:
    shop = Shop()
    answer = await order(shop, shop.keys.add("a1", "orders:read"))
    assert (answer.status_code, answer.json()["code"], answer.json()["scope"]) == (403, "scope_missing", "orders:write")


async def test_a_source_that_the_key_is_not_bound_to_is_named() -> None:
    shop = Shop()
    answer = await order(shop, shop.keys.add("a1", "orders:write", sources=("pos",)), note="erp")
    assert (answer.status_code, answer.json()["code"], answer.json()["source"]) == (403, "source_not_allowed", "erp")


async def test_a_star_stands_for_every_scope_and_source() -> None:
    shop = Shop()
    answer = await order(shop, shop.keys.add("a1", "*", sources=("*",)), note="anything")
    assert answer.status_code == 200


async def test_whoever_may_not_enter_is_told_so_before_the_body_is_judged() -> None:
    shop = Shop()
    async with shop.client() as client:
        answer = await client.post("/v1/orders/7", json={"lines": "none"})
    assert answer.status_code == 401


async def test_a_write_without_idempotency_key_is_refused_by_name() -> None:
    shop = Shop()
    answer = await order(shop, shop.keys.add("a1", "*", sources=("*",)), idempotency_key="")
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"pointer": "Idempotency-Key", "code": "missing", "detail": "Field required"}]


async def test_an_overlong_idempotency_key_is_refused() -> None:
    shop = Shop()
    answer = await order(shop, shop.keys.add("a1", "*", sources=("*",)), idempotency_key="k" * 256)
    assert answer.status_code == 422


async def test_the_hash_of_a_body_is_of_what_it_says_not_of_how_it_is_written() -> None:
    shop = Shop()
    key = shop.keys.add("a1", "*", sources=("*",))
    bodies = (b'{"note":"a","lines":[]}', b'{ "lines": [],\n "note": "a" }', b'{"note":"b","lines":[]}')
    async with shop.client(key) as client:
        headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
        answers = [await client.post("/v1/orders/7", content=body, headers=headers) for body in bodies]
    hashes = [answer.json()["hash"] for answer in answers]
    assert hashes[0] == hashes[1] != hashes[2]


async def test_a_key_is_looked_for_once_in_thirty_seconds() -> None:
    keys, seconds = FixedKeys(), Seconds()
    key = keys.add("a1", "x")
    authenticator = Authenticator(keys, seconds=seconds)
    for seconds.now in (0.0, 10.0, CACHE_SECONDS - 0.1):
        await authenticator.authenticate(key)
    assert keys.asked == 1


async def test_a_revoked_key_is_forgotten_after_thirty_seconds() -> None:
    keys, seconds = FixedKeys(), Seconds()
    key = keys.add("a1", "x")
    authenticator = Authenticator(keys, seconds=seconds)
    await authenticator.authenticate(key)
    keys.revoke("a1")
    seconds.now = CACHE_SECONDS
    with pytest.raises(Problem, match="unauthenticated"):
        await authenticator.authenticate(key)


async def test_guessing_ids_does_not_grow_the_memory_without_end() -> None:
    keys = FixedKeys()
    authenticator = Authenticator(keys)
    for number in range(CACHE_KEYS + 10):
        with pytest.raises(Problem):
            await authenticator.authenticate(f"lk_{number}_guess")
    assert len(authenticator._cache) == CACHE_KEYS
