"""Pages for what went wrong outside a form."""

import logging.config

from django.test import Client

from website import home


def test_says_calmly_that_something_broke(site, monkeypatch):
    def broken(name, *, at):
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr(home, "get_offer", broken)
    answer = Client(raise_request_exception=False).get("/en/")

    assert answer.status_code == 500
    assert "Your money and your order are not affected" in answer.content.decode()


def test_explains_a_form_that_does_not_come_from_here(site):
    answer = Client(enforce_csrf_checks=True).post("/en/order/", {"pair": "ETHLTC"})

    assert answer.status_code == 403
    assert "Nothing was saved" in answer.content.decode()


def test_answers_404_in_the_language_of_the_page(site):
    answer = Client().get("/ru/nothing/")

    assert answer.status_code == 404
    assert "Здесь ничего нет" in answer.content.decode()


def test_a_name_that_is_not_the_sites_leaves_no_traceback_in_the_log(site, settings, capfd):
    settings.ALLOWED_HOSTS = ["site.example"]
    settings.DEBUG = False
    logging.config.dictConfig(settings.LOGGING)

    answer = Client().get("/en/", headers={"host": "evil.example"})

    assert answer.status_code == 400
    assert capfd.readouterr().err == ""
