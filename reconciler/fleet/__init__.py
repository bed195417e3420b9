"""Fleet and site documents, parsed into the model with every mistake located."""

from reconciler.fleet.loading import BrokenSite, FleetLoad, load_fleet, parse_site
from reconciler.fleet.lock import load_lock
from reconciler.fleet.origin import SiteOrigins
from reconciler.fleet.published import schemas

__all__ = ["BrokenSite", "FleetLoad", "SiteOrigins", "load_fleet", "load_lock", "parse_site", "schemas"]
