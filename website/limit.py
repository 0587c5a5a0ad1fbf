"""How often one network may ask what costs work: the pages' own questions count with the API's, by the same limit."""

from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, JsonResponse

from core import clock
from core.throttle import TooManyRequests, count_address


def limited(view: Callable[[HttpRequest], JsonResponse]) -> Callable[[HttpRequest], JsonResponse]:
    """Refuse with 429 and a sentence, as the scripts read refusals, once this minute's requests are used up."""

    @wraps(view)
    def counted(request: HttpRequest) -> JsonResponse:
        try:
            count_address(request, at_s=int(clock.now().timestamp()))
        except TooManyRequests as error:
            said = {"code": error.code, "message": str(error), "field": "form"}
            return JsonResponse(said, status=429, headers={"Retry-After": str(error.retry_after_s)})
        return view(request)

    return counted
