"""The terminal: commands, text, JSON. Nothing below this package prints."""
