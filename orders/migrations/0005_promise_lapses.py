"""Until when a promise of coins stands by itself; those that are open get their order's deadline."""

from django.db import migrations, models

FILL = """
UPDATE orders_promise p SET lapses_at = o.payment_deadline FROM orders_order o
WHERE o.id = p.order_id AND p.closed_at IS NULL AND o.priced_at IS NULL
"""


class Migration(migrations.Migration):
    dependencies = [("core", "0001_initial"), ("orders", "0004_function_search_path")]
    operations = [
        migrations.AddField(
            model_name="promise", name="lapses_at", field=models.DateTimeField(blank=True, null=True)
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.AddIndex(
            model_name="promise",
            index=models.Index(condition=models.Q(("closed_at", None)), fields=["lapses_at"], name="promise_by_lapse"),
        ),
    ]
