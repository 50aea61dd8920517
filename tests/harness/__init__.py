# SPDX-License-Identifier: MIT
"""Runs guests under QEMU and reads what their payload reports."""
