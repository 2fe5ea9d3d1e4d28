"""The `train` half: launch → worker → trainer."""
