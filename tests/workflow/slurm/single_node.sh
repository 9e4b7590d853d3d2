#!/usr/bin/env bash
# A SLURM of one node on this machine, for tests: munge, slurmctld and slurmd, without systemd,
# accounting or cgroups. Everything is in FOLDER but two links in /etc/slurm, since jobs are told
# nothing else of where the configuration is.
#
#   single_node.sh check          say why it cannot be started here, if so
#   single_node.sh up FOLDER      as root; ends when the node is idle
#   single_node.sh node FOLDER    start the node's daemon again, after it was killed
#   single_node.sh down FOLDER
#
# It starts only where there is no SLURM: no configuration in /etc/slurm, no daemon running.
set -euo pipefail
umask 022
action=$1
folder=$(realpath -m "${2:-.}")
etc=/etc/slurm
host=$(hostname -s)

refuse() {
    echo "single_node.sh: $1" >&2
    exit 1
}

# Not the dead of containers whose first process does not wait for its children.
running() {
    pgrep -x -r R,S,D "$1" > /dev/null
}

check() {
    [ "$(id -u)" = 0 ] || refuse "only root can start the daemons"
    for name in slurmctld slurmd munged sbatch; do
        command -v $name > /dev/null || refuse "no $name: apt-get install slurm-wlm munge"
    done
    for name in slurm.conf gres.conf cgroup.conf; do
        if [ -e $etc/$name ] || [ -L $etc/$name ]; then
            refuse "$etc/$name ($(readlink -m $etc/$name)) is there: this machine has a SLURM already"
        fi
    done
    for name in slurmctld slurmd; do
        ! running $name || refuse "$name is running: this machine has a SLURM already"
    done
}

configure() {
    memory=$(awk '/MemTotal/ {print int($2 / 1024 * 0.8)}' /proc/meminfo)
    cat > "$folder/slurm.conf" << EOF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
SlurmctldPort=26817
SlurmdPort=26818
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
MpiDefault=none
ReturnToService=2
# A dead node is noticed within seconds, and its jobs wait no two minutes to be started again; jobs
# are listed long after their end.
SlurmdTimeout=10
AuthInfo=cred_expire=10
MinJobAge=3600
GresTypes=gpu
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=$memory Gres=gpu:1 State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE State=UP
EOF
    # No GPU, but a device that counts as one.
    echo "Name=gpu File=/dev/null" > "$folder/gres.conf"
}

idle() {
    for _ in $(seq 100); do
        [ "$(sinfo -h -o %T 2> /dev/null)" = idle ] && return
        sleep 0.3
    done
    tail -n 5 "$folder"/*.log >&2
    refuse "the node is not idle after 30 s: $(sinfo -h -o %T)"
}

stop() {
    # By the file that a daemon wrote, if it is the one that this process is.
    if [ -f "$2" ] && grep -qsx "$1" "/proc/$(cat "$2")/comm"; then
        kill "$(cat "$2")"
        for _ in $(seq 100); do
            running "$1" || return 0
            sleep 0.1
        done
    fi
}

case $action in
    check)
        check
        ;;
    up)
        check
        mkdir -p "$folder"/{state,spool} $etc
        configure
        ln -s "$folder/slurm.conf" "$folder/gres.conf" $etc/
        if [ ! -S /run/munge/munge.socket.2 ] || ! munge -n > /dev/null 2>&1; then
            install -d -o munge -g munge /run/munge
            runuser -u munge -- munged
            touch "$folder/own_munge"
        fi
        slurmctld
        slurmd
        idle
        ;;
    node)
        slurmd
        ;;
    down)
        if [ "$(readlink $etc/slurm.conf)" = "$folder/slurm.conf" ]; then
            scancel --user root || true
            stop slurmd "$folder/slurmd.pid"
            stop slurmctld "$folder/slurmctld.pid"
            rm -f $etc/slurm.conf $etc/gres.conf
            [ ! -f "$folder/own_munge" ] || stop munged /run/munge/munged.pid
        fi
        ;;
    *) refuse "check, up, node or down, not '$action'" ;;
esac
