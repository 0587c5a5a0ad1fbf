"""bin/provision against a new server: what it makes, that it repeats, and that a refusal leaves the server as it was."""

import pytest

from tests.delivery.server import PREPARE, RUN_NGINX, Server, make_certificate, make_key, provision, run

pytestmark = pytest.mark.docker
SUDO_LINE = "wercker ALL=(ALL) NOPASSWD:SETENV: /usr/bin/docker, /usr/bin/docker-compose, /usr/local/bin/docker-compose"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server that nobody has touched, but for a login that took the number 1000."""
    server = Server(tmp_path_factory.mktemp("rehearsal"))
    try:
        server.bash(PREPARE)
        server.inside("useradd --uid 1000 somebody")
        yield server
    finally:
        server.bash("stop_target; stop_acme; stop_network", check=False)


@pytest.fixture(scope="module")
def deploy_key(server):
    return make_key(server.home / "deploy_key")


@pytest.fixture(scope="module")
def certificate(server):
    return make_certificate(server.home / "certificate")


@pytest.fixture(scope="module")
def new(server, deploy_key, certificate):
    """What came of attempts on the new server that had to leave it as it was, and its state before and after."""
    before = server.state()
    options = ("--public-key", f"{deploy_key}.pub", "--certificate", certificate)
    attempts = {"dry run": server.provision(*options, "--dry-run"), "no certificate": server.provision(*options[:2])}
    with server.fake("/usr/local/bin/df", "#!/bin/sh\nprintf 'a b c d\\n/dev/x 9 9 120\\n'"):
        attempts["full disk"] = server.provision(*options)
    with server.fake("/etc/os-release", "ID=other\nPRETTY_NAME='Other Linux'"):
        attempts["other system"] = server.provision(*options)
    return attempts, before, server.state()


@pytest.fixture(scope="module")
def ready(server, new, deploy_key, certificate):
    """The first run's answer."""
    registry = ("--registry", "registry.example:5000", "--registry-ca", server.home / "ca/ca.pem")
    done = server.provision("--public-key", f"{deploy_key}.pub", "--certificate", certificate, *registry)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_a_dry_run_says_what_would_be_done(new):
    said = new[0]["dry run"]

    assert said.returncode == 0, said.stderr
    for what in (
        "Docker",
        "docker-compose",
        "user wercker, uid 1001",
        "the deploy key",
        "sudo for docker",
        "certificate",
    ):
        assert any(line.strip().startswith(what) and "would be done" in line for line in said.stdout.splitlines()), what
    assert "changes would be made; none was." in said.stdout


@pytest.mark.parametrize(
    ("attempt", "cause", "remedy"),
    [
        ("no certificate", "the server has no certificate yet", "--certificate DIR"),
        ("full disk", "only 120 MB are free", "Free some space"),
        ("other system", "the server runs Other Linux", "Debian 12"),
    ],
)
def test_an_unfit_server_is_refused_with_cause_and_remedy(new, attempt, cause, remedy):
    refused = new[0][attempt]

    assert refused.returncode == 1
    assert cause in refused.stderr
    assert remedy in refused.stderr


def test_neither_a_dry_run_nor_a_refusal_changes_the_server(new):
    _attempts, before, after = new

    assert after == before


def test_docker_and_compose_are_where_the_pipelines_look(server, ready):
    assert server.inside("/usr/bin/docker version --format '{{.Server.Version}}'")
    assert "version" in server.inside("/usr/local/bin/docker-compose version")
    assert server.inside("docker info --format '{{.LiveRestoreEnabled}}'") == "true"
    assert (
        server.inside("cat '/etc/docker/certs.d/registry.example:5000/ca.crt'")
        == (server.home / "ca/ca.pem").read_text().strip()
    )


def test_the_deploy_user_has_the_next_free_number_and_what_the_description_says(server, ready):
    assert server.inside("getent passwd wercker") == "wercker:x:1001:1001:Deployment User:/home/wercker:/bin/bash"
    assert (
        server.inside("stat -c '%a %U' /home/wercker/.ssh /home/wercker/.ssh/authorized_keys")
        == "700 wercker\n600 wercker"
    )
    assert (
        server.inside("stat -c '%a %U' /etc/sudoers.d/wercker; cat /etc/sudoers.d/wercker") == f"440 root\n{SUDO_LINE}"
    )
    server.inside("visudo -c")


def test_the_deploy_user_may_use_docker_and_nothing_else(server, ready, deploy_key):
    assert server.sign_in(deploy_key, "sudo -n docker version").returncode == 0
    refused = server.sign_in(deploy_key, "sudo -n cat /etc/shadow")

    assert refused.returncode != 0
    assert "password is required" in refused.stderr


def test_sudo_keeps_the_variables_of_a_deploy(server, ready, deploy_key):
    command = "echo 'services: {a: {image: \"x:${CANARY}\"}}' | CANARY='$5\"#' sudo -n -E docker-compose -f - config"

    assert 'x:$5"#' in server.sign_in(deploy_key, command).stdout.replace("$$", "$").replace('\\"', '"')


def test_the_folders_belong_to_those_who_write_there(server, ready):
    owners = dict(
        reversed(line.split()) for line in server.inside("stat -c '%u %n' /nexchange /nexchange/*").splitlines()
    )

    assert owners["/nexchange"] == owners["/nexchange/etc"] == owners["/nexchange/state"] == "1001"
    assert owners["/nexchange/html"] == owners["/nexchange/journal"] == "1000"
    assert server.inside("find /nexchange/etc/nginx ! -user wercker") == ""
    assert server.inside("readlink /nexchange/ssl") == "etc/nginx/ssl"


def test_a_second_run_changes_nothing_and_says_so(server, ready, deploy_key, certificate):
    before = server.state()
    again = server.provision("--public-key", f"{deploy_key}.pub", "--certificate", certificate)

    assert again.returncode == 0, again.stderr
    assert "nothing to change." in again.stdout
    assert server.state() == before


def test_the_host_key_line_that_is_printed_pins_the_server(server, ready, deploy_key, tmp_path):
    line = next(line for line in ready.stdout.splitlines() if line.startswith("X_SSH_HOST_KEY="))
    (tmp_path / "pinned").write_text(line.removeprefix("X_SSH_HOST_KEY=") + "\n")

    options = ("-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", f"UserKnownHostsFile={tmp_path}/pinned")
    signed_in = run(["ssh", "-n", "-i", deploy_key, *options, f"wercker@{server.address}", "true"])
    assert signed_in.returncode == 0, signed_in.stderr


def test_a_new_key_is_added_and_the_old_one_keeps_working(server, ready, deploy_key, tmp_path):
    new_key = make_key(tmp_path / "new")
    assert "ready, 1 changes made" in server.provision("--public-key", f"{new_key}.pub").stdout

    assert server.sign_in(new_key, "true").returncode == 0
    assert server.sign_in(deploy_key, "true").returncode == 0


def test_what_somebody_broke_is_mended(server, ready):
    server.inside(
        "rm /etc/sudoers.d/wercker /usr/local/bin/docker-compose; chmod 777 /home/wercker/.ssh; chown root /nexchange"
    )

    assert "ready, 4 changes made" in server.provision().stdout
    assert "nothing to change." in server.provision().stdout


def test_a_site_keeps_running_while_its_engine_is_killed(server, ready):
    server.bash("docker save redis:latest | docker exec -i $TARGET docker load")
    server.inside("docker run -d --name kept --restart unless-stopped redis:latest redis-server --save ''")
    started = server.inside("docker inspect -f '{{.State.StartedAt}}' kept")
    server.bash("kill_target_engine; sleep 1; wait_for_target_engine")

    assert server.inside("docker inspect -f '{{.State.Running}} {{.State.StartedAt}}' kept") == f"true {started}"
    server.inside("docker rm -f kept")


def test_a_taken_port_is_named_with_its_holder(server, ready):
    server.inside("nohup python3 -m http.server 80 >/dev/null 2>&1 & echo $! >/tmp/holder; sleep 1")
    refused = server.provision("--domain", "site.example", "--email", "keeper@site.example")
    server.inside("kill $(cat /tmp/holder)")

    assert refused.returncode == 1
    assert "port 80 of the server is taken by python3, process" in refused.stderr
    assert "--certificate DIR" in refused.stderr


def test_the_first_certificate_is_issued_and_linked_through_the_container(server, ready):
    server.bash("start_acme")
    options = (
        *("--domain", "site.example", "--email", "keeper@site.example", "--nginx-image", "onitsoft/nginx:latest"),
        *("--acme-server", f"https://{server.prefix}.4:14000/dir", "--acme-ca", server.home / "ca/ca.pem"),
    )
    issued = server.provision(*options)

    assert issued.returncode == 0, issued.stdout + issued.stderr
    link = server.inside("readlink /nexchange/ssl/fullchain.pem")
    assert link == "/etc/letsencrypt/live/site.example/fullchain.pem"
    names = server.inside(
        "openssl x509 -noout -ext subjectAltName -in /nexchange/letsencypt/live/site.example/fullchain.pem"
    )
    assert "DNS:site.example" in names
    assert "nothing to change." in server.provision(*options).stdout


def test_a_serving_nginx_gets_another_certificate_and_renews_it_without_giving_up_its_port(server, ready):
    server.bash(RUN_NGINX)
    began = server.inside("docker inspect -f '{{.State.StartedAt}}' nexchange_nginx_1")
    server.bash("issue_acme_certificate second.example")
    first = server.bash("served_serial second.example")
    server.bash("renew_acme_certificate second.example")

    assert server.bash("served_serial second.example") != first
    assert server.inside("docker inspect -f '{{.State.StartedAt}}' nexchange_nginx_1") == began


def test_a_login_without_roots_rights_is_refused(server, ready, deploy_key):
    options = ("--user", "wercker", "--key", deploy_key, "--known-hosts", server.home / "known_hosts")
    refused = server.provision(*options)

    assert refused.returncode == 1
    assert "wercker may not become root" in refused.stderr


def test_an_administrator_with_sudo_may_sign_in_instead_of_root(server, ready, tmp_path):
    key = make_key(tmp_path / "admin")
    public = key.with_suffix(".pub").read_text().strip()
    server.inside(
        "useradd -m -s /bin/bash admin; echo 'admin ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/admin;"
        f"install -d -o admin -m 700 ~admin/.ssh; echo '{public}' >~admin/.ssh/authorized_keys"
    )
    done = provision(server.address, "--user", "admin", "--key", key, "--known-hosts", server.home / "known_hosts")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing to change." in done.stdout


def test_another_port_is_used_and_pinned_as_ssh_writes_it(server, ready, tmp_path):
    server.inside("/usr/sbin/sshd -p 2222")
    pinned = tmp_path / "known_hosts"
    pinned.write_text((server.home / "known_hosts").read_text().replace(server.address, f"[{server.address}]:2222"))
    done = provision(f"{server.address}:2222", "--key", server.home / "root_key", "--known-hosts", pinned)

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"X_DEST_HOST_ADDR={server.address}:2222" in done.stdout
    assert f"X_SSH_HOST_KEY={pinned.read_text().strip()}" in done.stdout


def test_an_unknown_server_shows_its_fingerprint_and_is_taken_only_when_told(server, ready, tmp_path):
    options = ("--key", server.home / "root_key", "--known-hosts", tmp_path / "known_hosts")
    refused = provision(server.address, *options)
    fingerprint = server.inside("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub | cut -d' ' -f2")

    assert refused.returncode == 1
    assert "is not known yet" in refused.stderr
    assert fingerprint in refused.stderr
    assert provision(server.address, *options, "--accept-new").returncode == 0
    assert provision(server.address, *options).returncode == 0


def test_another_server_in_its_place_is_refused(server, ready, tmp_path):
    other = make_key(tmp_path / "other").with_suffix(".pub").read_text()
    (tmp_path / "known_hosts").write_text(f"{server.address} {other}")
    options = ("--key", server.home / "root_key", "--known-hosts", tmp_path / "known_hosts", "--accept-new")
    refused = provision(server.address, *options)

    assert refused.returncode == 1
    assert "shows another key than the pinned one" in refused.stderr


def test_a_key_that_the_server_does_not_know_is_refused(server, ready, tmp_path):
    options = ("--key", make_key(tmp_path / "stranger"), "--known-hosts", server.home / "known_hosts")
    refused = provision(server.address, *options)

    assert refused.returncode == 1
    assert "does not let us in with this key" in refused.stderr
