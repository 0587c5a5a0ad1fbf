"""Which resource of version 1 answers which path. Anything else below is a JSON 404."""

from django.urls import path

from api.resource import Missing
from api.v1.currency import Currencies, CurrencyDetail
from api.v1.get_price import GetPrice
from api.v1.orders import OrderDetail, Orders
from api.v1.pair import MostTradedPair, PairDetail, Pairs
from api.v1.price import LatestPrice, PriceHistory

urlpatterns = [
    path("currency/", Currencies.as_view()),
    path("currency/<str:code>/", CurrencyDetail.as_view()),
    path("pair/", Pairs.as_view()),
    path("pair/most_traded/", MostTradedPair.as_view()),
    path("pair/<str:name>/", PairDetail.as_view()),
    path("get_price/<str:name>/", GetPrice.as_view()),
    path("orders/", Orders.as_view()),
    path("orders/<str:reference>/", OrderDetail.as_view()),
    path("price/<str:name>/latest/", LatestPrice.as_view()),
    path("price/<str:name>/history/", PriceHistory.as_view()),
    # Clients look a reference up here when orders/ does not know it, and need the 404 as JSON.
    path("limit_order/<str:reference>/", Missing.as_view()),
]
