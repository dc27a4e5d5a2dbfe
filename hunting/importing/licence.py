"""Licences recognised by the words that only they have.

Names are SPDX identifiers: https://spdx.org/licenses/
"""

import re
from typing import Final

from hunting.importing.model import Licence

UNRECOGNISED: Final = "not recognised"
_FILE: Final = re.compile(r"(licen[cs]e|copying|unlicense)([-._].*)?\Z", re.IGNORECASE)
_TAG: Final = re.compile(r"SPDX-License-Identifier:\s*([A-Za-z0-9.+-]{2,40})")
_READ: Final = 20_000

# Of two that begin with the same words the first here wins.
_SIGNS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("AGPL-3.0", ("gnu affero general public license", "version 3")),
    ("LGPL-3.0", ("gnu lesser general public license", "version 3")),
    ("LGPL-2.1", ("gnu lesser general public license", "version 2.1")),
    ("GPL-3.0", ("gnu general public license", "version 3")),
    ("GPL-2.0", ("gnu general public license", "version 2")),
    ("Apache-2.0", ("apache license", "version 2.0")),
    ("MPL-2.0", ("mozilla public license", "2.0")),
    ("CC-BY-NC-SA-4.0", ("attribution-noncommercial-sharealike 4.0",)),
    ("CC-BY-NC-ND-4.0", ("attribution-noncommercial-noderivatives 4.0",)),
    ("CC-BY-NC-4.0", ("attribution-noncommercial 4.0",)),
    ("CC-BY-SA-4.0", ("attribution-sharealike 4.0",)),
    ("CC-BY-ND-4.0", ("attribution-noderivatives 4.0",)),
    ("CC-BY-4.0", ("attribution 4.0 international",)),
    ("CC0-1.0", ("cc0 1.0 universal",)),
    ("Unlicense", ("this is free and unencumbered software released into the public domain",)),
    ("DRL-1.1", ("detection rule license", "1.1")),
    ("BSD-3-Clause", ("redistribution and use in source and binary forms", "neither the name")),
    ("BSD-2-Clause", ("redistribution and use in source and binary forms",)),
    ("ISC", ("permission to use, copy, modify, and/or distribute this software for any purpose",)),
    ("MIT", ("permission is hereby granted, free of charge, to any person obtaining a copy",)),
)


def is_licence(path: str) -> bool:
    """Whether a file of the source's own folder holds its licence, judged by its name."""
    return "/" not in path and bool(_FILE.match(path))


def recognise(text: str, file: str) -> Licence:
    """The licence whose words the text has, "not recognised" where it is none of the common ones."""
    head = text[:_READ]
    if tag := _TAG.search(head):
        return Licence(tag[1], file)
    plain = re.sub(r"[\s*_#=>-]+", " ", head.casefold()).replace("creative commons ", "")
    words = plain.replace("non commercial", "noncommercial").replace("share alike", "sharealike")
    fits = [(words.index(_plain(signs[0])), name) for name, signs in _SIGNS if all(_plain(s) in words for s in signs)]
    # Licences name each other further down; the one that is meant comes first.
    return Licence(min(fits, key=lambda fit: fit[0])[1] if fits else UNRECOGNISED, file)


def _plain(sign: str) -> str:
    return re.sub(r"[\s-]+", " ", sign)
