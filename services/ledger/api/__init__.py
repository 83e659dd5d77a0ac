"""The ledger over HTTP."""

from services.ledger.api.routes import REFUSALS, build_router

__all__ = ["REFUSALS", "build_router"]
