"""Looks at a file without running or opening it: text, hex, strings, facts, pictures, records, listings.

``kinds`` makes each in the child of ``process.look_in_child``; ``shapes`` says what a file is and whether it is armed.
"""
