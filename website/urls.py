"""Paths of the pages, below the language prefix."""

from django.urls import path

from website import history, home, order, order_actions, quote

app_name = "website"
urlpatterns = [
    path("", home.show_home, name="home"),
    path("quote/", quote.answer_quote, name="quote"),
    path("address-check/", quote.answer_address_check, name="address_check"),
    path("history/", history.answer_history, name="history"),
    path("order/", home.create_order, name="create_order"),
    path("order/<str:reference>/", order.show_order, name="order"),
    path("order/<str:reference>/live/", order.answer_live, name="order_live"),
    path("order/<str:reference>/qr.svg", order.draw_qr, name="order_qr"),
    path("order/<str:reference>/claim/", order_actions.claim, name="order_claim"),
    path("order/<str:reference>/refund/<int:deposit_id>/", order_actions.refund, name="order_refund"),
    path("order/<str:reference>/refund-address/", order_actions.give_refund_address, name="order_refund_address"),
    path("order/<str:reference>/payout-address/", order_actions.give_payout_address, name="order_payout_address"),
]
