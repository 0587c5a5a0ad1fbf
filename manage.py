#!/usr/bin/env python
"""Django's command line; `manage.py help` lists the product's own commands under their app."""

import os
import sys

if __name__ == "__main__":
    default = "nexchange.settings_test" if "test" in sys.argv[1:2] else "nexchange.settings_dev"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", default)
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
