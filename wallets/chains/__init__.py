"""Adapters to coin networks: plain Python without Django, one contract (protocol.py), real and fake alike."""
