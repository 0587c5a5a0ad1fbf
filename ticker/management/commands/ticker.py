"""`manage.py ticker`: record one round of prices and show what each source said and why it counts or not."""

import time
from argparse import ArgumentParser
from decimal import Decimal

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from core.clock import now
from ticker.record import RoundReport, record_round
from ticker.round import Judged
from ticker.sources.protocol import SourceQuote

HEAD = ("market", "source", "bid", "ask", "in", "age", "verdict", "why")


class Command(BaseCommand):
    help = "Ask all price venues once, record and show the round. Fails when no market has a rate."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--wait", type=int, default=20, help="seconds to wait while another round runs (20)")

    def handle(self, *, wait: int, **_: object) -> None:
        """Record a round, waiting for one that a worker runs; print both tables. Raises: CommandError."""
        if settings.TICKER_MARKET != "demo":
            self.stderr.write(f"asking {', '.join(settings.TICKER_BASE_URLS)} …")
        report = self._record(wait)
        self._print_table([HEAD, *(_row(each, report) for each in _in_order(report))])
        self.stdout.write("")
        self._print_table([("market", "bid", "ask", "sources", "verdict", "why"), *_standing_rows(report)])
        if report.generated:
            self.stdout.write("\nno venue answered or none was asked: these prices are GENERATED (demo)")
        if not report.rated:
            raise CommandError("no market has a rate")

    def _record(self, wait: int) -> RoundReport:
        for second in range(wait + 1):
            report = record_round(at=now())
            if report is not None:
                return report
            if second == 0:
                self.stderr.write("another round has just begun, waiting for its turn to pass …")
            time.sleep(1)
        raise CommandError(f"other rounds were running for {wait} s")

    def _print_table(self, rows: list[tuple[str, ...]]) -> None:
        widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.stdout.write("  ".join(cells).rstrip())


def _in_order(report: RoundReport) -> list[Judged]:
    return sorted(report.judged, key=lambda each: (each.market, each.source))


def _row(each: Judged, report: RoundReport) -> tuple[str, ...]:
    quote = each.answer
    if not isinstance(quote, SourceQuote):
        return (each.market, each.source, "-", "-", "-", "-", each.verdict.code, each.verdict.reason)
    age = f"{max(0, round((report.at - each.data_at).total_seconds()))} s" if each.data_at else "-"
    verdict = "counts" if each.verdict.code == "ok" else each.verdict.code
    return (
        each.market,
        each.source,
        _plain(quote.bid),
        _plain(quote.ask),
        quote.quote,
        age,
        verdict,
        each.verdict.reason,
    )


def _standing_rows(report: RoundReport) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for standing in sorted(report.standings, key=lambda each: each.market):
        good = standing.course.good if standing.verdict.code == "ok" else None
        prices = (_plain(good.bid), _plain(good.ask), ", ".join(good.sources)) if good else ("-", "-", "-")
        rows.append((standing.market, *prices, standing.verdict.code, standing.verdict.reason))
    return rows


def _plain(price: Decimal) -> str:
    text = format(price, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
