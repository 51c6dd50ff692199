"""Whatever is sent, Tandem answers and shows what the model of the shop does.

TANDEM_MODEL_EXAMPLES=500 makes a run longer; each example is a walk of TANDEM_MODEL_STEPS commands.
"""

import os

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.model.commands import RandomCommands
from tests.model.tandem import Tandem
from tests.model.walks import walk

EXAMPLES = int(os.environ.get("TANDEM_MODEL_EXAMPLES", "8"))
STEPS = int(os.environ.get("TANDEM_MODEL_STEPS", "100"))


def test_tandem_agrees_with_the_model_of_the_shop(tandem: Tandem) -> None:
    # A smaller seed is no simpler walk: nothing is shrunk.
    @settings(
        max_examples=EXAMPLES,
        phases=[Phase.generate],
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(seed=st.integers(0, 2**32))
    def agrees(seed: int) -> None:
        commands = RandomCommands(tandem)
        commands.open()
        for name, arguments in walk(seed, STEPS):
            getattr(commands, name)(**arguments)
        commands.close()

    agrees()
