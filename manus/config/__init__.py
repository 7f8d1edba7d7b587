"""The configuration: one TOML file, read, expanded, checked as a whole, and turned into policy values.

Nothing outside this package and the face reads a configuration; actors are handed `messages.policy` values.
"""
