"""Why a local stack cannot run, in words for the person at the terminal."""


class StackError(Exception):
    """The stack cannot start or go on; the message says what to do about it."""


class NoProvider(StackError):
    """This machine offers no way to run Kafka or PostgreSQL; the message names the choices."""


class AlreadyRunning(StackError):
    """Another process holds the state directory."""


class PortTaken(StackError):
    """A port that we need belongs to somebody else; the message names the setting that moves us."""
