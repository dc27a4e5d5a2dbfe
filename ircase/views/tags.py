"""The tags of a case."""

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from ircase.forms.fields import ScopedForm
from ircase.models import CaseTag
from ircase.services.casework import tags
from ircase.views.doors import attempt, case_to_change


class TagsForm(ScopedForm):
    names = forms.CharField(
        max_length=1500,
        required=False,
        label="Tags",
        help_text="Parted by commas or spaces: small letters, digits, and _ . : - inside. Who sees the case sees them.",
        widget=forms.TextInput(attrs={"list": "known-tags", "autocomplete": "off"}),
    )


@require_http_methods(["GET", "POST"])
@login_required
def case_tags(request: HttpRequest, reference: str) -> HttpResponse:
    user, case = case_to_change(request, reference)
    form = TagsForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        names = tags.names_of(form.cleaned_data["names"])
        if attempt(request, "The tags are kept.", lambda: tags.set_tags(case=case, actor=user, names=names)):
            return redirect("ircase:case", reference)
    elif request.method == "GET":
        form.initial["names"] = ", ".join(CaseTag.objects.filter(case=case).values_list("name", flat=True))
    context = {"case": case, "form": form, "known": tags.common(user)}
    return render(request, "ircase/case_tags.html", context, status=200 if request.method == "GET" else 422)
