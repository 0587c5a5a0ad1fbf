"""bin/tls-check: what it takes for good, and the site's own TLS in its eyes."""

import json
import shutil
import subprocess
import sys

import pytest

from tests.delivery.nginx_site import ROOT, Site, make_certificate

PROOF = ("TLS1_2", "TLS1_3", "HTTP_status_code", "BREACH", "RC4")


def judge(tmp_path, findings, *forgiven):
    report = tmp_path / "report.json"
    report.write_text(
        json.dumps([{"id": name, "severity": how, "finding": "-"} for name, how in findings]), encoding="utf-8"
    )
    return subprocess.run(
        [sys.executable, ROOT / "bin" / "lib" / "tls_findings.py", report, *forgiven],
        capture_output=True,
        text=True,
        check=False,
    )


def test_takes_a_finished_scan_without_bad_ratings_for_good(tmp_path):
    assert judge(tmp_path, [(name, "OK") for name in PROOF]).returncode == 0


@pytest.mark.parametrize("severity", ["MEDIUM", "HIGH", "CRITICAL"])
def test_names_a_bad_rating_and_fails(tmp_path, severity):
    result = judge(tmp_path, [*((name, "OK") for name in PROOF), ("LUCKY13", severity)])

    assert result.returncode == 1
    assert f"{severity:8} LUCKY13" in result.stdout


def test_forgives_only_what_it_was_told_to(tmp_path):
    findings = [*((name, "OK") for name in PROOF), ("cert_revocation", "HIGH")]

    assert judge(tmp_path, findings, "cert_revocation").returncode == 0
    assert judge(tmp_path, findings, "LUCKY13").returncode == 1


def test_a_scan_that_ended_early_is_no_proof(tmp_path):
    result = judge(tmp_path, [(name, "OK") for name in PROOF[:-1]])

    assert result.returncode == 1
    assert "says nothing about RC4" in result.stdout


@pytest.mark.docker
@pytest.mark.skipif(shutil.which("testssl") is None, reason="testssl.sh is not installed")
def test_finds_nothing_to_object_to_in_the_sites_tls(tmp_path):
    site = Site(tmp_path)
    make_certificate(site.etc / "ssl", name="site.example")
    try:
        site.start()
        site.start_app("app", label="steady")
        result = subprocess.run(
            [
                ROOT / "bin" / "tls-check",
                "site.example",
                "--address",
                site.address,
                "--test-ca",
                site.etc / "ssl" / "fullchain.pem",
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
    finally:
        site.remove()

    assert result.returncode == 0, result.stdout + result.stderr
