"""Background work: the Celery application and the one timetable.

Every task is safe to run twice, on two machines, at once; a tick that was not taken before the next one expires. Each
chain has a queue of its own, so that a slow node delays nobody else.
"""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nexchange.settings_dev")

app = Celery("nexchange")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
