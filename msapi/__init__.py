"""Microsoft's APIs for one tenant: sign-in, transport, throttling, paging and one client per service. No Django."""
