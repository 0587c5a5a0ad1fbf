"""The one view class of the API: who asks, and how often; resources add what is asked for."""

from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User
from accounts.tokens import find_user
from api.errors import NotFound, handle_exception
from api.wire import JSONParser, JSONRenderer
from core import clock
from core.throttle import count_address


class Resource(APIView):
    """Public by default: the bearer is not even read. `reads_bearer` makes it known as `self.user` and `self.bearer`.

    Everybody counts by network, before anything is looked up: a bearer is had with any order, so one that raised the
    limit would lift it.
    """

    reads_bearer: ClassVar[bool] = False
    renderer_classes = (JSONRenderer,)
    parser_classes = (JSONParser,)
    authentication_classes = ()
    permission_classes = ()

    def initial(self, request: Request, *_args: Any, **_path: Any) -> None:
        """Prepare one request: time, caller, limit; one statement at most, for a bearer that may be real."""
        self.at = clock.now()
        count_address(request, at_s=int(self.at.timestamp()))
        self.bearer, self.user = "", None
        if self.reads_bearer:
            self.bearer = _read_bearer(request)
            self.user = find_user(self.bearer) if self.bearer else None

    user: User | None

    def get_exception_handler(self) -> Any:
        """Errors take the shapes of this API, whatever the settings say."""
        return handle_exception

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:  # noqa: FBT001, FBT002 -- DRF's signature
        """Answer JSON whatever the Accept header says: old clients send all kinds."""
        return JSONRenderer(), JSONRenderer.media_type


def _read_bearer(request: Request) -> str:
    scheme, _space, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    token = token.strip()
    # Tokens of ours are 64 hex characters (core.tokens); anything else is not worth a look into the database.
    is_ours = len(token) == 64 and all(letter in "0123456789abcdef" for letter in token)  # noqa: PLR2004
    return token if scheme.lower() == "bearer" and is_ours else ""


class Missing(Resource):
    """Every path of the API that is not one: a 404 as JSON."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Count the request, then refuse it, whatever its method."""
        super().initial(request, *args, **kwargs)
        raise NotFound

    def get(self, request: Request, **_path: Any) -> Response:
        """Never reached."""
        raise NotFound
