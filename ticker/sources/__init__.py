"""Price venues, each behind the same small contract (`ticker.sources.protocol`). Plain Python, no Django."""
