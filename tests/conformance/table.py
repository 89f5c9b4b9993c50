"""The table: importing it fills language.ROWS, chapter by chapter."""
# pylint: disable=unused-import
import storing
import freshness
