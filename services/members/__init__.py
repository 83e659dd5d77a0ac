"""Registration, identities, consent and the vault of personal data."""
