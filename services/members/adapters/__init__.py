"""Tables, contracts and ciphers behind the ports."""
