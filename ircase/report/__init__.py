"""The report: one data set read from the case, written as PDF, Markdown and JSON."""
