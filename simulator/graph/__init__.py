"""Microsoft Graph security: advanced hunting, incidents, alerts."""
