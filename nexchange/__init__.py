"""Composition root: the one place that knows every app. Importing it loads the Celery application."""

from nexchange.celery import app as celery_app

__all__ = ("celery_app",)
