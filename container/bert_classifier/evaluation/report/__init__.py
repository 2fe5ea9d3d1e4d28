"""The HTML reports: content and rendering."""
