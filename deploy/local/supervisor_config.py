"""Generates supervisord's configuration."""

import os
import shlex
import signal
from collections.abc import Mapping

from deploy.local.home import ROOT, Home
from deploy.local.programs import Program
from deploy.local.servers.parent_death_signal import with_parent_death_signal

SUPERVISORD = """\
[unix_http_server]
file={socket}
chmod=0700

[supervisord]
logfile={logs}/supervisord.log
logfile_maxbytes=10MB
logfile_backups=2
pidfile={pid_file}
umask=077
directory={root}
{user}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""

# autostart is off because `up` starts the servers before the services. startretries is unlimited in
# effect: each delay is a second longer than the previous one, and 1 s of run time resets it.
PROGRAM = """
[program:{name}]
command={command}
environment={environment}
directory={root}
autostart=false
autorestart=true
startsecs=1
startretries=1000000
stopsignal={stop_signal}
stopwaitsecs={stop_seconds}
killasgroup=true
redirect_stderr=true
stdout_logfile={logs}/{name}.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=3
"""


def configuration(home: Home, programs: list[Program]) -> str:
    text = SUPERVISORD.format(
        socket=_literal(home.supervisor_socket),
        logs=_literal(home.logs),
        pid_file=_literal(home.supervisor_pid),
        root=_literal(ROOT),
        user=_user(),
    )
    return text + "".join(_program(home, program) for program in programs)


def _program(home: Home, program: Program) -> str:
    number = signal.Signals[f"SIG{program.stop_signal}"]
    return PROGRAM.format(
        name=program.name,
        command=_literal(shlex.join(with_parent_death_signal(list(program.command), number))),
        environment=_literal(_environment(program.environment)),
        root=_literal(ROOT),
        logs=_literal(home.logs),
        stop_signal=program.stop_signal,
        stop_seconds=program.stop_seconds,
    )


def _environment(values: Mapping[str, str]) -> str:
    # A quote would end the value. Only URLs may contain one, and there %22 is equivalent.
    quotes = {name: value.replace(chr(34), "%22") for name, value in values.items()}
    return ",".join(f'{name}="{value}"' for name, value in quotes.items())


def _literal(value: object) -> str:
    """supervisord expands %(…)s in its configuration."""
    return str(value).replace("%", "%%")


def _user() -> str:
    return "user=root\n" if os.geteuid() == 0 else ""
