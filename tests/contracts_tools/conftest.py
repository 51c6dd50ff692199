"""All of Tandem, as the system tests run it."""

from tests.system.conftest import shop as shop
from tests.system.conftest import stack as stack
