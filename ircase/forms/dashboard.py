"""The dashboard's period, which is its URL."""

from datetime import date, timedelta

from django import forms

from ircase.metrics import Period

USUAL_DAYS = 90
EARLIEST, LATEST = date(2000, 1, 1), date(2100, 1, 1)


class PeriodForm(forms.Form):
    """Two days. What makes no sense falls back to the last 90 days, never to an error page."""

    first = forms.DateField(required=False, label="Detected from", widget=forms.DateInput({"type": "date"}))
    last = forms.DateField(required=False, label="Detected to", widget=forms.DateInput({"type": "date"}))

    def period(self, today: date) -> Period:
        self.is_valid()
        given = {name: day for name, day in self.cleaned_data.items() if day and EARLIEST <= day <= LATEST}
        last = given.get("last", today)
        return Period(min(given.get("first", last - timedelta(days=USUAL_DAYS - 1)), last), last)
