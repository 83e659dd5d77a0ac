import asyncio

import pytest

from services.runtime.errors import Transient
from services.runtime.http.auth import Principal
from services.runtime.http.idempotency import StoredAnswer, answered, remember
from services.runtime.http.problem import Problem
from services.runtime.postgres.unit_of_work import Database, UnitOfWork

TILL = Principal("k1", "till-7", frozenset({"*"}), frozenset())
BODY, OTHER_BODY = b"\1" * 32, b"\2" * 32


async def found(service: Database, principal: Principal = TILL, operation: str = "redeem", key: str = "k") -> object:
    async with service.begin() as uow:
        return await answered(uow, principal, operation, key, BODY)


async def test_a_key_that_is_new_has_no_answer(service: Database) -> None:
    assert await found(service) is None


async def test_the_same_key_and_body_get_the_first_answer(service: Database) -> None:
    async with service.begin() as uow:
        await remember(uow, TILL, "redeem", "k", BODY, 201, {"spent": {"points": 500}, "name": "拿铁"})
    assert await found(service) == StoredAnswer(201, {"spent": {"points": 500}, "name": "拿铁"})


async def test_the_same_key_with_another_body_is_refused(service: Database) -> None:
    async with service.begin() as uow:
        await remember(uow, TILL, "redeem", "k", OTHER_BODY, 201, {})
    with pytest.raises(Problem) as refusal:
        await found(service)
    assert (refusal.value.status, refusal.value.code) == (422, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("principal", "operation", "key"),
    [
        pytest.param(Principal("k2", "till-8", TILL.scopes, TILL.sources), "redeem", "k", id="another owner"),
        pytest.param(TILL, "hold", "k", id="another operation"),
        pytest.param(TILL, "redeem", "k2", id="another key"),
    ],
)
async def test_an_answer_is_for_its_owner_operation_and_key_alone(
    service: Database, principal: Principal, operation: str, key: str
) -> None:
    async with service.begin() as uow:
        await remember(uow, TILL, "redeem", "k", BODY, 201, {})
    assert await found(service, principal, operation, key) is None


async def test_an_answer_outlives_the_api_key_it_was_given_to(service: Database) -> None:
    async with service.begin() as uow:
        await remember(uow, TILL, "redeem", "k", BODY, 201, {})
    renewed = Principal("k9", TILL.owner, TILL.scopes, TILL.sources)
    assert await found(service, renewed) == StoredAnswer(201, {})


async def test_an_answer_is_forgotten_with_the_transaction_that_gave_it(service: Database) -> None:
    with pytest.raises(RuntimeError):
        await remember_and_fail(service)
    assert await found(service) is None


async def test_of_two_requests_with_one_key_at_once_only_one_is_done(service: Database) -> None:
    both_looked = asyncio.Barrier(2)

    async def command() -> bool:
        async with service.begin() as uow:
            assert await answered(uow, TILL, "redeem", "k", BODY) is None
            await both_looked.wait()
            await remember(uow, TILL, "redeem", "k", BODY, 201, {})
        return True

    results = await asyncio.gather(command(), command(), return_exceptions=True)
    (refused,) = [result for result in results if result is not True]
    assert isinstance(refused, Transient)
    assert await found(service) == StoredAnswer(201, {})


async def remember_and_fail(service: Database) -> None:
    async def work(uow: UnitOfWork) -> None:
        await remember(uow, TILL, "redeem", "k", BODY, 201, {})
        raise RuntimeError

    await service.run(work)
