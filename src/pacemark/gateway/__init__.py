"""The system under test: token, preflight, and the local stack."""
