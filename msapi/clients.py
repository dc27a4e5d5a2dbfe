"""The clients of one tenant, made once per process so that tokens and connections are shared between jobs."""

import logging
import os
from dataclasses import dataclass
from functools import lru_cache

from msapi.blobs import BlobStore
from msapi.defender import Defender
from msapi.endpoint import Endpoint
from msapi.graph import GraphSecurity
from msapi.kusto import ClusterEndpoint, Kusto
from msapi.loganalytics import LogAnalytics
from msapi.tokens import TokenProvider
from msapi.transport import Transport, log_calls

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Clients:
    """Everything that speaks to one tenant. Safe to share between threads."""

    endpoint: Endpoint
    tokens: TokenProvider
    transport: Transport
    graph: GraphSecurity
    defender: Defender
    logs: LogAnalytics

    def cluster(self, url: str) -> Kusto:
        """An Azure Data Explorer cluster that this tenant's app may use: the same client at each call in this process.
        Raises InvalidParameter where a token may not be sent to that URL."""
        return _cluster(self.endpoint, url.rstrip("/"), os.getpid())


def clients_for(endpoint: Endpoint) -> Clients:
    """The clients of `endpoint`: the same ones at each call in this process. Opens no connection yet."""
    # By process: sockets and locks that were made before a fork are not shared with the child.
    return _made(endpoint, os.getpid())


@lru_cache(maxsize=64)
def _made(endpoint: Endpoint, process: int) -> Clients:
    on_call = log_calls(_logger)
    tokens = TokenProvider(endpoint)
    transport = Transport(endpoint, tokens, on_call=on_call)
    return Clients(
        endpoint=endpoint,
        tokens=tokens,
        transport=transport,
        graph=GraphSecurity(transport),
        defender=Defender(transport, BlobStore(endpoint, on_call=on_call)),
        logs=LogAnalytics(endpoint, tokens, on_call=on_call),
    )


@lru_cache(maxsize=64)
def _cluster(endpoint: Endpoint, url: str, process: int) -> Kusto:
    tokens = _made(endpoint, process).tokens
    return Kusto(ClusterEndpoint.of(endpoint, url), tokens, on_call=log_calls(_logger))
