"""Writes `.tandem/env`, a shell file with the addresses of the stack."""

import shlex
from collections.abc import Mapping

from deploy.local.plan import Plan
from deploy.local.secrets import write_private


def variables(plan: Plan) -> Mapping[str, str]:
    services = {
        "COMMAND_URL": plan.url_of("command-service"),
        "QUERY_URL": plan.url_of("query-service"),
    }
    return services | dict(plan.urls)


def write_env(plan: Plan) -> None:
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in variables(plan).items()]
    write_private(plan.home.env, "".join(lines))
