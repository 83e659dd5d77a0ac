"""`python -m services.ops.stack`: says which Kafka and which PostgreSQL would be used, or why none can be."""

import sys

import typer

from services.ops.stack.choice import choose_kafka, choose_postgres
from services.ops.stack.errors import NoProvider
from services.ops.stack.probe import look_around


def main() -> None:
    found = look_around()
    try:
        typer.echo(f"Kafka: {choose_kafka(found).value}; PostgreSQL: {choose_postgres(found).value}")
    except NoProvider as refusal:
        typer.echo(refusal, err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
