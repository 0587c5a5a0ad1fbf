"""nginx.conf in the image it is written for, in front of stand-ins for the app."""

import gzip
import ssl
import time

import pytest

from tests.delivery.nginx_site import Site, make_certificate

pytestmark = pytest.mark.docker

HASHED = "site.0123456789ab.css"
FORGETS_S = 2.5  # a name's addresses: `valid=1s` of its resolver counts whole seconds of a clock, so up to two
CSS = "body { margin: 0 }\n" * 100


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("site"))
    make_certificate(site.etc / "ssl")
    for name in ("site.css", HASHED):
        (site.html / "static" / name).write_text(CSS, encoding="utf-8")
    (site.html / "media" / "image.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>", encoding="utf-8")
    challenge = site.folder / "acme" / ".well-known" / "acme-challenge"
    challenge.mkdir(parents=True)
    (challenge / "token").write_text("proof", encoding="utf-8")
    try:
        site.start()
        site.start_app("app", label="steady")
        yield site
    finally:
        site.remove()


def test_sends_whoever_comes_without_tls_to_the_same_address_with_it(site):
    answer = site.ask_plainly("/en/order/1/?a=b%20c")

    assert answer.status == 301
    assert answer.headers["location"] == "https://site.example/en/order/1/?a=b%20c"


def test_answers_a_certificate_authority_without_tls(site):
    assert site.ask_plainly("/.well-known/acme-challenge/token").body == b"proof"
    assert site.ask_plainly("/.well-known/acme-challenge/other").status == 404


def test_tells_the_app_what_it_saw_and_not_what_the_caller_says(site):
    forged = {
        "X_Forwarded_For": "6.6.6.6",
        "X_Forwarded_Proto": "http",
        "X_Forwarded_Host": "evil.example",
        "Forwarded": "for=6",
    }

    seen = site.ask("/", **forged).json()["headers"]

    assert seen["host"] == "site.example"
    assert seen["x-forwarded-proto"] == "https"
    assert "," not in seen["x-forwarded-for"]
    assert not seen["x-forwarded-for"].startswith("6")
    assert not {"x-forwarded-host", "forwarded", "x-real-ip"} & set(seen)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_speaks_http_2_and_nothing_older_than_tls_1_2(site):
    connection = site.connect(alpn="h2")
    connection.connect()
    assert connection.sock.selected_alpn_protocol() == "h2"
    assert connection.sock.version() == "TLSv1.3"
    connection.close()

    connection = site.connect()
    connection._context.maximum_version = ssl.TLSVersion.TLSv1_2
    connection.connect()
    assert connection.sock.cipher()[0].startswith("ECDHE-")
    connection.close()

    connection = site.connect()
    connection._context.minimum_version = ssl.TLSVersion.TLSv1
    connection._context.maximum_version = ssl.TLSVersion.TLSv1_1
    connection._context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"):
        connection.connect()


def test_a_static_file_whose_name_holds_its_hash_is_kept_for_ever_and_another_is_not(site):
    hashed, plain = site.ask(f"/static/{HASHED}"), site.ask("/static/site.css")

    assert hashed.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert plain.headers["cache-control"] == "public, max-age=300"
    assert hashed.headers["content-type"].startswith("text/css")
    assert "immutable" not in site.ask("/static/absent.0123456789ab.css").headers.get("cache-control", "")
    assert site.ask("/media/image.svg").headers["content-type"] == "image/svg+xml"


def test_compresses_static_files_and_nothing_else(site):
    static = site.ask("/static/site.css", Accept_Encoding="gzip")
    page = site.ask("/", Accept_Encoding="gzip")

    assert gzip.decompress(static.body).decode() == CSS
    assert static.headers["vary"] == "Accept-Encoding"
    assert "content-encoding" not in page.headers
    assert len(page.body) > 2000


@pytest.mark.parametrize("path", ["/static/site.css", "/media/image.svg", "/static/absent.css", "/"])
def test_whatever_it_sends_is_guarded(site, path):
    headers = site.ask(path).headers

    assert headers["strict-transport-security"] == "max-age=63072000; includeSubDomains"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["server"] == "nginx"


def test_leaves_the_headers_of_the_app_alone(site):
    answer = site.ask("/?headers=1&status=503")

    assert answer.headers["strict-transport-security"] == "max-age=1"
    assert answer.headers["retry-after"] == "77"


def test_an_error_of_the_app_is_passed_on_as_it_is(site):
    assert site.ask("/api/v1/order/?status=500").json()["name"] == "steady"
    assert site.ask("/?status=413").json()["name"] == "steady"


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/api/v1/orders/", "The request is too large."),
        ("/en/api/v1/orders/", "The request is too large."),
        ("/ru/api/v1/orders/", "Запрос слишком большой."),
    ],
)
def test_a_body_above_the_limit_is_refused_in_the_shape_of_the_api(site, path, detail):
    answer = site.ask(path, method="POST", body="x" * (16 * 1024 + 1))

    assert answer.status == 413
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.json() == {"detail": detail, "code": "body_too_large"}


def test_a_body_below_the_limit_reaches_the_app(site):
    assert len(site.ask("/api/v1/orders/", method="POST", body="x" * 16 * 1024).json()["body"]) == 16 * 1024


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_app_that_is_away_is_excused_in_the_shape_of_the_api_and_on_a_page(site, method):
    body = "order-of-nobody" if method == "POST" else None
    site.choose_next()  # which nobody has started
    try:
        of_api = site.ask("/ru/api/v1/orders/", method=method, body=body)
        page = site.ask("/en/", method=method, body=body)
    finally:
        site.choose_app()

    assert (of_api.status, page.status) == (503, 503)
    assert of_api.json() == {"detail": "Сервис занят. Попробуйте чуть позже.", "code": "unavailable"}
    assert of_api.headers["retry-after"] == page.headers["retry-after"] == "5"
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "Попробуйте ещё раз" in page.body.decode()
    assert "content-security-policy" in page.headers


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_write_whose_answer_was_lost_is_not_sent_again_to_whoever_else_could_take_it(site, method):
    site.record.write_text("", encoding="utf-8")
    site.start_app("app", label="other")
    time.sleep(FORGETS_S)  # for nginx to know both

    try:
        answer = site.ask("/api/v1/orders/?drop=1", method=method, body="once")
    finally:
        site.stop_app("other")
        time.sleep(FORGETS_S)

    assert answer.status == 503
    assert site.record.read_text(encoding="utf-8") == "once\n"


def test_logs_each_request_with_its_time_and_upstream_but_not_its_query(site):
    site.ask("/logged/?secret=hunter2")
    time.sleep(0.5)

    line = next(line for line in site.logs().splitlines() if '"path":"/logged/"' in line)

    assert '"status":200' in line
    assert '"seconds":0.0' in line
    assert ':8000","upstream_status":"200"' in line
    assert "hunter2" not in site.logs()


def test_keeps_a_connection_open_for_further_requests(site):
    connection = site.connect()
    connection.connect()
    first = connection.sock

    for _ in range(5):
        connection.request("GET", "/", headers={"Host": "site.example"})
        connection.getresponse().read()

    assert connection.sock is first
    connection.close()
