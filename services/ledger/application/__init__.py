"""Use cases of the ledger, on ports."""
