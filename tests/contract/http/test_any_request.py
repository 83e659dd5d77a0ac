"""No request, however odd, is answered by a fault: every operation of every OpenAPI document, on real parts.

An operation that is new is asked by itself; the world of its service may be given bodies that it accepts.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.api_worlds import World, listening_world
from tests.support.asking import Ask, Asker, OddAsks, Operation, examples_of, operations_of
from tests.support.disconnected import NAMES
from tests.support.odd_requests import UNSERVED_TARGETS

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
BOUNDARIES = 40
EXAMPLES = 10


@pytest.fixture(params=NAMES)
async def world(
    request: pytest.FixtureRequest, kafka: str, clean_topics: str, database_url: str, tmp_path: Path
) -> AsyncIterator[World]:
    async with listening_world(
        request.param, kafka=kafka, topic_prefix=clean_topics, database_url=database_url, keys=tmp_path
    ) as world:
        yield world


async def test_every_answer_is_a_documented_one(world: World) -> None:
    assert await asyncio.to_thread(lambda: list(_undocumented(world))) == []


async def test_no_odd_request_is_answered_by_a_fault(world: World) -> None:
    def ask_all() -> list[str]:
        with Asker(world) as asker:
            for operation in operations_of(world):
                for odd in OddAsks(operation, world).all():
                    asker.ask(odd)
        return asker.wrong

    assert await asyncio.to_thread(ask_all) == []


async def test_what_nobody_serves_is_not_found(world: World) -> None:
    def ask_all() -> tuple[set[int], list[str]]:
        with Asker(world) as asker:
            return {asker.ask(Ask("GET", target)) for target in UNSERVED_TARGETS}, asker.wrong

    assert await asyncio.to_thread(ask_all) == ({404}, [])


async def test_without_the_right_key_nothing_is_answered(world: World) -> None:
    def ask_all() -> dict[str, tuple[int, ...]]:
        keys = (None, "lk_0_0", world.weak_key)
        with Asker(world) as asker:
            plain = {each.label: OddAsks(each, world).plain() for each in operations_of(world)}
            return {label: tuple(asker.ask(ask, key=key) for key in keys) for label, ask in plain.items()}

    answers = await asyncio.to_thread(ask_all)
    assert answers == dict.fromkeys(answers, (401, 401, 403))


def _undocumented(world: World) -> Iterator[str]:
    headers = {"Authorization": f"Bearer {world.key}"}
    with requests.Session() as session:
        for operation in operations_of(world):
            for case in (*_boundaries(operation), *_guesses(operation, world)):
                answer = case.call(world.url, session=session, headers=headers)
                try:
                    case.validate_response(answer, checks=CHECKS, headers=headers)
                except FailureGroup as failures:
                    yield str(failures)


def _boundaries(operation: Operation) -> Iterator[Case[Any]]:
    """Values at and beyond every limit that the document names; schemathesis leaves the key out of some."""
    generation = operation.schema.config.generation
    cases = operation.schema.iter_coverage_cases(
        operation, generation_modes=list(GenerationMode), generation_config=generation
    )
    return islice(cases, BOUNDARIES)


def _guesses(operation: Operation, world: World) -> Iterator[Case[Any]]:
    """What fits the document, and what does not; half of it speaks of what exists."""
    strategies = [operation.as_strategy(generation_mode=mode) for mode in GenerationMode]
    spoken_of = st.sampled_from([{}, *world.known])
    for case, known in examples_of(st.tuples(st.one_of(strategies), spoken_of), EXAMPLES):
        for parameters in (case.path_parameters, case.query):
            parameters.update({name: known[name] for name in parameters.keys() & known.keys()})
        yield case
