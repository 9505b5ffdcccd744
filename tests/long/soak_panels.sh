#!/usr/bin/env bash
# Ten million runs of every kind on one panel host: none fails, the memory stays as it was when warm.
# NEXUS_SOAK_RUNS=200000 for a short look.
set -euo pipefail

NEXUS_GUEST=$NEXUS_ROOT/build/release/nexus_guest.so NEXUS_SOAK_RUNS=${NEXUS_SOAK_RUNS:-10000000} \
  "$NEXUS_ROOT/build/release/panel_host_test" --gtest_also_run_disabled_tests \
  --gtest_filter='PanelSoak.DISABLED_Runs' --gtest_brief=1
