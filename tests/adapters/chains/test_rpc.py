from typing import Any

import pytest

from core.http import HTTPFailure
from wallets.chains.protocol import ChainError
from wallets.chains.rpc import RPCClient, RPCError


class Wire:
    """Stands for core.http: answers what a function makes of the payload."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def post_json(self, url: str, payload: Any) -> Any:
        self.url = url
        return self.answer(payload)


def client(answer: Any) -> RPCClient:
    made = RPCClient("http://user:secret@[::1]:8332/wallet", version="2.0")
    made._http = Wire(answer)  # type: ignore[assignment]
    return made


def echo(payload: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"id": question["id"], "result": question["params"][0]} for question in reversed(payload)]


def test_a_batch_is_put_back_into_order() -> None:
    assert client(echo).batch([("a", [1]), ("b", [2]), ("c", [3])]) == [1, 2, 3]


def test_an_answer_missing_from_a_batch_is_an_error() -> None:
    with pytest.raises(ChainError):
        client(lambda payload: echo(payload)[1:]).batch([("a", [1]), ("b", [2])])


@pytest.mark.parametrize("answer", [None, [], "x", {}, {"error": None}])
def test_what_is_not_json_rpc_is_an_error(answer) -> None:
    with pytest.raises(ChainError):
        client(lambda _: answer).call("a")


@pytest.mark.parametrize("error", [{"code": -5, "message": "No such thing"}, "No such thing"])
def test_the_nodes_own_error_is_told_apart_from_silence(error) -> None:
    with pytest.raises(RPCError, match="No such thing"):
        client(lambda _: {"result": None, "error": error}).call("a")


def test_a_null_result_is_an_answer() -> None:
    assert client(lambda _: {"result": None, "error": None}).call("a") is None


def test_credentials_leave_the_address_and_stay_out_of_errors() -> None:
    def silent(_: Any) -> Any:
        raise HTTPFailure("ReadTimeout")

    node = client(silent)

    with pytest.raises(ChainError) as caught:
        node.call("a")

    assert node._http.url == "http://[::1]:8332/wallet"  # type: ignore[attr-defined]
    assert "secret" not in f"{caught.value!r}{node!r}"
