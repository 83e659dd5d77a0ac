"""What the service is told from outside."""

from services.runtime.settings import ServiceSettings


class MembersSettings(ServiceSettings):
    """Needs LOYALTY_IDENTITY_KEY_FILE and LOYALTY_VAULT_KEY_FILE beside the settings of every service."""
