"""Paths of the demo, below the language prefix and only with SITE_MODE=demo."""

from django.urls import path

from demo import wallet_page

app_name = "demo"
urlpatterns = [
    path("pay/<str:reference>/", wallet_page.pay, name="pay"),
]
