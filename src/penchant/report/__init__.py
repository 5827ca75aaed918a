"""A report on a run as one HTML page: readable by who owns the shop, exact for who runs it.

page      the page: what is escaped, tables, figures
drawing   plots as SVG
health    the data
measures  what the run measured
people    interests of a few users
tradeoff  what diversity costs
"""

from penchant.report.report import report

__all__ = ["report"]
