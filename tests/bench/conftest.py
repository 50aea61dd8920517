# SPDX-License-Identifier: MIT
"""Puts the folder above `bench` into the path; that of made_up.py is there already."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
