"""Signing in and out."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def locked_out(request: HttpRequest, *_: Any, **__: Any) -> HttpResponse:
    """Too many wrong passwords for this account from this address: wait, or ask an administrator."""
    return render(request, "429.html", {"wait": "15 minutes"}, status=429)
