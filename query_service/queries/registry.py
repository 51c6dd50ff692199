"""All queries. A new one is a file in this folder and a line below."""

from typing import Final

from query_service.queries.get_customer_orders import get_customer_orders
from query_service.queries.get_dashboard import get_dashboard
from query_service.queries.get_order import get_order
from query_service.queries.get_order_history import get_order_history
from query_service.queries.get_parked import get_parked
from query_service.queries.get_product import get_product
from query_service.queries.get_product_history import get_product_history
from query_service.queries.get_projections import get_projections
from query_service.queries.get_recent_orders import get_recent_orders
from query_service.queries.get_user import get_user
from query_service.queries.get_user_history import get_user_history
from query_service.queries.list_users import list_users
from query_service.queries.query import Query
from query_service.queries.search_products import search_products
from query_service.queries.stream_dashboard import stream_dashboard
from query_service.queries.stream_order import stream_order
from query_service.queries.stream_user import stream_user

QUERIES: Final[tuple[Query, ...]] = (
    get_user,
    list_users,
    get_customer_orders,
    get_product,
    search_products,
    get_order,
    get_recent_orders,
    get_user_history,
    get_product_history,
    get_order_history,
    stream_user,
    stream_order,
    get_dashboard,
    stream_dashboard,
    get_projections,
    get_parked,
)
