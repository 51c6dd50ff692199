"""Finds the target of a command, or rejects the command: 404 first, then 412."""

from command_service.commands.command import Context
from command_service.domain.orders import Order
from command_service.domain.products import Product
from command_service.domain.rejection import Rejection
from command_service.domain.shop import Shop
from command_service.domain.users import User


def target_user(shop: Shop, context: Context) -> User:
    """Another user is reported as not found, unless the scope is unrestricted."""
    user = shop.users.get(context.id)
    foreign = not context.has_unrestricted_scope and context.caller != context.id
    if user is None or user.erased or foreign:
        raise Rejection("not-found", "the user does not exist")
    _check_version(user.version, context)
    return user


def target_product(shop: Shop, context: Context) -> Product:
    """A retired product accepts no command."""
    product = shop.products.get(context.id)
    if product is None:
        raise Rejection("not-found", "the product does not exist")
    _check_version(product.version, context)
    if product.retired:
        raise Rejection("product-retired", "the product is retired")
    return product


def target_order(shop: Shop, context: Context) -> Order:
    """Another user's order is reported as not found, unless the scope is unrestricted."""
    order = shop.orders.get(context.id)
    if order is None or not (context.has_unrestricted_scope or context.caller == order.customer_id):
        raise Rejection("not-found", "the order does not exist")
    _check_version(order.version, context)
    return order


def _check_version(version: int, context: Context) -> None:
    if context.if_match is not None and context.if_match != version:
        raise Rejection("version-conflict", f"the version is {version}")
