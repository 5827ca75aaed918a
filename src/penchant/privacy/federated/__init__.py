"""Federated training with Flower, behind the extra ``federated``: events stay with their clients.

terms       what all parties know, and a client's sums as a vector of fixed size (NumPy)
masking     secure aggregation: masks modulo 2^64, shares of their keys (cryptography)
client      what a client answers (Flower's ClientApp)
roll        who takes part, who was dropped and why, what each sent (Flower)
summing     one round of sums, in the open or masked (Flower)
averaging   rounds of the deep expert: FedAvg, clipped and with noise where asked (Flower, torch)
local       Flower's messages within one process, for simulations (Flower)
simulation  a federation of someone's own data beside the central fit (Flower)
project     the same as a Flower app, for servers and clients that are processes (Flower)
"""

import os

from penchant.errors import MissingExtraError

# Flower tells its makers of each run unless this is set before it is first imported
os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")


def check_extra() -> None:
    """Raises MissingExtraError where Flower or cryptography is not installed."""
    try:
        import cryptography  # noqa: F401
        import flwr  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "flwr", "federated") from error
