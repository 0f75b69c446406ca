"""Can a comparison be believed? PLACEHOLDER"""
