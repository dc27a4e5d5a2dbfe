"""A case in other systems' formats, and other systems' indicators in a case. Pure: no database, no request, no clock.

`model` is the frozen data set that `ircase.services.sharing` makes of a case; `formats` lists what becomes of it.
"""
