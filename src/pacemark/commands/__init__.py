"""What each command of the command line does: parse, call, print."""
