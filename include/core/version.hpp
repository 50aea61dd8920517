// SPDX-License-Identifier: MIT
// Who this firmware says it is. The date is the release's, never the build's: the same source makes
// the same bytes.
#pragma once

#define MAYFLY_NAME "Mayfly"
#define MAYFLY_MAJOR 0
#define MAYFLY_MINOR 1
#define MAYFLY_VERSION "0.1"
#define MAYFLY_DATE "11/22/2026"
