"""What gunicorn serves."""

import os

from django.core.wsgi import get_wsgi_application

from core.start import refuse_unsafe_start

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nexchange.settings_prod")
application = get_wsgi_application()
refuse_unsafe_start()
