# SPDX-License-Identifier: GPL-2.0-or-later
# Each benchmark is a script bench/NAME, run as `make bench-NAME`: it boots the emulated host, prints a table and,
# last, one headline line.

## bench-scan: ns per page of abit and abit-flush, 4K and 2M leaves, 64 MiB to 2 GiB, side by side
.PHONY: bench-scan
bench-scan: deps-lab
	@bench/scan
