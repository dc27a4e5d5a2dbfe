"""Where addresses are: refused until an administrator supplies the data.

Kusto reads MaxMind's GeoLite2 (https://learn.microsoft.com/en-us/kusto/query/geo-info-from-ip-address-function);
nothing else answers the same, and no copy of it is delivered here. With a table of its networks (first and last
address as ``network6.number_sql`` gives them, and the bag to answer), the function is one ASOF join.
"""

from __future__ import annotations

from kql.translate.functions.registry import refuse

refuse(
    "geo_info_from_ip_address",
    "It needs a GeoLite2 City database, and none is installed; look addresses up by a table of networks, with"
    " evaluate ipv4_lookup(), or run the query in the tenant.",
)
