"""The first superuser comes from variables, once, and never with a password that anybody could guess."""

import pytest
from django.core.management import CommandError, call_command
from environ import FileAwareEnv
from environ.fileaware_mapping import FileAwareMapping

from accounts.models import User
from accounts.superuser import UnsafeSuperuser, ensure_superuser

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_file_remembered(monkeypatch):
    """What a NAME_FILE held is kept for the life of a process, which is one test here."""
    monkeypatch.setattr(FileAwareEnv, "ENVIRON", FileAwareMapping())


GOOD = "correct-horse-battery"


def test_makes_the_person_who_may_enter_the_admin_site():
    assert ensure_superuser(username="chief", email="chief@site.example", password=GOOD)

    chief = User.objects.get(username="chief")
    assert (chief.is_superuser, chief.is_staff, chief.email) == (True, True, "chief@site.example")
    assert chief.check_password(GOOD)


def test_leaves_an_account_that_exists_as_it_is():
    User.objects.create_user(username="chief", password="changed-since-then")

    assert not ensure_superuser(username="chief", email="", password=GOOD)

    chief = User.objects.get(username="chief")
    assert chief.check_password("changed-since-then")
    assert not chief.is_superuser


@pytest.mark.parametrize("password", ["", "tiny-1", "password1234", "123456789012", "chief-of-the-site"])
def test_refuses_a_password_that_is_missing_or_weak(password):
    with pytest.raises(UnsafeSuperuser) as refused:
        ensure_superuser(username="chief-of-the-site", email="", password=password)

    assert "DJANGO_SUPERUSER_PASSWORD" in str(refused.value)
    assert not password or password not in str(refused.value)
    assert not User.objects.exists()


def test_the_command_reads_the_variables_and_a_file_of_the_password(monkeypatch, tmp_path, capsys):
    (tmp_path / "password").write_text(GOOD, encoding="utf-8")
    monkeypatch.setenv("DJANGO_SUPERUSER_USERNAME", "chief")
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD_FILE", str(tmp_path / "password"))

    call_command("ensure_superuser")
    call_command("ensure_superuser")

    assert User.objects.get().check_password(GOOD)
    assert [line.split(": ")[1] for line in capsys.readouterr().out.splitlines()] == [
        "chief is made",
        "chief is there already and stays as it is",
    ]


def test_the_command_makes_nobody_without_a_name(monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", GOOD)

    call_command("ensure_superuser")

    assert not User.objects.exists()


def test_the_command_fails_without_a_password(monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_USERNAME", "chief")

    with pytest.raises(CommandError, match="no default"):
        call_command("ensure_superuser")
