"""Nothing of people is shown on the admin site; Django's own form for groups, which would write, is taken away.

Who signs in passes accounts.sign_in.
"""

from django.contrib import admin
from django.contrib.auth.models import Group

from accounts.sign_in import SignInForm

admin.site.unregister(Group)
admin.site.login_form = SignInForm
