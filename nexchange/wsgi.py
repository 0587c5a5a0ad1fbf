"""What gunicorn serves."""

import os

from django.core.wsgi import get_wsgi_application

from core.development_secrets import refuse_development_secrets

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nexchange.settings_prod")
application = get_wsgi_application()
refuse_development_secrets()
