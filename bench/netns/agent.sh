#!/bin/sh
# Stands for ssh where hosts are network namespaces: mpirun calls it as `agent.sh ADDRESS COMMAND …`.
# NETNS_PREFIX and the address are the namespace's name; NETNS_CORES, where it is set, how many cores hosts take in turn.
address=$1
shift
set -- sh -c "$*"
if [ -n "$NETNS_CORES" ]; then
  set -- taskset -c $(((${address##*.} - 1) % NETNS_CORES)) "$@"
fi
# A name of its own: OpenMPI takes hosts of one name for one host.
exec ip netns exec "$NETNS_PREFIX$address" unshare --uts \
  sh -c 'hostname "$0" && exec "$@"' "host-${address##*.}" "$@"
