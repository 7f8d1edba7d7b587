"""The vocabulary of Manus: what actors say to each other, as frozen msgspec Structs.

This package imports nothing else of ours and knows neither a vendor nor a transport.
"""
