"""An order without a payout address is held and never paid. Older rows that lost their hold get it back first."""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q

MEND = """
UPDATE orders_order SET hold_reason = 'ADDRESS', next_actor = 'customer'
WHERE state = 'EXCHANGING' AND payout_address = '' AND hold_reason <> 'ADDRESS'
"""


class Migration(migrations.Migration):
    dependencies = [("orders", "0002_guards")]
    operations = [
        migrations.RunSQL(MEND, migrations.RunSQL.noop),
        # Not checked against the rows of old: a release does not fail over what nobody can change any more.
        AddConstraintNotValid(
            model_name="order",
            constraint=models.CheckConstraint(
                condition=~Q(payout_address="") | ~Q(state__in=("PAYING", "SENT", "COMPLETED")),
                name="order_paid_to_an_address",
            ),
        ),
        AddConstraintNotValid(
            model_name="order",
            constraint=models.CheckConstraint(
                condition=~Q(payout_address="") | ~Q(state="EXCHANGING") | Q(hold_reason="ADDRESS"),
                name="order_without_address_is_held",
            ),
        ),
    ]
