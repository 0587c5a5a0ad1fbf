"""The venues we know, and asking them all at once within one bound of time."""

import queue
import threading
import time
from collections.abc import Mapping, Sequence

from ticker.sources.binance import Binance
from ticker.sources.bitstamp import Bitstamp
from ticker.sources.coinbase import Coinbase
from ticker.sources.kraken import Kraken
from ticker.sources.protocol import Answer, Listing, Source, SourceError

SOURCES: Mapping[str, type[Kraken] | type[Coinbase] | type[Bitstamp] | type[Binance]] = {
    source.name: source for source in (Kraken, Coinbase, Bitstamp, Binance)
}


def open_source(name: str, base_url: str) -> Source:
    """Return the venue of this name at this address. Raises: KeyError for a name that SOURCES does not list."""
    return SOURCES[name](base_url.rstrip("/"))


def ask_all(questions: Sequence[tuple[Source, Sequence[Listing]]], *, bound_s: int) -> dict[str, list[Answer]]:
    """Ask every venue in a thread of its own; a venue that takes longer than `bound_s` in all is a time-out.

    The threads are daemons and touch neither the database nor each other: one that a dripping server holds up costs
    a thread until the server ends, never a round.
    """
    answered: queue.SimpleQueue[tuple[str, list[Answer]]] = queue.SimpleQueue()

    def run(source: Source, listings: Sequence[Listing]) -> None:
        try:
            answers = source.fetch(listings)
        except Exception as error:  # noqa: BLE001 -- a bug in one venue's module must not cost the other venues' round
            broken = SourceError("source_broken", f"{type(error).__name__}: {error}", whole=True)
            answers = [broken for _ in listings]
        answered.put((source.name, answers))

    for source, listings in questions:
        threading.Thread(target=run, args=(source, listings), name=f"ticker-{source.name}", daemon=True).start()
    late = SourceError("timeout", f"no answer within {bound_s} s", whole=True)
    results: dict[str, list[Answer]] = {source.name: [late for _ in listings] for source, listings in questions}
    give_up_at = time.monotonic() + bound_s
    for _ in questions:
        try:
            name, answers = answered.get(timeout=max(0, give_up_at - time.monotonic()))
        except queue.Empty:
            break
        results[name] = answers
    return results
