#!/usr/bin/env bash
# 1,000 times kill -9 of a process whose panels are under load; and power cuts with more seeds.
set -euo pipefail

tests=$NEXUS_ROOT/build/release/panel_host_test
export NEXUS_GUEST=$NEXUS_ROOT/build/release/nexus_guest.so

NEXUS_KILL_CYCLES=${NEXUS_KILL_CYCLES:-1000} "$tests" --gtest_filter='Half/Kill.*' --gtest_brief=1
NEXUS_LONG=1 "$tests" --gtest_filter='PowerCut.*' --gtest_brief=1
