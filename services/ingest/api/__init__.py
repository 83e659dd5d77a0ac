"""The door over HTTP."""

from services.ingest.api.batch import STREAMED
from services.ingest.api.door import Door
from services.ingest.api.routes import REFUSALS, build_router

__all__ = ["REFUSALS", "STREAMED", "Door", "build_router"]
