"""Privacy: forgetting with receipts, differential privacy, federated training.

sgd   the deep expert by DP-SGD (torch, extra ``dp``)
"""
