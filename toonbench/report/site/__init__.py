"""The static site: leaderboards, a browser of pairs with videos in step, worst pairs, methods and metrics (docs/site.md)."""

from toonbench.report.site.build import TITLE, Built, build_site
from toonbench.report.site.clips import open_sets
from toonbench.report.site.view import build_view

__all__ = ["TITLE", "Built", "build_site", "build_view", "open_sets"]
