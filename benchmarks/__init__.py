"""Benchmarks: ratios against peers, interleaved in one run. ``python -m benchmarks NAME --json -`` runs one."""
