"""Federated training with Flower, behind the extra ``federated``: events stay with their clients.

agreement           what all parties know, and a client's statistics as a vector of fixed size
secure_aggregation  masks modulo 2^64, shares of their keys (cryptography)
client              what a client answers (Flower's ClientApp)
participants        who takes part, who was dropped and why, what each sent (Flower)
sum_round           one round of statistics, in the open or masked (Flower)
fedavg              rounds of the deep expert: FedAvg, clipped and with noise on request (torch)
in_process_grid     Flower's messages within one process, for simulations (Flower)
simulation          a federation of one dataset, compared with the central fit (Flower)
flower_app          the same as a Flower app, for servers and clients that are processes (Flower)
"""

import os

from penchant.errors import MissingExtraError

# Flower reports each run to its makers unless this is set before it is first imported
os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")


def check_extra() -> None:
    """Raises MissingExtraError where Flower or cryptography is not installed."""
    try:
        import cryptography  # noqa: F401
        import flwr  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "flwr", "federated") from error
