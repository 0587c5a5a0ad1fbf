"""Ids of users can be taken before their rows are written: a bearer token is made of its user's id."""

from django.db import migrations

FORWARD = r"""
-- With the owner's rights, because nobody else may use a sequence by itself; no more than a hundred at once.
CREATE FUNCTION accounts_take_ids(how_many integer) RETURNS SETOF bigint LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT nextval(pg_get_serial_sequence('public.accounts_user', 'id')) FROM generate_series(1, LEAST(how_many, 100))
$$;
"""


class Migration(migrations.Migration):
    dependencies = (("accounts", "0001_initial"),)
    operations = (migrations.RunSQL(FORWARD, "DROP FUNCTION accounts_take_ids(integer)"),)
