"""Reads a report of testssl.sh and ends with 1 if it names anything rated MEDIUM or worse.

usage: tls_findings.py REPORT [FORGIVEN_ID...]. A report of a scan that was not finished proves nothing and fails as well.
"""

import json
import sys
from pathlib import Path

BAD = {"MEDIUM", "HIGH", "CRITICAL"}
PROOF = ("TLS1_2", "TLS1_3", "HTTP_status_code", "BREACH", "RC4")  # from the first part of a scan to its last


def main(report: Path, forgiven: set[str]) -> int:
    findings = json.loads(report.read_text(encoding="utf-8"))
    missing = [name for name in PROOF if name not in {finding["id"] for finding in findings}]
    bad = [finding for finding in findings if finding["severity"] in BAD and finding["id"] not in forgiven]
    for finding in bad:
        print(f"{finding['severity']:8} {finding['id']}: {finding['finding']}")
    if missing:
        print(f"the scan was not finished: it says nothing about {', '.join(missing)}")
    if not bad and not missing:
        print(f"TLS: {len(findings)} findings, none rated MEDIUM or worse")
    return int(bool(bad or missing))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), set(sys.argv[2:])))
