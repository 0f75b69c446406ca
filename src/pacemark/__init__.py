"""Pacemark: load-testing baselines for the MCP gateway, on real Apache JMeter."""

__version__ = "0.1.0"
