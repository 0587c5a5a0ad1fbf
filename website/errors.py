"""Pages for what went wrong outside a form: nothing there, form from elsewhere."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def show_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 404 in the page's language."""
    return render(request, "404.html", status=404)


def show_csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form that did not come from a page of ours, or came from one that is too old."""
    return render(request, "403_csrf.html", status=403)
