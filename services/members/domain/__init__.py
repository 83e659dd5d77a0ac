"""What may happen to a member, decided over values alone."""
