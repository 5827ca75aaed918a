"""The console: the service in a browser, for shop owners and operators alike.

rendering      pages from templates, and problem pages
auth           who may see what; logging in
overview       the state of the service in numbers
users          a user: timeline, interests, recommendations
items          an item: its columns, its image, similar items
api_reference  the endpoints of the service, from its OpenAPI schema
forms          everything that changes data
routes         the addresses of the console
"""

from penchant.serve.console.routes import ROUTERS

__all__ = ["ROUTERS"]
