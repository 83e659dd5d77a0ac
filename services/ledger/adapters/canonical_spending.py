"""The canonical fields of redemptions, and of what they give back and spend again."""

from services.ledger.adapters.canonical_json import Json
from services.ledger.adapters.canonical_returns import read_waived, waived_fields
from services.ledger.domain.facts import (
    Allotment,
    Cause,
    CommandKey,
    PointsRedeemed,
    PointsRestored,
    PointsSpentAgain,
    RedemptionCancelled,
)
from services.ledger.domain.ids import EventId
from services.ledger.domain.moves import Move


def redeemed_fields(fact: PointsRedeemed) -> Json:
    return {
        "as_money": fact.as_money,
        "basket_minor": fact.basket_minor,
        "command": _command_fields(fact.command),
        "minor": fact.minor,
        "order": fact.order,
        "per_member": _allotment_fields(fact.per_member),
        "programme_version": fact.programme_version,
        "redemption_id": fact.redemption_id,
        "reward": fact.reward,
        "spent": dict(fact.spent),
        "stock": _allotment_fields(fact.stock),
        "tier": fact.tier,
    }


def redeemed(document: Json, cause: Cause, moves: tuple[Move, ...]) -> PointsRedeemed:
    return PointsRedeemed(
        cause=cause,
        moves=moves,
        redemption_id=EventId(document["redemption_id"]),
        reward=document["reward"],
        as_money=document["as_money"],
        minor=document["minor"],
        basket_minor=document["basket_minor"],
        order=document["order"],
        spent=tuple(sorted(document["spent"].items())),
        stock=_allotment(document["stock"]),
        per_member=_allotment(document["per_member"]),
        programme_version=document["programme_version"],
        tier=document["tier"],
        command=_command(document["command"]),
    )


def cancelled_fields(fact: RedemptionCancelled) -> Json:
    return {
        "command": _command_fields(fact.command),
        "frees_allowance": fact.frees_allowance,
        "frees_stock": fact.frees_stock,
        "given_back": dict(fact.given_back),
        "limited": fact.limited,
        "redemption_id": fact.redemption_id,
    }


def cancelled(document: Json, cause: Cause, moves: tuple[Move, ...]) -> RedemptionCancelled:
    return RedemptionCancelled(
        cause=cause,
        moves=moves,
        redemption_id=EventId(document["redemption_id"]),
        given_back=tuple(sorted(document["given_back"].items())),
        limited=document["limited"],
        frees_stock=document["frees_stock"],
        frees_allowance=document["frees_allowance"],
        command=_command(document["command"]),
    )


def restored_fields(fact: PointsRestored) -> Json:
    return {
        "given_back": dict(fact.given_back),
        "original_id": fact.original_id,
        "redemption_id": fact.redemption_id,
    }


def restored(document: Json, cause: Cause, moves: tuple[Move, ...]) -> PointsRestored:
    return PointsRestored(
        cause=cause,
        moves=moves,
        redemption_id=EventId(document["redemption_id"]),
        original_id=EventId(document["original_id"]),
        given_back=tuple(sorted(document["given_back"].items())),
    )


def spent_again_fields(fact: PointsSpentAgain) -> Json:
    return {
        "original_id": fact.original_id,
        "redemption_id": fact.redemption_id,
        "return_id": fact.return_id,
        "spent": dict(fact.spent),
        "waived": waived_fields(fact.waived),
    }


def spent_again(document: Json, cause: Cause, moves: tuple[Move, ...]) -> PointsSpentAgain:
    return PointsSpentAgain(
        cause=cause,
        moves=moves,
        redemption_id=EventId(document["redemption_id"]),
        original_id=EventId(document["original_id"]),
        return_id=EventId(document["return_id"]),
        spent=tuple(sorted(document["spent"].items())),
        waived=read_waived(document),
    )


def _command_fields(command: CommandKey) -> Json:
    return {"body_hash": command.body_hash, "key": command.key, "principal": command.principal}


def _command(document: Json) -> CommandKey:
    return CommandKey(document["principal"], document["key"], document["body_hash"])


def _allotment_fields(allotment: Allotment | None) -> Json | None:
    return None if allotment is None else {"limit": allotment.limit, "taken": allotment.taken}


def _allotment(document: Json | None) -> Allotment | None:
    return None if document is None else Allotment(document["taken"], document["limit"])
