from tests.support.counting_fixtures import world

__all__ = ["world"]
