"""The full stack on one machine, without containers: nginx, three gateways, PgBouncer, PostgreSQL, Redis,
Prometheus with its exporters, and the MCP test servers."""
