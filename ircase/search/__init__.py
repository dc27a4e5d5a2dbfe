"""The search's index: words, the sources that fill it, and the language it is asked in. `ircase.finder` asks it."""
