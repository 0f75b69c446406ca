"""A workload as a JMeter test plan."""
