"""Which errors of the Kafka client are worth another try."""

from collections.abc import Iterator
from contextlib import contextmanager

from aiokafka.errors import (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    IncompatibleBrokerVersion,
    KafkaError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
    UnsupportedVersionError,
)

from services.runtime.errors import Transient

_FATAL = (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
    IncompatibleBrokerVersion,
    MessageSizeTooLargeError,
    UnsupportedVersionError,
)


@contextmanager
def broker_trouble_is_transient() -> Iterator[None]:
    """Turns what is_broker_trouble names into Transient; everything else passes."""
    try:
        yield
    except Exception as error:
        if not is_broker_trouble(error):
            raise
        raise Transient(f"Kafka: {type(error).__name__}") from error


def is_broker_trouble(error: BaseException) -> bool:
    """True for everything but refusals that another try cannot change: credentials, rights, versions, sizes."""
    return isinstance(error, (KafkaError, OSError, TimeoutError)) and not isinstance(error, _FATAL)
