"""Helpers that several tests share: real processes, toys, stand-ins for what cannot be here."""
