"""The engine: installing Apache JMeter, and running it."""
