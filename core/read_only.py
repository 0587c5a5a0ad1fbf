"""The admin site as a window: lists and details of rows that only the product's own verbs may change.

Lists are paged without counting: one statement reads a page and one row more, which tells whether there is a next page.
"""

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_safe

from core.models import Asset
from core.money import Money

if TYPE_CHECKING:
    _TabularInline = admin.TabularInline[Any, Any]  # take their types for the checker alone
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _TabularInline, _ModelAdmin = admin.TabularInline, admin.ModelAdmin

MAX_PAGE = 10_000  # an offset beyond is a mistake, and costs the database a long walk


class UncountedChangeList(ChangeList):
    """A page of a list, with links to the one before and the one after."""

    newer_link: str | None = None
    older_link: str | None = None

    def get_results(self, request: HttpRequest) -> None:
        """Read one page in one statement."""
        page = min(max(self.page_num, 1), MAX_PAGE)
        start = (page - 1) * self.list_per_page
        rows = list(self.queryset[start : start + self.list_per_page + 1])
        self.result_list = rows[: self.list_per_page]
        self.result_count = len(self.result_list)
        self.full_result_count = None
        self.show_admin_actions = False
        self.can_show_all = False
        self.multi_page = False
        self.paginator = self.model_admin.get_paginator(request, self.result_list, self.list_per_page)
        self.page_num = page
        self.newer_link = self.get_query_string({PAGE_VAR: page - 1}) if page > 1 else None
        self.older_link = self.get_query_string({PAGE_VAR: page + 1}) if len(rows) > self.list_per_page else None


class _Unchangeable:
    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody adds rows here."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody changes rows here."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody deletes rows here."""
        return False


class ReadOnlyInline(_Unchangeable, _TabularInline):
    """Rows that belong to the one shown. `select_related` names what their columns need."""

    extra = 0
    can_delete = False
    show_change_link = False
    select_related: ClassVar[tuple[str, ...]] = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Read the rows with their relations, oldest first."""
        return super().get_queryset(request).select_related(*self.select_related).order_by("pk")


@method_decorator(require_safe, name="changelist_view")
@method_decorator(require_safe, name="changeform_view")
@method_decorator(require_safe, name="delete_view")
@method_decorator(require_safe, name="history_view")
class ReadOnlyAdmin(_Unchangeable, _ModelAdmin):
    """Newest first, fifty a page, no actions, nothing but GET. Subclasses say how a search term finds rows by index."""

    actions = None
    ordering = ("-pk",)
    sortable_by = ()  # any other order would sort the whole table
    list_per_page = 50
    show_full_result_count = False
    change_list_template = "core/read_only_change_list.html"
    search_help_text: ClassVar[str] = ""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Read rows with what their columns need, for lists and details alike."""
        related = self.list_select_related
        return super().get_queryset(request).select_related(*(related if isinstance(related, list | tuple) else ()))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the list that does not count."""
        return UncountedChangeList

    def get_search_fields(self, request: HttpRequest) -> tuple[str, ...]:
        """Show the search box where there is something to search by."""
        return ("pk",) if self.search_help_text else ()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Filter by `find`, which uses indexes; Django's own search would fold case and scan the table."""
        term = search_term.strip()
        return (self.find(queryset, term) if term else queryset), False

    def find(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        """Return the rows that `term` names."""
        return queryset

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show a list."""
        return super().changelist_view(request, extra_context)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show one row."""
        return super().changeform_view(request, object_id, form_url, extra_context)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Refused by has_delete_permission."""
        return super().delete_view(request, object_id, extra_context)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Show that nobody has changed the row here."""
        return super().history_view(request, object_id, extra_context)


def amount(minor: int | None, asset: Asset) -> str:
    """Return minor units as people read them: `1.25 LTC`; a dash when there are none."""
    return "—" if minor is None else str(Money(minor, asset))
