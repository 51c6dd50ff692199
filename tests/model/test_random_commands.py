"""For any commands, the responses and views of Tandem equal those of the model.

TANDEM_MODEL_EXAMPLES sets the number of walks, TANDEM_MODEL_STEPS the commands of each.
"""

import os

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.model.commands import RandomCommands
from tests.model.tandem import Tandem
from tests.model.walks import walk

EXAMPLES = int(os.environ.get("TANDEM_MODEL_EXAMPLES", "8"))
STEPS = int(os.environ.get("TANDEM_MODEL_STEPS", "100"))


def test_tandem_equals_the_model_after_random_commands(tandem: Tandem) -> None:
    # No shrinking: a smaller seed does not give a simpler walk.
    @settings(
        max_examples=EXAMPLES,
        phases=[Phase.generate],
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(seed=st.integers(0, 2**32))
    def run(seed: int) -> None:
        commands = RandomCommands(tandem)
        commands.open()
        for name, arguments in walk(seed, STEPS):
            getattr(commands, name)(**arguments)
        commands.close()

    run()
