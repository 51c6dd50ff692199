"""Every view, by the topic that it folds."""

from collections.abc import Mapping
from typing import Final

from projector.views.orders import ORDERS
from projector.views.products import PRODUCTS
from projector.views.users import USERS
from projector.views.view import View

VIEWS: Final[Mapping[str, View]] = {view.topic: view for view in (USERS, PRODUCTS, ORDERS)}
