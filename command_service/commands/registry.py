"""All commands of Tandem. A new command is a file in this folder and a line below."""

from typing import Final

from command_service.commands import (
    add_product,
    cancel_order,
    create_user,
    deliver_order,
    erase_user,
    pay_order,
    place_order,
    refund_order,
    restock_product,
    retire_product,
    ship_order,
    update_product_price,
    update_user_email,
    update_user_name,
)
from command_service.commands.command import AnyCommand

COMMANDS: Final[tuple[AnyCommand, ...]] = (
    create_user.COMMAND,
    update_user_name.COMMAND,
    update_user_email.COMMAND,
    erase_user.COMMAND,
    add_product.COMMAND,
    update_product_price.COMMAND,
    restock_product.COMMAND,
    retire_product.COMMAND,
    place_order.COMMAND,
    pay_order.COMMAND,
    ship_order.COMMAND,
    deliver_order.COMMAND,
    cancel_order.COMMAND,
    refund_order.COMMAND,
)
