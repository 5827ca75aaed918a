"""A report on a run as one HTML page: readable by who owns the shop, exact for who runs it.

verdict            one sentence on how good the lists are
html, svg, plots   the page: what is escaped, tables, figures
data_section       the data
metrics_section    what the run measured
interest_maps      interests of a few users
diversity_section  what diversity costs
"""

from penchant.report.report import report

__all__ = ["report"]
