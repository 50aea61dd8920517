# SPDX-License-Identifier: MIT
"""`make bench`: what a firmware costs before the kernel runs. See docs/benchmarking.md."""
