"""What readme_wercker.md tells people to type is what the rehearsal types, and what it says of variables is what is read."""

import re
import subprocess

import pytest

from tests.sources import ROOT

README = (ROOT / "readme_wercker.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(\w*)$", re.MULTILINE)
BLOCK = re.compile(r"<!-- run: ([a-z0-9-]+) -->\n+```sh\n")
DESCRIBED = [
    "PEM_FILE_CONTENT",
    "SSH_USER",
    "DEST_HOST_ADDR",
    "DATABASE_CONTAINER",
    "POSTGIS_ENV_POSTGRES_USER",
    "POSTGIS_ENV_POSTGRES_PASSWORD",
    "POSTGIS_ENV_POSTGRES_DB",
    "GUNICORN_PORT",
    "VOLUMES_PARAM",
    "PORTS_PARAM",
    "DOCKER_HUB_USER",
    "DOCKER_HUB_PASSWORD",
    "DOCKER_HUB_REPO",
    "NEW_RELIC_CONFIG_FILE",
    "NEW_RELIC_ENVIRONMENT",
    "NEW_RELIC_LICENSE_KEY",
    "DOCKER_IMAGE_TAG",
    "DJANGO_SETTINGS_MODULE",
]


def scripts_of_the_rehearsal():
    paths = [ROOT / "bin" / "rehearse", *sorted((ROOT / "bin" / "lib" / "rehearse").glob("*.sh"))]
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


def test_every_block_of_commands_is_named():
    languages = FENCE.findall(README)[::2]
    assert languages.count("sh") == len(BLOCK.findall(README))


def test_the_rehearsal_runs_every_block():
    scripts = scripts_of_the_rehearsal()
    unrun = [
        name
        for name in BLOCK.findall(README)
        if not re.search(rf"(run_block|run_server_block|readme_wercker\.md) {name}\b", scripts)
    ]
    assert unrun == []


def test_the_rehearsal_runs_no_block_that_is_not_there():
    assert set(re.findall(r"run_(?:server_)?block ([a-z0-9-]+)", scripts_of_the_rehearsal())) <= set(
        BLOCK.findall(README)
    )


@pytest.mark.parametrize("name", DESCRIBED)
def test_every_variable_of_the_description_has_its_row(name):
    assert re.search(rf"^\| `{name}`", README, re.MULTILINE)


def rows():
    """Every name in the first column of a table of variables."""
    cells = re.findall(r"^\| (`[A-Z][^|]*`) \|", README.partition("### For build and deploy")[2], re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([A-Z][A-Z0-9_]+)`", cell)}


def names_in(file):
    return set(re.findall(r"^#?X(?:XX)?_([A-Z0-9_]+)=", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE))


def test_what_has_a_row_has_a_line_in_a_targets_file():
    of_the_process = {"PUSH_WAIT_SECONDS", "WERCKER_REMOTE", "CI"}

    assert rows() - of_the_process <= names_in("targets/example.env") | names_in("ENVIRONMENT")


def test_what_a_deploy_sends_is_documented():
    script = "set --; source bin/lib/deploy/values.sh; sent_names"
    sent = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    made_by_the_deploy = {
        "APP_IMAGE",
        "REGISTRY_HOST",
        *(name for name in sent if re.fullmatch(r"NEW_\w+_IMAGE", name)),
    }

    assert set(sent) - made_by_the_deploy <= rows() | names_in("ENVIRONMENT")


def test_links_lead_somewhere():
    local = [target for target in re.findall(r"\]\(([^)#]+)[^)]*\)", README) if "://" not in target]
    assert [target for target in local if not (ROOT / target).exists()] == []
