"""How news leaves the app: what people and hooks want (`choosing`, `hooks`), what is on its way (`outbox`), and the
worker that sends it (`sending`)."""
