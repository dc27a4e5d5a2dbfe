"""What holds for every operation of the API alike, so that none has to think of it: see docs/api.md."""
