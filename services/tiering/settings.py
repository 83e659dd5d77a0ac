from services.runtime.settings import ServiceSettings


class TieringSettings(ServiceSettings):
    """Only what every service has; `lead` is how long after its record a version of the programme may start."""
