"""The route map of a gateway sends every path to the service that serves it."""

import re
from functools import cache
from pathlib import Path

import pytest
import yaml

from services.runtime.http.operations import PATHS
from services.runtime.settings import PORTS
from tests.support.disconnected import NAMES, app_of

ROUTES: dict[str, str] = yaml.safe_load((Path(__file__).parents[2] / "deploy" / "route-map.yaml").read_text())["routes"]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    keys = tmp_path_factory.mktemp("keys")
    return {service: set(app_of(service, keys).openapi()["paths"]) for service in NAMES}


def test_every_path_goes_to_the_service_that_serves_it(served: dict[str, set[str]]) -> None:
    went = {(path, service): _service(path) for service, paths in served.items() for path in paths}
    assert {path: to for (path, service), to in went.items() if to != service} == {}


def test_every_route_leads_somewhere(served: dict[str, set[str]]) -> None:
    paths = {path for paths in served.values() for path in paths}
    assert set(ROUTES) == {_route(path) for path in paths}


def test_every_route_leads_to_a_service_with_a_port() -> None:
    assert set(ROUTES.values()) == set(PORTS) == set(NAMES)


@pytest.mark.parametrize("path", sorted(PATHS))
def test_operational_paths_do_not_pass(path: str) -> None:
    assert _route(path) is None


def test_two_services_never_serve_one_path(served: dict[str, set[str]]) -> None:
    paths = [_shape(path) for paths in served.values() for path in paths]
    assert len(paths) == len(set(paths))


def _service(path: str) -> str | None:
    return ROUTES.get(_route(path) or "")


def _route(path: str) -> str | None:
    shape = _shape(path)
    return max((route for route in ROUTES if _covers(route).match(shape)), key=len, default=None)


@cache
def _covers(route: str) -> re.Pattern[str]:
    return re.compile(re.escape(route) + r"(?:[/:].*)?\Z")


def _shape(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)
