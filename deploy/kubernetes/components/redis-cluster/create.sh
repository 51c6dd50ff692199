# Creates the Redis Cluster; run by the job redis-create.
REDISCLI_AUTH=$(cat /run/secrets/redis/password)
export REDISCLI_AUTH
cli() { valkey-cli --user tandem_admin "$@"; }

nodes=
for number in 0 1 2 3 4 5; do
    name=redis-$number.redis-nodes
    until cli -h "$name" ping | grep -q PONG; do sleep 1; done
    nodes="$nodes $(getent hosts "$name" | cut -d ' ' -f 1):6379"
done
if cli -h redis-0.redis-nodes cluster info | grep -q '^cluster_slots_assigned:16384'; then
    echo 'the cluster has its slots already'
    exit 0
fi
# shellcheck disable=SC2086 # one word per node
cli --cluster create $nodes --cluster-replicas 1 --cluster-yes
