"""A registry's HTTP API (distribution specification, v2): which digest a tag has, and a tag moved to another manifest.

Python's own library only. The password goes into a header, never into an argument or a message.
"""

import base64
import hashlib
import json
import re
import ssl
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse

MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
HUB = "registry-1.docker.io"
TIMEOUT_S = 30
HUB_NAMES = ("docker.io", "index.docker.io", HUB)
UNAUTHORISED, FORBIDDEN, NOT_FOUND = 401, 403, 404


class RegistryError(Exception):
    """The registry refused or is away; says what was asked and what to do."""


class TagMissing(RegistryError):
    """The repository has nothing under that tag."""


def split_repository(repository: str) -> tuple[str, str]:
    """Return host and name of a repository as docker reads it: without a host it is Docker Hub's."""
    host, slash, name = repository.partition("/")
    if slash and host in HUB_NAMES:
        return HUB, name if "/" in name else f"library/{name}"
    if slash and ("." in host or ":" in host or host == "localhost"):
        return host, name
    return HUB, repository if slash else f"library/{repository}"


@dataclass
class Registry:
    """One repository of a registry, as one user; `ca` is the PEM text of its own authority or empty."""

    repository: str
    user: str
    password: str
    ca: str = ""

    def __post_init__(self) -> None:
        self.host, self.name = split_repository(self.repository)
        try:
            self._context = ssl.create_default_context(cadata=self.ca or None)
        except ssl.SSLError as failure:
            raise RegistryError(
                "DOCKER_REGISTRY_CA is no certificate in PEM: one line, \\n for its line breaks."
            ) from failure
        if self.ca:
            self._context.load_default_certs()
        self._authorization = ""

    def digest(self, tag: str) -> str:
        """Return the digest that a tag stands for. Raises: RegistryError."""
        return self._manifest(tag)[0]

    def move(self, tag: str, to: str) -> str:
        """Let `tag` stand for the tag or digest `to` and return the digest; safe to repeat. Raises: RegistryError."""
        digest, media_type, body = self._manifest(to)
        self._ask("PUT", f"manifests/{tag}", body=body, headers={"Content-Type": media_type}).close()
        found = self.digest(tag)
        if found != digest:
            raise RegistryError(f"{self.repository}:{tag} stands for {found} after it was set to {digest}.")
        return digest

    def _manifest(self, tag: str) -> tuple[str, str, bytes]:
        answer = self._ask("GET", f"manifests/{tag}", headers={"Accept": ", ".join(MANIFESTS)})
        try:
            with answer:
                media_type, body = answer.headers["Content-Type"], answer.read()
        except (HTTPException, OSError) as failure:
            raise RegistryError(f"the registry at {self.host} broke off its answer: {failure}") from failure
        # By what was read, not by what a header says of it.
        return f"sha256:{hashlib.sha256(body).hexdigest()}", media_type, body

    def _ask(self, method: str, path: str, *, body: bytes | None = None, headers: dict[str, str]) -> HTTPResponse:
        url = f"https://{self.host}/v2/{self.name}/{path}"
        for first in (True, False):
            request = urllib.request.Request(url, data=body, method=method, headers=dict(headers))
            if self._authorization:
                request.add_unredirected_header("Authorization", self._authorization)
            try:
                answer: HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT_S, context=self._context)  # noqa: S310
                return answer  # noqa: TRY300 -- the loop is over here
            except urllib.error.HTTPError as refusal:
                challenge = refusal.headers.get("WWW-Authenticate", "")
                if refusal.code != UNAUTHORISED or not first:
                    raise self._explained(refusal, path) from refusal
                self._authorization = self._answer(challenge)
            except (urllib.error.URLError, HTTPException, OSError) as failure:
                raise RegistryError(f"the registry at {self.host} does not answer: {failure}") from failure
        raise AssertionError  # the second attempt returns or raises

    def _answer(self, challenge: str) -> str:
        """Answer a challenge with the password (Basic) or with a token that it buys (Bearer, as Docker Hub wants)."""
        basic = "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() == "basic":
            return basic
        asked = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        if scheme.lower() != "bearer" or not asked.get("realm", "").startswith("https://"):
            raise RegistryError(
                f"the registry at {self.host} wants to be spoken to in a way that is not known: {scheme}"
            )
        query = urllib.parse.urlencode(
            {"service": asked.get("service", ""), "scope": f"repository:{self.name}:pull,push"}
        )
        request = urllib.request.Request(f"{asked['realm']}?{query}")  # noqa: S310 -- checked above
        request.add_unredirected_header("Authorization", basic)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S, context=self._context) as answer:  # noqa: S310
                token = json.load(answer)
        except urllib.error.HTTPError as refusal:
            raise self._explained(refusal, "its token") from refusal
        except (urllib.error.URLError, HTTPException, OSError, ValueError) as failure:
            raise RegistryError(f"{asked['realm']} does not answer: {failure}") from failure
        return "Bearer " + str(token.get("token") or token.get("access_token"))

    def _explained(self, refusal: urllib.error.HTTPError, what: str) -> RegistryError:
        if refusal.code in (UNAUTHORISED, FORBIDDEN):
            return RegistryError(f"the registry at {self.host} does not take DOCKER_HUB_USER and DOCKER_HUB_PASSWORD.")
        if refusal.code == NOT_FOUND:
            return TagMissing(f"{self.repository} has no {what.removeprefix('manifests/')}. Was the build pushed?")
        return RegistryError(f"the registry at {self.host} answered {refusal.code} to {what}.")
