#!/usr/bin/env python
"""Django's command line for IRCase."""

import os
import sys

from django.core.management import execute_from_command_line

from config.stack import borrow_settings


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    borrow_settings(sys.argv[1:2])
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
