"""The site's own paths, and beside them the least that Django REST framework can answer under the same server."""

from typing import Any

from django.db import connection
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from nexchange.urls import urlpatterns as site


class Bare(APIView):
    """GET: a constant. POST: read JSON, insert one row, answer its number."""

    def get(self, _request: Request) -> Response:
        return Response({"amount": "1.00000000", "pair": "ETHLTC"})

    def post(self, request: Request) -> Response:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO plain.row (body) VALUES (%s) RETURNING id", [str(request.data)])
            return Response({"id": cursor.fetchone()[0]}, status=201)


urlpatterns: list[Any] = [path("en/api/bare/", Bare.as_view()), *site]
