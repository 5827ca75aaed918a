"""The name of ``flower_app`` in the apps that version 0.1.0 wrote."""

from penchant.privacy.federated.flower_app import process_client, process_server

__all__ = ["process_client", "process_server"]
