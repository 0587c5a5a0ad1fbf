"""What bin/provision refuses before it reaches a server, and what it says when it does not reach one."""

import socket

import pytest

from tests.delivery.server import ROOT, make_certificate, make_key, provision, run


@pytest.fixture
def closed_port():
    """A port of this machine at which nothing answers."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def assert_refused(done, *words):
    assert done.returncode == 1, done.stdout
    for word in words:
        assert word in done.stderr
    assert "unbound variable" not in done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], ["which server?"]),
        (["a", "b"], ["one server at a time"]),
        (["host", "--bogus"], ["no such option: --bogus"]),
        (["host", "--port"], ["--port wants a value"]),
        (["host", "--port", "99999"], ["'99999' is no port"]),
        (["host:0"], ["'0' is no port"]),
        (["host;reboot"], ["is no host name"]),
        (["host", "--domain", "site.example"], ["--email ADDRESS"]),
        (["host", "--domain", "a b", "--email", "a@b"], ["'a b' is no host name"]),
        (["host", "--email", "a@b"], ["--email belongs to --domain"]),
        (["host", "--registry", "r:5000"], ["go together"]),
        (["host", "--registry", "r:5000", "--registry-ca", "README.md"], ["holds no certificate"]),
        (["host", "--public-key", "/nowhere"], ["the public key cannot be read: /nowhere"]),
        (["host", "--public-key", "README.md"], ["holds no public key"]),
        (["host", "--certificate", "/nowhere"], ["/nowhere/fullchain.pem"]),
        (["host", "--deploy-user", "root"], ["cannot be the deploy user"]),
        (["host", "--nginx-image", "a;b"], ["is no image's name"]),
    ],
)
def test_a_wrong_option_is_refused_by_name(options, words):
    assert_refused(provision(*options), *words)


def test_help_names_every_option():
    shown = provision("--help")

    assert shown.returncode == 0
    script = (ROOT / "bin/provision").read_text()
    options = [
        line.split(")")[0].strip() for line in script.splitlines() if line.strip().startswith("--") and "need" in line
    ]
    assert len(options) > 10
    assert [option for option in options if option not in shown.stdout] == []


def test_a_private_key_is_not_taken_for_a_public_one(tmp_path):
    assert_refused(provision("host", "--public-key", make_key(tmp_path / "key")), "private half", "key.pub")


def test_a_key_of_another_certificate_is_refused(tmp_path):
    folder, other = make_certificate(tmp_path / "mine"), make_certificate(tmp_path / "other")
    (other / "privkey.pem").replace(folder / "privkey.pem")

    assert_refused(provision("host", "--certificate", folder), "does not belong to the certificate")


def test_an_expired_certificate_is_refused(tmp_path):
    assert_refused(provision("host", "--certificate", make_certificate(tmp_path / "old", days=-1)), "has expired (")


def test_a_certificate_that_ends_soon_is_said(tmp_path, closed_port):
    folder = make_certificate(tmp_path / "short", days=3)

    assert "warning: the certificate ends on" in provision(f"127.0.0.1:{closed_port}", "--certificate", folder).stdout


def test_a_key_with_a_password_is_refused(tmp_path):
    folder = make_certificate(tmp_path / "closed")
    key = folder / "privkey.pem"
    assert run(["openssl", "ec", "-in", key, "-out", folder / "new", "-aes256", "-passout", "pass:x"]).returncode == 0
    (folder / "new").replace(key)

    assert_refused(provision("host", "--certificate", folder), "without a password")


def test_a_host_that_does_not_answer_is_named_with_a_remedy(closed_port):
    assert_refused(
        provision(f"127.0.0.1:{closed_port}"), f"nothing answers ssh at 127.0.0.1, port {closed_port}", "--port"
    )


def test_a_name_that_does_not_exist_is_named():
    assert_refused(provision("no-such-server.invalid"), "the name no-such-server.invalid is not known")


def test_a_failed_step_names_a_full_disk(tmp_path):
    script = """
        DRY_RUN=no; source bin/lib/provision/report.sh
        fill() { echo 'E: write error: No space left on device'; return 100; }
        change 'Docker' fill
    """
    failed = run(["bash", "-c", script], cwd=ROOT)

    assert failed.returncode == 3
    assert "'Docker' failed: the disk is full." in failed.stderr
    assert "Free some space" in failed.stderr


def parts(script):
    """Run a script that knows the functions of the server's side; nothing of the machine is touched."""
    files = "report.sh system.sh site.sh"
    sources = "; ".join(f"source bin/lib/provision/{name}" for name in files.split())
    return run(["bash", "-c", f"DRY_RUN=no PHASE=none; {sources}; {script}"], cwd=ROOT)


def test_a_key_is_added_on_a_line_of_its_own(tmp_path):
    (tmp_path / "authorized_keys").write_text("ssh-ed25519 AAAA first")

    done = parts(f"close_ssh_folder() {{ :; }}; PUBLIC_KEY='ssh-ed25519 BBBB second'; add_key '{tmp_path}'")

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "authorized_keys").read_text() == "ssh-ed25519 AAAA first\nssh-ed25519 BBBB second\n"


def test_the_key_of_a_bought_certificate_is_kept_beside_the_link(tmp_path):
    key = tmp_path / "privkey.pem"
    key.write_text("bought")

    for _ in range(2):
        assert parts(f"link '{key}' /etc/letsencrypt/live/x/privkey.pem").returncode == 0

    assert str(key.readlink()) == "/etc/letsencrypt/live/x/privkey.pem"
    assert (tmp_path / "privkey.pem.before").read_text() == "bought"


@pytest.mark.parametrize(
    ("host", "port", "address"),
    [
        ("2001:db8::7", "22", "[2001:db8::7]"),
        ("2001:db8::7", "2222", "[2001:db8::7]:2222"),
        ("far", "2222", "far:2222"),
    ],
)
def test_an_address_is_printed_as_a_deploy_takes_it(host, port, address):
    script = f"""
        source bin/lib/steps.sh; source <(sed -n '/^say_next/,/^}}/p' bin/lib/provision/local.sh)
        HOST={host} PORT={port} DRY_RUN=no DEPLOY_USER=wercker; on_server() {{ echo ssh-ed25519 AAAA; }}; say_next
    """
    done = run(["bash", "-c", script], cwd=ROOT)

    assert f"X_DEST_HOST_ADDR={address}\n" in done.stdout, done.stderr
