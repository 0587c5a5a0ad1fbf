"""JSON-RPC over HTTP for coin nodes: errors told apart from silence, numbers as Decimal, batches in one request."""

import functools
import itertools
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit, urlunsplit

from core.foreign import clean_text
from core.http import AnswerTooLarge, HTTPClient, HTTPFailure
from wallets.chains.protocol import ChainError, Nonsense, TooLarge

METHOD_NOT_FOUND = -32601
Adapter = TypeVar("Adapter")
# What reading an answer of another shape than promised raises.
NONSENSE = (KeyError, IndexError, TypeError, ValueError, AttributeError, ArithmeticError)


class RPCError(Exception):
    """The node answered with an error: it heard the question."""

    def __init__(self, code: int, message: str) -> None:
        self.code, self.message = code, clean_text(message, most=1000)
        super().__init__(f"{code}: {self.message}")


# The largest answer taken in at once. Parsed it takes some five times as much memory.
LARGEST_ANSWER = 16 * 1024 * 1024


class RPCClient:
    """One node. `url` may carry user and password (Core); they never appear in errors or logs. `read_s`: wait for answers."""

    def __init__(self, url: str, *, version: str, read_s: int = 30) -> None:
        parts = urlsplit(url)
        auth = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
        host = parts.hostname or ""
        netloc = f"[{host}]" if ":" in host else host
        netloc += f":{parts.port}" if parts.port else ""
        self._url = urlunsplit((parts.scheme, netloc, parts.path or "/", parts.query, ""))
        self._http = HTTPClient(timeout_s=(3, read_s), max_bytes=LARGEST_ANSWER, auth=auth)
        self._version = version
        self._ids = itertools.count(1)
        self.calls = 0  # questions asked, for tests that count them

    def call(self, method: str, *params: Any) -> Any:
        """Ask one question. Raises: RPCError, ChainError."""
        answer = self._post(self._request(method, list(params)))
        return self._result(answer)

    def batch(self, questions: list[tuple[str, list[Any]]]) -> list[Any]:
        """Ask several questions in one request and return their results in order. Raises: RPCError, ChainError."""
        if not questions:
            return []
        requests = [self._request(method, params) for method, params in questions]
        answers = self._post(requests)
        if not isinstance(answers, list):
            raise ChainError("the node does not answer batches")
        by_id = {answer.get("id"): answer for answer in answers if isinstance(answer, dict)}
        try:
            return [self._result(by_id[request["id"]]) for request in requests]
        except KeyError:
            raise ChainError("the node left a question of the batch unanswered") from None

    def _request(self, method: str, params: list[Any]) -> dict[str, Any]:
        self.calls += 1
        return {"jsonrpc": self._version, "id": next(self._ids), "method": method, "params": params}

    def _post(self, payload: Any) -> Any:
        try:
            return self._http.post_json(self._url, payload)
        except AnswerTooLarge as failure:
            raise TooLarge(str(failure)) from failure
        except HTTPFailure as failure:
            raise ChainError(str(failure)) from failure

    @staticmethod
    def _result(answer: Any) -> Any:
        if not isinstance(answer, dict):
            raise ChainError("the node's answer is not JSON-RPC")
        error = answer.get("error")
        if isinstance(error, dict):
            code = error.get("code")
            raise RPCError(code if isinstance(code, int) else 0, str(error.get("message", "")))
        if error:
            raise RPCError(0, str(error))
        if "result" not in answer:
            raise ChainError("the node's answer has no result")
        return answer["result"]


def distrust_answers(adapter: type[Adapter]) -> type[Adapter]:
    """Let every public method of an adapter raise Nonsense where the node's answer has another shape than promised."""
    for name, member in list(vars(adapter).items()):
        if callable(member) and not name.startswith("_"):
            setattr(adapter, name, _distrusting(member))
    return adapter


def _distrusting(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def asked(*args: Any, **kwargs: Any) -> Any:
        try:
            return method(*args, **kwargs)
        except NONSENSE as error:
            raise Nonsense(f"{method.__name__}: the node's answer makes no sense ({error!r})") from error

    return asked
