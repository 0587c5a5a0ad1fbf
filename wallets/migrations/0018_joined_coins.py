"""What joins coins of the house reserves its fee cap alone."""

import django.db.models.expressions
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0002_heartbeat'),
        ('wallets', '0017_signer_room'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='payout',
            name='payout_reserves_amount_and_fee_cap',
        ),
        migrations.AddConstraint(
            model_name='payout',
            constraint=models.CheckConstraint(condition=models.Q(('reserved_minor', django.db.models.expressions.CombinedExpression(models.F('amount_minor'), '+', models.F('fee_cap_minor'))), models.Q(('owner_ref', ''), ('purpose__startswith', 'house:consolidate:'), ('reserved_minor', models.F('fee_cap_minor'))), _connector='OR'), name='payout_reserves_amount_and_fee_cap'),
        ),
    ]
