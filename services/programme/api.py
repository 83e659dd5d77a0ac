"""The HTTP face of the programme service."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.base import rfc3339
from services.programme.application import (
    InvalidProgramme,
    Publication,
    Published,
    Reader,
    Source,
    StoredVersion,
    Versions,
    check,
    publish,
)
from services.programme.domain.findings import Finding, is_publishable, pointer, spelled
from services.programme.domain.versions import Version, VersionReplaced, in_force
from services.runtime.http.answers import RefusalMapping
from services.runtime.http.auth import Principal, require
from services.runtime.http.idempotency import IdempotencyKey, answered, remember
from services.runtime.http.problem import Problem, fault, invalid
from services.runtime.ports import Clock
from services.runtime.postgres.unit_of_work import Database, UnitOfWork

BODY_BYTES_MAX = 1024 * 1024
YAML_TYPES = ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml")
STREAMED = dict.fromkeys(("/v1/programme:check", "/v1/programme/versions"), dict.fromkeys(YAML_TYPES, BODY_BYTES_MAX))
_OPERATION = "publish-programme"
_BODY = {
    "requestBody": {
        "required": True,
        "description": "A programme as YAML, or as JSON.",
        "content": {name: {"schema": {"type": "object"}} for name in ("application/yaml", "application/json")},
    }
}

Reads = Annotated[Principal, require("programme:read")]
Writes = Annotated[Principal, require("programme:write")]
Replaces = Annotated[int | None, Query(ge=0, le=10**6, description="The newest version known to its author; 0 = none.")]
IfMatch = Annotated[str | None, Header(pattern=r'^"?\d{1,7}"?$', description="The same as `replaces`.")]


def router(
    database: Database, reader: Reader, versions: Callable[[AsyncConnection], Versions], clock: Clock, lead: timedelta
) -> APIRouter:
    routes = _Routes(database, reader, versions, clock, lead)
    made = APIRouter(tags=["programme"])
    made.add_api_route("/v1/programme:check", routes.check, methods=["POST"], openapi_extra=_BODY)
    made.add_api_route("/v1/programme/versions", routes.publish, methods=["POST"], status_code=201, openapi_extra=_BODY)
    made.add_api_route("/v1/programme/versions", routes.list, methods=["GET"])
    made.add_api_route("/v1/programme/versions/current", routes.current, methods=["GET"])
    made.add_api_route("/v1/programme/versions/{number}", routes.get, methods=["GET"])
    return made


def refusals() -> Mapping[type[Exception], RefusalMapping]:
    return {
        VersionReplaced: RefusalMapping(409, "version_replaced"),
        InvalidProgramme: RefusalMapping(422, "invalid_programme", extra=lambda refusal: _report(refusal.findings)),
    }


@dataclass(frozen=True, slots=True)
class _Routes:
    database: Database
    reader: Reader
    versions: Callable[[AsyncConnection], Versions]
    clock: Clock
    lead: timedelta

    async def check(self, request: Request, principal: Reads) -> dict[str, Any]:
        """What is wrong or odd in a programme, before anybody publishes it."""
        reading = await self.reader.read(await _source(request))
        async with self.database.read() as connection:
            newest = await self.versions(connection).newest()
        findings = check(reading, newest)
        return {"publishable": is_publishable(findings), **_report(findings)}

    async def publish(
        self,
        request: Request,
        principal: Writes,
        key: IdempotencyKey,
        replaces: Replaces = None,
        if_match: IfMatch = None,
    ) -> Response:
        """Makes a document the newest version; it is never edited afterwards."""
        source = await _source(request)
        reading = await self.reader.read(source)
        number = _replaced(replaces, if_match)
        body_hash = _hash_of(source, number)

        async def work(uow: UnitOfWork) -> tuple[int, Any]:
            versions = self.versions(uow.connection)
            # The turn comes first, so that a key in use twice at once waits and then finds the first answer.
            await versions.take_turn()
            before = await answered(uow, principal, _OPERATION, key, body_hash)
            if before is not None:
                return before.status, before.body
            publication = Publication(number, principal.owner, self.clock(), self.lead)
            body = self._published(await publish(reading, versions, uow, publication))
            await remember(uow, principal, _OPERATION, key, body_hash, 201, body)
            return 201, body

        status, body = await self.database.run(work)
        return JSONResponse(body, status_code=status, headers={"Location": f"/v1/programme/versions/{body['version']}"})

    async def list(self, principal: Reads) -> dict[str, Any]:
        """All versions without their documents, the oldest first."""
        async with self.database.read() as connection:
            versions = await self.versions(connection).all()
        current = in_force(versions, self.clock(), self.lead)
        return {"versions": [self._summary(version) | {"in_force": version == current} for version in versions]}

    async def current(self, principal: Reads, response: Response) -> dict[str, Any]:
        """The version in force at this moment, with its document."""
        async with self.database.read() as connection:
            versions = self.versions(connection)
            version = in_force(await versions.all(), self.clock(), self.lead)
            stored = await versions.get(version.number) if version is not None else None
        return self._whole(stored, response, "no version is in force yet")

    async def get(self, number: int, principal: Reads, response: Response) -> dict[str, Any]:
        async with self.database.read() as connection:
            stored = await self.versions(connection).get(number) if 0 < number <= 10**6 else None
        return self._whole(stored, response, f"there is no version {number}")

    def _published(self, published: Published) -> dict[str, Any]:
        return self._summary(published.version) | {"warnings": list(map(_finding, published.warnings))}

    def _whole(self, stored: StoredVersion | None, response: Response, missing: str) -> dict[str, Any]:
        if stored is None:
            raise Problem(404, "version_not_found", detail=missing)
        response.headers["ETag"] = f'"{stored.version.number}"'
        return self._summary(stored.version) | {"document": stored.document}

    def _summary(self, version: Version) -> dict[str, Any]:
        return {
            "version": version.number,
            "effective_from": rfc3339(version.effective_from),
            "starts_at": rfc3339(version.starts_at(self.lead)),
            "starts_at_is_final": version.number == 1 or version.appended_at is not None,
            "published_at": rfc3339(version.published_at),
            "published_by": version.published_by,
        }


async def _source(request: Request) -> Source:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in (*YAML_TYPES, "application/json"):
        detail = "send the programme as application/yaml or application/json"
        raise Problem(415, "unsupported_media_type", detail=detail)
    return Source(await request.body(), is_json=media_type == "application/json")


def _replaced(replaces: int | None, if_match: str | None) -> int:
    given = {number for number in (replaces, int(if_match.strip('"')) if if_match else None) if number is not None}
    if len(given) > 1:
        raise invalid([fault("replaces", "contradiction", "replaces and If-Match name different versions")])
    return given.pop() if given else 0


# The bytes as sent and not what they say: comments in a file are its author's, too.
def _hash_of(source: Source, replaces: int) -> bytes:
    return hashlib.sha256(f"{source.is_json} {replaces}\n".encode() + source.text).digest()


def _report(findings: tuple[Finding, ...]) -> dict[str, Any]:
    return {
        f"{severity}s": [_finding(finding) for finding in findings if finding.severity == severity]
        for severity in ("error", "warning")
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "path": spelled(finding.path),
        "pointer": pointer(finding.path),
        "line": finding.line,
        "code": finding.code,
        "message": finding.message,
        "remedy": finding.remedy,
    }
