"""Small real MCP servers for the embedded stack: what fast_time, fast_test and benchmark offer."""
