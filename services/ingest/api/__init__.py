"""The door over HTTP."""

from services.ingest.api.routes import REFUSALS, Door, build_router

__all__ = ["REFUSALS", "Door", "build_router"]
