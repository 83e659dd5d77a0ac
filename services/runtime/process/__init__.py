"""What a service's `__main__` needs to describe itself and run."""

from services.runtime.process.command import main
from services.runtime.process.definition import Api, Context, Job, ServiceDefinition, system_clock

__all__ = ["Api", "Context", "Job", "ServiceDefinition", "main", "system_clock"]
