"""Small real MCP servers for the embedded stack: they offer what fast_time and fast_test offer."""
