from services.runtime.settings import ServiceSettings


class ProgrammeSettings(ServiceSettings):
    """Only what every service has; `lead` is how long after its record a version may start."""
