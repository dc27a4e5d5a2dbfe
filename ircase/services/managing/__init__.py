"""What managers are given: targets to measure against, and dashboards as files."""
