"""The console: the service in a browser, for who owns the shop and who runs it alike.

pages        how a page is made of a template, and what it says where something is wrong
entry        who may see what; logging in
overview     the state of the service in numbers
people       a user: timeline, interests, list
goods        an item: what is known of it, its image, its neighbors
description  the addresses of the service, of their OpenAPI description
forms        what is changed from here
routes       the addresses of the console
"""

from penchant.serve.console.routes import ROUTERS

__all__ = ["ROUTERS"]
