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


# What only `bin/rehearse --full` runs, because it takes long or because a server has to be destroyed for it.
ONLY_BY_FULL = {"build", "static-validation", "tests", "workflow", "backup", "restore"}
MAIN = (ROOT / "bin" / "rehearse").read_text(encoding="utf-8")
RUNS = re.compile(r"(?:run_block|run_server_block|readme_wercker\.md) ([a-z][a-z0-9-]*)")
FUNCTION = re.compile(r"^([a-z_]+)\(\) [{(](?: ([^\n]*) [})]|\n(.*?)^[})])$", re.MULTILINE | re.DOTALL)
ALTERNATIVES = re.compile(
    r"^if \[\[ -([nz]) \$\{?full\}? \]\]; then\n(.*?)(?:^else\n(.*?))?^fi$", re.MULTILINE | re.DOTALL
)


def commands_of(script):
    """The script without comments and without the names of its steps: those are words, not calls."""
    script = re.sub(r"^\s*#.*$", "", script, flags=re.MULTILINE)
    return re.sub(r"\b(timed|under_load) \"[^\"]*\"", r"\1", script)


def functions_of_the_rehearsal():
    """The body of every function by its name."""
    paths = [ROOT / "bin" / "rehearse", *(ROOT / "bin" / "lib" / "rehearse").glob("*.sh")]
    found = {}
    for path in paths:
        for name, line, body in FUNCTION.findall(commands_of(path.read_text(encoding="utf-8"))):
            found[name] = line or body
    return found


def blocks_run_by(script, functions, seen=None):
    """The blocks that a piece of the script runs, itself or by the functions it names."""
    seen = set() if seen is None else seen
    blocks = set(RUNS.findall(script))
    for name in set(re.findall(r"(?<![\w.$/-])[a-z_]+(?![\w.(/-])", script)) & functions.keys() - seen:
        seen.add(name)
        blocks |= blocks_run_by(functions[name], functions, seen)
    return blocks


def blocks_of_the_rehearsal():
    """What bin/rehearse runs without --full, and what it runs with it."""
    functions = functions_of_the_rehearsal()
    main = FUNCTION.sub("", commands_of(MAIN))
    base = ALTERNATIVES.sub(lambda found: found[2 if found[1] == "z" else 3] or "", main)
    full = ALTERNATIVES.sub(lambda found: found[2 if found[1] == "n" else 3] or "", main)
    return blocks_run_by(base, functions), blocks_run_by(full, functions)


def test_every_block_of_commands_is_named():
    languages = FENCE.findall(README)[::2]
    assert languages.count("sh") == len(BLOCK.findall(README))


def test_the_rehearsal_runs_every_block_and_full_those_that_it_leaves_out():
    base, full = blocks_of_the_rehearsal()

    assert full == set(BLOCK.findall(README))
    assert base == full - ONLY_BY_FULL


def test_a_block_that_only_a_function_nobody_calls_would_run_does_not_count():
    functions = {"called": "run_block a", "uncalled": "run_block b", "outer": "called"}

    assert blocks_run_by(commands_of('timed "an uncalled" outer\n# uncalled\n'), functions) == {"a"}


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
    of_the_process = {"PUSH_WAIT_SECONDS", "BACKUP_WAIT_SECONDS", "WERCKER_REMOTE", "CI", "IMAGE_DIGEST"}

    assert rows() - of_the_process <= names_in("targets/example.env") | names_in("ENVIRONMENT")


def test_what_a_deploy_sends_is_documented():
    script = "set --; source bin/lib/deploy/values.sh; sent_names"
    sent = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    made_by_the_deploy = {
        "APP_IMAGE",
        "REGISTRY_HOST",
        "REDIS_USERS",
        *(name for name in sent if re.fullmatch(r"NEW_\w+_IMAGE|(DB|REDIS)_PASSWORD_\w+|DEMO_\w+_RPC_URL", name)),
    }

    assert set(sent) - made_by_the_deploy <= rows() | names_in("ENVIRONMENT")


def test_links_lead_somewhere():
    local = [target for target in re.findall(r"\]\(([^)#]+)[^)]*\)", README) if "://" not in target]
    assert [target for target in local if not (ROOT / target).exists()] == []
