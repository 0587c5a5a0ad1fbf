"""A payout has an address. Not checked against the rows of old: a release does not fail over them."""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("wallets", "0004_payout_tried_at")]
    operations = [
        AddConstraintNotValid(
            model_name="payout",
            constraint=models.CheckConstraint(condition=~Q(address=""), name="payout_has_an_address"),
        ),
    ]
