"""The ledger over HTTP."""

from services.ledger.api.routes import REFUSALS, build_router
from services.ledger.api.till import TILL_REFUSALS, TillRoutes, build_till_router

__all__ = ["REFUSALS", "TILL_REFUSALS", "TillRoutes", "build_router", "build_till_router"]
