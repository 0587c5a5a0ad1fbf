"""The one publisher of the event log: gives committed transitions gap-free numbers that readers may rely on.

A cursor over serial ids would lose rows, because a lower id may be committed later than a higher one.
"""

from django.db import connection, transaction

_PUBLISH = """
    WITH base AS (SELECT COALESCE(max(published_seq), 0) AS top FROM orders_transition),
    fresh AS (
        SELECT id, row_number() OVER (ORDER BY id) AS place
        FROM (SELECT id FROM orders_transition WHERE published_seq IS NULL ORDER BY id LIMIT %s) unpublished
    )
    UPDATE orders_transition t SET published_seq = base.top + fresh.place
    FROM base, fresh WHERE t.id = fresh.id
"""


def publish_transitions(*, limit: int = 1000) -> int:
    """Number the transitions that were committed since the last call and return how many.

    An advisory lock lets one publisher work at a time; a second one returns 0 at once. Safe to repeat.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended('orders.publish', 0))")
        if not cursor.fetchone()[0]:
            return 0
        cursor.execute(_PUBLISH, [limit])
        return int(cursor.rowcount)
