"""Mutation tests: small faults put into the money path one by one, each of which some fast test must notice."""
