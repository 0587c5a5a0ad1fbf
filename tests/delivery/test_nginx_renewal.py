"""A certificate from an ACME server, renewed while requests come in over connections that stay open."""

import ssl
import time
from http.client import HTTPException
from threading import Event, Thread

import pytest

from tests.delivery.nginx_site import Site, ask, docker, make_certificate

pytestmark = pytest.mark.docker

ACME_IMAGE = "nexchange/acme:latest"  # bin/images acme
WITH_AUTHORITY = ("--env", "REQUESTS_CA_BUNDLE=/etc/letsencrypt/.acme-ca.pem")


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path, API_REQUESTS_PER_MINUTE="100000")
    make_certificate(site.etc / "ssl")
    authority = tmp_path / "authority"
    make_certificate(authority, name="acme")
    (authority / "privkey.pem").chmod(0o644)  # the ACME server runs as nobody
    (site.folder / "letsencypt" / ".acme-ca.pem").write_bytes((authority / "fullchain.pem").read_bytes())
    try:
        site.start()
        site.start_app("app", label="steady")
        docker(
            *("run", "--detach", "--name", f"{site.name}-acme", "--network", site.name, "--network-alias", "acme"),
            *("--volume", f"{authority}:/etc/rehearsal:ro", ACME_IMAGE, site.address),
        )
        site.wait_for(site.address_of("acme"), 14000)
        yield site
    finally:
        site.remove()


def in_nginx(site: Site, *command: str) -> str:
    return docker("exec", *WITH_AUTHORITY, f"{site.name}-nginx", *command)


def issuer_and_serial(site: Site) -> tuple[str, str]:
    """Return who issued the certificate that a new caller is presented, and its number."""
    connection = site.connect_trustingly()
    connection.connect()
    raw = ssl.DER_cert_to_PEM_cert(connection.sock.getpeercert(binary_form=True))
    connection.close()
    path = site.folder / "presented.pem"
    path.write_text(raw, encoding="utf-8")
    facts = ssl._ssl._test_decode_cert(str(path))
    return str(facts["issuer"]), facts["serialNumber"]


def wait_for_another(site: Site, serial: str) -> tuple[str, str]:
    end = time.monotonic() + 20
    while (found := issuer_and_serial(site))[1] == serial:
        assert time.monotonic() < end, site.logs()
        time.sleep(0.2)
    return found


def test_is_issued_over_the_webroot_and_renewed_without_a_failed_request(site):
    first = issuer_and_serial(site)
    in_nginx(
        site,
        *("certbot", "certonly", "--webroot", "--webroot-path", "/var/www/acme", "--non-interactive", "--agree-tos"),
        *("--server", "https://acme:14000/dir", "--email", "webmaster@site.example", "--domain", "site.example"),
    )
    for name in ("fullchain.pem", "privkey.pem"):
        (site.etc / "ssl" / name).unlink()
        (site.etc / "ssl" / name).symlink_to(f"/etc/letsencrypt/live/site.example/{name}")
    issued = wait_for_another(site, first[1])
    assert "Pebble" in issued[0]

    stop, answered, failed = Event(), [], []

    def ask_steadily() -> None:
        kept = site.connect_trustingly()
        kept.connect()
        socket = kept.sock
        while not stop.is_set():
            try:
                assert ask(kept, "/").status == 200
                assert kept.sock is socket
                answered.append(1)
            except (OSError, HTTPException, AssertionError) as error:
                failed.append(repr(error))
            time.sleep(0.05)
        kept.close()

    threads = [Thread(target=ask_steadily) for _ in range(4)]
    for thread in threads:
        thread.start()
    docker("exec", f"{site.name}-nginx", "certificate", "renew", "--force-renewal")
    renewed = issuer_and_serial(site)
    time.sleep(2)
    stop.set()
    for thread in threads:
        thread.join()

    assert renewed[1] != issued[1]
    assert failed == []
    assert len(answered) > 100
