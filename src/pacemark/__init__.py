"""Pacemark: load-testing baselines for the MCP gateway, on real Apache JMeter."""

from importlib.metadata import version

__version__ = version("pacemark")
