"""Templates rendered over the stub URL names, with one signed-in person."""

from pathlib import Path
from typing import Any

from django.contrib import messages
from django.contrib.messages.storage.base import Message
from django.template import Context
from django.template.backends.django import DjangoTemplates
from django.test import RequestFactory, override_settings

from frontend import styleguide

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "templates"
ENGINE = DjangoTemplates(
    {
        "NAME": "frontend-tests",
        "DIRS": [TEMPLATES],
        "APP_DIRS": False,
        "OPTIONS": {
            "builtins": ["frontend.drawing"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.csrf",
            ],
            "libraries": {
                "django_htmx": "django_htmx.templatetags.django_htmx",
                "humanize": "django.contrib.humanize.templatetags.humanize",
            },
            "string_if_invalid": "",
        },
    }
)
SAMPLE_MESSAGES = [
    Message(messages.SUCCESS, "IR-2026-0142 was opened."),
    Message(messages.WARNING, "Two of nine tables are absent in this tenant."),
]


def from_template(template: Any, path: str = "/case_list/", user: object = styleguide.ALICE, **context: Any) -> str:
    """A compiled template as HTML."""
    request = RequestFactory().get(path)
    request.user = user  # type: ignore[assignment]
    with override_settings(ROOT_URLCONF="tests.frontend.urls", STATIC_URL="/static/"):
        html: str = template.render(context, request)
    return html


def page(template: str, path: str = "/case_list/", user: object = styleguide.ALICE, **context: Any) -> str:
    """The whole page as HTML."""
    return from_template(ENGINE.get_template(template), path, user, **context)


def component(name: str, path: str = "/case_list/", **context: Any) -> str:
    """One component as HTML, white space folded."""
    return " ".join(page(f"components/{name}.html", path, **context).split())


def plain(template: str) -> str:
    """A template rendered without request and context, as Django does for the 400 and 500 pages."""
    with override_settings(ROOT_URLCONF="tests.frontend.urls", STATIC_URL="/static/"):
        return ENGINE.engine.get_template(template).render(Context())


def style_guide() -> str:
    """The style guide with messages."""
    return page(
        "styleguide.html",
        messages=SAMPLE_MESSAGES,
        nav={"cases": 34},
        approvals_waiting=2,
        **styleguide.sample_context(),
    )
