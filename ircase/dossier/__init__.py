"""A case as files that leave the house: the export and its verifier, the import, the custody form."""
