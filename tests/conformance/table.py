"""The table: ROWS, chapter by chapter."""
import importlib

from language import ROWS

CHAPTERS = ("storing", "freshness", "validation", "headers", "vary", "invalidation", "ranges", "requests", "stale", "targeted",
            "cache_status")
for chapter in CHAPTERS:
    importlib.import_module(chapter)
__all__ = ["ROWS"]
