"""Nothing of people is shown on the admin site; Django's own form for groups, which would write, is taken away."""

from django.contrib import admin
from django.contrib.auth.models import Group

admin.site.unregister(Group)
