# SPDX-License-Identifier: GPL-2.0-or-later

## model: search all interleavings of the sample ring's model with spin, and find each of its mutations
.PHONY: model
model:
	@tests/model/check
