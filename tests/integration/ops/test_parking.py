"""A member whose records cannot be handled is parked, so that the others go on, and comes back once mended."""

from aiokafka import AIOKafkaProducer

from tests.integration.ops.conftest import Office
from tests.support.ledger import new_member, programme, purchase
from tests.support.running_services import eventually

SOUND, BROKEN = '"visits":1', '"visits":'


async def test_a_member_with_a_broken_account_is_parked_mended_and_redriven(office: Office) -> None:
    ledger, operator = office.ledger, office.operator
    victim, other = new_member(), new_member()
    await ledger.running.send(programme(), purchase(victim))
    async with ledger.running.working():
        await ledger.until_recorded(1)
        await ledger.change_account(victim, SOUND, BROKEN)
        await ledger.running.send(purchase(victim), purchase(other), purchase(victim))
        stopped = await ledger.until_partition("purchases", "stopped")
        assert "offset 1:" in (stopped.cause or "")
        parked = await operator.document("dlq", "park", "purchases", 0, 1, "--by", "ann")
        assert parked == {
            "service": "ledger", "topic": "purchases", "key": victim, "next_offset": 1, "parked_by": "ann"
        }  # fmt: skip
        await ledger.until_recorded(2)
        await ledger.until_partition("purchases", "running")
        await eventually(lambda: has_parked(office, 2))
        (listed,) = (await operator.document("dlq", "ls"))["parked_keys"]
        assert (listed["key"], listed["records"], listed["first"]) == (victim, 2, "0/1")
        assert (await operator.document("lag"))["set_aside"][1]["parked_keys"] == 1
        redrive = ("dlq", "redrive", "ledger", "--key", victim, "--by", "ann")
        broken = await operator.loyalty(*redrive)
        assert (broken.code, "0 records applied, 2 stay parked" in broken.out) == (1, True)
        await ledger.change_account(victim, BROKEN, SOUND)
        (released,) = (await operator.document(*redrive))["parked_keys"]
        assert (released["applied"], released["left"], released["refusal"]) == (2, 0, None)
        await ledger.running.send(purchase(victim))
        await ledger.until_recorded(5)
    assert [fact["position"]["offset"] for fact in await ledger.facts(victim)] == [0, 1, 3, 4]
    assert (await ledger.points(victim))["available"] == 40
    assert (await operator.document("dlq", "ls"))["parked_keys"] == []


async def test_a_record_without_a_key_or_behind_the_position_is_not_parked_and_it_is_said_what_to_do(
    office: Office,
) -> None:
    ledger, operator = office.ledger, office.operator
    await ledger.running.send(programme(), purchase(new_member()))
    async with ledger.running.working():
        await ledger.until_recorded(1)
    decided = await operator.loyalty("dlq", "park", "purchases", 0, 0, "--by", "ann")
    assert (decided.code, "what came of record 0 is decided" in decided.said) == (2, True)
    await send_without_key(office)
    keyless = await operator.loyalty("dlq", "park", "purchases", 0, 1, "--by", "ann")
    assert keyless.code == 2
    assert "loyalty checkpoints move ledger purchases 0 2" in keyless.said
    ambiguous = await operator.loyalty("dlq", "park", "tiers", 0, 0, "--by", "ann")
    assert (ambiguous.code, "ledger, notifier read tiers" in ambiguous.said) == (2, True)


async def has_parked(office: Office, count: int) -> bool:
    return len(await office.ledger.query("SELECT 1 FROM parked")) == count


async def send_without_key(office: Office) -> None:
    kafka = office.ledger.running.context.kafka
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as producer:
        await producer.send_and_wait(kafka.physical("purchases"), b"{}")
