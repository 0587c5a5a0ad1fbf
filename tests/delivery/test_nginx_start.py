"""How the nginx container starts, refuses to start, limits callers and takes up certificates."""

import shutil
import socket
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.delivery.nginx_site import Site, ask, docker, make_certificate

pytestmark = pytest.mark.docker


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path, API_REQUESTS_PER_MINUTE="30")
    yield site
    site.remove()


def start(site: Site) -> Site:
    site.start()
    site.start_app("app", label="steady")
    return site


def presented(site: Site) -> str:
    """Return the certificate that nginx presents to a new caller."""
    return ssl.get_server_certificate((site.address, 443), timeout=10).strip()


def own(site: Site) -> str:
    return (site.etc / "ssl" / "fullchain.pem").read_text(encoding="utf-8").strip()


def wait_until(happened: Callable[[], bool], within_s: float) -> None:
    end = time.monotonic() + within_s
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.2)


def wait_for_log(site: Site, text: str) -> None:
    wait_until(lambda: text in site.logs(), 20)


def ask_health(site: Site) -> str:
    return docker("exec", f"{site.name}-nginx", "nginx-entrypoint", "health", check=False)


def refusal(site: Site) -> str:
    docker("network", "create", site.name)
    said = site.run_nginx("--rm")
    assert "error: " in said
    return said


def test_says_plainly_that_the_certificate_is_missing(site):
    (site.etc / "ssl").mkdir()
    (site.etc / "ssl" / "fullchain.pem").symlink_to("/etc/letsencrypt/live/site.example/fullchain.pem")

    said = refusal(site)

    assert (
        "/etc/nginx/ssl/fullchain.pem points to /etc/letsencrypt/live/site.example/fullchain.pem, which is not there"
        in said
    )
    assert "etc/nginx/ssl" in said


def test_says_plainly_that_key_and_certificate_do_not_belong_together(site):
    make_certificate(site.etc / "ssl")
    make_certificate(site.folder / "other")
    shutil.copy(site.folder / "other" / "privkey.pem", site.etc / "ssl" / "privkey.pem")

    assert "does not belong to the certificate" in refusal(site)


def test_refuses_a_limit_that_is_no_number(tmp_path):
    site = Site(tmp_path, API_REQUESTS_PER_MINUTE="many")
    make_certificate(site.etc / "ssl")
    try:
        assert "API_REQUESTS_PER_MINUTE is 'many', not a whole number above zero." in refusal(site)
    finally:
        site.remove()


def test_checks_a_configuration_without_a_certificate(site):
    docker("network", "create", site.name)

    assert "syntax is ok" in site.run_nginx("--rm", command=("nginx", "-t"))
    (site.etc / "nginx.conf").write_text("http { nonsense; }", encoding="utf-8")
    assert 'unknown directive "nonsense"' in site.run_nginx("--rm", command=("nginx", "-t"))


def test_certbot_is_there_under_the_command_of_the_description(site):
    docker("network", "create", site.name)

    assert site.run_nginx("--rm", command=("certbot", "--version")).startswith("certbot ")


def test_links_that_dangle_on_the_host_are_valid_in_the_container(site):
    make_certificate(site.folder / "letsencypt" / "live" / "site.example")
    (site.etc / "ssl").mkdir()
    for name in ("fullchain.pem", "privkey.pem"):
        (site.etc / "ssl" / name).symlink_to(f"/etc/letsencrypt/live/site.example/{name}")
    assert not (site.etc / "ssl" / "fullchain.pem").exists()

    site.start()

    live = site.folder / "letsencypt" / "live" / "site.example" / "fullchain.pem"
    assert presented(site) == live.read_text(encoding="utf-8").strip()


def test_a_renewed_certificate_is_presented_without_cutting_an_idle_connection(site):
    make_certificate(site.etc / "ssl", key="rsa")
    start(site)
    before = own(site)
    connection = site.connect()
    ask(connection, "/")
    kept = connection.sock

    make_certificate(site.etc / "ssl", key="ec")
    end = time.monotonic() + 15
    while presented(site) == before and time.monotonic() < end:
        time.sleep(0.2)

    assert presented(site) == own(site) != before
    assert ask(connection, "/").status == 200
    assert connection.sock is kept
    connection.close()


def test_a_certificate_that_does_not_fit_is_named_and_the_one_in_use_stays(site):
    make_certificate(site.etc / "ssl")
    start(site)
    before = own(site)

    make_certificate(site.folder / "other")
    shutil.copy(site.folder / "other" / "fullchain.pem", site.etc / "ssl" / "fullchain.pem")
    wait_for_log(site, "does not belong to the certificate")
    time.sleep(3)

    assert presented(site) == before
    assert site.logs().count("does not belong to the certificate") == 1


def test_a_start_with_a_pair_that_does_not_fit_goes_on_with_the_one_before(site):
    make_certificate(site.etc / "ssl")
    start(site)
    before = own(site)
    make_certificate(site.folder / "other")
    shutil.copy(site.folder / "other" / "fullchain.pem", site.etc / "ssl" / "fullchain.pem")

    docker("restart", f"{site.name}-nginx")
    site.address = site.address_of("nginx")
    site.wait_for(site.address, 443)

    assert presented(site) == before
    assert "WARNING: the pair that was in use before is used on" in site.logs()


def test_is_ill_when_nothing_looks_after_the_certificate_any_more(site):
    make_certificate(site.etc / "ssl")
    start(site)

    docker("exec", f"{site.name}-nginx", "bash", "-c", "kill $(cat /run/nexchange/watch.pid)")

    wait_until(lambda: "nothing looks after the certificate" in ask_health(site), 10)


def test_certbot_is_asked_as_often_as_it_is_told(tmp_path):
    site = Site(tmp_path, RENEW_SECONDS="2")
    make_certificate(site.etc / "ssl")
    (site.folder / "letsencypt" / "renewal").mkdir()
    (site.folder / "letsencypt" / "renewal" / "site.example.conf").write_text("nothing that certbot knows\n")
    try:
        start(site)
        wait_until(lambda: site.logs().count("certbot could not renew; the next try is in 2 s") > 1, 30)
    finally:
        site.remove()


def test_says_when_a_certificate_is_about_to_end(tmp_path):
    site = Site(tmp_path)
    make_certificate(site.etc / "ssl", days=10)
    try:
        wait_for_log(start(site), "WARNING: the certificate ends on ")
    finally:
        site.remove()


def test_an_address_gets_ten_times_what_the_app_allows_and_then_429_in_the_shape_of_the_api(site):
    make_certificate(site.etc / "ssl")
    start(site)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: site.ask("/ru/api/v1/orders/"), range(60)))
    page = next(page for page in (site.ask("/") for _ in range(60)) if page.status == 429)

    refused = [answer for answer in answers if answer.status == 429]
    assert len(answers) - len(refused) >= 31  # what the app allows at once; five more come free each second
    assert refused
    assert refused[0].json() == {"detail": "Слишком много запросов. Попробуйте чуть позже.", "code": "rate_limited"}
    assert refused[0].headers["retry-after"] == "2"
    assert page.headers["content-type"].startswith("text/html")
    assert site.ask("/static/absent.css").status == 404
    time.sleep(2)
    assert site.ask("/api/v1/orders/").status == 200


ENGINES = "10.0.0.0/8, 172.16.0.0/12 192.168.0.0/16"  # where Docker makes its networks


def test_a_balancer_is_believed_and_a_network_of_ipv6_is_one_caller(tmp_path):
    site = Site(tmp_path, API_REQUESTS_PER_MINUTE="1", PROXY_NETWORKS=ENGINES)
    make_certificate(site.etc / "ssl")

    def statuses(*callers):
        return [site.ask("/", X_Forwarded_For=caller).status for caller in callers]

    try:
        start(site)
        seen = site.ask("/", X_Forwarded_For="6.6.6.6, 203.0.113.5, 10.0.0.7").json()["headers"]
        assert seen["x-forwarded-for"] == "203.0.113.5"
        # One at once and another in ten a minute: the third in a moment is too many.
        assert statuses("2001:db8:1:2::1", "2001:db8:1:2::2", "2001:db8:1:2:ffff::3")[2] == 429
        assert statuses("2001:db8:1:3::1", "2001:db8:1:4::1", "2001:db8:1:5::1") == [200] * 3
        assert statuses("198.51.100.1", "198.51.100.2", "198.51.100.3") == [200] * 3
        assert statuses("1.1.1.1, 198.51.100.9", "2.2.2.2, 198.51.100.9", "3.3.3.3, 198.51.100.9")[2] == 429
    finally:
        site.remove()


def test_without_networks_of_proxies_nobody_is_believed(site):
    make_certificate(site.etc / "ssl")
    start(site)

    assert site.ask("/", X_Forwarded_For="203.0.113.5").json()["headers"]["x-forwarded-for"] != "203.0.113.5"


def test_listens_on_ipv6_where_the_kernel_has_it(site):
    make_certificate(site.etc / "ssl")
    start(site)

    listening = docker("exec", f"{site.name}-nginx", "sh", "-c", "cat /proc/net/tcp6 2>/dev/null || true")
    has_it = docker("exec", f"{site.name}-nginx", "sh", "-c", "test -s /proc/net/if_inet6 && echo yes || true")

    assert [f"{'0' * 32}:{port:04X}" in listening for port in (80, 443)] == [has_it == "yes"] * 2


def test_refuses_networks_that_are_none(tmp_path):
    site = Site(tmp_path, PROXY_NETWORKS="10.0.0.0/8, everybody")
    make_certificate(site.etc / "ssl")
    try:
        assert "PROXY_NETWORKS has 'everybody', which is no network." in refusal(site)
    finally:
        site.remove()


def test_the_app_is_asked_at_the_port_it_was_given(tmp_path):
    site = Site(tmp_path, GUNICORN_PORT="8001")
    make_certificate(site.etc / "ssl")
    try:
        start(site)
        assert site.ask("/").status == 503
        time.sleep(0.5)
        assert ":8001" in site.logs()
    finally:
        site.remove()


def test_tells_the_engine_that_it_is_well(site):
    make_certificate(site.etc / "ssl")
    site.start()

    assert ask_health(site) == ""


def test_ends_the_requests_it_has_when_it_is_stopped(site):
    make_certificate(site.etc / "ssl")
    start(site)

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(site.ask, "/?seconds=2")
        time.sleep(0.7)
        docker("stop", "--time", "30", f"{site.name}-nginx")

    assert slow.result().status == 200
    with pytest.raises(OSError, match=r"refused|unreachable|No route|timed out"):
        socket.create_connection((site.address, 443), timeout=2)
