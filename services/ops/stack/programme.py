"""An example programme for a platform that has none."""

from pathlib import Path

import httpx

from services.ops.stack.errors import StackError

EXAMPLE = Path(__file__).resolve().parents[3] / "deploy" / "programmes" / "example.yaml"


async def publish_example_programme(programme_url: str, api_key: str, file: Path = EXAMPLE) -> bool:
    """False if a programme is already known: a published version is never replaced by an example."""
    headers = {"Authorization": f"Bearer {api_key}"}
    async with httpx.AsyncClient(base_url=programme_url, headers=headers, trust_env=False, timeout=30) as client:
        known = await client.get("/v1/programme/versions")
        if known.status_code != 200:
            raise StackError(f"programme answered {known.status_code} to the question for its versions")
        if known.json()["versions"]:
            return False
        answer = await client.post(
            "/v1/programme/versions",
            content=file.read_bytes(),
            params={"replaces": 0},
            headers={"Content-Type": "application/yaml", "Idempotency-Key": f"example-{file.stem}"},
        )
        if answer.status_code not in (200, 201):
            raise StackError(f"the example programme was not taken: {answer.status_code} {answer.text[:500]}")
        return True
